"""The rest of the wire: word lists, life times, problems, records, composing a signal."""

import json
import pickle
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from tests.schemas.directory import vectors
from tests.schemas.payloads import SAMPLES
from tests.support.vectors.keys import compact
from tocsin_schemas import feed, hub_events, indicators, ledger, policy, problems, signals, vocabulary
from tocsin_schemas.indicators import Indicator, degenerate_pdq
from tocsin_schemas.policy import DAY, Policy, lifetime
from tocsin_schemas.problems import REGISTRY, Problem, Refused
from tocsin_schemas.vocabulary import Status, band


@pytest.mark.parametrize(
    ("count", "expected"),
    [(-1, "0"), (0, "0"), (1, "1"), (2, "2"), (3, "3-5"), (5, "3-5"), (6, "6+"), (10**6, "6+")],
)
def test_counts_come_in_bands(count: int, expected: str) -> None:
    assert band(count) == expected


def test_every_label_belongs_to_a_pack_and_every_pack_has_a_version() -> None:
    assert len(vocabulary.LABELS) == sum(map(len, vocabulary.LABEL_PACKS.values()))
    assert all(pack.partition("@")[2].isdigit() for pack in vocabulary.LABEL_PACKS)
    assert all(len(label) <= 64 for label in vocabulary.LABELS)
    assert vocabulary.HUMAN_BASES < vocabulary.LIFTING_BASES < set(get_args(vocabulary.Basis))
    assert set(vocabulary.SIGNAL_KINDS) == set(signals.EVENTS)
    assert set(vocabulary.ENTRY_KINDS) == {
        "proceeding",
        *vocabulary.SIGNAL_KINDS,
        *get_args(vocabulary.HubKind),
        *vocabulary.GOVERNANCE_KINDS,
    }


# trust.md §6, in days.
LIVES: list[tuple[str, str, str, int]] = [
    ("report", "media", "candidate", 180),
    ("report", "media", "quarantined", 180),
    ("report", "media", "disputed", 180),
    ("report", "media", "corroborated", 5 * 365),
    ("report", "media", "human_confirmed", 5 * 365),
    ("report", "account", "candidate", 90),
    ("report", "account", "corroborated", 365),
    ("report", "account", "human_confirmed", 730),
    ("report", "artefact", "candidate", 730),
    ("report", "artefact", "human_confirmed", 730),
    ("sighting", "media", "human_confirmed", 30),
    ("sighting", "account", "candidate", 30),
    ("dispute", "media", "disputed", 180),
    ("outcome", "account", "candidate", 365),
]


@pytest.mark.parametrize(("kind", "family", "status", "days"), LIVES)
def test_life_times_are_those_of_the_trust_page(kind: Any, family: Any, status: Status, days: int) -> None:
    assert lifetime(Policy(), kind, family, status) == days * policy.DAY


def test_a_policy_is_closed_and_says_everything() -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate({"majority": 3})
    with pytest.raises(ValidationError):
        Policy(sighting=-1)
    assert Policy(version=2, sighting=DAY).sighting == DAY


def test_a_problem_document_says_only_what_there_is_to_say() -> None:
    assert problems.document("not-found") == {
        "type": "urn:tocsin:problem:not-found",
        "title": REGISTRY["not-found"].title,
        "status": 404,
        "code": "not-found",
    }
    full = problems.document("claim-missing", "iat", "required")
    assert (full["field"], full["detail"]) == ("iat", "required")


@pytest.mark.parametrize("problem", REGISTRY.values(), ids=lambda problem: problem.code)
def test_a_registered_problem_helps(problem: Problem) -> None:
    assert REGISTRY[problem.code] is problem
    assert problem.type == f"urn:tocsin:problem:{problem.code}"
    assert 400 <= problem.status <= 599
    assert problem.title[0].isupper()
    assert not problem.title.endswith(".")
    assert problem.help.endswith(".")


def test_a_refusal_survives_the_way_between_processes() -> None:
    refused = Refused("rate-limited", "", "past the cap", retry_after=7)
    back = pickle.loads(pickle.dumps(refused))
    assert (back.code, back.field, back.reason, back.retry_after) == ("rate-limited", "", "past the cap", 7)
    assert str(back) == str(refused) == "rate-limited: past the cap"
    assert str(Refused("claim-missing", "iat", "required")) == "claim-missing: iat: required"


def test_every_refusal_in_the_wire_is_registered() -> None:
    """By its source: a code that is not in the registry could not be answered."""
    sources = "".join(path.read_text() for path in Path(signals.__file__).parent.glob("*.py"))
    named = set(re.findall(r'Refused\(\s*"([a-z0-9-]+)"', sources))
    assert len(named) > 20
    assert named <= set(REGISTRY)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            b'{"seq":812,"recorded_at":"2026-11-22T00:00:00Z","expires_at":"2027-01-01T00:00:00Z","r":"%s","jws":"a.b.c"}'
            % (b"0" * 64),
            feed.Live,
        ),
        (b'{"seq":0,"recorded_at":"2026-11-22T00:00:00Z","r":"%s","jws":"a.b.c"}' % (b"0" * 64), feed.Live),
        (b'{"seq":813,"gone":"retracted"}', feed.Gone),
        (b'{"seq":814,"withheld":"tlp"}', feed.Withheld),
    ],
)
def test_a_record_has_one_of_three_shapes(line: bytes, expected: type[feed.Record]) -> None:
    record = feed.parse_record(line)
    assert type(record) is expected
    assert json.loads(record.model_dump_json(exclude_none=True)) == json.loads(line)


def test_a_key_of_the_directory_verifies() -> None:
    jwk = vectors("keys")["members"][0]["jwk"]
    key = feed.MemberKey(jwk=jwk, not_before="2026-01-01T00:00:00Z", not_after="2027-01-01T00:00:00Z")
    assert key.public().kid == jwk["kid"]
    weak = feed.MemberKey(jwk={**jwk, "x": "A" * 43}, not_before=key.not_before, not_after=key.not_after)
    with pytest.raises(Refused):
        weak.public()


@pytest.mark.parametrize(
    ("bits", "expected"), [(0, True), (63, True), (64, False), (192, False), (193, True)]
)
def test_a_pdq_without_texture_is_degenerate(bits: int, expected: bool) -> None:
    assert degenerate_pdq(((1 << bits) - 1).to_bytes(32)) is expected


@pytest.mark.parametrize("said", SAMPLES.values(), ids=list(SAMPLES))
def test_a_signal_that_was_read_can_be_composed_again(said: dict[str, Any]) -> None:
    signal = signals.parse(compact(said))
    subject = signal.indicators if signal.target is None else signal.target
    again = signals.compose(
        signal.event,
        subject,
        iss=signal.iss,
        aud=signal.aud,
        iat=signal.iat,
        jti=signal.jti,
        toe=said.get("toe"),
    )
    expected = {name: value for name, value in said.items() if name != "txn"}
    if "account" in (body := next(iter(expected["events"].values()))):
        body["account"].setdefault("minor_suspected", False)
    assert json.loads(again) == expected
    assert signals.parse(again) == signal
    assert signal.report is (signal.event if isinstance(signal.event, signals.Report) else None)


def test_one_indicator_and_several_are_different_subjects() -> None:
    one = Indicator("md5", bytes(16))
    two = Indicator("sha1", bytes(20))
    event = signals.Sighting(detection_context="upload", count="1")

    def subject(*items: Indicator) -> Any:
        raw = signals.compose(event, items, iss="https://a.example", aud="x", iat=1, jti=bytes(16))
        return json.loads(raw)["sub_id"]

    assert subject(one) == {"format": "opaque", "id": str(one)}
    assert subject(one, two)["identifiers"] == [subject(one), subject(two)]


def test_an_expiry_says_how_many_and_which() -> None:
    raw = hub_events.compose_expiry(
        iss="https://hub.example",
        aud="https://hub.example/communities/a",
        iat=1795305600,
        day="2026-11-21",
        seqs=[3, 5, 9],
    )
    body = next(iter(json.loads(raw)["events"].values()))
    assert body == {"day": "2026-11-21", "count": 3, "root": hub_events.expiry_root([3, 5, 9]).hex()}
    assert hub_events.expiry_root([3, 5]) != hub_events.expiry_root([5, 3])
    again = hub_events.compose_expiry(iss="x", aud="x", iat=1, day="x", seqs=[1])
    assert json.loads(raw)["jti"] != json.loads(again)["jti"]


def test_a_release_says_which() -> None:
    raw = hub_events.compose_release(iss="https://hub.example", aud="a", iat=1, seqs=(3, 5))
    assert json.loads(raw)["events"] == {"urn:tocsin:event:v1:release": {"seqs": [3, 5]}}


def test_nonces_are_random_and_long() -> None:
    drawn = {ledger.new_nonce() for _ in range(100)}
    assert len(drawn) == 100
    assert {len(nonce) for nonce in drawn} == {32}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-22",
        "2026-11-22T00:00:00",
        "2026-11-22T00:00:00z",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-1-1T0:0:0Z",
        "2026-11-22T00:00:0\u0661Z",
        "1-01-01T00:00:00Z",
    ],
)
def test_an_instant_is_rfc_3339_with_z(text: str) -> None:
    assert ledger.instant("2026-11-22T00:00:00Z") == 1795305600
    with pytest.raises(ValueError, match=r"time data|out of range|the one spelling"):
        ledger.instant(text)


def test_a_pattern_covers_exactly_the_families_asked_for() -> None:
    kinds = re.compile("([a-z0-9-]+):")
    assert set(kinds.findall(indicators.pattern("artefact"))) == {"file-sha256", "weights-sha256"}
    assert set(kinds.findall(indicators.pattern("media", "account", "artefact"))) == set(
        indicators.INDICATOR_TYPES
    )

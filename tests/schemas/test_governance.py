"""Records, decisions, ballots and acts: one spelling each, closed, and digests that anyone can compute."""

import hashlib
import json
import random
import traceback
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from tests.schemas.boards import HUB, START, VERIFY, Hall, group
from tests.schemas.payloads import parts, replaced
from tests.schemas.planted import values
from tests.support.vectors.keys import compact
from tocsin_schemas import chain, explained, governance
from tocsin_schemas.decisions import (
    PARAMS,
    Appeal,
    Ballot,
    Decision,
    Params,
    Plain,
    ballot_challenge,
    decision_digest,
    open_vote,
    sign_ballot,
)
from tocsin_schemas.governance import (
    Act,
    ClockRule,
    PublishedRecord,
    Record,
    entry_kind,
    make_record,
    parse_record,
    read_act,
    record_bytes,
    record_digest,
    sign_act,
)
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import canonical
from tocsin_schemas.vocabulary import DecisionType

PIXEL = "https://pixel.example"
FIELDS: dict[str, Any] = {
    "seq": 1,
    "prev": "0" * 64,
    "roster_version": 1,
    "threshold": "majority",
    "issued_at": START,
    "expires_at": START + 7 * DAY,
}
SUBJECTS: dict[str, str] = {
    "community.open": "child-safety",
    "policy.set": "policy",
    "roster.set": "roster",
    "agreement.record": "agreement",
    "appeal.uphold": "decision:4",
    "appeal.dismiss": "decision:4",
}
SAID: dict[str, Any] = {
    "Admit": {
        "member_class": "platform",
        "control_group": group("a"),
        "sponsors": [],
        "vetting": "5e" * 32,
        "keys": ["k" * 43],
        "communities": [],
    },
    "Suspend": {"until": START},
    "Sanction": {"noticed_at": START},
    "RevokeKey": {"kid": "k" * 43},
    "EnrolKeys": {"keys": ["k" * 43]},
    "Grant": {"community": "child-safety", "read": True, "write": False},
    "SetPolicy": {"policy": Policy(version=2).model_dump(mode="json")},
    "Peer": {"terms": "5e" * 32},
    "Appeal": {"of": 4, "filed_at": START},
    "Agreement": {"list": "iwf", "terms": "5e" * 32},
    "Plain": {},
}


@pytest.fixture(scope="module")
def hall() -> Hall:
    hall = Hall()
    hall.decide("community.open", "child-safety")
    hall.admit(PIXEL, "a")
    return hall


def params(kind: DecisionType) -> Any:
    if kind == "roster.set":
        return {"roster": json.loads(canonical(Hall(("independent",) * 3).roster(2)))}
    return SAID[PARAMS[kind].__name__]


def decision(kind: DecisionType, **changes: Any) -> Decision:
    fields = FIELDS | {"type": kind, "subject": SUBJECTS.get(kind, PIXEL), "params": params(kind)} | changes
    return Decision.model_validate_json(json.dumps(fields))


@pytest.mark.parametrize("kind", get_args(DecisionType))
def test_each_kind_of_decision_reads_its_own_params(kind: DecisionType) -> None:
    found = decision(kind)
    assert type(found.params) is PARAMS[kind]
    assert Decision.model_validate_json(canonical(found)) == found
    for model in set(PARAMS.values()) - {PARAMS[kind]}:
        if model.__name__ in SAID:
            with pytest.raises(ValidationError):
                decision(kind, params=SAID[model.__name__])


def test_no_two_kinds_of_params_read_the_same() -> None:
    for model in get_args(Params):
        if model.__name__ in SAID:
            read = []
            for other in get_args(Params):
                try:
                    other.model_validate_json(json.dumps(SAID[model.__name__]))
                except ValidationError:
                    continue
                read.append(other)
            assert read == [model]


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("member.admit", "pixel"),
        ("member.admit", "policy"),
        ("member.expel", "https://Pixel.example"),
        ("community.open", PIXEL),
        ("community.open", "board"),
        ("community.open", "docket"),
        ("community.open", "Child Safety"),
        ("policy.set", "roster"),
        ("roster.set", PIXEL),
        ("agreement.record", "iwf"),
        ("appeal.uphold", "decision:5"),
        ("appeal.dismiss", PIXEL),
        ("peering.set", "peer"),
        ("key.revoke", "decision:4"),
    ],
)
def test_a_subject_is_of_the_decisions_kind(kind: DecisionType, subject: str) -> None:
    with pytest.raises(ValidationError):
        decision(kind, subject=subject)


def test_the_digests_are_those_that_are_written_down() -> None:
    """Recomputed from the JSON alone."""
    found = decision("member.expel")
    digest = hashlib.sha256(b"tocsin/board-decision/v1\n" + compact(json.loads(canonical(found)))).digest()
    assert decision_digest(found) == digest
    for choice in ("yes", "no", "abstain"):
        signed = b"tocsin/board-ballot/v1\n" + digest + b"\n" + choice.encode()
        assert ballot_challenge(digest, choice) == hashlib.sha256(signed).digest()
    record = Hall().records[0]
    assert (
        record_digest(record) == hashlib.sha256(b"tocsin/board-record/v1\n" + record_bytes(record)).digest()
    )


def test_every_byte_of_a_decision_counts() -> None:
    digests = {
        decision_digest(decision("member.suspend", **changes))
        for changes in (
            {},
            {"seq": 2},
            {"prev": "1" * 64},
            {"roster_version": 2},
            {"threshold": "panel"},
            {"subject": "https://frame.example"},
            {"params": {"until": START + 1}},
            {"params": {"until": START, "noticed_at": 0}},
            {"recused": [{"seat": "s1", "reason": "tie"}]},
            {"issued_at": START + 1},
            {"expires_at": START},
        )
    }
    assert len(digests) == 11


@pytest.mark.parametrize("changes", [{}, {"jws": "a.b.c", "assertion": {}}])
def test_a_ballot_is_signed_in_one_way(changes: dict[str, Any]) -> None:
    said = {"client_data": "AA", "authenticator_data": "AA", "signature": "AA"}
    fields = {"seat": "s1", "choice": "yes", "credential": "k" * 43, "cast_at": START}
    fields |= {name: said if name == "assertion" else value for name, value in changes.items()}
    with pytest.raises(ValidationError):
        Ballot.model_validate(fields)


def test_an_offline_ballot_opens_with_its_own_key_alone(hall: Hall) -> None:
    chair = hall.chairs["s2"]
    digest = decision_digest(decision("member.expel"))
    ballot = sign_ballot(digest, "no", "s2", chair.key, START)
    assert ballot.jws is not None
    vote = open_vote(ballot.jws, chair.credential())
    assert (vote.digest, vote.choice, vote.seat) == (digest.hex(), "no", "s2")
    act = sign_act(hall.said(PIXEL, "withdraw"), chair.key)
    for jws, credential in ((ballot.jws, hall.chairs["s3"].credential()), (act, chair.credential())):
        with pytest.raises(Refused) as refused:
            open_vote(jws, credential)
        assert refused.value.code == "ballot-invalid"


def test_a_records_bytes_are_its_canonical_form(hall: Hall) -> None:
    for record in hall.records:
        raw = record_bytes(record)
        assert parse_record(raw) == record
        assert compact(json.loads(raw)) == raw
        published = PublishedRecord(log_seq=1, r="0" * 64, record=record)
        assert PublishedRecord.model_validate_json(canonical(published)) == published


def test_a_record_in_another_spelling_is_refused(hall: Hall) -> None:
    raw = record_bytes(hall.records[1])
    said = json.loads(raw)
    without_default = {**said, "body": {**said["body"], "decision": dict(said["body"]["decision"])}}
    del without_default["body"]["decision"]["recused"]
    for other in (
        raw + b"\n",
        raw.replace(b":", b": ", 1),
        json.dumps(said).encode(),
        json.dumps(dict(reversed(said.items())), separators=(",", ":")).encode(),
        compact(without_default),
        compact({**said, "kind": "clock"}),
        compact({**said, "note": "hello"}),
        compact({**said, "seq": True}),
        b"null",
        b"\xff",
    ):
        with pytest.raises(Refused) as refused:
            parse_record(other)
        assert refused.value.code == "record-malformed"


def test_the_log_says_what_kind_of_record_it_is(hall: Hall) -> None:
    assert [entry_kind(record) for record in hall.records] == [
        "decision",
        "decision",
        "decision",
        "key-change",
    ]
    for act, kind in (("withdraw", "member-state"), ("attest", "member-state"), ("key-revoke", "key-change")):
        members: dict[str, Any] = {"attest": {"year": 2026}, "key-revoke": {"kid": "k" * 43}}
        body = hall.signed(hall.said(PIXEL, act, **members.get(act, {})), SigningKey.generate())
        assert entry_kind(make_record(body, seq=4, prev=hall.state.tip, at=hall.now)) == kind
    clock = governance.ClockBody(rule="emergency-lapsed", issuer=PIXEL, of=1)
    assert entry_kind(make_record(clock, seq=4, prev=hall.state.tip, at=hall.now)) == "member-state"


ACT: dict[str, Any] = {"iss": PIXEL, "aud": HUB, "iat": START, "jti": "0" * 32}


@pytest.mark.parametrize(
    "said",
    [
        {"act": "withdraw", "year": 2026},
        {"act": "attest"},
        {"act": "attest", "year": "2026"},
        {"act": "key-revoke", "kid": "short"},
        {"act": "prove-key", "not_before": START},
        {"act": "key-add", "not_before": START, "not_after": START},
        {"act": "resign"},
        {"act": "withdraw", "why": "text"},
        {"act": "withdraw", "kid": None},
    ],
)
def test_an_act_says_what_it_says_and_no_more(said: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        read_act(compact(ACT | said))
    assert refused.value.code == "claim-invalid"


def test_an_act_is_one_object() -> None:
    assert read_act(compact(ACT | {"act": "withdraw"})) == Act.model_validate(ACT | {"act": "withdraw"})
    for raw, code in ((b"[]", "json-invalid"), (b'{"iss":"a","iss":"b"}', "json-duplicate-key")):
        with pytest.raises(Refused) as refused:
            read_act(raw)
        assert refused.value.code == code


def test_no_refusal_of_a_record_or_an_act_repeats_it() -> None:
    secret = "hunter2-secret"
    for read in (parse_record, read_act):
        with pytest.raises(Refused) as refused:
            read(compact({"kind": secret, secret: secret}))
        assert secret not in f"{refused.value}{refused.value.__cause__}"
        assert refused.value.__suppress_context__


def test_whatever_stands_in_a_record_no_refusal_repeats_it(hall: Hall) -> None:
    planted = random.Random(7).sample(values(), 5)
    refusals = 0
    for record in hall.records[1:]:
        said = json.loads(record_bytes(record))
        for path, value in parts(said):
            for secret in planted if isinstance(value, str) else ():
                try:
                    parse_record(compact(replaced(said, path, secret)))
                except Refused as refused:
                    refusals += 1
                    shown = "".join(traceback.format_exception(refused))
                    assert secret.encode("ascii", "backslashreplace").decode() not in shown
    assert refusals > 300


def test_each_record_is_told_in_one_sentence(hall: Hall) -> None:
    told = [explained.explain(record) for record in hall.records]
    assert told == [
        "The board was founded with 5 seats held and policy 1.",
        "Decision 1, to open the community child-safety, passed: 5 yes, 0 no, 0 abstaining.",
        (
            f"Decision 2, to admit {PIXEL} as platform, sponsored by nobody, as the hub is being founded, "
            "with access to child-safety (read and write), passed: 5 yes, 0 no, 0 abstaining."
        ),
        f"{PIXEL} proved that it holds a key of its own.",
    ]


def test_every_kind_of_decision_and_rule_has_its_words(hall: Hall) -> None:
    said = {explained.in_words(decision(kind)) for kind in get_args(DecisionType)}
    assert len(said) == len(get_args(DecisionType))
    for words in said:
        assert "{" not in words
        assert words[0].islower()
    sponsored = SAID["Admit"] | {"sponsors": ["https://a.example", "https://b.example"]}
    assert "https://a.example and https://b.example, with access to no community yet" in explained.in_words(
        decision("member.admit", params=sponsored)
    )
    nothing = {"community": "ncii", "read": False, "write": False}
    assert explained.in_words(decision("community.grant", params=nothing)).endswith(": ncii (nothing)")
    for rule in get_args(ClockRule):
        body = governance.ClockBody(rule=rule, issuer=PIXEL, of=1)
        told = explained.explain(make_record(body, seq=1, prev=hall.state.tip, at=START))
        assert PIXEL in told
        assert told.endswith(".")


def test_a_closed_record_stays_closed(hall: Hall) -> None:
    record = hall.records[2]
    with pytest.raises(ValidationError):
        Record.__setattr__(record, "at", 0)
    wrong = Record.model_construct(**{**dict(record), "kind": "clock"})
    with pytest.raises(Refused) as refused:
        chain.apply(hall.state, wrong, VERIFY)
    assert refused.value.code == "record-malformed"


def test_params_are_what_their_kind_says_in_python_too() -> None:
    with pytest.raises(ValidationError):
        Decision(type="member.expel", subject=PIXEL, params=Appeal(of=1, filed_at=0), **FIELDS)
    assert Decision(type="member.expel", subject=PIXEL, params=Plain(), **FIELDS).recused == []

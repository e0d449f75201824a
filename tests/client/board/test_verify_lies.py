"""A hub that lies in any way it likes: verifying ends all the same, and names a record or an entry of the log."""

import copy
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.client.board.conftest import admission
from tests.client.board.simulated import HUB, SimulatedBoard
from tests.client.terminal import Terminal
from tests.support.clock import MovableClock
from tocsin_client.board.entries import Logged
from tocsin_client.board.reading import Published, log_in
from tocsin_client.board.verify import Replay, verify_board
from tocsin_schemas import envelope, ledger
from tocsin_schemas.decisions import Plain
from tocsin_schemas.governance import (
    ACT_TYP,
    Act,
    HubBody,
    MemberBody,
    PublishedRecord,
    entry_kind,
    record_bytes,
    sign_act,
    sign_key_proof,
)
from tocsin_schemas.hub_acts import HUB_ACT_TYP, HubAct, sign_hub_act
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.ledger import Entry
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import canonical
from tocsin_schemas.rsa import RsaKey
from tocsin_schemas.signals import LATEST, dump_object
from tocsin_schemas.vocabulary import BOARD

PIXEL = "https://pixel.example"
DEEP: Any = "x"
for _ in range(400):
    DEEP = [DEEP]
JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 2**31, 10**9 - 1, LATEST, LATEST + 1, 2**63, 10**4000, 1.5, "", "x", "A" * 43, "AAAA", "_" * 86,
    "0" * 64, "\ud800", "\x00", "s1", "https://pixel.example", "e30.e30.AAAA", "W10.W10.AAAA", "." * 20, "x" * 100_000,
    [], {}, [None], {"x": {}}, DEEP, {"kty": "EC"}, {"kty": "RSA", "n": "AA", "e": "AQAB"},
    {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
    {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "kid": "A" * 43, "alg": "Ed25519"},
    envelope.encode(b"[" * 1500).decode(), envelope.encode(b'{"challenge":' + b"[" * 1500).decode(),
)  # fmt: skip


class Told(NamedTuple):
    """A board with a record of every kind, as JSON, and the keys of a member and of the hub, who may both lie."""

    records: list[dict[str, Any]]
    now: int
    signers: dict[str, tuple[SigningKey | RsaKey, str]]


@pytest.fixture(scope="module")
def told() -> Told:
    clock, pixel, hub_key = MovableClock(), SigningKey.generate(), RsaKey.generate()
    board = SimulatedBoard(clock)
    clock.advance(60)
    board.decide("community.open", "child-safety", Plain())
    clock.advance(60)
    board.decide("member.admit", PIXEL, admission(pixel))
    said = {"iss": PIXEL, "aud": HUB, "iat": clock.now, "jti": "1" * 32, "act": "prove-key"}
    act = Act.model_validate({**said, "not_before": clock.now, "not_after": clock.now + 300 * DAY})
    board.log(MemberBody(jws=sign_act(act, pixel), key=pixel.public.jwk()))
    coming = RsaKey.generate()
    rotation = HubAct(
        iss=HUB,
        iat=clock.now,
        jti="2" * 32,
        act="key-rotate",
        name="ssf_rs",
        jwk=coming.public.jwk(),
        not_before=clock.now,
        retires_at=clock.now + 7 * DAY,
        proof=sign_key_proof(iss=HUB, aud=HUB, iat=clock.now, key=coming),
    )
    board.log(HubBody(rotation=sign_hub_act(rotation, hub_key), signer=hub_key.public.jwk()))
    clock.advance(90 * DAY)
    assert board.state is not None
    (body,) = board.state.due(clock.now)
    board.log(body)
    assert {item.record.kind for item in board.published} == {"genesis", "decision", "member", "hub", "clock"}
    records = [json.loads(canonical(item)) for item in board.published]
    return Told(records, clock.now, {"jws": (pixel, ACT_TYP), "rotation": (hub_key, HUB_ACT_TYP)})


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every value inside: its container, and where it stands there."""
    within = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in list(within) for place in ((value, key), *places(inner))]


def changed(value: Any, change: int, junk: Any, *, drop: bool) -> None:
    """Another value in one place, or none."""
    found = places(value)
    container, key = found[change % len(found)]
    if drop:
        del container[key]
    else:
        container[key] = copy.deepcopy(junk)


def logged(records: list[dict[str, Any]], now: int) -> tuple[Published, Logged]:
    """What a hub publishes and logs that has written these, whatever they are."""
    entries: dict[int, Entry] = {}
    raw = []
    for place, said in enumerate(records):
        raw.append(json.dumps(said, separators=(",", ":"), sort_keys=True).encode())
        try:
            item = PublishedRecord.model_validate_json(raw[-1])
        except ValueError:
            continue
        try:
            kind = entry_kind(item.record)
        except Refused:
            kind = "member-state"
        commitment = ledger.commit(bytes.fromhex(item.r), record_bytes(item.record))
        entries[place] = Entry(BOARD, kind, item.record.at, commitment)
    return Published(None, b"\n".join(raw), None, None), Logged(entries, now=now)


def named(found: Replay) -> None:
    """It was told as far as it holds; whatever else there is, has its record or the entry of the log."""
    assert all(item.record is not None or "entry" in item.reason for item in found.wrong), found.wrong
    assert all(item.code and item.reason for item in found.wrong)


@settings(max_examples=400, deadline=None)
@given(
    which=st.integers(0, 5),
    change=st.integers(0, 10**6),
    junk=st.sampled_from(JUNK),
    drop=st.booleans(),
)
def test_whatever_a_record_says_it_is_verified_or_named(
    told: Told, which: int, change: int, junk: Any, drop: bool
) -> None:
    records = copy.deepcopy(told.records)
    changed(records[which], change, junk, drop=drop)
    found = verify_board(*logged(records, told.now), None)
    named(found)
    assert len(found.told) >= which or found.misfits[0].record in range(which)


@settings(max_examples=200, deadline=None)
@given(
    which=st.sampled_from(("jws", "rotation")),
    change=st.integers(0, 10**6),
    junk=st.sampled_from([value for value in JUNK if value != 10**4000]),
    drop=st.booleans(),
)
def test_whatever_a_member_or_the_hub_signs_is_verified_or_named(
    told: Told, which: str, change: int, junk: Any, drop: bool
) -> None:
    records = copy.deepcopy(told.records)
    (said,) = [item for item in records if which in item["record"]["body"]]
    payload = {"said": json.loads(envelope.payload_of(said["record"]["body"][which].encode()))}
    changed(payload, change, junk, drop=drop and change % len(places(payload)) > 0)
    key, typ = told.signers[which]
    raw = dump_object(payload["said"]) if isinstance(payload["said"], dict) else b"[]"
    said["record"]["body"][which] = envelope.sign(raw, key, typ).decode()
    found = verify_board(*logged(records, told.now), None)
    named(found)
    assert len(found.told) >= said["record"]["seq"]


@settings(max_examples=100, deadline=None)
@given(which=st.integers(0, 5), at=st.integers(0, 10**6), bits=st.binary(min_size=0, max_size=4))
def test_whatever_bytes_stand_there_they_are_a_record_or_named(
    told: Told, which: int, at: int, bits: bytes
) -> None:
    files, entries = logged(told.records, told.now)
    lines = (files.records or b"").split(b"\n")
    at %= len(lines[which])
    lines[which] = lines[which][:at] + bits + lines[which][at + 1 :]
    named(verify_board(files._replace(records=b"\n".join(lines)), entries, None))


def bad_act(record: dict[str, Any]) -> None:
    record["body"] = {"jws": "e30.e30.AAAA"}
    record["kind"] = "member"


def deep_assertion(record: dict[str, Any]) -> None:
    """It claims a challenge so deep inside that nothing that reads JSON gets there."""
    record["body"]["ballots"][0]["assertion"]["client_data"] = envelope.encode(b"[" * 3000).decode()


def no_point(record: dict[str, Any]) -> None:
    record["body"]["signer"] |= {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}


@pytest.mark.parametrize(
    ("which", "change", "code"),
    [
        (3, bad_act, "record-malformed"),
        (1, deep_assertion, "ballot-invalid"),
        (4, no_point, "claim-invalid"),
    ],
)
def test_what_no_reader_gets_through_is_named(
    told: Told, which: int, change: Callable[[dict[str, Any]], None], code: str
) -> None:
    records = copy.deepcopy(told.records)
    change(records[which]["record"])
    found = verify_board(*logged(records, told.now), None)
    assert (found.misfits[0].record, found.misfits[0].code) == (which, code)
    assert len(found.told) == which


def test_an_act_that_is_none_ends_verify_with_3(
    board: SimulatedBoard, terminal: Terminal, tmp_path: Any
) -> None:
    """The records before it are told, and `show` refuses by the same name."""
    board.log(MemberBody(jws="e30.e30.AAAA"), right=False)
    where = ("--hub", HUB, "--offline", board.write(tmp_path / "lying"))
    done = terminal.run("board", "verify", *where, code=3)
    assert "does not fit: record 6: record-malformed: not an act of a member" in done.stderr
    assert len(done.stdout.splitlines()) == 6
    assert terminal.error("board", "show", *where, code=3)["error"] == "record-malformed"


def test_an_entry_that_is_none_is_named(board: SimulatedBoard, terminal: Terminal, tmp_path: Any) -> None:
    place = len(board.tlog.leaves)
    board.tlog.leaves.append(b'{"community":"board"}')
    where = ("--hub", HUB, "--offline", board.write(tmp_path / "lying"))
    done = terminal.run("board", "verify", *where, code=3)
    assert f"does not fit: record-malformed: entry {place} of the log" in done.stderr
    assert len(done.stdout.splitlines()) == 6


def test_a_cosignature_of_no_time_counts_for_nothing(board: SimulatedBoard, tmp_path: Any) -> None:
    """A witness of the hub's own may date what it signs as it likes."""
    board.tlog.add_witness("witness.example")
    board.tlog.cosigned_at = 2**62
    copied, terminal = board.write(tmp_path / "lying"), Terminal(tmp_path / "home")
    terminal.run("log", "trust", "--hub", HUB, "--policy", log_in(copied) / "policy")
    row = terminal.rows("board", "verify", "--hub", HUB, "--offline", copied)[-1]
    assert (row["verified"], row["cosigned"]) == (True, [])

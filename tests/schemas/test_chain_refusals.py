"""What a chain cannot say: records that do not follow, and decisions that cannot be carried out."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.schemas.boards import COMMUNITY, PIXEL, START, VERIFY, Hall, next_roster, refused
from tocsin_schemas import chain
from tocsin_schemas.decisions import Agreement, SetPolicy, Suspend
from tocsin_schemas.governance import (
    NO_RECORD,
    ClockBody,
    Genesis,
    make_record,
    record_digest,
)
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.problems import Refused

OPEN = ("community.open", "ncii")


@pytest.fixture
def hall() -> Hall:
    return Hall()


def test_a_skipped_record(hall: Hall) -> None:
    hall.decide(*OPEN)
    hall.decide("community.open", "third")
    first, _, third = hall.records
    alone = chain.apply(None, first, VERIFY)
    with pytest.raises(Refused) as found:
        chain.apply(alone, third, VERIFY)
    assert found.value.code == "record-skipped"
    # Numbered as if nothing were missing, it still names what it followed.
    with pytest.raises(Refused) as found:
        chain.apply(alone, third.model_copy(update={"seq": 1}), VERIFY)
    assert found.value.code == "record-prev-mismatch"


def test_reordered_records(hall: Hall) -> None:
    for slug in ("one", "two", "three"):
        hall.decide("community.open", slug)
    first, second, third, fourth = hall.records
    state = chain.apply(chain.apply(None, first, VERIFY), second, VERIFY)
    for record, code in ((fourth, "record-skipped"), (second, "record-repeated"), (first, "record-repeated")):
        with pytest.raises(Refused) as found:
            chain.apply(state, record, VERIFY)
        assert found.value.code == code
    # Written again in the other order, with numbers and digests that fit: the ballots open on what is not there.
    early = make_record(fourth.body, seq=2, prev=state.tip, at=fourth.at)
    with pytest.raises(Refused) as found:
        chain.apply(state, early, VERIFY)
    assert found.value.code == "decision-prev-unknown"
    assert chain.apply(state, third, VERIFY).size == 3


def test_an_altered_record_breaks_the_next(hall: Hall) -> None:
    hall.decide(*OPEN)
    hall.decide("community.open", "third")
    first, second, third = hall.records
    later = second.model_copy(update={"at": second.at + 1})
    with pytest.raises(Refused) as found:
        chain.replay([first, later, third], VERIFY)
    assert found.value.code == "record-prev-mismatch"


def test_a_record_from_before_the_last(hall: Hall) -> None:
    decision = hall.decision(*OPEN)
    body = hall.body(decision, hall.votes(decision))
    hall.now -= 1
    refused(hall, "record-time-reversed", hall.append, body)


def test_a_second_genesis(hall: Hall) -> None:
    body = Genesis(roster=hall.roster(), policy=Policy())
    refused(hall, "record-repeated", hall.append, body)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"seq": 1}, "genesis-missing"),
        ({"prev": "1" * 64}, "genesis-missing"),
        (
            {"kind": "clock", "body": ClockBody(rule="emergency-lapsed", issuer=PIXEL, of=0)},
            "genesis-missing",
        ),
        ({"kind": "clock"}, "record-malformed"),
    ],
)
def test_a_chain_that_does_not_begin(hall: Hall, changes: dict[str, Any], code: str) -> None:
    record = hall.records[0].model_copy(update=changes)
    with pytest.raises(Refused) as found:
        chain.apply(None, record, VERIFY)
    assert found.value.code == code


@pytest.mark.parametrize(
    ("genesis", "code"),
    [
        (lambda hall: Genesis(roster=hall.roster(2), policy=Policy()), "roster-invalid"),
        (lambda hall: Genesis(roster=hall.roster(rp_id="other.example"), policy=Policy()), "roster-invalid"),
        (lambda hall: Genesis(roster=hall.roster(), policy=Policy(version=2)), "policy-version"),
        (
            lambda hall: Genesis(roster=hall.roster(), policy=Policy(agreements=frozenset({"iwf"}))),
            "policy-version",
        ),
    ],
)
def test_a_genesis_that_cannot_be(hall: Hall, genesis: Callable[[Hall], Genesis], code: str) -> None:
    record = make_record(genesis(hall), seq=0, prev=NO_RECORD, at=START)
    with pytest.raises(Refused) as found:
        chain.apply(None, record, VERIFY)
    assert found.value.code == code


def test_another_genesis_than_the_pinned_one(hall: Hall) -> None:
    hall.decide(*OPEN)
    pinned = record_digest(hall.records[0])
    assert chain.replay(hall.records, VERIFY, pinned) == chain.replay(hall.records, VERIFY) == hall.state
    for records, genesis, code in (
        (Hall().records, pinned, "genesis-mismatch"),
        ([], pinned, "genesis-missing"),
        (hall.records[1:], None, "genesis-missing"),
    ):
        with pytest.raises(Refused) as found:
            chain.replay(records, VERIFY, genesis)
        assert found.value.code == code


def test_what_passes_and_cannot_be_done_is_not_recorded(hall: Hall) -> None:
    hall.decide("community.open", COMMUNITY)
    hall.admit(PIXEL, "a")
    nobody = "https://nobody.example"
    impossible: list[tuple[str, str, Any, str]] = [
        ("community.open", COMMUNITY, None, "conflict"),
        ("member.suspend", nobody, Suspend(until=START + DAY), "subject-unknown"),
        ("member.activate", PIXEL, None, "transition-forbidden"),
        ("member.reinstate", PIXEL, None, "conflict"),
        ("member.expel", PIXEL, None, "conflict"),
        ("member.object", nobody, None, "subject-unknown"),
        (
            "policy.set",
            "policy",
            SetPolicy(policy=Policy(version=3)),
            "policy-version",
        ),
        (
            "policy.set",
            "policy",
            SetPolicy(policy=Policy(version=2, agreements=frozenset({"iwf"}))),
            "policy-agreements",
        ),
        ("roster.set", "roster", next_roster(hall, 3), "roster-invalid"),
    ]
    for kind, subject, params, code in impossible:
        refused(hall, code, hall.decide, kind, subject, params)
    hall.decide("agreement.record", "agreement", Agreement(list="iwf", terms="5e" * 32))
    assert hall.state.policy.agreements == {"iwf"}
    policy = Policy(version=3, agreements=frozenset({"iwf"}), sighting=DAY)
    hall.decide("policy.set", "policy", SetPolicy(policy=policy))
    assert hall.state.policy is not None
    assert (hall.state.policy.version, hall.state.policy.sighting) == (3, DAY)


def test_what_the_calendar_does_not_say(hall: Hall) -> None:
    hall.admit(PIXEL, "a")
    due = ClockBody(rule="provisional-complete", issuer=PIXEL, of=hall.member(PIXEL).cause)
    refused(hall, "clock-not-due", hall.append, due)
    hall.wait(days=90)
    for wrong in (
        due.model_copy(update={"of": 0}),
        due.model_copy(update={"rule": "emergency-lapsed"}),
        due.model_copy(update={"issuer": "https://frame.example"}),
    ):
        refused(hall, "clock-not-due", hall.append, wrong)
    hall.append(due)
    refused(hall, "clock-not-due", hall.append, due)

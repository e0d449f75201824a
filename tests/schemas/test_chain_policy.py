"""The board's own numbers are values of the policy: a ballot keeps those it opened under, the clocks follow it."""

from typing import Any

import pytest

from tests.schemas.boards import ALARM, COMMUNITY, HOUR, PIXEL, Hall, grown, refused, state
from tocsin_schemas.decisions import Grant, Sanction, SetPolicy, Suspend
from tocsin_schemas.policy import DAY
from tocsin_schemas.tally import tally


def under(**values: Any) -> Hall:
    """A grown hall whose board has set other values."""
    hall = grown()
    set_policy(hall, **values)
    return hall


def set_policy(hall: Hall, **values: Any) -> None:
    policy = hall.state.policy
    changed = policy.model_copy(update={"version": policy.version + 1, **values})
    hall.decide("policy.set", "policy", SetPolicy(policy=changed))
    assert hall.state.policy == changed


def test_an_emergency_lasts_as_long_as_the_policy_says() -> None:
    hall = under(emergency=24 * HOUR)
    hall.decide("member.emergency_suspend", PIXEL, choices=ALARM)
    hall.wait(24 * HOUR - 1)
    assert hall.tick() == []
    hall.wait(1)
    assert [body.rule for body in hall.tick()] == ["emergency-lapsed"]
    assert state(hall) == "active"


def test_a_notice_counts_the_policys_days() -> None:
    hall = under(notice_days=1)
    noticed = hall.now
    hall.wait(days=3)
    hall.decide("member.sanction", PIXEL, Sanction(noticed_at=noticed))
    assert state(hall) == "restricted"


def test_the_longest_suspension_is_the_policys() -> None:
    hall = under(suspension=10 * DAY)
    noticed = hall.now
    hall.wait(days=8)
    long = Suspend(until=hall.now + 30 * DAY, noticed_at=noticed)
    refused(hall, "suspension-length", hall.decide, "member.suspend", PIXEL, long)
    hall.decide("member.suspend", PIXEL, Suspend(until=hall.now + 9 * DAY, noticed_at=noticed))
    assert state(hall) == "suspended"


def test_an_attestation_is_missed_when_the_policy_says() -> None:
    hall = under(attestation=400 * DAY)
    due = hall.member(PIXEL).due_at(hall.state.policy)
    assert due is not None
    set_policy(hall, attestation=500 * DAY)
    later = hall.member(PIXEL).due_at(hall.state.policy)
    assert later is not None
    assert later[1] - due[1] == 100 * DAY


def test_a_larger_quorum_holds_for_ballots_that_open_under_it() -> None:
    hall = grown()
    seats = [seat.voter() for seat in hall.state.roster.seats]
    few = {seat.seat: "yes" for seat in seats[: len(seats) // 2 + 1]}
    before = hall.decision("community.open", "before")
    set_policy(hall, quorum=len(seats))
    opened = {opening.record: opening.policy.quorum for opening in hall.state.digests.values()}
    assert (opened[max(opened)], opened[0]) == (len(seats), 3)
    assert hall.state.digests[bytes.fromhex(before.prev)].policy.quorum == 3
    hall.decide("community.grant", PIXEL, Grant(community=COMMUNITY, read=True, write=False), choices=few)
    assert hall.state.decisions[max(hall.state.decisions)].result == "inquorate"


@pytest.mark.parametrize(("least", "quorum"), [(3, 5), (7, 7), (9, 9), (99, 9)])
def test_the_quorum_is_never_more_than_everybody(least: int, quorum: int) -> None:
    one = grown().state.roster.seats[0].voter()
    nine = [one._replace(seat=f"s{n}", group=None, seat_class="independent") for n in range(1, 10)]
    assert tally("majority", nine, [], {}, least).quorum == quorum

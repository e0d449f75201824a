"""Replaying a chain: leaving is no shelter from an emergency, nor from a ballot."""

import pytest

from tests.schemas.boards import (
    ALARM,
    HOUR,
    PIXEL,
    TWO_AGAINST,
    Hall,
    copied,
    grown,
    refused,
    state,
    suspended,
    with_panel,
)
from tocsin_schemas.decisions import Appeal, SetRoster, Suspend
from tocsin_schemas.policy import DAY


def leaving() -> Hall:
    hall = grown()
    hall.decide("roster.set", "roster", SetRoster(roster=with_panel(hall)))
    hall.act(PIXEL, "withdraw")
    return hall


def waits(hall: Hall) -> float:
    """For how many days after it was out a member may not apply."""
    member = hall.member(PIXEL)
    return (member.again_at(hall.state.policy) - member.since) / DAY


def upheld(hall: Hall, of: int) -> None:
    said = Appeal(of=of, filed_at=hall.now)
    hall.decide("appeal.uphold", f"decision:{of}", said, choices={"p1": "yes", "p2": "yes"})


def ticks(hall: Hall) -> list[str]:
    found: list[str] = []
    while due := [body.rule for body in hall.tick()]:
        found += due
    return found


def test_an_emergency_interrupts_leaving_and_its_clock_goes_on() -> None:
    hall = leaving()
    begun = hall.now
    hall.wait(days=10)
    hall.decide("member.emergency_suspend", PIXEL, choices=ALARM)
    assert (state(hall), hall.member(PIXEL).before) == ("emergency_suspended", "withdrawing")
    refused(hall, "conflict", hall.act, PIXEL, "withdraw")
    hall.wait(72 * HOUR)
    assert ticks(hall) == ["emergency-lapsed"]
    assert (state(hall), hall.member(PIXEL).leaving_since) == ("withdrawing", begun)
    hall.now = begun + 30 * DAY - 1
    assert ticks(hall) == []
    hall.wait(1)
    assert ticks(hall) == ["withdrawal-complete"]
    # No ballot confirmed it: two duty officers alone make nobody wait.
    assert (state(hall), waits(hall)) == ("withdrawn", 0)


def test_leaving_that_is_over_in_an_emergency_ends_with_it() -> None:
    hall = leaving()
    hall.wait(days=29)
    hall.decide("member.emergency_suspend", PIXEL, choices=ALARM)
    cleared = copied(hall)
    hall.wait(72 * HOUR)
    assert ticks(hall) == ["emergency-lapsed", "withdrawal-complete"]
    cleared.decide("member.suspend", PIXEL, Suspend(until=cleared.now + DAY), choices=TWO_AGAINST)
    assert state(cleared) == "withdrawing"
    assert (ticks(cleared), waits(cleared)) == (["withdrawal-complete"], 0)


@pytest.mark.parametrize("alarmed", [False, True])
def test_who_is_suspended_while_it_leaves_leaves_suspended(alarmed: bool) -> None:
    hall = leaving()
    if alarmed:
        hall.decide("member.emergency_suspend", PIXEL, choices=ALARM)
        hall.decide("member.suspend", PIXEL, Suspend(until=hall.now + 20 * DAY))
    else:
        suspended(hall)
    of = hall.decided
    assert (state(hall), hall.member(PIXEL).before) == ("suspended", "withdrawing")
    served, lifted, undone = copied(hall), copied(hall), copied(hall)
    # It may say so again and be out at once, or serve its time; it waits for a year either way.
    hall.act(PIXEL, "withdraw")
    assert (state(hall), waits(hall)) == ("withdrawn", 365)
    served.wait(days=31)
    assert (ticks(served), waits(served)) == (["suspension-ended", "withdrawal-complete"], 365)
    # The panel, or the board, takes the suspension back, and that with it; not the leaving.
    upheld(undone, of)
    lifted.decide("member.reinstate", PIXEL)
    for found in (undone, lifted):
        assert state(found) == "withdrawing"
        found.wait(days=30)
        assert (ticks(found), waits(found)) == (["withdrawal-complete"], 0)


def test_an_expulsion_that_is_undone_leaves_the_suspension() -> None:
    hall = leaving()
    suspended(hall)
    hall.decide("member.expel", PIXEL, choices={"s1": "yes", "s2": "yes", "s3": "yes", "s4": "yes"})
    upheld(hall, hall.decided)
    assert (state(hall), hall.member(PIXEL).left_suspended) == ("suspended", True)


def test_a_ballot_from_before_it_was_out_still_makes_it_wait() -> None:
    hall = leaving()
    hall.wait(days=25)
    said = Suspend(until=hall.now + 100 * DAY, noticed_at=hall.now - 10 * DAY)
    decision = hall.decision("member.suspend", PIXEL, said)
    votes = hall.votes(decision, {"s1": "yes", "s2": "yes", "s3": "yes", "s4": "yes"})
    hall.now = decision.expires_at
    assert ticks(hall) == ["withdrawal-complete"]
    failed, since = copied(hall), hall.member(PIXEL).since
    hall.append(hall.body(decision, votes))
    assert (state(hall), hall.member(PIXEL).since, waits(hall)) == ("withdrawn", since, 365)
    assert hall.member(PIXEL).suspended_until is None
    dismissed = copied(hall)
    upheld(hall, decision.seq)
    assert (state(hall), waits(hall)) == ("withdrawn", 0)
    said_again = Appeal(of=decision.seq, filed_at=dismissed.now)
    both = {"p1": "yes", "p2": "yes"}
    dismissed.decide("appeal.dismiss", f"decision:{decision.seq}", said_again, choices=both)
    assert waits(dismissed) == 365
    # A ballot that says no changes nothing.
    failed.append(failed.body(decision, []))
    assert waits(failed) == 0


def test_who_is_out_is_not_suspended_afterwards() -> None:
    hall = leaving()
    hall.wait(days=30)
    ticks(hall)
    for noticed in (None, hall.now - 10 * DAY):
        said = Suspend(until=hall.now + 100 * DAY, noticed_at=noticed)
        refused(hall, "transition-forbidden", hall.decide, "member.suspend", PIXEL, said)


def test_a_ballot_from_before_takes_its_notice_too() -> None:
    hall = leaving()
    hall.wait(days=29)
    decision = hall.decision(
        "member.suspend", PIXEL, Suspend(until=hall.now + 100 * DAY, noticed_at=hall.now - DAY)
    )
    votes = hall.votes(decision)
    hall.wait(days=2)
    ticks(hall)
    refused(hall, "transition-forbidden", hall.append, hall.body(decision, votes))

"""Replaying a chain: a suspension ends where it found the member, and what was held against it is still held."""

from collections.abc import Callable

import pytest

from tests.schemas.boards import (
    ALARM,
    FRAME,
    PIXEL,
    Hall,
    grown,
    refused,
    state,
    suspended,
    with_panel,
)
from tocsin_schemas.decisions import Appeal, Sanction, SetRoster, Suspend
from tocsin_schemas.policy import DAY


def judged() -> Hall:
    """A board with a panel of two that hear appeals."""
    hall = grown()
    hall.decide("roster.set", "roster", SetRoster(roster=with_panel(hall)))
    return hall


def sanctioned(hall: Hall) -> None:
    noticed = hall.now
    hall.wait(days=8)
    hall.decide("member.sanction", PIXEL, Sanction(noticed_at=noticed))


def unattested(hall: Hall) -> None:
    hall.wait(days=200)
    hall.rotate(PIXEL)
    hall.act(FRAME, "attest", year=2027)
    hall.wait(days=195)
    hall.tick()


def upheld(hall: Hall) -> None:
    of = hall.decided
    said = Appeal(of=of, filed_at=hall.now)
    hall.decide("appeal.uphold", f"decision:{of}", said, choices={"p1": "yes", "p2": "yes"})


def served(hall: Hall) -> None:
    hall.wait(days=20)
    assert "suspension-ended" in {body.rule for body in hall.tick()}


def reinstated(hall: Hall) -> None:
    hall.decide("member.reinstate", PIXEL)


ENDS = (upheld, served, reinstated)


@pytest.mark.parametrize("ended", ENDS)
def test_a_suspension_lifts_no_sanction(ended: Callable[[Hall], None]) -> None:
    hall = judged()
    sanctioned(hall)
    suspended(hall)
    assert (state(hall), hall.member(PIXEL).before) == ("suspended", "restricted")
    ended(hall)
    member = hall.member(PIXEL)
    assert (member.state, member.sanctioned, member.before) == ("restricted", True, None)
    assert (member.watch_until, member.suspended_until) == (member.since + 30 * DAY, None)
    refused(hall, "transition-forbidden", hall.act, PIXEL, "attest", year=2027)
    # The sanction is another matter, and takes another ballot.
    hall.decide("member.reinstate", PIXEL)
    assert (state(hall), hall.member(PIXEL).sanctioned) == ("active", False)


@pytest.mark.parametrize("ended", ENDS)
def test_a_suspension_makes_up_for_no_missed_attestation(ended: Callable[[Hall], None]) -> None:
    hall = judged()
    unattested(hall)
    assert state(hall) == "restricted"
    suspended(hall)
    ended(hall)
    assert (state(hall), hall.member(PIXEL).sanctioned) == ("restricted", False)
    hall.act(PIXEL, "attest", year=2028)
    assert (state(hall), hall.member(PIXEL).attested_at) == ("active", hall.now)


@pytest.mark.parametrize("ended", ENDS)
def test_an_active_member_is_active_again_and_its_year_goes_on(ended: Callable[[Hall], None]) -> None:
    hall = judged()
    attested = hall.member(PIXEL).attested_at
    suspended(hall)
    ended(hall)
    member = hall.member(PIXEL)
    assert (member.state, member.attested_at) == ("active", attested)


def test_a_year_that_ended_in_a_suspension_is_attested_after_it() -> None:
    hall = grown()
    hall.wait(days=200)
    hall.rotate(PIXEL)
    hall.wait(days=180)
    suspended(hall)
    hall.wait(days=20)
    hall.tick()
    assert [body.rule for body in hall.tick()] == ["attestation-missed"]
    assert state(hall) == "restricted"
    hall.act(PIXEL, "attest", year=2028)
    assert state(hall) == "active"


def test_an_upheld_appeal_against_a_sanction_attests_nothing() -> None:
    hall = judged()
    unattested(hall)
    attested = hall.member(PIXEL).attested_at
    sanctioned(hall)
    upheld(hall)
    assert (hall.member(PIXEL).attested_at, [body.rule for body in hall.tick()]) == (
        attested,
        ["attestation-missed"],
    )
    assert (state(hall), hall.member(PIXEL).sanctioned) == ("restricted", False)


def test_the_board_that_reinstates_from_a_restriction_begins_another_year() -> None:
    hall = grown()
    unattested(hall)
    hall.wait(days=1)
    hall.decide("member.reinstate", PIXEL)
    assert (state(hall), hall.member(PIXEL).attested_at, hall.tick()) == ("active", hall.now, [])


def test_an_emergency_that_is_confirmed_ends_where_it_began() -> None:
    hall = judged()
    sanctioned(hall)
    hall.decide("member.emergency_suspend", PIXEL, choices=ALARM)
    hall.decide("member.suspend", PIXEL, Suspend(until=hall.now + 20 * DAY))
    assert (state(hall), hall.member(PIXEL).before) == ("suspended", "restricted")
    served(hall)
    assert (state(hall), hall.member(PIXEL).sanctioned) == ("restricted", True)


def test_an_upheld_appeal_against_an_expulsion_leads_back_by_the_suspension() -> None:
    hall = judged()
    sanctioned(hall)
    suspended(hall)
    hall.decide("member.expel", PIXEL, choices={"s1": "yes", "s2": "yes", "s3": "yes", "s4": "yes"})
    upheld(hall)
    assert (state(hall), hall.member(PIXEL).before) == ("suspended", "restricted")
    hall.wait(days=20)
    hall.tick()
    assert (state(hall), hall.member(PIXEL).sanctioned) == ("restricted", True)

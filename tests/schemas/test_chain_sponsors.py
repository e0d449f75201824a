"""Replaying a chain: two active sponsors, always, from the day on which two unrelated members were active."""

from collections.abc import Callable

import pytest

from tests.schemas.boards import (
    ALARM,
    FRAME,
    HOUR,
    NOVA,
    PIXEL,
    Hall,
    copied,
    early,
    group,
    grown,
    refused,
    state,
    suspended,
)
from tocsin_schemas.decisions import Sanction


def _alarmed(hall: Hall) -> None:
    hall.decide("member.emergency_suspend", PIXEL, choices=ALARM)


def _unattested(hall: Hall) -> None:
    hall.wait(days=200)
    hall.act(FRAME, "attest", year=2027)
    hall.wait(days=195)
    hall.tick()


def _sanctioned(hall: Hall) -> None:
    hall.wait(days=8)
    hall.decide("member.sanction", PIXEL, Sanction(noticed_at=hall.now - 8 * 86_400))


def _leaving(hall: Hall) -> None:
    hall.act(PIXEL, "withdraw")


@pytest.mark.parametrize(
    ("happens", "then"),
    [
        (_alarmed, "emergency_suspended"),
        (suspended, "suspended"),
        (_unattested, "restricted"),
        (_sanctioned, "restricted"),
        (_leaving, "withdrawing"),
    ],
)
def test_a_hub_is_founded_once(happens: Callable[[Hall], None], then: str) -> None:
    hall = grown()
    hall.admit(NOVA, "c", sponsors=[PIXEL, FRAME])
    assert hall.state.founded
    happens(hall)
    assert state(hall) == then
    sponsors = [member.issuer for member in hall.state.may_sponsor(group("z"))]
    assert (sponsors, hall.state.sponsors_needed) == (
        [FRAME] if state(hall, NOVA) == "provisional" else [FRAME, NOVA],
        2,
    )
    for named, code in (
        ([], "sponsors-missing"),
        ([FRAME], "sponsors-missing"),
        ([FRAME, PIXEL], "sponsors-ineligible"),
    ):
        said = hall.admission("z", sponsors=named)
        refused(hall, code, hall.decide, "member.admit", "https://new.example", said)


def test_a_provisional_member_sponsors_only_while_the_hub_is_being_founded() -> None:
    hall = grown()
    hall.admit(NOVA, "c", sponsors=[PIXEL, FRAME])
    _alarmed(hall)
    said = hall.admission("z", sponsors=[FRAME, NOVA])
    refused(hall, "sponsors-ineligible", hall.decide, "member.admit", "https://new.example", said)
    hall.wait(72 * HOUR)
    hall.tick()
    hall.admit("https://new.example", "z", sponsors=[PIXEL, FRAME])


def test_one_active_member_or_two_of_one_owner_found_no_hub() -> None:
    hall = early()
    hall.wait(days=90)
    hall.tick()
    assert (state(hall), hall.state.founded, hall.state.sponsors_needed) == ("active", False, 0)
    sister = copied(hall)
    sister.admit("https://sister.example", "a")
    sister.wait(days=90)
    sister.tick()
    assert (state(sister, "https://sister.example"), sister.state.founded) == ("active", False)
    hall.admit(FRAME, "b")
    assert (hall.state.founded, hall.state.sponsors_needed) == (False, 2)
    assert {member.issuer for member in hall.state.may_sponsor(group("c"))} == {PIXEL, FRAME}
    hall.wait(days=90)
    hall.tick()
    assert hall.state.founded


def test_a_hub_whose_members_left_for_good_is_being_founded_again() -> None:
    hall = grown()
    hall.admit(NOVA, "c", sponsors=[PIXEL, FRAME])
    hall.act(PIXEL, "withdraw")
    assert hall.state.sponsors_needed == 2
    hall.wait(days=31)
    hall.tick()
    assert state(hall) == "withdrawn"
    assert (hall.state.founded, hall.state.being_founded) == (True, True)
    # Provisional members count again, as they did while it was founded.
    assert [member.issuer for member in hall.state.may_sponsor(group("z"))] == [FRAME, NOVA]
    hall.wait(days=60)
    hall.tick()
    assert (state(hall, NOVA), hall.state.being_founded) == ("active", False)

"""Replaying a chain: who hears an appeal against a suspension; what a later policy does to an open ballot."""

import pytest

from tests.schemas.boards import FRAME, NOVA, PIXEL, Hall, copied, grown, refused, state, with_panel
from tocsin_schemas.decisions import Appeal, Sanction, SetPolicy, SetRoster, Suspend
from tocsin_schemas.electorate import asked
from tocsin_schemas.policy import DAY, Policy


def suspended_by(hall: Hall, *officers: str) -> int:
    """In an emergency that these sign, and the board confirms without s1; the number of that decision."""
    hall.decide("member.emergency_suspend", PIXEL, choices=dict.fromkeys(officers, "yes"))
    decision = hall.decision("member.suspend", PIXEL, Suspend(until=hall.now + 30 * DAY))
    votes = hall.votes(decision, {"s2": "yes", "s3": "yes", "s4": "yes", "s5": "yes"})
    hall.now = decision.expires_at
    hall.append(hall.body(decision, votes))
    assert state(hall) == "suspended"
    return decision.seq


@pytest.mark.parametrize(("officers", "left"), [(("s1", "s2"), []), (("s2", "s3"), ["s1"])])
def test_who_signed_an_emergency_does_not_hear_the_appeal(officers: tuple[str, ...], left: list[str]) -> None:
    hall = grown()
    of = suspended_by(hall, *officers)
    assert hall.state.decisions[of].confirms == of - 1
    said = Appeal(of=of, filed_at=hall.now)
    decision = hall.decision("appeal.uphold", f"decision:{of}", said)
    assert [seat.seat for seat in asked(hall.state, decision)] == left
    signed = hall.votes(decision, {"s1": "yes"})
    if not left:
        refused(hall, "ballot-seat-unknown", hall.append, hall.body(decision, signed))


def test_an_emergency_that_is_over_has_nothing_to_do_with_a_later_suspension() -> None:
    hall = grown()
    hall.decide("member.emergency_suspend", PIXEL, choices={"s1": "yes", "s2": "yes"})
    hall.wait(days=3)
    hall.tick()
    said = Suspend(until=hall.now + 30 * DAY, noticed_at=hall.now - 8 * DAY)
    hall.decide("member.suspend", PIXEL, said, choices=dict.fromkeys(("s2", "s3", "s4", "s5"), "yes"))
    of = hall.decided
    assert hall.state.decisions[of].confirms is None
    decision = hall.decision("appeal.uphold", f"decision:{of}", Appeal(of=of, filed_at=hall.now))
    assert [seat.seat for seat in asked(hall.state, decision)] == ["s1"]


def sponsored() -> Hall:
    """NOVA is active, and the organisation of seat 2 was its sponsor."""
    hall = grown()
    seat = str(hall.state.roster.seats[1].issuer)
    hall.admit(seat, "u", sponsors=[PIXEL, FRAME])
    hall.wait(days=90)
    hall.tick()
    hall.admit(NOVA, "z", sponsors=[seat, PIXEL])
    hall.wait(days=90)
    hall.tick()
    return hall


@pytest.mark.parametrize("change", [{"tie": 30 * DAY}, {"suspension": 60 * DAY}, {"notice_days": 60}])
def test_a_later_policy_voids_no_vote_on_something_else(change: dict[str, int]) -> None:
    hall = sponsored()
    noticed = hall.now
    hall.wait(days=8)
    until = hall.now + 100 * DAY
    harsh = hall.decision("member.suspend", NOVA, Suspend(until=until, noticed_at=noticed))
    mild = hall.decision("member.sanction", NOVA, Sanction(noticed_at=noticed))
    assert [(found.seat, found.reason) for found in harsh.recused] == [("s2", "sponsor")]
    votes, others = hall.votes(harsh), hall.votes(mild)
    hall.decide("policy.set", "policy", SetPolicy(policy=Policy.model_validate({"version": 2, **change})))
    sanctioned = copied(hall)
    hall.append(hall.body(harsh, votes))
    assert state(hall, NOVA) == "suspended"
    sanctioned.append(sanctioned.body(mild, others))
    assert state(sanctioned, NOVA) == "restricted"
    # What opens from now on is judged by the new one.
    if "suspension" in change:
        said = Suspend(until=until, noticed_at=noticed)
        refused(sanctioned, "suspension-length", sanctioned.decide, "member.suspend", NOVA, said)
    if "tie" in change:
        assert hall.decision("member.expel", NOVA).recused == []


def test_a_later_policy_voids_no_vote_on_an_appeal() -> None:
    hall = grown()
    hall.decide("roster.set", "roster", SetRoster(roster=with_panel(hall)))
    of = suspended_by(hall, "s2", "s3")
    hall.wait(days=20)
    said, everybody = Appeal(of=of, filed_at=hall.now), dict.fromkeys(("s1", "p1", "p2"), "yes")
    decision = hall.decision("appeal.uphold", f"decision:{of}", said)
    votes = hall.votes(decision, everybody)
    hall.decide("policy.set", "policy", SetPolicy(policy=Policy(version=2, appeal=DAY)))
    late = copied(hall)
    hall.append(hall.body(decision, votes))
    assert state(hall) == "active"
    refused(late, "appeal-late", late.decide, "appeal.uphold", f"decision:{of}", said, choices=everybody)

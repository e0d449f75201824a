"""Seats without a vote: who is not counted, who is only silent, and when the panel's turn comes."""

from typing import Any

import pytest

from tests.schemas.boards import (
    ALARM,
    COMMUNITY,
    FRAME,
    HOUR,
    PIXEL,
    Chair,
    Hall,
    copied,
    early,
    group,
    grown,
    refused,
    state,
)
from tocsin_schemas.decisions import Appeal, Ballot, Decision, SetPolicy, SetRoster, Suspend
from tocsin_schemas.electorate import barred_in, beyond_the_board
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.roster import Roster
from tocsin_schemas.vocabulary import Choice


def sent(hall: Hall, *numbers: int) -> list[str]:
    """The organisations that hold these seats are active members."""
    issuers = []
    for number in numbers:
        seat = hall.state.roster.seats[number - 1]
        assert seat.issuer is not None
        assert seat.control_group is not None
        name = seat.control_group[-1]
        hall.admit(seat.issuer, name, sponsors=[PIXEL, FRAME])
        issuers.append(seat.issuer)
    hall.wait(days=90)
    hall.tick()
    return issuers


def alarm(hall: Hall, issuer: str) -> None:
    hall.decide("member.emergency_suspend", issuer, choices={"s1": "yes", "s3": "yes"})


def suspend(hall: Hall, issuer: str) -> None:
    """By ballot, and for so long that nothing ends by itself here."""
    hall.decide("member.suspend", issuer, Suspend(until=hall.now + 100 * DAY, noticed_at=hall.now - 10 * DAY))


def recusals(decision: Decision) -> list[tuple[str, str]]:
    return [(found.seat, found.reason) for found in decision.recused]


def test_votes_cast_before_a_suspension_stand() -> None:
    hall = grown()
    (issuer,) = sent(hall, 2)
    early_vote, later_vote = hall.decision("community.open", "one"), hall.decision("community.open", "two")
    before = hall.votes(early_vote)
    rest = hall.votes(later_vote, {"s1": "yes", "s3": "yes", "s4": "yes", "s5": "yes"})
    hall.wait(10)
    suspend(hall, issuer)
    hall.append(hall.body(early_vote, before))
    assert [found.seat for found in hall.body(later_vote, rest).recusals] == ["s2"]
    after = hall.votes(later_vote, {"s2": "yes"})
    refused(hall, "ballot-recused", hall.append, hall.body(later_vote, [*rest, *after]))
    missing = hall.body(later_vote, rest, "passes", recusals=[])
    refused(hall, "recusal-mismatch", hall.append, missing)
    hall.append(hall.body(later_vote, rest))
    # A ballot that opens now is without it; one that opened before, and closes after its return, is with it.
    open_now = hall.decision("community.open", "three")
    assert recusals(open_now) == [("s2", "suspended")]
    votes = hall.votes(open_now)
    hall.wait(1)
    hall.decide("member.reinstate", issuer)
    assert hall.decision("community.open", "four").recused == []
    hall.append(hall.body(open_now, votes))
    stale = hall.decision("community.open", "four", recused=[hall.recusal("s2", "suspended")])
    refused(hall, "recusal-mismatch", hall.append, hall.body(stale, []))


def test_an_emergency_silences_and_lowers_nothing() -> None:
    hall = grown()
    issuers = sent(hall, 2, 4)
    opened = hall.decision("community.open", "before")
    hall.wait(10)
    for issuer in issuers:
        alarm(hall, issuer)
    later = hall.decision("community.open", "during")
    three: dict[str, Choice] = {"s1": "yes", "s3": "yes", "s5": "yes"}
    for decision in (opened, later):
        assert decision.recused == []
        votes = hall.votes(decision, three)
        assert hall.body(decision, votes).recusals == []
        # Three of three that may vote now are not two thirds of the five there are.
        assert hall.body(decision, votes).result == "fails"
        refused(hall, "ballot-open", hall.append, hall.body(decision, votes))
        silenced = hall.votes(decision, {"s2": "no"})
        refused(hall, "ballot-recused", hall.append, hall.body(decision, [*votes, *silenced]))
    early_votes = hall.votes(later, three)
    hall.wait(72 * HOUR)
    assert [body.rule for body in hall.tick()] == ["emergency-lapsed"] * 2
    # What was signed while it lasted never counts; restored, the seats vote on both.
    restored = hall.votes(later, {"s2": "yes", "s4": "no"})
    stale = [ballot.model_copy(update={"cast_at": ballot.cast_at - HOUR}) for ballot in restored]
    refused(hall, "ballot-recused", hall.append, hall.body(later, [*early_votes, *stale]))
    hall.append(hall.body(later, [*early_votes, *restored]))
    assert "during" in hall.state.communities


def test_a_confirmed_emergency_makes_the_seat_vacant() -> None:
    hall = grown()
    (issuer,) = sent(hall, 2)
    opened = hall.decision("community.open", "before")
    hall.wait(10)
    alarm(hall, issuer)
    assert hall.decision("community.open", "during").recused == []
    hall.decide("member.suspend", issuer, Suspend(until=hall.now + 30 * DAY))
    assert [(absence.vacant, absence.until) for absence in hall.member(issuer).absences] == [
        (False, hall.now),
        (True, None),
    ]
    assert recusals(hall.decision("community.open", "after")) == [("s2", "suspended")]
    votes = hall.votes(opened, {"s1": "yes", "s3": "yes", "s4": "yes", "s5": "yes"})
    assert [found.seat for found in hall.body(opened, votes).recusals] == ["s2"]
    hall.append(hall.body(opened, votes))


def test_an_emergency_brings_no_vacant_seat_back_into_the_count() -> None:
    hall = grown()
    (issuer,) = sent(hall, 2)
    hall.wait(days=395)
    hall.tick()
    assert (state(hall, issuer), recusals(hall.decision("community.open", "x"))) == (
        "restricted",
        [("s2", "suspended")],
    )
    alarm(hall, issuer)
    assert recusals(hall.decision("community.open", "x")) == [("s2", "suspended")]
    hall.wait(72 * HOUR)
    hall.tick()
    (absence,) = hall.member(issuer).absences
    assert (state(hall, issuer), absence.vacant, absence.until) == ("restricted", True, None)


def test_a_second_absence_leaves_what_opened_in_the_first() -> None:
    """What a ballot was opened on stays true, however often a seat falls vacant afterwards."""
    hall = grown()
    (issuer,) = sent(hall, 2)
    hall.wait(days=10)
    suspend(hall, issuer)
    opened = hall.decision("community.open", "first")
    votes = hall.votes(opened, {"s1": "yes", "s3": "yes", "s4": "yes"})
    hall.wait(10)
    hall.decide("member.reinstate", issuer)
    # Restored, it was not there when this ballot opened; and what it signs on others from now on stands.
    between = hall.decision("community.open", "between")
    given = hall.votes(between)
    hall.wait(10)
    suspend(hall, issuer)
    assert len(hall.member(issuer).absences) == 2
    hall.append(hall.body(opened, [*votes, *hall.votes(opened, {"s5": "yes"})]))
    hall.append(hall.body(between, given))
    assert {"first", "between"} <= hall.state.communities.keys()


def test_an_emergency_that_no_ballot_confirmed_is_not_repeated() -> None:
    hall = grown()
    hall.decide("member.emergency_suspend", PIXEL, choices=ALARM)
    cleared, lapsed, confirmed = copied(hall), copied(hall), copied(hall)
    no: dict[str, Choice] = {f"s{n}": "no" for n in range(1, 6)}
    until = Suspend(until=hall.now + 30 * DAY)
    decision = cleared.decision("member.suspend", PIXEL, until)
    cleared.append(cleared.body(decision, cleared.votes(decision, no)))
    lapsed.wait(72 * HOUR)
    lapsed.tick()
    for ended in (cleared, lapsed):
        again: tuple[Any, ...] = (ended.decide, "member.emergency_suspend", PIXEL, None, ALARM)
        assert state(ended) == "active"
        refused(ended, "transition-forbidden", *again)
        ended.wait(days=30, seconds=-1)
        refused(ended, "transition-forbidden", *again)
        ended.wait(1)
        ended.decide("member.emergency_suspend", PIXEL, choices=ALARM)
        assert state(ended) == "emergency_suspended"
    # What a ballot has confirmed is a matter of its own.
    confirmed.decide("member.suspend", PIXEL, until)
    confirmed.decide("member.reinstate", PIXEL)
    confirmed.decide("member.emergency_suspend", PIXEL, choices=ALARM)
    assert state(confirmed) == "emergency_suspended"


def test_an_emergency_keeps_the_length_it_began_with() -> None:
    hall = grown()
    hall.decide("member.emergency_suspend", PIXEL, choices=ALARM)
    ends = hall.now + 72 * HOUR
    decision = hall.decision(
        "member.suspend", PIXEL, Suspend(until=hall.now + 30 * DAY), expires_at=ends - HOUR
    )
    votes = hall.votes(decision)
    hall.decide("policy.set", "policy", SetPolicy(policy=Policy(version=2, emergency=2 * HOUR)))
    lapsing = copied(hall)
    hall.wait(3 * HOUR)
    assert hall.tick() == []
    hall.append(hall.body(decision, votes))
    assert state(hall) == "suspended"
    lapsing.now = ends
    assert [body.rule for body in lapsing.tick()] == ["emergency-lapsed"]
    lapsing.decide("member.emergency_suspend", FRAME, choices=ALARM)
    assert lapsing.member(FRAME).emergency_until == lapsing.now + 2 * HOUR


def handed_over(hall: Hall, kind: Any, subject: str, said: Any = None, **how: Any) -> Decision:
    """A ballot that the board cannot decide is over as it opens; the panel's, which opens then."""
    decision = hall.decision(kind, subject, said, **how)
    assert beyond_the_board(hall.state, decision)
    hall.append(hall.body(decision, []))
    assert hall.state.decisions[decision.seq].result == "panel"
    return hall.decision(kind, subject, said, threshold="panel")


def test_a_board_that_cannot_decide_hands_over_to_the_panel_at_once() -> None:
    hall = early()
    barred = [hall.recusal(f"s{n}", "complainant") for n in (2, 3, 4)]
    # With what somebody has voted on it, it is the same.
    decision = hall.decision("community.open", "voted", recused=barred)
    hall.append(hall.body(decision, hall.votes(decision, {"s1": "yes"})))
    assert hall.state.decisions[decision.seq].result == "panel"
    panel = handed_over(hall, "community.open", "ncii", recused=barred)
    assert "ncii" not in hall.state.communities
    other = hall.decision("community.open", "other", threshold="panel")
    refused(hall, "threshold-mismatch", hall.append, hall.body(other, []))
    late = copied(hall)
    late.wait(days=30, seconds=1)
    stale = late.decision("community.open", "ncii", threshold="panel")
    refused(late, "threshold-mismatch", late.append, late.body(stale, []))
    votes = hall.votes(panel, {"p1": "yes", "p2": "no", "p3": "yes", "s1": "yes", "s5": "abstain"})
    refused(hall, "ballot-open", hall.append, hall.body(panel, votes[:4]))
    hall.append(hall.body(panel, votes))
    assert hall.state.communities["ncii"] == hall.now


def test_a_claim_hands_no_roster_to_the_panel() -> None:
    hall = early()
    barred = [hall.recusal(f"s{n}", "declared") for n in (2, 3, 4)]
    decision = hall.decision("roster.set", "roster", SetRoster(roster=hall.roster(2)), recused=barred)
    assert not beyond_the_board(hall.state, decision)
    votes = hall.votes(decision)
    hall.append(hall.body(decision, votes))
    assert hall.state.decisions[decision.seq].result == "inquorate"


def three() -> Hall:
    """A board of three with a panel, of which the organisation of s2 has been a member, and has left."""
    hall = Hall(("independent", "platform", "vendor"), panel=3)
    seat = hall.state.roster.seats[1]
    said = hall.admission(str(seat.control_group)[-1])
    panel = handed_over(hall, "member.admit", str(seat.issuer), said)
    hall.append(hall.body(panel, hall.votes(panel, {f"p{n}": "yes" for n in (1, 2, 3)} | {"s1": "yes"})))
    hall.keys[str(seat.issuer)] = list(hall.made)
    for key in hall.made:
        hall.append(hall.signed(hall.proving(str(seat.issuer)), key, key.public.jwk()))
    hall.act(str(seat.issuer), "withdraw")
    return hall


@pytest.mark.parametrize("named", ["s2", "s4"])
def test_a_board_of_three_gets_a_new_seat_through_its_panel(named: str) -> None:
    hall = three()
    old = hall.chairs["s2"]
    hall.chairs["new"] = Chair()
    fresh = hall.state.roster.seats[1].model_copy(
        update={
            "seat": named,
            "handle": "somebody",
            "issuer": "https://fresh.example",
            "control_group": group("q"),
            "credentials": [hall.chairs["new"].credential()],
        }
    )
    seats = [hall.state.roster.seats[0], fresh, hall.state.roster.seats[2]]
    roster = hall.state.roster.model_copy(update={"version": 2, "seats": seats})
    panel = handed_over(hall, "roster.set", "roster", SetRoster(roster=roster))

    def vote(*names: str) -> list[Ballot]:
        return [
            hall.chairs[name].vote(panel, named if name == "new" else name, "yes", hall.now) for name in names
        ]

    # Recusals follow people and organisations into the next roster, whatever its seats are called.
    gone = [hall.recusal("s2", "suspended")]
    assert barred_in(hall.state, hall.state.roster, gone) == {"s2"}
    assert not barred_in(hall.state, roster, gone)
    moved = roster.model_copy(
        update={
            "seats": [
                *roster.seats[:2],
                fresh.model_copy(update={"seat": "s9", "issuer": "https://seat2.example"}),
            ]
        }
    )
    assert barred_in(hall.state, moved, gone) == {"s9"}
    # The panel speaks for the board that is; the next roster for itself, by its own seats.
    everybody = vote("p1", "p2", "p3", "s1", "new", "s3")
    refused(hall, "ballot-open", hall.append, hall.body(panel, everybody[:-1]))
    leaver = old.vote(panel, "s2", "yes", hall.now)
    code = "ballot-recused" if named == "s2" else "ballot-seat-unknown"
    before = hall.state
    with pytest.raises(Exception, match=f"{code}|ballot-credential-unknown"):
        hall.append(hall.body(panel, [*everybody, leaver]))
    assert hall.state is before
    enough = copied(hall)
    hall.append(hall.body(panel, everybody))
    assert (hall.state.roster.version, [seat.seat for seat in hall.state.roster.seats]) == (
        2,
        ["s1", named, "s3"],
    )
    for missing in (everybody[3:], everybody[:3]):
        enough.now = panel.expires_at
        assert enough.body(panel, missing).result == "inquorate"


def test_the_same_keys_under_new_handles_hear_no_appeal() -> None:
    hall = grown()
    hall.chairs |= {f"p{n}": Chair() for n in (1, 2)}
    hall.decide("roster.set", "roster", SetRoster(roster=hall.roster(2)))
    noticed = hall.now
    hall.wait(days=8)
    hall.decide("member.suspend", PIXEL, Suspend(until=hall.now + 100 * DAY, noticed_at=noticed))
    of = max(hall.state.decisions)
    renamed: Roster = hall.roster(3)
    seats = [
        seat.model_copy(update={"handle": f"{seat.handle}-x"}) if seat.seat_class == "independent" else seat
        for seat in renamed.seats
    ]
    hall.decide("roster.set", "roster", SetRoster(roster=renamed.model_copy(update={"seats": seats})))
    decision = hall.decision("appeal.uphold", f"decision:{of}", Appeal(of=of, filed_at=hall.now))
    voter = hall.votes(decision, {"p1": "yes", "p2": "yes", "s5": "yes"})
    refused(hall, "ballot-seat-unknown", hall.append, hall.body(decision, voter))
    hall.append(hall.body(decision, voter[:2]))
    assert state(hall) == "active"


def test_who_leaves_while_suspended_waits_like_who_was_expelled() -> None:
    hall = grown()
    noticed = hall.now
    hall.wait(days=8)
    hall.decide("member.suspend", PIXEL, Suspend(until=hall.now + 100 * DAY, noticed_at=noticed))
    free = copied(hall)
    hall.act(PIXEL, "withdraw")
    left = hall.now
    assert state(hall) == "withdrawn"
    hall.wait(days=365, seconds=-1)
    hall.tick()
    said = hall.admission("a", sponsors=None)
    refused(hall, "transition-forbidden", hall.decide, "member.admit", PIXEL, said)
    hall.wait(1)
    assert hall.member(PIXEL).again_at(hall.state.policy) == hall.now == left + 365 * DAY
    assert "cooled_down" in hall.member(PIXEL).facts(hall.now, hall.state.policy)
    # Reinstated first, it may come back when it likes.
    free.decide("member.reinstate", PIXEL)
    free.act(PIXEL, "withdraw")
    free.wait(days=30)
    free.tick()
    assert (state(free), free.member(PIXEL).again_at(free.state.policy)) == ("withdrawn", free.now)
    assert COMMUNITY in free.state.communities

"""Replaying a chain: an organisation on the board has one owner, in the roster and as a member."""

from dataclasses import replace

from tests.schemas.boards import FRAME, NOVA, PIXEL, Hall, group, grown, refused, state
from tocsin_schemas.board import BoardState
from tocsin_schemas.decisions import SetRoster
from tocsin_schemas.electorate import recusals_at_opening, voters
from tocsin_schemas.tally import voices


def seat_of_two(hall: Hall) -> str:
    """The organisation of seat 2, whose owner the roster calls `u`."""
    seat = hall.state.roster.seats[1]
    assert (seat.control_group, seat.issuer) == (group("u"), "https://seat2.example")
    return str(seat.issuer)


def owned(board: BoardState, issuer: str, name: str) -> BoardState:
    """The same board, but that the member has another owner than its seat."""
    return board.with_member(replace(board.members[issuer], control_group=group(name)))


def test_who_holds_a_seat_is_admitted_under_the_owner_of_that_seat() -> None:
    hall = grown()
    issuer = seat_of_two(hall)
    said = hall.admission("q", sponsors=[PIXEL, FRAME])
    refused(hall, "owner-mismatch", hall.decide, "member.admit", issuer, said)
    assert issuer not in hall.state.members
    # What the refusal advises: the owner that the roster names, or a roster in which that seat is another's.
    hall.admit(issuer, "u", sponsors=[PIXEL, FRAME])
    assert state(hall, issuer) == "provisional"
    other = grown()
    seats = list(other.roster(2).seats)
    seats[1] = seats[1].model_copy(update={"issuer": PIXEL, "control_group": group("a")})
    other.decide("roster.set", "roster", SetRoster(roster=other.roster(2, seats=seats)))
    other.admit(issuer, "q", sponsors=[PIXEL, FRAME])
    assert state(other, issuer) == "provisional"


def test_a_vote_and_a_recusal_follow_the_owner_of_the_member_too() -> None:
    hall = grown()
    issuer = seat_of_two(hall)
    hall.admit(issuer, "u", sponsors=[PIXEL, FRAME])
    other = str(hall.state.roster.seats[2].issuer)
    hall.admit(other, "v", sponsors=[PIXEL, FRAME])
    decision = hall.decision("community.open", "one")
    assert len(voices(voters(hall.state, decision), ())) == 5
    one = owned(owned(hall.state, issuer, "q"), other, "q")
    assert [voter.seat for voter in voices(voters(one, decision), ())] == ["s1", "s2", "s4", "s5"]
    said = hall.admission("q", sponsors=[PIXEL, FRAME])
    found = recusals_at_opening(one, "member.admit", NOVA, said, hall.now)
    assert [(recusal.seat, recusal.reason) for recusal in found] == [
        ("s2", "control_group"),
        ("s3", "control_group"),
    ]
    # Under the owner that the roster names as well; and as a sponsor's sister.
    by_roster = recusals_at_opening(one, "member.admit", NOVA, hall.admission("u"), hall.now)
    assert [recusal.seat for recusal in by_roster] == ["s2"]
    sponsored = hall.admission("c", sponsors=[PIXEL, FRAME])
    related = recusals_at_opening(owned(hall.state, issuer, "a"), "member.admit", NOVA, sponsored, hall.now)
    assert [(recusal.seat, recusal.reason) for recusal in related] == [("s2", "sponsor")]


def test_a_member_that_has_left_lends_its_seat_no_owner() -> None:
    hall = grown()
    issuer = seat_of_two(hall)
    hall.admit(issuer, "u", sponsors=[PIXEL, FRAME])
    hall.act(issuer, "withdraw")
    assert state(hall, issuer) == "withdrawn"
    decision = hall.decision("community.open", "one")
    gone = owned(hall.state, issuer, "v")
    assert [voter.group for voter in voters(gone, decision)][1] == group("u")

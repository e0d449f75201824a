"""The vote of whoever a new roster would seat: the roster in force does not know them, and asks them all the same.

Roster N+1 needs the approval of N and of N+1, each counted by itself. Somebody votes here with the keys that the next
roster gives their seat and the one in force does not; who keeps seat and key votes once, on the motion, for both.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import get_args

from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.governance.service import ballots, course, motions, showing
from tocsin.governance.service.context import Chamber
from tocsin.governance.service.views import BallotPaper, MotionView
from tocsin.governance.store import motions as store
from tocsin.governance.store.motions import Motion
from tocsin_schemas.board import BoardState
from tocsin_schemas.decisions import Ballot, Decision, SetRoster
from tocsin_schemas.electorate import barred_in
from tocsin_schemas.roster import Credential, Roster, Seat
from tocsin_schemas.vocabulary import Choice


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody is asked to take a seat: by which motion, which seat, and until when they vote (Unix seconds)."""

    motion: str
    seat: str
    closes_at: int


@dataclass(frozen=True, slots=True)
class Invitation:
    """The motion that would seat somebody, with a paper for each choice, as long as they have not voted."""

    motion: MotionView
    seat: Seat
    voted: bool
    papers: tuple[BallotPaper, ...]


def calls(chamber: Chamber, handle: str) -> list[Call]:
    """The open ballots in which somebody votes with a seat that they would hold, and have not voted yet."""
    with chamber.database.snapshot() as uow:
        state = chamber.chain.state(uow)
        return [
            Call(row.id, seat.seat, decision.expires_at)
            for row, decision in _open(uow)
            if (seat := _coming(state, decision, handle)) is not None and not _voted(uow, row, seat)
        ]


def invitation(chamber: Chamber, handle: str, motion_id: str) -> Invitation:
    """What somebody decides on who is to take a seat.

    Raises:
        Refused: `not-found` for a motion that is none to seat them, or whose ballot is not open.
    """
    motions.advance(chamber)
    with chamber.database.snapshot() as uow:
        state = chamber.chain.state(uow)
        row, seat = _mine(uow, state, handle, motion_id)
        view, voted = showing.view(uow, state, row, None), _voted(uow, row, seat)
    papers = () if voted else tuple(_paper(chamber, state, seat, row, choice) for choice in get_args(Choice))
    return Invitation(view, seat, voted, papers)


def accept(chamber: Chamber, handle: str, motion_id: str, ballot: Ballot) -> None:
    """Cast the vote of the seat that somebody would hold.

    Raises:
        Refused: as `invitation`; `ballot-credential-unknown` for a key that is not new; as `ballots.cast`.
    """
    with chamber.database.snapshot() as uow:
        state = chamber.chain.state(uow)
        _, seat = _mine(uow, state, handle, motion_id)
    if ballot.seat != seat.seat or ballot.credential not in {key.id for key in _keys(state, seat)}:
        raise Refused(
            "ballot-credential-unknown", "ballot.credential", "not a key that the next roster gives you"
        )
    ballots.cast(chamber, motion_id, ballot)


def _open(uow: UnitOfWork) -> Iterator[tuple[Motion, Decision]]:
    for row in store.about(uow, "roster", "roster.set"):
        decision = course.frozen(row)
        if row.state == "ballot" and decision is not None and decision.expires_at > uow.now:
            yield row, decision


def _mine(uow: UnitOfWork, state: BoardState, handle: str, motion_id: str) -> tuple[Motion, Seat]:
    for row, decision in _open(uow):
        seat = _coming(state, decision, handle)
        if row.id == motion_id and seat is not None:
            return row, seat
    raise Refused("not-found", "motion", "no open ballot would give you a seat")


def _coming(state: BoardState, decision: Decision, handle: str) -> Seat | None:
    """The seat that somebody would hold with a passkey that the roster in force does not give to that seat."""
    if not isinstance(decision.params, SetRoster) or decision.roster_version != state.roster.version:
        return None
    roster: Roster = decision.params.roster
    barred = barred_in(state, roster, decision.recused)
    held = (seat for seat in (*roster.seats, *roster.panel) if seat.handle == handle)
    return next((seat for seat in held if seat.seat not in barred and _keys(state, seat)), None)


def _keys(state: BoardState, seat: Seat) -> tuple[Credential, ...]:
    now = state.roster.seat(seat.seat)
    known = set() if now is None else {key.id for key in now.credentials}
    return tuple(key for key in seat.credentials if key.kind == "webauthn" and key.id not in known)


def _voted(uow: UnitOfWork, row: Motion, seat: Seat) -> bool:
    return showing.has_voted(seat, showing.cast_ballots(uow, row))


def _paper(chamber: Chamber, state: BoardState, seat: Seat, row: Motion, choice: Choice) -> BallotPaper:
    return replace(ballots.ballot_paper(chamber, None, row.id, choice), credentials=_keys(state, seat))

"""Who acts in the board's proceedings: a seat, or a person with roles. Neither has a name here, only a handle."""

from dataclasses import dataclass
from typing import Final

from tocsin_schemas.board import BoardState
from tocsin_schemas.membership import VACATING
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Seat

VETTERS: Final = frozenset({"vetter", "board"})
"""The roles that may vet. A checker answers for what it has checked by its handle."""


@dataclass(frozen=True, slots=True)
class Seated:
    """A person who acts for a seat of the board."""

    seat: str
    handle: str


@dataclass(frozen=True, slots=True)
class Caller:
    """A person who acts by a role: `org_issuer` is the member organisation that gave it, if one did."""

    handle: str
    roles: frozenset[str]
    org_issuer: str | None = None


def seat_of(state: BoardState, seated: Seated) -> Seat:
    """The seat, of the board or the panel, that a person acts for.

    Raises:
        Refused: `role-missing` when the roster in force gives it to somebody else, or when its organisation may not
            vote as it stands.
    """
    seat = state.roster.seat(seated.seat)
    if seat is None or seat.handle != seated.handle:
        raise Refused("role-missing", "seat", "the roster in force gives this seat to somebody else")
    if not may_vote(state, seat):
        raise Refused("role-missing", "seat", "vacant while its organisation may not vote")
    return seat


def board_seat_of(state: BoardState, seated: Seated) -> Seat:
    """The seat of the board that a person acts for: who proposes, endorses and discusses.

    Raises:
        Refused: as `seat_of`; `role-missing` to the panel.
    """
    seat = seat_of(state, seated)
    if seat not in state.roster.seats:
        raise Refused("role-missing", "seat", "the panel votes, and does nothing else")
    return seat


def may_vote(state: BoardState, seat: Seat) -> bool:
    """Whether a seat's organisation may vote: a seat without one may, and so may one that was never admitted."""
    standing = None if seat.issuer is None else state.members.get(seat.issuer)
    return standing is None or standing.state not in VACATING


def group_of(state: BoardState, caller: Caller) -> str | None:
    """The control group a person speaks from: that of the organisation that gave the role, or of the seat held."""
    standing = None if caller.org_issuer is None else state.members.get(caller.org_issuer)
    if standing is not None:
        return standing.control_group
    held = state.seat_of(caller.handle)
    return None if held is None else held.control_group

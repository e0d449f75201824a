"""Who acts in the board's proceedings: a seat, or a person with roles. Neither has a name here, only a handle."""

from dataclasses import dataclass
from typing import Final

from tocsin_schemas.board import BoardState
from tocsin_schemas.membership import SILENCING
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
    """A person who acts by a role: `org_issuer` is the member organisation they speak for, `orgs` all that gave them a
    role.
    """

    handle: str
    roles: frozenset[str]
    org_issuer: str | None = None
    orgs: frozenset[str] = frozenset()


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
    return standing is None or standing.state not in SILENCING


def groups_of(state: BoardState, caller: Caller) -> frozenset[str]:
    """Every control group a person belongs to: of each organisation that gave them a role, and of the seat held."""
    named = caller.orgs | ({caller.org_issuer} if caller.org_issuer is not None else set())
    found = {state.members[issuer].control_group for issuer in named if issuer in state.members}
    held = state.seat_of(caller.handle)
    if held is not None and held.control_group is not None:
        found.add(held.control_group)
    return frozenset(found)

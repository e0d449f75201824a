"""Who is kept from an application: one rule for reading its file and for everything that is done to it.

1. Recused is whoever has a tie to the applicant that still counts; a seat of the applicant's owner, or of a sponsor's;
   and a seat that has declared a conflict on the newest motion to admit it, or on an appeal that is being heard against
   what was decided then. Nothing of the application opens to them; what they found before they said so stands.
2. While such a motion is open, a seat that is asked says first whether it has a conflict (`showing.asked_first`).

Whoever vets without a seat, and without a tie, is kept from nothing here.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.governance.rules import motions as rules
from tocsin.governance.rules.people import Seated
from tocsin.governance.service import course, dossier, showing
from tocsin.governance.store import motions as store
from tocsin.governance.store.applications import Application
from tocsin.governance.store.motions import Motion
from tocsin_schemas.board import BoardState
from tocsin_schemas.electorate import relation
from tocsin_schemas.roster import Seat


class Bar(NamedTuple):
    """Why an application is closed to somebody: they are recused, or are to say first, on `motion`, if they are."""

    motion: str | None = None

    @property
    def refusal(self) -> Refused:
        """What they are told."""
        if self.motion is None:
            return Refused("ballot-recused", "seat", "recused: the application is closed to you")
        return Refused("conflict", "conflict", "say first whether you have a conflict of interest")


def check(uow: UnitOfWork, state: BoardState, row: Application, handle: str) -> None:
    """Whether a person may read the file of an application, and do something to it.

    Raises:
        Refused: `ballot-recused` to who is recused; `conflict` to a seat that has not said yet whether it is.
    """
    found = bar(uow, state, row, handle)
    if found is not None:
        raise found.refusal


def bar(uow: UnitOfWork, state: BoardState, row: Application, handle: str) -> Bar | None:
    """Why an application is closed to a person, if it is."""
    if handle in rules.tied(store.ties(uow, row.issuer), uow.now - state.policy.tie):
        return Bar()
    seat = state.seat_of(handle)
    if seat is None:
        return None
    sponsoring = frozenset(dossier.sponsors_of(uow, state, row))
    if relation(state, seat, row.issuer, row.control_group_id, sponsoring) is not None:
        return Bar()
    about = [*_about(uow, row)]
    if any(_recused(uow, motion, seat) for motion in about):
        return Bar()
    seated = Seated(seat.seat, handle)
    asked = [motion.id for motion in about if showing.asked_first(uow, state, motion, seated, ())]
    return Bar(asked[0]) if asked and not seat.term_over(uow.now) else None


def _about(uow: UnitOfWork, row: Application) -> Iterator[Motion]:
    newest = store.of_application(uow, row.id)
    if newest is not None:
        yield newest
        if newest.decision_seq is not None:
            yield from store.about(uow, f"decision:{newest.decision_seq}", "appeal.uphold")


def _recused(uow: UnitOfWork, motion: Motion, seat: Seat) -> bool:
    """By its own word, or as the ballot opened; a seat that was vacant then may know what it likes."""
    decision = course.frozen(motion) if motion.state in rules.OPEN_STATES else None
    named = () if decision is None else decision.recused
    said = store.declared(uow, motion.id).get(seat.seat, False)
    return said or any(found.seat == seat.seat and found.reason != "suspended" for found in named)

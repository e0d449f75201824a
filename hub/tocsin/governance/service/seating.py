"""Who sits on the board, for whoever knows people by their handles alone.

A seat is given to nobody whose term is over, or whose organisation may not vote as it stands: with the vote goes
everything that a seat may read and do. A handle stays the board's all the same, and is so before its person sits there.
"""

from collections.abc import Callable, Iterator

from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.governance.rules.founding import Founding
from tocsin.governance.rules.people import may_vote
from tocsin.governance.service import course
from tocsin.governance.service.context import Chamber
from tocsin.governance.store import motions, records
from tocsin.web.people import Seated
from tocsin_schemas.decisions import SetRoster
from tocsin_schemas.roster import Roster


def seats(chamber: Chamber) -> Callable[[str], Seated | None]:
    """A lookup from a handle to the seat of the board, or of the panel, that the person holds now."""

    def held(handle: str) -> Seated | None:
        with chamber.database.snapshot() as uow:
            if not chamber.chain.founded(uow):
                return None
            state = chamber.chain.state(uow)
        seat = state.seat_of(handle)
        if seat is None or seat.term_over(uow.now) or not may_vote(state, seat):
            return None
        passkeys = frozenset(key.id for key in seat.credentials if key.kind == "webauthn")
        return Seated(seat.seat, seat.seat_class, seat.chair, seat.duty, passkeys)

    return held


def named(chamber: Chamber) -> Callable[[str], bool]:
    """Whether a handle is one of the board's: in the roster in force, expired or not, in one that is moved, or among
    the seats while the board is being founded.
    """

    def known(handle: str) -> bool:
        with chamber.database.snapshot() as uow:
            if not chamber.chain.founded(uow):
                document = records.founding(uow)
                founding = None if document is None else Founding.model_validate_json(document)
                return founding is not None and any(seat.handle == handle for seat in founding.everyone())
            rosters = [chamber.chain.state(uow).roster, *moved(uow)]
        return any(seat.handle == handle for roster in rosters for seat in (*roster.seats, *roster.panel))

    return known


def moved(uow: UnitOfWork) -> Iterator[Roster]:
    """The rosters that open motions would put in force; a motion that was changed by hand has none."""
    for row in motions.about(uow, "roster", "roster.set"):
        try:
            params = course.params_of(row)
        except Refused:
            continue
        if isinstance(params, SetRoster):
            yield params.roster

"""Who sits on the board, for whoever knows people by their handles alone.

A seat is given to nobody whose term is over, or whose organisation may not vote as it stands: with the vote goes
everything that a seat may read and do.
"""

from collections.abc import Callable

from tocsin.governance.rules.people import may_vote
from tocsin.governance.service.context import Chamber
from tocsin.web.people import Seated


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

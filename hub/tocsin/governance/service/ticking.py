"""What the calendar says by itself: records that nobody votes on, written when their time has come.

While the newest record is ahead of the clock, none is written: one of the two was wrong, and nobody votes on it.
"""

from tocsin.db import Database
from tocsin.governance.service.chain import Chain
from tocsin.governance.service.dating import calendar_waits


def tick(chain: Chain, database: Database) -> int:
    """Write a record for each rule of the calendar that has come true; how many.

    One at a time, since what one does may end what another waits for.
    """
    done = 0
    while _one(chain, database):
        done += 1
    return done


def due(chain: Chain, database: Database) -> bool:
    """Whether `tick` has anything to do."""
    with database.snapshot() as uow:
        if not chain.founded(uow):
            return False
        state = chain.state(uow)
        return bool(state.due(uow.now)) and not calendar_waits(state, uow.now)


def _one(chain: Chain, database: Database) -> bool:
    if not due(chain, database):
        return False
    with database.transaction() as uow:
        state = chain.lock(uow)
        bodies = [] if calendar_waits(state, uow.now) else state.due(max(uow.now, state.at))
        if bodies:
            chain.append(uow, bodies[0])
    return bool(bodies)

"""What the calendar says by itself: records that nobody votes on, written when their time has come."""

from tocsin.db import Database
from tocsin.governance.service.chain import Chain


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
        return chain.founded(uow) and bool(chain.state(uow).due(uow.now))


def _one(chain: Chain, database: Database) -> bool:
    if not due(chain, database):
        return False
    with database.transaction() as uow:
        state = chain.lock(uow)
        bodies = state.due(max(uow.now, state.at))
        if bodies:
            chain.append(uow, bodies[0])
    return bool(bodies)

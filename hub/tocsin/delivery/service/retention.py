"""Forgetting: attempts and ended items past their time, and everything of receivers that were removed."""

from typing import Final

from tocsin.db import Database
from tocsin.delivery.store import retention as store
from tocsin_schemas.policy import DAY

KEPT_SECONDS: Final = 30 * DAY
MINUTES_KEPT: Final = 24 * 60
MOST_HELD: Final = 100_000
"""So much is kept back for one receiver at most: beyond it the oldest goes, and whoever comes back sees the gap."""
PART: Final = 10_000
"""Rows that one transaction looks at, so that nobody waits long behind it."""


def forget(database: Database) -> int:
    """Delete what is past its time, or too much.

    Attempts, and items that ended or were held, older than 30 days; of what is held for a receiver the oldest beyond
    100,000; and what removed receivers left. Returns how many rows; in parts of 10,000, each a transaction of its own.
    """
    before = database.clock() - KEPT_SECONDS
    gone = _attempts(database, before) + _items(database, before) + _crowded(database)
    return gone + _minutes(database) + _removed(database)


def _attempts(database: Database, before: int) -> int:
    gone, part = 0, PART
    while part == PART:
        with database.transaction() as uow:
            part = store.attempts(uow, before, PART)
        gone += part
    return gone


def _items(database: Database, before: int) -> int:
    gone, after = 0, 0
    while True:
        with database.transaction() as uow:
            part, last, oldest = store.items(uow, before, after, PART)
        gone += part
        # Ids follow the order of queueing, but for what was queued again: the end is where a whole part is young.
        if last is None or oldest is None or oldest >= before:
            return gone
        after = last


def _crowded(database: Database) -> int:
    with database.snapshot() as uow:
        left = store.crowded(uow, MOST_HELD)
    gone = 0
    for receiver_id, excess in left:
        for begin in range(0, excess, PART):
            with database.transaction() as uow:
                gone += store.held(uow, receiver_id, min(PART, excess - begin))
    return gone


def _minutes(database: Database) -> int:
    with database.transaction() as uow:
        return store.minutes(uow, uow.now // 60 - MINUTES_KEPT)


def _removed(database: Database) -> int:
    with database.snapshot() as uow:
        left = store.removed(uow)
    gone = 0
    for receiver_id in left:
        part = 1
        while part:
            with database.transaction() as uow:
                part = store.of_receiver(uow, receiver_id, PART)
            gone += part
    return gone

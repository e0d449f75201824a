"""Whether the calendar may decide: rules that end terms, lapse emergencies and activate members believe a clock.

Nobody votes on what they do, and nothing undoes it. So they run only while there is a reason to believe this machine's
clock, and otherwise wait, with everything else going on:

- While a process runs, its clock may not leap ahead of one that nobody can set, by more than a minute. That one counts
  the time a machine is suspended where the platform has such a clock (CLOCK_BOOTTIME); a paused virtual machine's does
  not, so that its clock is seen to leap.
- At a start, the clock may not be more than seven days ahead of when the calendar last ran, or in a hub where it never
  has, of the newest entry or checkpoint of the log.

The calendar goes on when the clock is back, or when the operator confirms it (`tocsin-hub clock --confirm`). When it
ran last is kept in the database, where several processes and the console see it.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from tocsin.db import Database
from tocsin.jobs import store
from tocsin.ledger import service as ledger
from tocsin_schemas.log_times import SKEW
from tocsin_schemas.policy import DAY

logger = logging.getLogger(__name__)

AWAY: Final = 7 * DAY
"""Seconds that a hub may have been off without anybody being asked."""
FRESH: Final = 120
"""Seconds within which a confirmation is noticed: the calendar is looked at every minute."""
QUIET: Final = 300
"""Seconds after which people are told that the calendar does not run."""


def steady() -> float:
    """Seconds of a clock that nobody can set; it counts the time a machine is suspended, where one does."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Calendar:
    """Asked by one process before each run of what follows from what time it is, and once when it starts."""

    def __init__(self, database: Database, steadily: Callable[[], float] = steady) -> None:
        self._database = database
        self._steady = steadily
        self._offset: float | None = (
            None  # how far the clock was ahead of the steady one when it was last believed
        )
        self._known: int | None = None  # when the calendar last ran, as this process knew it
        self._waits = False

    def may_run(self) -> bool:
        """Whether the clock is believed; if it is, that is noted in the database."""
        with self._database.snapshot() as uow:
            ran, now = store.calendar_ran(uow), uow.now
            alive = ran if ran is not None else ledger.last_sign(uow)
        offset = now - self._steady()
        if not (self._right(now, offset, alive) or self._confirmed(ran, now)):
            self._wait(alive, ran)
            return False
        if self._waits:
            logger.warning("the calendar goes on")
        self._waits, self._offset, self._known = False, offset, now
        with self._database.transaction() as uow:
            store.note_calendar(uow, now)
        return True

    def _right(self, now: int, offset: float, alive: int | None) -> bool:
        if self._offset is None:
            return alive is None or now <= alive + AWAY
        return offset <= self._offset + SKEW

    def _confirmed(self, ran: int | None, now: int) -> bool:
        """Somebody else has just noted this very time."""
        return self._waits and ran is not None and ran != self._known and 0 <= now - ran <= FRESH

    def _wait(self, alive: int | None, ran: int | None) -> None:
        if self._waits:
            return
        logger.error(
            "the clock has leapt ahead: the calendar waits until it is back, or `tocsin-hub clock --confirm`",
            extra={"ran": alive},
        )
        self._waits, self._known = True, alive
        if ran is None and alive is not None:
            # What is logged from now on has the time of a clock that is not believed.
            with self._database.transaction() as uow:
                store.note_calendar(uow, alive)


def confirm(database: Database) -> None:
    """Note, as the operator, that the clock is right: the calendar goes on within a minute.

    Raises:
        Refused: `unavailable` when the hub is read-only.
    """
    with database.transaction() as uow:
        store.note_calendar(uow, uow.now)


def waits_since(database: Database) -> int | None:
    """When the calendar last ran (Unix seconds), if it does no more; None while it does, and where it never has."""
    ran = last_ran(database)
    return None if ran is None or database.clock() <= ran + QUIET else ran


def last_ran(database: Database) -> int | None:
    """When the calendar last ran by a clock that was believed (Unix seconds); None where it never has."""
    with database.snapshot() as uow:
        return store.calendar_ran(uow)

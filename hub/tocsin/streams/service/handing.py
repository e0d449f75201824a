"""Giving delivery what waits on push streams and was not given yet: what went by, was given up, or is too much at once.

A stream that goes on after a pause, a failure or an emergency suspension is handed over here, a bounded part at a time.
"""

from threading import Event
from typing import Final

from tocsin.db import UnitOfWork
from tocsin.streams.rules.events import held_back
from tocsin.streams.service.context import HANDED_OVER, Transmitter, hand_over
from tocsin.streams.store import streams as store
from tocsin.streams.store import waiting
from tocsin.streams.store.streams import Stream

LOOK_SECONDS: Final = 0.12
"""Somebody who has waited for a while looks every tenth of a second."""


def due(transmitter: Transmitter, uow: UnitOfWork) -> bool:
    """Whether anything waits for it."""
    return waiting.anything_unqueued(uow, [stream.id for stream in _open(transmitter, uow)])


def hand_over_all(transmitter: Transmitter) -> int:
    """Hand over everything that goes out now; how much that was."""
    done = 0
    while True:
        with transmitter.database.transaction() as uow:
            given = hand_over(uow, _open(transmitter, uow))
        done += given
        if given < HANDED_OVER:
            return done
        let_others_write(transmitter)


def let_others_write(transmitter: Transmitter) -> None:
    """Leave SQLite alone for as long as it takes those who wait for it to look again (sqlite3_busy_timeout).

    It has no queue: whoever writes again at once would keep everybody else waiting for as long as there is work.
    """
    if transmitter.database.dialect == "sqlite":
        Event().wait(LOOK_SECONDS)


def _open(transmitter: Transmitter, uow: UnitOfWork) -> list[Stream]:
    found = store.pushing(uow)
    orgs = transmitter.context.members.orgs(uow) if found else {}
    return [one for one in found if not held_back("signal.recorded", orgs[one.organisation_id].state)]

"""Running a job: under a lease, so that two processes never do the same at once."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tocsin.db import Database
from tocsin.jobs import store
from tocsin.keys import HubKeys
from tocsin.members import service as members
from tocsin.signals.service.context import Context
from tocsin.signals.service.expire import expire

LEASE_SECONDS: Final = 300
"""How long a job that stopped answering keeps others out. Jobs are idempotent: a late one does no harm."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job: what it does, and every how many seconds. It returns how much there was to do."""

    name: str
    every: int
    summary: str
    run: Callable[[Context, HubKeys], int]


def _settle(context: Context, _keys: HubKeys) -> int:
    context.database.settle(rewrite=True)
    return 0


JOBS: Final[Mapping[str, Job]] = {
    job.name: job
    for job in (
        Job(
            "signals.expire", 5, "erase what has expired", lambda context, keys: expire(context, keys.events)
        ),
        Job("database.settle", 21_600, "write SQLite's file anew, without what was erased", _settle),
        Job(
            "members.forget",
            600,
            "forget used assertions and revoked tokens that are past their time",
            lambda context, _keys: members.forget(context.database),
        ),
    )
}


def run(context: Context, keys: HubKeys, name: str) -> int | None:
    """Run one job now; how much it did, or None when another process is at it."""
    holder = secrets.token_hex(8)
    if not _take(context.database, name, holder):
        return None
    try:
        return JOBS[name].run(context, keys)
    finally:
        _give_back(context.database, name, holder)


def _take(database: Database, name: str, holder: str) -> bool:
    with database.transaction() as uow:
        return store.take(uow, name, holder, LEASE_SECONDS)


def _give_back(database: Database, name: str, holder: str) -> None:
    with database.transaction() as uow:
        store.give_back(uow, name, holder)

"""Running a job: under a lease, so that two processes never do the same at once."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tocsin.accounts import service as accounts
from tocsin.db import Database
from tocsin.delivery import service as delivery
from tocsin.governance.service import applications, motions, publishing, startup, ticking
from tocsin.governance.service.context import Chamber
from tocsin.jobs import store
from tocsin.keys import HubKeys
from tocsin.ledger import service as ledger
from tocsin.members import service as members
from tocsin.signals.service import release, segments
from tocsin.signals.service.context import Context
from tocsin.signals.service.expire import expire
from tocsin.signals.service.snapshot import snapshot
from tocsin.streams.service.context import Transmitter
from tocsin.streams.service.fanout import due as fan_out_due
from tocsin.streams.service.fanout import fan_out
from tocsin.streams.service.resealing import reseal
from tocsin.streams.service.upkeep import tick
from tocsin.webhooks.service import Webhooks
from tocsin.webhooks.service import fanout as webhooks

LEASE_SECONDS: Final = 300
"""The lease of most jobs. Jobs are idempotent: a late one does no harm."""
SHORT_LEASE_SECONDS: Final = 5
"""The same for what everybody waits for. Two at once are safe, by compare-and-swap; a dead one must not be missed."""


@dataclass(frozen=True, slots=True)
class Means:
    """What the jobs work with."""

    context: Context
    chamber: Chamber
    ledger: ledger.Ledger
    keys: HubKeys
    courier: delivery.Courier
    transmitter: Transmitter
    webhooks: Webhooks


@dataclass(frozen=True, slots=True)
class Job:
    """A job: what it does, and every how many seconds. It returns how much there was to do.

    `due` is asked before the lease is taken, which costs two writes: for a job that runs often and rarely has to.
    `at_start` has the metronome begin with it instead of waiting for its first beat. `lease` is how many seconds one
    that died keeps others out; None: any number may run at once, because the rows they work on are leased. `calendar`:
    what it does follows from what time it is and is never undone, so the metronome asks first whether to believe it.
    """

    name: str
    every: int
    summary: str
    run: Callable[[Means], int]
    due: Callable[[Means], bool] = lambda _means: True
    at_start: bool = False
    lease: int | None = LEASE_SECONDS
    calendar: bool = False


def _settle(means: Means) -> int:
    means.context.database.settle(rewrite=True)
    return 0


def _reseal(means: Means) -> int:
    before = means.keys.delivery_before
    return 0 if before is None else reseal(means.transmitter, before)


def _tick(means: Means) -> int:
    if means.context.board.sandbox:
        return 0
    done = motions.advance(means.chamber) + applications.lapse(means.chamber)
    return done + ticking.tick(means.context.board, means.context.database)


JOBS: Final[Mapping[str, Job]] = {
    job.name: job
    for job in (
        Job(
            "ledger.publish",
            1,
            "sign and show what was recorded since",
            lambda means: ledger.publish(means.ledger),
            due=lambda means: ledger.unpublished(means.ledger),
            at_start=True,
            lease=SHORT_LEASE_SECONDS,
        ),
        Job(
            "feed.build",
            1,
            "store the feed's segments, and store anew what was erased in",
            lambda means: segments.build(means.context),
            due=lambda means: segments.due(means.context),
            lease=SHORT_LEASE_SECONDS,
        ),
        Job(
            "feed.sweep",
            3600,
            "delete objects that no segment of the feed names",
            lambda means: segments.sweep(means.context),
            at_start=True,
        ),
        Job(
            "feed.snapshot",
            60,
            "make a new version of every live set that has changed",
            lambda means: snapshot(means.context, means.keys.events),
        ),
        Job(
            "signals.expire",
            5,
            "erase what has expired",
            lambda means: expire(means.context, means.keys.events),
        ),
        Job(
            "signals.release",
            5,
            "show what provisional members said once others have borne it out",
            lambda means: release.release(means.context, means.keys.events),
            due=lambda means: release.due(means.context),
        ),
        Job(
            "webhooks.fanout",
            1,
            "make messages of what happened, and queue them for the endpoints they are for",
            lambda means: webhooks.fan_out(means.webhooks),
            due=lambda means: webhooks.due(means.webhooks),
            at_start=True,
            lease=SHORT_LEASE_SECONDS,
        ),
        Job(
            "webhooks.forget",
            3600,
            "forget messages past their time",
            lambda means: webhooks.forget(means.webhooks),
        ),
        Job(
            "delivery.send",
            1,
            "send what is due to endpoints and streams",
            lambda means: means.courier.send_due(),
            due=lambda means: means.courier.due(),
            at_start=True,
            lease=None,
        ),
        Job(
            "delivery.hold",
            5,
            "keep back the rest of what waits for receivers that were stopped",
            lambda means: delivery.hold(means.context.database),
            due=lambda means: delivery.unheld(means.context.database),
        ),
        Job(
            "streams.fanout",
            1,
            "keep for each stream what happened since",
            lambda means: fan_out(means.transmitter),
            due=lambda means: fan_out_due(means.transmitter),
            at_start=True,
            lease=SHORT_LEASE_SECONDS,
        ),
        Job(
            "streams.tick",
            300,
            "pause streams that nobody polls, and forget what waited too long",
            lambda means: tick(means.transmitter),
        ),
        Job(
            "streams.reseal",
            3600,
            "seal anew what the delivery key before sealed, once that has ended, and let that go",
            _reseal,
            due=lambda means: means.keys.delivery_before is not None,
            at_start=True,
        ),
        Job(
            "delivery.forget",
            3600,
            "forget attempts and ended deliveries past their time",
            lambda means: delivery.forget(means.context.database),
        ),
        Job(
            "governance.tick",
            60,
            "let windows end, and record what the calendar says",
            _tick,
            calendar=True,
        ),
        Job(
            "governance.audit",
            60,
            "hold the rows of members and of the board against the log, name what differs, put it right",
            lambda means: len(startup.audit(means.context.board, means.ledger)),
        ),
        Job(
            "governance.publish",
            5,
            "lay copies of the board's records beside the public log",
            lambda means: publishing.publish(means.context.board, means.ledger),
            due=lambda means: publishing.unpublished(means.context.board, means.ledger),
            lease=SHORT_LEASE_SECONDS,
        ),
        Job("database.settle", 21_600, "write SQLite's file anew, without what was erased", _settle),
        Job(
            "members.forget",
            600,
            "forget used assertions and revoked tokens that are past their time",
            lambda means: members.forget(means.context.database),
        ),
        Job(
            "accounts.forget",
            600,
            "end sessions and links that are over, and forget the names of old reads",
            lambda means: accounts.forget(means.context.database),
        ),
    )
}


def run(means: Means, name: str) -> int | None:
    """Run one job now; how much it did, or None when another process is at it."""
    job, database = JOBS[name], means.context.database
    if not job.due(means):
        return 0
    if job.lease is None:
        return job.run(means)
    holder = secrets.token_hex(8)
    if not _take(database, job.name, holder, job.lease):
        return None
    try:
        return job.run(means)
    finally:
        _give_back(database, name, holder)


def _take(database: Database, name: str, holder: str, seconds: int) -> bool:
    with database.transaction() as uow:
        return store.take(uow, name, holder, seconds)


def _give_back(database: Database, name: str, holder: str) -> None:
    with database.transaction() as uow:
        store.give_back(uow, name, holder)

"""A member is suspended while it and others send all that the hub can take: when is its last request accepted?"""

import http.client
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing.synchronize import Barrier
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import click

from tests.benchmarks.figures import Figure, hub_on, median
from tests.benchmarks.seeding import COMMUNITY, signed_reports
from tests.support.hub import LiveHub
from tests.support.parties import Party
from tocsin_schemas.envelope import MEDIA_TYPE

MEMBERS: Final = ("pixel", "frame", "vendor")
PROCESSES_EACH: Final = 2
BEFORE: Final = 10.0
AFTER: Final = 10.0
"""Seconds of load before the decision, and behind it."""
WARM: Final = 2.0
READS_PER_REPORT: Final = 4
REPORTS: Final = 3000
"""Signed reports that each process has ready."""
OK: Final = 300


class Load(NamedTuple):
    """What one process of a member sends: reports, with reads between them, from one instant to another."""

    address: str
    authorization: str
    reports: Sequence[bytes]
    begins: float
    ends: float


class Done(NamedTuple):
    """One request: when it was sent and answered (seconds of the machine's own clock), and its status."""

    sent: float
    answered: float
    status: int


def suspend_latency(dialect: str) -> Iterator[Figure]:
    """Seconds from the decision to the last accepted answer; and what the others notice.

    Raises:
        RuntimeError: when another member's request fails, or one is accepted that was sent behind the decision.
    """
    with ExitStack() as stack:
        hub = stack.enter_context(hub_on(dialect))
        parties = [hub.party(name) for name in MEMBERS]
        count = len(parties) * PROCESSES_EACH
        spawn = multiprocessing.get_context("spawn")
        pool = stack.enter_context(
            ProcessPoolExecutor(count, spawn, initializer=_join, initargs=(spawn.Barrier(count),))
        )
        list(pool.map(_wait_for_all, range(count)))
        signed = [
            signed_reports(party, hub.issuer, REPORTS) for party in parties for _ in range(PROCESSES_EACH)
        ]
        reports = iter(signed)
        begins = time.monotonic() + 1
        decides, ends = begins + BEFORE, begins + BEFORE + AFTER
        loads = [
            _load(hub, party, next(reports), begins, ends) for party in parties for _ in range(PROCESSES_EACH)
        ]
        running = [pool.submit(send, load) for load in loads]
        time.sleep(max(0.0, decides - time.monotonic()))
        asked = time.monotonic()
        hub.members.suspend(parties[0].issuer)
        decided = time.monotonic()
        done = [future.result() for future in running]
    theirs = [item for part in done[:PROCESSES_EACH] for item in part]
    others = [item for part in done[PROCESSES_EACH:] for item in part]
    before = [item for item in others if begins + WARM <= item.sent < asked]
    after = [item for item in others if item.sent > decided]
    failed = sum(item.status >= OK for item in others)
    sneaked = sum(item.status < OK and item.sent > decided for item in theirs)
    if failed or sneaked:
        raise RuntimeError(f"{failed} requests of others failed, {sneaked} were accepted behind the decision")
    last = max(item.answered for item in theirs if item.status < OK)
    slow = _percentile([item.answered - item.sent for item in [*before, *theirs] if item.sent < asked], 0.99)
    rate = sum(begins + WARM <= item.sent < asked for item in [*others, *theirs]) / (asked - begins - WARM)
    refused = sum(item.status >= OK for item in theirs)
    click.echo(
        f"{dialect}: {rate:,.0f} requests a second from {len(loads)} processes of {len(MEMBERS)} members; the decision"
        f" took {(decided - asked) * 1e3:.0f} ms; {refused:,} requests of the member were refused after it",
        err=True,
    )
    value = max(0.0, last - decided)
    yield Figure("suspend-latency", value, "s", slow, value / slow, len(theirs), dialect)
    was, now = (median([item.answered - item.sent for item in part]) * 1e3 for part in (before, after))
    yield Figure("suspend-others", now, "ms", was, now / was, len(others), dialect)


def send(load: Load) -> list[Done]:
    """Send requests, one behind the other, on one connection."""
    connection = http.client.HTTPConnection(load.address, timeout=60)
    identity = {"Authorization": load.authorization}
    feed = f"/v1/communities/{COMMUNITY}/feed?after={2**40}"
    reports = iter(load.reports)
    done: list[Done] = []
    time.sleep(max(0.0, load.begins - time.monotonic()))
    while (sent := time.monotonic()) < load.ends:
        token = next(reports, None) if len(done) % (READS_PER_REPORT + 1) == 0 else None
        if token is None:
            connection.request("GET", feed, headers=identity)
        else:
            connection.request("POST", "/v1/signals", token, {**identity, "Content-Type": MEDIA_TYPE})
        answer = connection.getresponse()
        answer.read()
        done.append(Done(sent, time.monotonic(), answer.status))
    connection.close()
    return done


class _Together:
    """What the processes of a run share."""

    barrier: Barrier


def _join(barrier: Barrier) -> None:
    _Together.barrier = barrier


def _wait_for_all(_number: int) -> None:
    """Come back when every process has started."""
    _Together.barrier.wait()


def _load(hub: LiveHub, party: Party, reports: Sequence[bytes], begins: float, ends: float) -> Load:
    return Load(urlsplit(hub.issuer).netloc, party.bearer()["Authorization"], reports, begins, ends)


def _percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]

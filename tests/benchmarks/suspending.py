"""A member is suspended while it and others send a thousand requests a second: when is its last one accepted?

Two serving processes and a worker share the database, as behind a proxy. Most requests are what followers send all day,
the feed at its end; one in 51 is a report. Where the machine cannot answer a thousand a second without falling behind,
it is the highest of some lower rates that it can.
"""

import json
import multiprocessing
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Final
from urllib.parse import urlsplit

import click

from tests.benchmarks.figures import Figure, hub_on, median
from tests.benchmarks.loading import Done, Load, Sender, send
from tests.benchmarks.seeding import COMMUNITY, signed_reports
from tests.support.hub import LiveHub, command
from tests.support.parties import Party
from tocsin_schemas.envelope import MEDIA_TYPE

MEMBERS: Final = ("pixel", "frame", "vendor")
RATES: Final = (1000.0, 900.0, 800.0, 700.0, 600.0, 500.0, 400.0, 300.0, 200.0, 100.0)
"""Requests a second, of all members together: the first is what is wanted."""
TRIAL: Final = 8.0
IN_TIME: Final = 0.2
"""A rate is one that can be kept when, for so many seconds, 99 in 100 are answered within so many."""
BEFORE: Final = 15.0
AFTER: Final = 15.0
"""Seconds of load before the decision, and behind it."""
WARM: Final = 5.0
REPORT_EVERY: Final = 51
OK: Final = 300


def suspend_latency(dialect: str) -> Iterator[Figure]:
    """Seconds from the decision to the last accepted answer; what the others notice; and the load it was.

    Raises:
        RuntimeError: when another member's request fails, or one is accepted that was sent behind the decision.
    """
    with ExitStack() as stack:
        hub = stack.enter_context(hub_on(dialect, ingest_processes="0", run_jobs="false"))
        stack.enter_context(_beside(hub, "work"))
        second = stack.enter_context(_beside(hub, "serve", "--port", "0"))
        servers = [_place(hub.issuer), _place(second["address"])]
        parties = [hub.party(name) for name in MEMBERS]
        spawn = multiprocessing.get_context("spawn")
        pool = stack.enter_context(ProcessPoolExecutor(1, spawn))
        rate = _kept(pool, servers, [_sender(hub, party, RATES[0], len(RATES) * TRIAL) for party in parties])
        senders = [_sender(hub, party, rate, BEFORE + AFTER) for party in parties]
        begins = time.monotonic() + 1
        decides, ends = begins + BEFORE, begins + BEFORE + AFTER
        running = pool.submit(send, Load(servers, senders, rate / len(MEMBERS), begins, ends))
        time.sleep(max(0.0, decides - time.monotonic()))
        asked = time.monotonic()
        hub.members.suspend(parties[0].issuer)
        decided = time.monotonic()
        theirs, *rest = running.result()
    yield from _figures(dialect, theirs, [item for part in rest for item in part], (begins, asked, decided))


def _figures(
    dialect: str, theirs: Sequence[Done], others: Sequence[Done], instants: tuple[float, float, float]
) -> Iterator[Figure]:
    begins, asked, decided = instants
    before = [item for item in others if begins + WARM <= item.due and item.answered < asked]
    after = [item for item in others if item.due > decided]
    failed = sum(item.status >= OK for item in others)
    sneaked = sum(item.status < OK and item.sent > decided for item in theirs)
    if failed or sneaked:
        raise RuntimeError(f"{failed} requests of others failed, {sneaked} were accepted behind the decision")
    last = max(item.answered for item in theirs if item.status < OK)
    answered = sum(begins + WARM <= item.answered < asked for item in (*others, *theirs))
    rate = answered / (asked - begins - WARM)
    slow = _percentile(before, 0.99)
    refused = sum(item.status >= OK for item in theirs)
    click.echo(
        f"{dialect}: the decision took {(decided - asked) * 1e3:.0f} ms; {refused:,} of the member's were refused; "
        f"99 in 100 of the others' were answered within {slow * 1e3:.0f} ms before, "
        f"{_percentile(after, 0.99) * 1e3:.0f} ms after",
        err=True,
    )
    value = max(0.0, last - decided)
    yield Figure("suspend-latency", value, "s", slow, value / slow, len(theirs), dialect)
    was, now = (median([item.seconds for item in part]) * 1e3 for part in (before, after))
    yield Figure("suspend-others", now, "ms", was, now / was, len(others), dialect)
    yield Figure("suspend-load", rate, "requests/s", RATES[0], RATES[0] / rate, answered, dialect)


def _kept(pool: ProcessPoolExecutor, servers: Sequence[tuple[str, int]], senders: Sequence[Sender]) -> float:
    """The first rate that can be kept."""

    def kept(rate: float) -> bool:
        begins = time.monotonic() + 1
        load = Load(servers, senders, rate / len(senders), begins, begins + TRIAL)
        try:
            done = [item for part in pool.submit(send, load).result() for item in part]
        except* TimeoutError:
            done = []
        return bool(done) and _percentile(done, 0.99) < IN_TIME

    # What is done once, and late: connections, imports, statements that are compiled when they are first asked.
    kept(RATES[-1])
    for rate in RATES:
        if kept(rate):
            return rate
        click.echo(f"{rate:,.0f} requests a second are more than can be answered here", err=True)
    raise RuntimeError("not even the lowest rate can be kept")


@contextmanager
def _beside(hub: LiveHub, *arguments: str) -> Iterator[dict[str, str]]:
    """Another process of the same hub; what it says once it is ready."""
    env = {**os.environ, **hub.env, "TOCSIN_ISSUER": hub.issuer}
    with (
        hub.log.open("a") as log,
        subprocess.Popen(
            [command(), *arguments, "--json"], env=env, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def _place(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def _sender(hub: LiveHub, party: Party, rate: float, seconds: float) -> Sender:
    """What one member sends, with reports enough for so long at a rate of all members together."""
    head = f"Host: {urlsplit(hub.issuer).netloc}\r\nAuthorization: {party.bearer()['Authorization']}\r\n"
    feed = f"GET /v1/communities/{COMMUNITY}/feed?after={2**40} HTTP/1.1\r\n{head}\r\n"
    count = int(rate / len(MEMBERS) * seconds / REPORT_EVERY) + 1
    post = f"POST /v1/signals HTTP/1.1\r\n{head}Content-Type: {MEDIA_TYPE}\r\n"
    reports = [
        f"{post}Content-Length: {len(token)}\r\n\r\n".encode() + token
        for token in signed_reports(party, hub.issuer, count)
    ]
    return Sender(reports, REPORT_EVERY, feed.encode())


def _percentile(items: Sequence[Done], part: float) -> float:
    values = sorted(item.seconds for item in items)
    return values[min(len(values) - 1, int(len(values) * part))]

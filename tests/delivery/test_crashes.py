"""kill -9 in the middle of delivery, and a database that goes away, again and again: all arrives, nothing sticks."""

import logging
import multiprocessing
import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from tests.delivery.carrying import Carrier, Post, egress
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tests.support.invariants import check_deliveries
from tests.support.sink import Sink
from tocsin import db
from tocsin.db import Database, UnitOfWork
from tocsin.delivery.rules import ATTEMPTS
from tocsin.delivery.service import Claim, Courier, Making, NewItem, courier, enqueue, requeue_between, turn
from tocsin.delivery.service.turn import LEASE_SECONDS

KILLS = int(os.environ.get("TOCSIN_TEST_DELIVERY_KILLS", "50")) // 2
"""How often each of the two databases sees its worker killed."""
DROPS = 20
AWAY_SECONDS = 1
"""How long the database is away each time, if nobody is told of it before."""
PATIENCE = 20
TICK = 1
"""Seconds between two beats of delivery.send."""


class Telling(Carrier):
    """A carrier that says whenever it has been given a share of the work."""

    taken: Connection

    def compose(self, uow: UnitOfWork, claims: Sequence[Claim]) -> Sequence[Making | None]:
        if claims:
            self.taken.send_bytes(b".")
        return super().compose(uow, claims)


def work(url: str, targets: dict[int, str], now: int, taken: Connection) -> None:
    """What the killed process does, until it is killed: beat by beat, as the job does."""
    database = Database(url, clock=MovableClock(now))
    carrier = Telling(targets=targets)
    carrier.taken = taken
    carrying = Courier(database, egress(), [carrier])
    while True:
        if carrying.due():
            carrying.send_due()


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
@pytest.mark.usefixtures("unmeasured")
def test_killed_in_the_middle_again_and_again(
    databases: Databases, tmp_path: Path, dialect: str, there: Sink
) -> None:
    with databases.migrated(dialect, tmp_path) as url:
        clock = MovableClock()
        database = Database(url, clock=clock)
        try:
            kill_and_verify(Post(database), url, clock, there)
        finally:
            database.dispose()


def kill_and_verify(post: Post, url: str, clock: MovableClock, there: Sink) -> None:
    # A server of forks has everything imported: most of the time would be a process's own start.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    seeded, fates, pause = random.Random(KILLS), Counter[str](), threading.Event()
    paths: list[tuple[object, ...]] = [("ok", n) for n in range(12)]
    paths += [("once", 500, n) for n in range(2)]
    paths += [("slow", 0.05, n) for n in range(2)]
    receivers = [post.receiver(there.url(*path)) for path in paths]
    queued = 0
    for _ in range(KILLS):
        queue(post, receivers, range(queued + 1, queued + 5))
        queued += 4
        here, taken = context.Pipe(duplex=False)
        child = context.Process(target=work, args=(url, post.carrier.targets, clock(), taken))
        child.start()
        taken.close()
        for turn_of in range(seeded.randint(1, 3)):
            assert here.poll(0.3 if turn_of else PATIENCE) or turn_of, "the worker did not begin"
        pause.wait(seeded.uniform(0, 0.06))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join(PATIENCE)
        here.close()
        with post.database.snapshot() as uow:
            check_deliveries(uow)
            held = uow.conn.execute(text("SELECT count(*) FROM delivery_queue WHERE holder IS NOT NULL"))
            fates["in the middle" if held.scalar_one() else "between"] += 1
        clock.advance(LEASE_SECONDS)
    settle(post, clock)
    arrived = {path: Counter(ids) for path, ids in there.by_path().items()}
    wanted = {f"msg_{message}" for message in range(1, queued + 1)}
    for receiver_id, path in zip(receivers, paths, strict=True):
        assert arrived["/" + "/".join(map(str, path))].keys() == wanted, "each at least once, with its own id"
        assert set(post.states(receiver_id).values()) == {"delivered"}
    again = sum(sum(ids.values()) - len(ids) for ids in arrived.values())
    print(f"{post.database.dialect}: {queued * len(receivers)} items, {again} sent again, {dict(fates)}")
    assert fates["in the middle"] >= KILLS / 2, "too many kills were too early or too late"


def queue(post: Post, receivers: Sequence[int], messages: Sequence[int]) -> None:
    """The same messages for each receiver, in one transaction, by turns urgent ones and others."""
    with post.database.transaction() as uow:
        enqueue(
            uow, [NewItem(one, message % 2, message, message) for one in receivers for message in messages]
        )


def settle(post: Post, clock: MovableClock) -> None:
    """Beat until everything has come to its end, and nothing is overdue by two beats at any of them.

    What was taken ten times by processes that were killed is given up at its first failure; its owner sends it again.
    """
    for _ in range(40):
        clock.advance(LEASE_SECONDS)
        post.courier.send_due()
        with post.database.snapshot() as uow:
            check_deliveries(uow)
            overdue = "SELECT count(*) FROM delivery_item WHERE state = 'pending' AND next_at <= :now"
            assert uow.conn.execute(text(overdue), {"now": clock() - 2 * TICK}).scalar_one() == 0
            found = text("SELECT receiver_id, attempts FROM delivery_item WHERE state = 'dead'")
            dead = uow.conn.execute(found).all()
            left = "SELECT count(*) FROM delivery_item WHERE state = 'pending'"
            if not dead and not uow.conn.execute(text(left)).scalar_one():
                return
        assert all(row.attempts >= ATTEMPTS for row in dead), "given up before its time"
        for receiver_id in {row.receiver_id for row in dead}:
            with post.database.transaction() as uow:
                requeue_between(uow, receiver_id, 1, 2**31, 2**31)
    raise AssertionError("something is never delivered")


def drop_postgres(url: str, noticed: threading.Event) -> None:
    """End every other session of the database, until that is noticed."""
    with psycopg.connect(url, autocommit=True) as connection:
        until = time.monotonic() + AWAY_SECONDS
        while time.monotonic() < until and not noticed.is_set():
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


def drop_sqlite(url: str, noticed: threading.Event) -> None:
    """Keep everybody from writing to the file, until that is noticed."""
    with sqlite3.connect(str(make_url(url).database), timeout=5, isolation_level=None) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        noticed.wait(AWAY_SECONDS)
        connection.execute("ROLLBACK")
    connection.close()


def test_the_database_goes_away_again_and_again(
    database_url: str,
    there: Sink,
    monkeypatch: pytest.MonkeyPatch,
    clock: MovableClock,
) -> None:
    monkeypatch.setattr(db, "SQLITE_BUSY_MS", 20)
    working = Database(database_url, clock=clock)
    # Its one connection that writes is made now, and waits no longer than that ever after.
    with working.transaction():
        pass
    monkeypatch.undo()
    post = Post(Database(database_url, clock=clock))
    carrying = Courier(working, post.door, [post.carrier])
    receivers = [post.receiver(there.url("ok", n)) for n in range(20)]
    drop = drop_sqlite if database_url.startswith("sqlite") else drop_postgres
    ended, noticed = threading.Event(), threading.Event()

    class Noticing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "delivery turn failed":
                noticed.set()

    def beat() -> None:
        while not ended.is_set():
            carrying.send_due()

    worker, hit, handler = threading.Thread(target=beat), 0, Noticing()
    courier.logger.addHandler(handler)
    worker.start()
    for drops in range(DROPS):
        queue(post, receivers, range(drops * 5 + 1, drops * 5 + 6))
        noticed.clear()
        drop(database_url, noticed)
        hit += noticed.is_set()
        # Whoever is told that it is away waits longer each time, until a turn succeeds.
        until = time.monotonic() + PATIENCE
        while (
            sum(len(set(ids)) for ids in there.by_path().values()) < (drops + 1) * 5 * len(receivers)
            and time.monotonic() < until
        ):
            time.sleep(0.01)
    ended.set()
    worker.join(PATIENCE)
    courier.logger.removeHandler(handler)
    print(f"{working.dialect}: {hit} of {DROPS} in the middle of a turn")
    assert hit >= DROPS / 2, "too often it went away while nothing was done"
    settle(post, clock)
    for n, receiver_id in enumerate(receivers):
        assert set(post.states(receiver_id).values()) == {"delivered"}
        assert set(there.by_path()[f"/ok/{n}"]) == {f"msg_{m}" for m in range(1, DROPS * 5 + 1)}
    working.dispose()
    post.database.dispose()


def test_a_database_that_stays_away_ends_the_run_and_loses_nothing(
    post: Post, there: Sink, monkeypatch: pytest.MonkeyPatch, clock: MovableClock
) -> None:
    monkeypatch.setattr(courier, "RETRY_SECONDS", (0.01, 0.01))
    receiver_id = post.receiver(there.url("ok"))
    post.queue(receiver_id, [1, 2, 3])
    real, calls = turn.take_turn, Counter[str]()

    def gone(*args: object) -> object:
        calls["turns"] += 1
        if calls["turns"] == 1:
            return real(*args)  # type: ignore[arg-type]  # handed on as it came
        with post.database.transaction() as uow:
            uow.conn.execute(text("SELECT * FROM no_such_table"))
        raise AssertionError

    monkeypatch.setattr(courier, "take_turn", gone)
    with pytest.raises(DBAPIError):
        post.courier.send_due()
    assert calls["turns"] == 4
    assert set(post.states(receiver_id).values()) == {"pending"}
    monkeypatch.setattr(courier, "take_turn", real)
    assert post.courier.send_due() == 0
    clock.advance(LEASE_SECONDS)
    assert post.courier.send_due() == 3
    assert there.by_path() == {"/ok": [f"msg_{m}" for m in (1, 2, 3, 1, 2, 3)]}, "the same ids, once more"

"""kill -9 in the middle of publishing, again and again: never a fork, never a lost entry, never a gap."""

import multiprocessing
import os
import random
import signal
import threading
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.ledger.logs import append, open_log, watching
from tests.support.databases import Databases
from tests.support.published import check_published
from tocsin.db import Database
from tocsin.ledger import service

ENV = "TOCSIN_TEST_PUBLISH_KILLS"
KILLS = int(os.environ.get(ENV, "100")) // 2
"""How often each of the two databases sees its publisher killed."""
PATIENCE = 120

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unmeasured")]


def record_and_publish(url: str, folder: Path, seed: int, running: Connection) -> None:
    """What the killed process does, until it is killed; it says how far it came."""
    seeded = random.Random(seed)
    database = Database(url)
    ledger = open_log(database, folder)
    while True:
        size = append(database, seeded.choice((1, 5, 40, 130)))
        service.publish(ledger)
        running.send(size)


@pytest.mark.parametrize("dialect", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
@pytest.mark.usefixtures("unmeasured")
def test_killed_in_the_middle_again_and_again(databases: Databases, tmp_path: Path, dialect: str) -> None:
    with databases.migrated(dialect, tmp_path) as url:
        database = Database(url)
        try:
            kill_and_verify(database, url, tmp_path / "log")
        finally:
            database.dispose()


def kill_and_verify(database: Database, url: str, folder: Path) -> None:
    # A server of forks has everything imported: most of the time would be a process's own start.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    world, seeded, fates = watching(folder), random.Random(KILLS), Counter[str]()
    pause, size = threading.Event(), 0
    ledger = open_log(database, folder)
    for seed in range(KILLS):
        here, there = context.Pipe(duplex=False)
        child = context.Process(target=record_and_publish, args=(url, folder, seed, there))
        child.start()
        there.close()
        assert here.poll(PATIENCE), "the publisher did not begin"
        pause.wait(seeded.uniform(0, 0.04))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join(PATIENCE)
        told = 0
        try:
            while True:
                told = here.recv()
        except EOFError:
            here.close()
        shown = check_published(world, database)
        assert told <= shown, "what the publisher had finished is shown"
        with database.snapshot() as uow:
            size, signed = service.size(uow), service.published_size(uow)
        fates["complete" if shown == size else "not shown" if signed == size else "not signed"] += 1
        if seed % 5 == 4:
            service.start(ledger)
            service.publish(ledger)
            assert check_published(world, database, tidy=True) == size
    drafts = folder / ".drafts"
    append(database, 1)
    service.publish(ledger)
    assert len(list(drafts.iterdir())) == 1, "what the killed had not finished is swept away"
    print(f"{database.dialect}: {size} entries, {dict(fates)}")
    assert KILLS < 20 or len(fates) > 1, "the kills were all too early or all too late"

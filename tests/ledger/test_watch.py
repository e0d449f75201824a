"""Waiting for the log: prompt, without a thread or a connection a waiter, and over at once when the hub ends."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.ledger.logs import append, open_log
from tocsin.db import Database
from tocsin.ledger import service
from tocsin.ledger.watch import EVERY_SECONDS, Watch

SOON = 5 * EVERY_SECONDS


class Counting(Watch):
    """Counts how often it looked."""

    looks = 0

    def _sizes(self) -> dict:
        self.looks += 1
        return super()._sizes()


def test_what_is_there_already_is_told_at_once(database: Database, tmp_path: Path) -> None:
    append(database, 3)
    service.publish(open_log(database, tmp_path))
    append(database, 2)

    async def ask() -> list[bool]:
        watch = Counting(database)
        begun = time.monotonic()
        told = [
            await watch.recorded(-1, 5),
            await watch.recorded(4, 5),
            await watch.published(2, 5),
        ]
        assert time.monotonic() - begun < 5
        told += [await watch.recorded(5, SOON), await watch.published(3, SOON)]
        return told

    assert asyncio.run(ask()) == [True, True, True, False, False]


def test_many_wait_and_one_looks(database: Database, tmp_path: Path) -> None:
    ledger = open_log(database, tmp_path)

    async def grow() -> None:
        watch = Counting(database)
        waiting = [asyncio.create_task(watch.recorded(at % 10, 20)) for at in range(500)]
        covered = asyncio.create_task(watch.published(4, 20))
        await asyncio.sleep(SOON)
        assert not any(task.done() for task in [*waiting, covered])
        await asyncio.to_thread(append, database, 5)
        await asyncio.sleep(SOON)
        assert [task.done() for task in waiting] == [at % 10 < 5 for at in range(500)]
        assert not covered.done()
        await asyncio.to_thread(service.publish, ledger)
        assert await covered
        await asyncio.to_thread(append, database, 5)
        assert all(await asyncio.gather(*waiting))
        looks = watch.looks
        assert looks < 100
        await asyncio.sleep(SOON)
        assert watch.looks <= looks + 1, "nobody waits, nobody looks"

    asyncio.run(grow())


def test_no_connection_is_held_while_waiting(database: Database) -> None:
    async def wait() -> None:
        watch = Watch(database)
        waiting = [asyncio.create_task(watch.recorded(0, 10)) for _ in range(100)]
        held = []
        for _ in range(30):
            await asyncio.sleep(EVERY_SECONDS / 10)
            held.append(database.engine.pool.checkedout())  # type: ignore[attr-defined]  # of the pools in use
        assert max(held) <= 1
        assert 0 in held
        await watch.close()
        assert not any(await asyncio.gather(*waiting))

    asyncio.run(wait())


def test_closing_sends_everybody_home(database: Database) -> None:
    async def close() -> None:
        watch = Watch(database)
        waiting = asyncio.create_task(watch.recorded(0, 60))
        await asyncio.sleep(SOON)
        begun = time.monotonic()
        await watch.close()
        assert await waiting is False
        assert await watch.published(0, 60) is False
        assert time.monotonic() - begun < 30
        await watch.close()

    asyncio.run(close())


def test_who_gives_up_waiting_leaves_nothing_behind(database: Database) -> None:
    async def give_up() -> None:
        watch = Watch(database)
        waiting = asyncio.create_task(watch.recorded(0, 60))
        await asyncio.sleep(SOON)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(SOON)
        assert await watch.recorded(-1, 5), "it looks again for the next"
        await watch.close()

    asyncio.run(give_up())


def test_a_database_that_fails_is_heard_of_and_asked_again(bare_database_url: str) -> None:
    database = Database(bare_database_url)

    async def fail() -> None:
        watch = Watch(database)
        waiting = [asyncio.create_task(watch.recorded(0, 60)) for _ in range(3)]
        for task in waiting:
            with pytest.raises(Exception, match=r"(?i)ledger_head|does not exist|no such table"):
                await task
        with pytest.raises(Exception, match=r"(?i)ledger_head|does not exist|no such table"):
            await watch.published(0, 60)
        await watch.close()

    asyncio.run(fail())
    database.dispose()

"""The outbox: every reader takes every row once, in the transaction that makes something of it."""

import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import select, text

from tests.support.clock import MovableClock
from tests.support.invariants import dump
from tocsin import outbox
from tocsin.db import Database, table
from tocsin.outbox import Happening, OutboxRow

READERS: tuple[outbox.Reader, ...] = ("webhooks", "streams")


def happening(first: int, **more: object) -> Happening:
    return Happening("signal.recorded", 1, first, first, **more)  # type: ignore[arg-type]  # as the test says


def publish(database: Database, *happenings: Happening) -> None:
    with database.transaction() as uow:
        outbox.publish(uow, happenings)


def take(database: Database, reader: outbox.Reader, limit: int = 100) -> list[Happening]:
    with database.transaction() as uow:
        return [event.what for event in outbox.take(uow, reader, limit)]


def test_what_is_published_is_taken_as_it_was_said(database: Database, clock: MovableClock) -> None:
    said = [
        Happening(
            "indicator.corroborated",
            3,
            5,
            7,
            2,
            1,
            frozenset({"test@1:benign_a", "test@1:benign_b"}),
            frozenset({"test@1:benign_b"}),
            status="corroborated",
            rule="corroborated/v1",
            policy=4,
            expires_at=99,
            cursor=12,
            about_id=8,
        ),
        Happening("endpoint.disabled", None, None, None, status="gone", organisation_id=6, endpoint="ep_1"),
    ]
    publish(database, *said)
    with database.transaction() as uow:
        events = outbox.take(uow, "webhooks", 10)
    assert [event.what for event in events] == said
    assert {event.caused_at for event in events} == {clock.now}
    assert events[0].id < events[1].id


def test_the_cursor_is_the_last_entry_unless_it_is_said(database: Database) -> None:
    publish(database, happening(4), happening(4, cursor=9))
    assert [what.cursor for what in take(database, "webhooks")] == [4, 9]


def test_each_reader_takes_every_row_once_and_in_order(database: Database) -> None:
    publish(database, *map(happening, range(5)))
    assert [what.first for what in take(database, "webhooks", 2)] == [0, 1]
    publish(database, happening(5))
    for reader, first in zip(READERS, (2, 0), strict=True):
        with database.snapshot() as uow:
            assert outbox.waiting(uow, reader)
        assert [what.first for what in take(database, reader)] == list(range(first, 6))
        with database.snapshot() as uow:
            assert not outbox.waiting(uow, reader)
        assert take(database, reader) == []


@pytest.mark.parametrize("reader", READERS)
def test_what_is_urgent_is_taken_first(database: Database, reader: outbox.Reader) -> None:
    urgent = Happening("indicator.corroborated", 1, 7, 7)
    publish(database, *map(happening, range(3)), urgent, happening(8))
    assert [what.first for what in take(database, reader, 3)] == [7, 0, 1]
    assert [what.first for what in take(database, reader)] == [2, 8]


def test_what_streams_put_back_is_taken_again_from_where_they_were(
    database: Database, clock: MovableClock
) -> None:
    publish(database, *(Happening("signal.recorded", 1, first, first + 9) for first in (0, 10, 20)))
    take(database, "webhooks")
    # Old enough to go once everybody has taken it: what is put back must not.
    clock.advance(outbox.KEPT_SECONDS + 1)
    with database.transaction() as uow:
        events = outbox.take(uow, "streams", 10)
        outbox.put_back(uow, events[1:], 15)
    with database.transaction() as uow:
        again = outbox.take(uow, "streams", 10)
    assert [(event.what.first, event.at) for event in again] == [(10, 15), (20, None)]
    assert [event.what for event in again] == [event.what for event in events[1:]]


def test_two_readers_lock_in_one_order(database: Database, second: Database) -> None:
    """Each waits for a row that a third holds; whoever gets it must not wait for one that the other holds."""
    if database.dialect == "sqlite":
        pytest.skip("one transaction writes at a time")
    publish(database, happening(1), Happening("indicator.corroborated", 1, 2, 2))
    taken: dict[str, int] = {}

    def read(on: Database, reader: outbox.Reader) -> None:
        taken[reader] = len(take(on, reader))

    threads = [
        threading.Thread(target=read, args=(on, reader))
        for on, reader in ((database, READERS[0]), (second, READERS[1]))
    ]
    with database.transaction() as uow:
        uow.conn.execute(text("SELECT id FROM outbox_event WHERE lane = 0 FOR UPDATE"))
        for waiting, thread in enumerate(threads, 1):
            thread.start()
            _until_wait(second, waiting)
    for thread in threads:
        thread.join()
    assert taken == dict.fromkeys(READERS, 2)


def _until_wait(database: Database, locks: int) -> None:
    """Until so many transactions wait for another one."""
    asked = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')")
    for _ in range(1000):
        with database.snapshot() as uow:
            if int(uow.conn.execute(asked).scalar_one()) >= locks:
                return
        time.sleep(0.005)
    raise AssertionError


def test_what_a_reader_takes_and_does_not_finish_with_waits_for_the_next_time(database: Database) -> None:
    publish(database, happening(1))

    def fail() -> None:
        with database.transaction() as uow:
            assert len(outbox.take(uow, "webhooks", 10)) == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [what.first for what in take(database, "webhooks")] == [1]


def test_what_is_not_committed_is_not_taken(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as uow:
            outbox.publish(uow, [happening(1)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert take(database, "webhooks") == []


def test_rows_go_a_day_after_everybody_has_taken_them(database: Database, clock: MovableClock) -> None:
    publish(database, happening(1))
    publish(database, happening(2))
    take(database, "webhooks")
    take(database, "streams", 1)
    clock.advance(outbox.KEPT_SECONDS + 1)
    publish(database, happening(3))
    take(database, "webhooks")
    # The first goes; the second waits for the other reader however old it is.
    assert [row[3] for row in dump(database)["outbox_event"]] == [2, 3]
    take(database, "streams")
    # What was just taken stays: whoever took it may put it back.
    assert [row[3] for row in dump(database)["outbox_event"]] == [2, 3]
    publish(database, happening(4))
    take(database, "streams")
    assert [row[3] for row in dump(database)["outbox_event"]] == [3, 4]


@pytest.fixture
def second(database: Database, clock: MovableClock) -> Iterator[Database]:
    """Another process's connections to the same database."""
    opened = Database(database.url, clock=clock)
    yield opened
    opened.dispose()


def test_a_row_that_commits_late_is_not_passed_by(database: Database, second: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("one transaction writes at a time")
    with database.transaction() as uow:
        outbox.publish(uow, [happening(1)])
        # Numbered behind it, committed before it, and taken.
        publish(second, happening(2))
        assert [what.first for what in take(second, "webhooks")] == [2]
    assert [what.first for what in take(second, "webhooks")] == [1]


@pytest.mark.parametrize("pair", [("webhooks", "webhooks"), ("webhooks", "streams")])
def test_two_at_once_take_nothing_twice(
    database: Database, second: Database, pair: tuple[outbox.Reader, outbox.Reader]
) -> None:
    publish(database, *map(happening, range(200)))
    taken: dict[int, list[int | None]] = {0: [], 1: []}

    def work(which: int, on: Database) -> None:
        while found := take(on, pair[which], 7):
            taken[which] += [what.first for what in found]

    threads = [threading.Thread(target=work, args=(n, on)) for n, on in enumerate((database, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = list(range(200))
    if pair[0] == pair[1]:
        assert sorted(taken[0] + taken[1], key=lambda first: first or 0) == everything
    else:
        assert taken[0] == taken[1] == everything


def test_an_outbox_takes_no_type_that_goes_past_it(database: Database) -> None:
    with database.snapshot() as uow:
        assert uow.conn.execute(select(table(OutboxRow).c.id)).all() == []
    for kind in ("endpoint.test", "endpoint.verification"):
        with pytest.raises(Exception, match="outbox_type"):
            publish(database, Happening(kind, None, None, None))

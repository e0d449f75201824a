"""The log's order: one number after another, seen by no reader before everything below it."""

import threading

import pytest

from tests.support.invariants import dump
from tocsin.db import Database
from tocsin.ledger import service
from tocsin_schemas.ledger import Entry


def entry(n: int, now: int) -> Entry:
    return Entry("child-safety", "report", now, n.to_bytes(32))


def append(database: Database, count: int) -> None:
    with database.transaction() as uow:
        first = service.locked_size(uow)
        service.append(uow, first, [entry(first + at, uow.now) for at in range(count)])


def test_entries_are_numbered_from_zero_without_a_gap(database: Database) -> None:
    for count in (3, 0, 1, 5):
        append(database, count)
    with database.snapshot() as uow:
        assert service.size(uow) == 9
        found = service.entries_at(uow, list(range(9)))
    assert found == {n: entry(n, database.clock()) for n in range(9)}


def test_a_transaction_that_fails_leaves_no_number_behind(database: Database) -> None:
    append(database, 2)
    before = dump(database)

    def fail() -> None:
        with database.transaction() as uow:
            first = service.locked_size(uow)
            service.append(uow, first, [entry(first, uow.now)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert dump(database) == before
    append(database, 1)
    with database.snapshot() as uow:
        assert service.size(uow) == 3


def test_a_second_writer_waits_for_the_first(database: Database) -> None:
    done = threading.Event()

    def second() -> None:
        append(database, 1)
        done.set()

    with database.transaction() as uow:
        first = service.locked_size(uow)
        service.append(uow, first, [entry(first, uow.now)])
        writer = threading.Thread(target=second)
        writer.start()
        assert not done.wait(0.3)
        with database.snapshot() as reader:
            assert service.size(reader) == 0
            assert service.entries_at(reader, [0, 1]) == {}
    writer.join()
    with database.snapshot() as reader:
        assert service.size(reader) == 2
        assert service.entries_at(reader, [0, 1]) == {n: entry(n, database.clock()) for n in range(2)}


def test_a_reader_sees_one_state_of_the_log(database: Database) -> None:
    append(database, 1)
    with database.snapshot() as uow:
        assert service.size(uow) == 1
        append(database, 5)
        assert service.size(uow) == 1
        assert service.entries_at(uow, list(range(6))).keys() == {0}


def test_an_entry_cannot_be_written_twice(database: Database) -> None:
    append(database, 1)
    before = dump(database)

    def overwrite() -> None:
        with database.transaction() as uow:
            service.append(uow, 0, [entry(7, uow.now)])

    # COPY speaks to the driver itself, so the class is the driver's own.
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        overwrite()
    assert dump(database) == before

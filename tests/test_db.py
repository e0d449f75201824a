"""The door to the database: transactions, snapshots, and the two set-based tools, on both databases."""

import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Select, bindparam, func, literal_column, select, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from tests.signals.material import Voice, md5, report
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tests.support.hub import Hub
from tests.support.invariants import check_hub, dump
from tocsin import db
from tocsin.db import Database, table
from tocsin.ledger.store.tables import EntryRow
from tocsin.outbox import OutboxRow
from tocsin.signals.store.tables import IndicatorRow, indicator
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused

entry = table(EntryRow)
MANY = 300_000
"""More values than SQLite takes parameters, in any build."""


def fill(database: Database, count: int) -> None:
    rows = [(n, 1, "md5", n.to_bytes(16)) for n in range(count)]
    with database.transaction() as uow:
        uow.insert_rows(indicator, ("id", "community_id", "type", "value"), rows)


def test_a_transaction_has_one_time(database: Database, clock: MovableClock) -> None:
    with database.transaction() as uow:
        before = uow.now
        clock.advance(60)
        assert uow.now == before
    with database.snapshot() as uow:
        assert uow.now == before + 60


def test_what_fails_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as uow:
            uow.conn.execute(text("INSERT INTO community (slug, created_at) VALUES ('a', 1)"))
            raise RuntimeError

    before = dump(database)
    with pytest.raises(RuntimeError):
        fail()
    assert dump(database) == before


def test_a_snapshot_cannot_write(database: Database) -> None:
    def write() -> None:
        with database.snapshot() as uow:
            uow.conn.execute(text("INSERT INTO community (slug, created_at) VALUES ('a', 1)"))

    before = dump(database)
    with pytest.raises(DBAPIError):
        write()
    assert dump(database) == before
    # The connection goes back to the pool as it was.
    with database.transaction() as uow:
        uow.conn.execute(text("INSERT INTO community (slug, created_at) VALUES ('a', 1)"))
    assert len(dump(database)["community"]) == 1


def test_a_read_only_hub_reads(database_url: str) -> None:
    database = Database(database_url, read_only=True)
    with database.snapshot() as uow:
        assert uow.conn.execute(text("SELECT size FROM ledger_head")).scalar_one() == 0
    with pytest.raises(Refused) as refused, database.transaction():
        raise AssertionError("never reached")
    assert refused.value.code == "unavailable"
    database.dispose()


@pytest.mark.parametrize("values", [[], [7], [7, 7, 8], range(50), range(MANY)], ids=len)
def test_among_takes_any_number_of_numbers(database: Database, values: list[int]) -> None:
    fill(database, 100)
    with database.snapshot() as uow:
        query = indicator.select().with_only_columns(indicator.c.id).where(uow.among(indicator.c.id, values))
        found = sorted(uow.conn.execute(query).scalars())
    assert found == sorted({value for value in values if value < 100})


@pytest.mark.parametrize("values", [[], [7], [7, 7, 8], range(50), range(MANY)], ids=len)
def test_among_takes_any_number_of_bytes(database: Database, values: list[int]) -> None:
    fill(database, 100)
    wanted = [value.to_bytes(16) for value in values]
    with database.snapshot() as uow:
        query = indicator.select().with_only_columns(indicator.c.id)
        found = sorted(uow.conn.execute(query.where(uow.among(indicator.c.value, wanted))).scalars())
    assert found == sorted({value for value in values if value < 100})


def test_bytes_of_any_kind_go_in_and_come_out(database: Database) -> None:
    values = [bytes(16), b"\xff" * 16, b"'\"\\\x00\n\t,{}[];--" + b"\x80\x7f", bytes(range(144))]
    with database.transaction() as uow:
        uow.insert_rows(
            indicator,
            ("id", "community_id", "type", "value"),
            [(n, 1, "photodna", value) for n, value in enumerate(values)],
        )
    for n, value in enumerate(values):
        with database.snapshot() as uow:
            query = indicator.select().with_only_columns(indicator.c.id, indicator.c.value)
            rows = uow.conn.execute(query.where(uow.among(indicator.c.value, [value]))).all()
        assert [(row.id, bytes(row.value)) for row in rows] == [(n, value)]


def test_rows_go_into_the_columns_named_in_whatever_order(database: Database) -> None:
    with database.transaction() as uow:
        uow.insert_rows(
            table(EntryRow),
            ("kind", "commitment", "recorded_at", "community", "seq"),
            [("report", bytes(32), 5, "child-safety", 3)],
        )
        uow.insert_rows(table(IndicatorRow), ("id", "community_id", "type", "value"), [])
        uow.insert_rows(
            table(OutboxRow),
            ("created_at", "last_seq", "first_seq", "type", "community_id"),
            [],
        )
    rows = dump(database)
    assert rows["entry"] == [(3, "child-safety", "report", 5, bytes(32))]
    assert (rows["indicator"], rows["outbox_event"]) == ([], [])


def test_sqlite_is_durable_and_overwrites_what_it_deletes(database: Database) -> None:
    if database.dialect != "sqlite":
        return
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "query_only": 0}
    with database.snapshot():
        pass
    with database.transaction() as uow:
        found = {name: uow.conn.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in wanted}
    assert found == wanted


def test_dry_runs_at_once_all_cost_the_cap(hub: Hub) -> None:
    """They write nothing to the log, so nothing but the count itself keeps them apart."""
    pixel = Voice(hub, "pixel", signals_per_hour=60)
    tokens = [pixel.report(md5(n)) for n in range(5)]
    pixel.headers()
    together = threading.Barrier(8)
    statuses: list[int] = []

    def rehearse() -> None:
        together.wait()
        statuses.extend(pixel.post_lines(tokens, dry_run="true").status_code for _ in range(2))

    threads = [threading.Thread(target=rehearse) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 12 + [429] * 4
    assert dump(hub.database)["quota"][0][2] == 60
    pixel_two = Voice(hub, "frame")
    assert pixel_two.say(report(hub.clock() + DAY), md5(1))["seq"] == 0
    check_hub(hub.database, hub.settings)


def test_who_waits_for_the_write_lock_in_vain_is_told_so(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "SQLITE_BUSY_MS", 10)
    with databases.migrated("sqlite", tmp_path) as url:
        first, second = Database(url), Database(url)
        with first.transaction(), pytest.raises(OperationalError), second.transaction():
            raise AssertionError
        with second.transaction() as uow:
            assert uow.conn.execute(text("SELECT 1")).scalar_one() == 1
        first.dispose()
        second.dispose()


_ENTRIES = entry.select().with_only_columns(entry.c.seq, entry.c.kind)
_AT = _ENTRIES.where(entry.c.seq == bindparam("seq"), entry.c.kind == "report")
_NOWHERE: Select[Any] = select(literal_column("1")).select_from(text("nowhere"))
_PROCESS = select(func.pg_backend_pid())
_PREPARED: Select[Any] = select(func.count() > 0).select_from(text("pg_prepared_statements"))


def test_what_is_asked_all_day_is_answered_as_anything_else(database: Database) -> None:
    rows = [(0, "a", "decision", 1, b"0" * 32), (1, "a", "report", 2, b"1" * 32)]
    with database.transaction() as uow:
        uow.insert_rows(entry, ("seq", "community", "kind", "recorded_at", "commitment"), rows)
    with database.snapshot() as uow:
        assert uow.ask(_ENTRIES) == [(0, "decision"), (1, "report")]
        assert [uow.ask(_AT, {"seq": number}) for number in range(3)] == [[], [(1, "report")], []]


def test_a_question_that_fails_is_the_databases_error_and_leaves_the_connection_usable(
    database: Database,
) -> None:
    # PostgreSQL calls it a mistake in the program, SQLite one of the operation.
    with database.snapshot() as uow, pytest.raises((OperationalError, ProgrammingError)):
        uow.ask(_NOWHERE)
    with database.snapshot() as uow:
        assert uow.ask(_ENTRIES) == []


@pytest.mark.postgres
def test_who_is_refused_costs_the_next_one_nothing(postgres: Database) -> None:
    def refuse() -> None:
        with postgres.snapshot() as uow:
            uow.ask(_PROCESS)
            raise Refused("not-found")

    for _ in range(9):
        with pytest.raises(Refused):
            refuse()
    with postgres.snapshot() as uow:
        assert uow.ask(_PREPARED) == [(True,)]


@pytest.mark.postgres
def test_connections_that_the_server_ended_are_made_anew(postgres: Database) -> None:
    with postgres.snapshot() as first, postgres.snapshot() as second:
        pids = [uow.ask(_PROCESS)[0] for uow in (first, second)]
    with psycopg.connect(postgres.url, autocommit=True) as other:
        for pid in pids:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", pid)
    with postgres.snapshot() as first, postgres.transaction() as second:
        assert not {uow.ask(_PROCESS)[0] for uow in (first, second)} & set(pids)


@pytest.mark.postgres
def test_a_connection_that_breaks_while_it_is_asked_is_not_used_again(postgres: Database) -> None:
    def ask() -> None:
        with postgres.snapshot() as uow:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", uow.ask(_PROCESS)[0])
            uow.ask(_PROCESS)

    with psycopg.connect(postgres.url, autocommit=True) as other:
        with pytest.raises(OperationalError):
            ask()
    with postgres.snapshot() as uow:
        assert len(uow.ask(_PROCESS)) == 1

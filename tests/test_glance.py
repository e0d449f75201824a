"""Work that one statement tells enough (`Database.at_a_glance`), and work that it does not, on both databases."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Select, bindparam, func, literal_column, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tocsin.db import Database, Glance, Unforeseen, UnitOfWork, View, table
from tocsin.ledger.store.tables import EntryRow
from tocsin_schemas.problems import Refused

entry = table(EntryRow)

_AFTER = entry.select().with_only_columns(entry.c.seq, entry.c.kind).where(entry.c.seq > bindparam("seq"))
_COUNT = select(func.count(entry.c.seq))
_HIGHEST = select(func.max(entry.c.seq))
_NOWHERE: Select[Any] = select(literal_column("1")).select_from(text("nowhere"))
_PROCESS = select(func.pg_backend_pid())


@pytest.fixture
def filled(database: Database) -> Database:
    add(database, range(3))
    return database


def add(database: Database, seqs: range) -> None:
    rows = [(seq, "a", "report", 1, bytes(32)) for seq in seqs]
    with database.transaction() as uow:
        uow.insert_rows(entry, ("seq", "community", "kind", "recorded_at", "commitment"), rows)


@contextmanager
def counted(database: Database) -> Iterator[list[type[View]]]:
    """Which kinds of view work was given: what comes to the list while the block runs."""
    seen: list[type[View]] = []
    yield seen
    assert seen, "nothing was looked at"


def noting(seen: list[type[View]], work: Callable[[View], Any]) -> Callable[[View], Any]:
    def noted(view: View) -> Any:
        seen.append(type(view))
        return work(view)

    return noted


def test_one_question_needs_one_statement_and_the_hubs_time(filled: Database, clock: MovableClock) -> None:
    with counted(filled) as seen:
        found = filled.at_a_glance(noting(seen, lambda view: (view.now, view.ask(_AFTER, {"seq": 0}))))
    assert found == (clock(), [(1, "report"), (2, "report")])
    assert seen == [Glance]


def test_what_is_foreseen_comes_along_in_any_order_and_more_than_once(filled: Database) -> None:
    def work(view: View) -> list[Any]:
        return [view.ask(_AFTER, {"seq": 1}), view.ask(_HIGHEST), view.ask(_COUNT), view.ask(_HIGHEST)]

    with counted(filled) as seen:
        found = filled.at_a_glance(noting(seen, work), _COUNT, _HIGHEST)
    assert found == [[(2, "report")], [(2,)], [(3,)], [(2,)]]
    assert seen == [Glance]


def test_foreseen_values_are_of_the_state_that_the_first_question_saw(filled: Database) -> None:
    def work(view: View) -> tuple[int, Any]:
        before = len(view.ask(_AFTER, {"seq": -1}))
        add(filled, range(before, before + 1))
        return before, view.ask(_COUNT)

    assert filled.at_a_glance(work, _COUNT) == (3, [(3,)])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(_AFTER, _AFTER, id="the first again"),
        pytest.param(_AFTER, _HIGHEST, id="one that was not foreseen"),
    ],
)
def test_whoever_asks_for_more_is_given_a_snapshot_for_all_of_it(
    filled: Database, first: Select[Any], second: Select[Any]
) -> None:
    def work(view: View) -> list[Any]:
        return [view.ask(first, {"seq": 1}), view.ask(second, {"seq": 1} if second is _AFTER else {})]

    with counted(filled) as seen:
        found = filled.at_a_glance(noting(seen, work), _COUNT)
    assert found[0] == [(2, "report")]
    assert seen == [Glance, UnitOfWork]


def test_where_no_row_is_found_nothing_came_along(filled: Database) -> None:
    """A value stands behind a row: without one it is asked for on a snapshot."""
    with counted(filled) as seen:
        found = filled.at_a_glance(
            noting(seen, lambda view: (view.ask(_AFTER, {"seq": 9}), view.ask(_COUNT))), _COUNT
        )
    assert found == ([], [(3,)])
    assert seen == [Glance, UnitOfWork]


def test_work_that_says_so_itself_is_done_again(filled: Database) -> None:
    def work(view: View) -> str:
        if not isinstance(view, UnitOfWork):
            raise Unforeseen
        return "seen"

    assert filled.at_a_glance(work) == "seen"


def test_a_question_that_fails_is_the_databases_error_and_the_connection_goes_on(filled: Database) -> None:
    for _ in range(20):  # more than there are connections
        with pytest.raises(DBAPIError):
            filled.at_a_glance(lambda view: view.ask(_NOWHERE))
    assert filled.at_a_glance(lambda view: view.ask(_COUNT)) == [(3,)]


def test_what_is_raised_comes_out_and_a_transaction_after_it_is_one(filled: Database) -> None:
    """Each statement was a transaction of its own: not on the connection's next use."""

    def refuse(view: View) -> None:
        view.ask(_COUNT)
        raise Refused("not-found")

    def fail() -> None:
        with filled.transaction() as uow:
            uow.conn.execute(entry.delete())
            raise RuntimeError

    for _ in range(3):
        with pytest.raises(Refused):
            filled.at_a_glance(refuse)
        with pytest.raises(RuntimeError):
            fail()
    with filled.snapshot() as uow:
        assert uow.ask(_COUNT) == [(3,)]


def test_nobody_writes_by_a_glance_on_sqlite(databases: Databases, tmp_path: Path) -> None:
    write: Any = text("DELETE FROM community RETURNING 1").columns(literal_column("1"))
    with databases.migrated("sqlite", tmp_path) as url:
        database = Database(url)
        with pytest.raises(OperationalError, match="readonly"):
            database.at_a_glance(lambda view: view.ask(write))
        database.dispose()


@pytest.mark.postgres
def test_a_connection_that_breaks_is_not_used_again(postgres: Database) -> None:
    def process() -> Any:
        return postgres.at_a_glance(lambda view: view.ask(_PROCESS))[0]

    def broken(view: View) -> None:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", first)
        view.ask(_PROCESS)

    with psycopg.connect(postgres.url, autocommit=True) as other:
        first = process()
        with pytest.raises(OperationalError):
            postgres.at_a_glance(broken)
        second = process()
        # Ended while nobody uses it: made anew without anybody being told.
        other.execute("SELECT pg_terminate_backend(%s, 5000)", second)
        assert len({first, second, process()}) == 3

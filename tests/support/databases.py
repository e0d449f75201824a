"""Databases for tests, empty and of one's own, of either kind.

On SQLite each is a copy of a file that was migrated once. On PostgreSQL making one takes half a second and emptying one
a few milliseconds, so a database is handed on when a test is done with it: first emptied, then filled with what the
migrations had put there. A connection is kept for that: a new one would first read what there is to know about each of
the tables, which takes ten times as long.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from tests.support.postgres import Postgres
from tocsin import migrations
from tocsin.db import Database

_OTHERS: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
# Foreign keys are triggers; without them the order of the tables does not matter. A table without a page has no row.
_EMPTY: Final = """
CREATE FUNCTION seed.again() RETURNS void LANGUAGE plpgsql SET session_replication_role = replica AS $$
DECLARE
    name text;
    filled boolean;
BEGIN
    FOR name IN
        SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 0
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', name) INTO filled;
        IF filled THEN
            EXECUTE format('DELETE FROM public.%I', name);
        END IF;
    END LOOP;
    FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'seed'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('INSERT INTO public.%I SELECT * FROM seed.%I', name, name);
    END LOOP;
    PERFORM setval(format('public.%I', sequencename)::regclass, start_value, false)
        FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL;
END $$
"""


class Databases:
    """Makes databases. `postgres` is called when the first one on PostgreSQL is asked for."""

    def __init__(self, folder: Path, postgres: Callable[[], Postgres]) -> None:
        self._folder = folder
        self._postgres = postgres
        self._template: Path | None = None
        self._free: list[_Reused] = []
        self._kept = ExitStack()

    def close(self) -> None:
        """Close what was kept open; no more databases are asked for."""
        self._kept.close()

    @contextmanager
    def migrated(self, dialect: str, folder: Path) -> Iterator[str]:
        """The URL of a database with the current schema and no rows; on SQLite its file lies in `folder`."""
        if dialect == "sqlite":
            target = folder / "tocsin.db"
            shutil.copy(self._sqlite(), target)
            yield f"sqlite:///{target}"
            return
        reused = self._free.pop() if self._free else self._on_postgres()
        try:
            yield reused.url
        finally:
            reused.empty()
            self._free.append(reused)

    @contextmanager
    def bare(self, dialect: str, folder: Path) -> Iterator[str]:
        """The URL of a database without any schema, thrown away afterwards."""
        if dialect == "sqlite":
            yield f"sqlite:///{folder / 'bare.db'}"
            return
        name = self._postgres().create()
        try:
            yield self._postgres().url(name)
        finally:
            self._postgres().drop(name)

    def _sqlite(self) -> Path:
        if self._template is None:
            self._template = self._folder / "template.db"
            _migrate(f"sqlite:///{self._template}")
        return self._template

    def _on_postgres(self) -> "_Reused":
        url = self._postgres().url(self._postgres().create())
        _migrate(url)
        reused = _Reused(url)
        self._kept.callback(reused.close)
        return reused


class _Reused:
    """A migrated database on PostgreSQL, used by one test after the other, and the connection that empties it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = psycopg.connect(url, autocommit=True)
        with self._connection.transaction():
            self._connection.execute("CREATE SCHEMA seed")
            tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            for (table,) in self._connection.execute(tables).fetchall():
                if self._connection.execute(_each("SELECT FROM public.{}", table)).rowcount:
                    self._connection.execute(_each("CREATE TABLE seed.{} AS TABLE public.{}", table))
            self._connection.execute(_EMPTY)

    def empty(self) -> None:
        """Back to what the migrations left: no session but this one, their rows, sequences at their beginning."""
        try:
            self._again()
        except psycopg.OperationalError:  # some tests end every session
            self.close()
            self._connection = psycopg.connect(self.url, autocommit=True)
            self._again()

    def close(self) -> None:
        self._connection.close()

    def _again(self) -> None:
        self._connection.execute(_OTHERS)
        self._connection.execute("SELECT seed.again()")


def _migrate(url: str) -> None:
    database = Database(url)
    migrations.upgrade(database)
    database.dispose()


def _each(statement: str, name: str) -> sql.Composed:
    """The statement with the name in each of its places."""
    parts = sql.SQL(statement)
    return parts.format(*[sql.Identifier(name)] * statement.count("{}"))

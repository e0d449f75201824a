"""Migrated databases, empty and of one's own: copies of a template that is migrated once a process."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.postgres import Postgres
from tocsin import migrations
from tocsin.db import Database


class Databases:
    """Makes databases of either kind. `postgres` is called when the first one on PostgreSQL is asked for."""

    def __init__(self, folder: Path, postgres: Callable[[], Postgres]) -> None:
        self._folder = folder
        self._postgres = postgres
        self._sqlite_template: Path | None = None
        self._postgres_template: str | None = None

    @contextmanager
    def fresh(self, dialect: str, folder: Path) -> Iterator[str]:
        """The URL of a new database; on SQLite its file lies in `folder`."""
        if dialect == "sqlite":
            target = folder / "tocsin.db"
            shutil.copy(self._sqlite(), target)
            yield f"sqlite:///{target}"
            return
        server = self._postgres()
        name = server.create(template=self._on_postgres())
        try:
            yield server.url(name)
        finally:
            server.drop(name)

    def _sqlite(self) -> Path:
        if self._sqlite_template is None:
            self._sqlite_template = self._folder / "template.db"
            _migrate(f"sqlite:///{self._sqlite_template}")
        return self._sqlite_template

    def _on_postgres(self) -> str:
        if self._postgres_template is None:
            self._postgres_template = self._postgres().create()
            _migrate(self._postgres().url(self._postgres_template))
        return self._postgres_template


def _migrate(url: str) -> None:
    database = Database(url)
    migrations.upgrade(database)
    database.dispose()

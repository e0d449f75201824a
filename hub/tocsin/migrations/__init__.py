"""The schema's history (alembic), and bringing a database up to date with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from tocsin.db import Database


def upgrade(database: Database) -> None:
    """Bring the schema to this version's; nothing to do when it is there."""
    with changing(database) as config:
        command.upgrade(config, "head")


def downgrade(database: Database, revision: str) -> None:
    """Take the schema back to an older one; what only the newer one could hold is lost."""
    with changing(database) as config:
        command.downgrade(config, revision)


@contextmanager
def changing(database: Database) -> Iterator[Config]:
    """A change of the schema: all of it or nothing.

    SQLite changes a table by making it anew under its name, which the rows that refer to it would forbid. So foreign
    keys are not enforced meanwhile, and all of them are checked before the commit.

    Raises:
        RuntimeError: when a row would refer to nothing.
    """
    with database.engine.connect() as conn:
        config = _config()
        config.attributes["connection"] = conn
        sqlite = database.dialect == "sqlite"
        driver: Any = conn.connection.driver_connection
        if sqlite:
            # Inside a transaction this would say nothing, and SQLAlchemy begins one with the first statement.
            driver.execute("PRAGMA foreign_keys = OFF")
        try:
            yield config
            if sqlite and conn.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                raise RuntimeError("the change would leave rows that refer to nothing")
            conn.commit()
        finally:
            if sqlite:
                conn.rollback()
                driver.execute("PRAGMA foreign_keys = ON")


def current(database: Database) -> str | None:
    """The revision the database is at; None for an empty one."""
    with database.engine.connect() as conn:
        return MigrationContext.configure(conn).get_current_revision()


def at_head(database: Database) -> bool:
    """Whether the database has this version's schema."""
    return current(database) == ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config

"""The schema's history (alembic), and bringing a database up to date with it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from tocsin.db import Database


def upgrade(database: Database) -> None:
    """Bring the schema to this version's; nothing to do when it is there."""
    with database.engine.connect() as conn:
        config = _config()
        config.attributes["connection"] = conn
        command.upgrade(config, "head")
        conn.commit()


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

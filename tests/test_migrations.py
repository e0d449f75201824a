"""The schema's history: from nothing to this version's models, and back, on both databases."""

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import DatabaseError, IntegrityError

from tocsin import migrations, schema
from tocsin.db import Database
from tocsin.migrations import _config
from tocsin.migrations.checks import replace_check

pytestmark = pytest.mark.check


@pytest.fixture
def bare(bare_database_url: str) -> Database:
    """A database without any schema."""
    return Database(bare_database_url)


def downgrade(database: Database, revision: str) -> None:
    with database.engine.connect() as conn:
        config = _config()
        config.attributes["connection"] = conn
        command.downgrade(config, revision)
        conn.commit()


def tables(database: Database) -> set[str]:
    return set(inspect(database.engine).get_table_names())


def test_from_nothing_to_the_head(bare: Database) -> None:
    assert migrations.current(bare) is None
    assert not migrations.at_head(bare)
    migrations.upgrade(bare)
    assert migrations.at_head(bare)
    assert tables(bare) == set(schema.METADATA.tables) | {"alembic_version"}
    migrations.upgrade(bare)
    assert migrations.at_head(bare)
    with bare.snapshot() as uow:
        assert uow.conn.execute(text("SELECT id, size FROM ledger_head")).all() == [(1, 0)]
    bare.dispose()


def test_migrations_and_models_are_the_same(bare: Database) -> None:
    migrations.upgrade(bare)
    with bare.engine.connect() as conn:
        context = MigrationContext.configure(
            conn, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, schema.METADATA) == []
    bare.dispose()


def test_check_constraints_say_what_the_models_say(bare: Database) -> None:
    """On a database made from the models alone the same checks stand, word by word."""
    migrations.upgrade(bare)
    migrated = checks(bare)
    downgrade(bare, "base")
    schema.METADATA.create_all(bare.engine)
    assert checks(bare) == migrated
    schema.METADATA.drop_all(bare.engine)
    bare.dispose()


def checks(database: Database) -> dict[tuple[str, str], str]:
    found = inspect(database.engine)
    return {
        (name, str(check["name"])): " ".join(str(check["sqltext"]).split())
        for name in schema.METADATA.tables
        for check in found.get_check_constraints(name)
    }


def test_all_the_way_back_and_forth(bare: Database) -> None:
    revisions = [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]
    migrations.upgrade(bare)
    for before in [*revisions[1:], "base"]:
        downgrade(bare, before)
        assert migrations.current(bare) == (None if before == "base" else before)
    assert tables(bare) == {"alembic_version"}
    migrations.upgrade(bare)
    assert migrations.at_head(bare)
    bare.dispose()


def test_only_a_check_that_is_there_is_replaced(bare: Database) -> None:
    migrations.upgrade(bare)
    with bare.engine.connect() as conn, Operations.context(MigrationContext.configure(conn)):
        with pytest.raises((RuntimeError, DatabaseError)):
            replace_check("entry", "entry_unheard_of", "1 = 1", "1 = 2")
    bare.dispose()


def test_the_head_of_the_log_is_one_row(bare: Database) -> None:
    migrations.upgrade(bare)
    with pytest.raises(IntegrityError), bare.transaction() as uow:
        uow.conn.execute(text("INSERT INTO ledger_head (id, size) VALUES (2, 0)"))
    bare.dispose()

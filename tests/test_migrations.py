"""The schema's history: from nothing to this version's models, and back, on both databases."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import DatabaseError, IntegrityError

from tests.signals.material import Voice, md5
from tests.support.clock import MovableClock
from tests.support.hub import in_process
from tests.support.invariants import check_hub
from tocsin import migrations, schema
from tocsin.config import Settings
from tocsin.db import Database
from tocsin.migrations import _config
from tocsin.migrations.checks import replace_check

pytestmark = pytest.mark.check


@pytest.fixture
def bare(bare_database_url: str) -> Database:
    """A database without any schema."""
    return Database(bare_database_url)


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
    migrations.downgrade(bare, "base")
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
        migrations.downgrade(bare, before)
        assert migrations.current(bare) == (None if before == "base" else before)
    assert tables(bare) == {"alembic_version"}
    migrations.upgrade(bare)
    assert migrations.at_head(bare)
    bare.dispose()


def test_what_members_said_goes_along(settings: Settings, clock: MovableClock) -> None:
    """Back to the first version that had a public log and up again: rows that were there then are good now."""
    with in_process(settings, clock) as hub:
        pixel, harbor = Voice(hub, "pixel"), Voice(hub, "harbor")
        assert pixel.post(pixel.report(md5(1))).status_code == 201
        assert harbor.post(harbor.report(md5(1))).status_code == 201
        hub.publish()
        database = Database(hub.database.url)
        said = statements(database)
    with database.transaction() as uow:
        # There were no other scopes then.
        uow.conn.execute(text("UPDATE client SET scopes = 'signals:read signals:submit'"))
    migrations.downgrade(database, "0002")
    migrations.upgrade(database)
    assert statements(database) == said
    database.dispose()
    with in_process(settings, clock) as hub:
        muse = Voice(hub, "muse")
        receipt = muse.post(muse.report(md5(1))).json()
        assert (receipt["seq"], receipt["status"]) == (2, "human_confirmed")
        hub.publish()
        # Deliveries of what was said before began with this version: the outbox was empty.
        assert check_hub(hub.database, hub.settings, since=2) == 3


def statements(database: Database) -> list[tuple[object, ...]]:
    with database.snapshot() as uow:
        found = uow.conn.execute(
            text("SELECT seq, author_id, kind, digest, jws, nonce FROM statement ORDER BY seq")
        )
        return [tuple(row) for row in found]


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

"""Publishing the log: what a second's worth of entries costs, whatever the log has become."""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sqlalchemy import text

from tests.benchmarks.figures import Figure, median
from tests.support.databases import Databases
from tests.support.postgres import running
from tocsin import keys
from tocsin.config import Settings
from tocsin.db import Database
from tocsin.ledger import service as ledger
from tocsin_schemas.ledger import Entry

SIZES: Final = (10_000, 100_000, 1_000_000, 10_000_000)
NEW: Final = 100
TURNS: Final = 30
PART: Final = 250_000

_FILL: Final = {
    "sqlite": "WITH RECURSIVE n(seq) AS (SELECT :first UNION ALL SELECT seq + 1 FROM n WHERE seq + 1 < :size)"
    " INSERT INTO entry (seq, community, kind, recorded_at, commitment)"
    " SELECT seq, 'child-safety', 'report', :now - 60, randomblob(32) FROM n",
    "postgresql": "INSERT INTO entry (seq, community, kind, recorded_at, commitment)"
    " SELECT seq, 'child-safety', 'report', :now - 60, sha256(int8send(seq))"
    " FROM generate_series(cast(:first AS bigint), cast(:size AS bigint) - 1) AS seq",
}


def publish_growth(dialect: str, sizes: Sequence[int] = SIZES) -> Iterator[Figure]:
    """Milliseconds to publish 100 new entries (median) in a log of each size; the floor is the smallest log."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="tocsin-bench-")))
        databases = Databases(folder, cache(lambda: stack.enter_context(running(durable=True))))
        settings = Settings(data_dir=folder / "data", sandbox=True)
        database = Database(stack.enter_context(databases.migrated(dialect, folder)))
        stack.callback(database.dispose)
        log = ledger.open_ledger(settings, database, keys.ensure(settings))
        floor = 0.0
        for size in sizes:
            _fill(log, size)
            took = median([_publish_more(log) for _ in range(TURNS)]) * 1e3
            floor = floor or took
            yield Figure("publish-growth", took, "ms", floor, took / floor, size, dialect)


def _fill(log: ledger.Ledger, size: int) -> None:
    """Grow the log to `size` published entries."""
    with log.database.snapshot() as uow:
        first = ledger.size(uow)
    for at in range(first, size, PART):
        end = min(at + PART, size)
        with log.database.transaction() as uow:
            uow.conn.execute(text(_FILL[uow.dialect]), {"first": at, "size": end, "now": uow.now})
            uow.conn.execute(text("UPDATE ledger_head SET size = :size"), {"size": end})
        ledger.publish(log)
    if log.database.dialect == "postgresql":
        # What autovacuum does on its own a minute later.
        with log.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.exec_driver_sql("VACUUM ANALYZE entry")


def _publish_more(log: ledger.Ledger) -> float:
    with log.database.transaction() as uow:
        first = ledger.locked_size(uow)
        entries = [Entry("child-safety", "report", uow.now, secrets.token_bytes(32)) for _ in range(NEW)]
        ledger.append(uow, first, entries)
    begun = time.perf_counter()
    ledger.publish(log)
    return time.perf_counter() - begun

"""What a benchmark yields, and the small tools all of them share."""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.databases import Databases
from tests.support.hub import LiveHub, in_own_process
from tests.support.postgres import running
from tocsin import migrations
from tocsin.db import Database
from tocsin.ledger import service as ledger
from tocsin_schemas.ledger import Entry, commit, new_nonce


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure. `ratio` is value over floor, or floor over value for rates: lower is better, 1 the floor.

    `n` is the number of things measured (signals, records, requests); `database` is empty where none takes part.
    """

    name: str
    value: float
    unit: str
    floor: float
    ratio: float
    n: int
    database: str = ""

    def line(self) -> str:
        """One JSON object, figures rounded to what they can mean."""
        rounded = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in asdict(self).items()}
        return json.dumps(rounded)


def timed(work: Callable[[], object]) -> float:
    """The seconds that `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def median(values: list[float]) -> float:
    """The middle one."""
    return statistics.median(values)


@contextmanager
def hub_on(dialect: str, **settings: str) -> Iterator[LiveHub]:
    """A hub as operators run it, on an empty durable database: SQLite, or PostgreSQL with its own defaults."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="tocsin-bench-")))
        databases = Databases(folder, cache(lambda: stack.enter_context(running(durable=True))))
        url = stack.enter_context(databases.bare(dialect, folder))
        database = Database(url)
        migrations.upgrade(database)
        database.dispose()
        data = folder / "hub"
        data.mkdir(mode=0o700)
        yield stack.enter_context(in_own_process(url, data, installed=True, **settings))


def fill(database: Database, community: str, author_id: int, rows: int, make: Callable[[int], bytes]) -> None:
    """Put `rows` statements into a hub's tables without its front door: for sizes that would take too long through it.

    `make(i)` gives the token of statement i; the rest of each row is as the hub writes it.
    """
    from tests.benchmarks.seeding import seed_batch

    done = 0
    while done < rows:
        count = min(20_000, rows - done)
        with database.transaction() as uow:
            first = ledger.locked_size(uow)
            tokens = [make(first + at) for at in range(count)]
            nonces = [new_nonce() for _ in tokens]
            commitments = [commit(nonce, token) for nonce, token in zip(nonces, tokens, strict=True)]
            ledger.append(uow, first, [Entry(community, "report", uow.now, item) for item in commitments])
            seed_batch(uow, author_id, first, tokens, nonces)
        done += count
    if database.dialect == "postgresql":
        # What autovacuum does on its own a minute later.
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.exec_driver_sql("VACUUM ANALYZE")

"""Fixtures of the client's tests. The hub's database is none of the client's business: SQLite will do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.simulator import Simulator
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tocsin_client.mirror import Mirror


@pytest.fixture
def database_url(databases: Databases, tmp_path: Path) -> Iterator[str]:
    """A migrated, empty database on SQLite."""
    with databases.migrated("sqlite", tmp_path) as url:
        yield url


@pytest.fixture
def simulator(clock: MovableClock) -> Simulator:
    """A hub in memory that can be made to lie."""
    return Simulator(clock)


@pytest.fixture
def mirror(simulator: Simulator, clock: MovableClock, tmp_path: Path) -> Iterator[Mirror]:
    """An empty mirror of the simulator's community."""
    with Mirror.open(tmp_path / "mirror.sqlite3", simulator.hub, simulator.community, clock=clock) as opened:
        yield opened

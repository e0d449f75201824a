"""Fixtures of the client's tests. The hub's database is none of the client's business: SQLite will do."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.pictures import landscape, save
from tests.client.simulator import Simulator
from tests.client.terminal import Terminal, log_in
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tests.support.hub import LiveHub, in_own_process
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


@pytest.fixture(scope="session")
def town(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """One hub for all tests of the command; each test makes members of its own."""
    folder = tmp_path_factory.mktemp("town")
    with databases.migrated("sqlite", folder) as url, in_own_process(url, folder) as hub:
        yield hub


@pytest.fixture
def names(request: pytest.FixtureRequest) -> Iterator[str]:
    """Names that no other test uses."""
    stem = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]
    return (f"t{stem}-{number}" for number in range(10))


@pytest.fixture
def slug(names: Iterator[str]) -> str:
    """A community of this test's own."""
    return next(names)


@pytest.fixture
def terminal(town: LiveHub, names: Iterator[str], slug: str, tmp_path: Path):
    """Makes members that have logged in."""

    def make(**wanted: Any) -> Terminal:
        name = next(names)
        party = town.party(name, **{"communities": {slug: "rw"}, **wanted})
        made = Terminal(tmp_path / name)
        log_in(made, party, town)
        return made

    return make


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save(landscape(1), tmp_path / "found.png")

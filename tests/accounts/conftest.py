"""Fixtures of accounts' tests: one hub a module and database, with a clock that only moves forward."""

from collections.abc import Iterator
from itertools import count

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from tests.support.clock import MovableClock
from tests.support.console import Console
from tests.support.databases import Databases
from tests.support.hub import ISSUER, Hub, in_process
from tocsin.accounts.service import passwords
from tocsin.config import Settings

_NUMBERS = count(1)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def site(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    """A hub, once on each kind of database."""
    folder = tmp_path_factory.mktemp("site")
    with databases.migrated(request.param, folder) as url:
        settings = Settings(
            issuer=ISSUER,
            data_dir=folder / "data",
            database_url=SecretStr(url),
            ingest_processes=0,
            run_jobs=False,
            sandbox=True,
        )
        with in_process(settings, MovableClock()) as hub:
            yield hub


@pytest.fixture
def console(site: Hub) -> Iterator[Console]:
    """Its console; whoever was seated is not any more afterwards."""
    made = Console(site)
    before = made.accounts.context.seats
    yield made
    made.accounts.context.seats = before


@pytest.fixture
def handle() -> str:
    """A handle nobody has yet."""
    return f"person-{next(_NUMBERS)}"


@pytest.fixture(autouse=True)
def _quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """argon2id with little work; `test_codes` looks at what a hub really does."""
    monkeypatch.setattr(passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))

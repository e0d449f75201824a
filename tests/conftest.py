"""Fixtures of the whole suite. What touches the database runs twice: on SQLite and on a real PostgreSQL."""

import json
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import httpcore2
import pytest
from pydantic import SecretStr

from tests.support.clock import MovableClock
from tests.support.compiled import Sharing
from tests.support.databases import Databases
from tests.support.hub import ISSUER, Hub, LiveHub, in_own_process, in_process
from tests.support.postgres import Postgres, running
from tocsin import db
from tocsin.config import Settings
from tocsin.db import Database
from tocsin_schemas.rsa import RsaKey

pytest_plugins = ["tests.support.garbage", "tests.support.measuring", "tests.support.ordering"]


@pytest.fixture(scope="session", autouse=True)
def rsa_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The RSA key that every hub of a session is given.

    Making one takes a tenth of a second; and reading one, whose primes are looked at, more than the rest of a hub's
    start does, twice. So this one is read once.
    """
    key, read = RsaKey.generate(), RsaKey.from_jwk
    jwk = key.jwk()
    file = tmp_path_factory.mktemp("rsa") / "ssf_rs.jwk"
    file.write_text(json.dumps(jwk))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOCSIN_SSF_RS_KEY_FILE", str(file))
        patch.setattr(RsaKey, "from_jwk", lambda given: key if given == jwk else read(given))
        yield file


@pytest.fixture(scope="session", autouse=True)
def _compiled_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db, "create_engine", Sharing())
        yield


@pytest.fixture(scope="session", autouse=True)
def _trust_read_once() -> Iterator[None]:
    """Clients that look at no variable of the environment share one context: a new one reads the system's certificates.

    That takes thirty times as long as making the client, and most of them speak to the loopback address.
    """
    made = httpcore2.default_ssl_context
    shared = cache(lambda: made(_trust_env=False))

    def context(*, _trust_env: bool = True) -> ssl.SSLContext:
        return made() if _trust_env else shared()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpcore2, "default_ssl_context", context)
        yield


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Makes migrated databases; starts a PostgreSQL when the first is asked for."""
    with ExitStack() as stack:
        servers: list[Postgres] = []

        def postgres() -> Postgres:
            if not servers:
                servers.append(stack.enter_context(running()))
            return servers[0]

        made = Databases(tmp_path_factory.mktemp("databases"), postgres)
        try:
            yield made
        finally:
            made.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[str]:
    """A migrated, empty database, once of each kind."""
    with databases.migrated(request.param, tmp_path) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def bare_database_url(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[str]:
    """A database without any schema, once of each kind."""
    with databases.bare(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def clock() -> MovableClock:
    """Noon of 22 November 2026 (UTC), until it is moved."""
    return MovableClock()


@pytest.fixture
def database(database_url: str, clock: MovableClock) -> Iterator[Database]:
    """A migrated, empty database with the clock of the test."""
    opened = Database(database_url, clock=clock)
    yield opened
    opened.dispose()


@pytest.fixture
def postgres(databases: Databases, tmp_path: Path) -> Iterator[Database]:
    """A database on PostgreSQL without any schema, for what that does by itself."""
    with databases.bare("postgres", tmp_path) as url:
        opened = Database(url)
        yield opened
        opened.dispose()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """A sandbox's settings on that database. Batches stay in this process, where the clock can be moved."""
    return Settings(
        issuer=ISSUER,
        data_dir=tmp_path / "data",
        database_url=SecretStr(database_url),
        ingest_processes=0,
        run_jobs=False,
        sandbox=True,
    )


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def module_settings(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings of a hub that is no sandbox, on a database of its own kind that a whole module shares."""
    folder = tmp_path_factory.mktemp("module")
    with databases.migrated(request.param, folder) as url:
        yield Settings(
            issuer=ISSUER,
            data_dir=folder / "data",
            database_url=SecretStr(url),
            ingest_processes=0,
            run_jobs=False,
        )


@pytest.fixture
def hub(settings: Settings, clock: MovableClock) -> Iterator[Hub]:
    """A hub in this process."""
    with in_process(settings, clock) as running_hub:
        yield running_hub


@pytest.fixture
def live_hub(database_url: str, tmp_path: Path) -> Iterator[LiveHub]:
    """A hub in a process of its own."""
    data_dir = tmp_path / "live"
    data_dir.mkdir(mode=0o700)
    with in_own_process(database_url, data_dir) as running_hub:
        yield running_hub


@pytest.fixture
def working_hub(database_url: str, tmp_path: Path) -> Iterator[LiveHub]:
    """The same with two processes for large batches."""
    data_dir = tmp_path / "live"
    data_dir.mkdir(mode=0o700)
    with in_own_process(database_url, data_dir, ingest_processes="2") as running_hub:
        yield running_hub


@pytest.fixture
def unmeasured() -> None:
    """The test and its child processes without coverage (tests/support/measuring.py)."""

"""Fixtures of the pages' tests: one board a module and database, whose clock only moves forward."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from tests.governance.pages.sitting import Room, sitting
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tests.support.hub import ISSUER
from tocsin.config import Settings


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def room(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Room]:
    """A founded board with its people signed in, once on each kind of database."""
    folder = tmp_path_factory.mktemp("room")
    with databases.migrated(request.param, folder) as url:
        settings = Settings(
            issuer=ISSUER,
            data_dir=folder / "data",
            database_url=SecretStr(url),
            ingest_processes=0,
            run_jobs=False,
        )
        with sitting(settings, MovableClock()) as made:
            yield made

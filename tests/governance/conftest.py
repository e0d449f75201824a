"""A hub that a whole module shares, once on each database: boards are founded once, and refusals change nothing."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tests.support.hub import ISSUER, Hub, in_process
from tocsin.config import Settings


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def module_hub(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    """A hub that is no sandbox and has no board yet."""
    folder = tmp_path_factory.mktemp("shared")
    with databases.migrated(request.param, folder) as url:
        settings = Settings(
            issuer=ISSUER,
            data_dir=folder / "data",
            database_url=SecretStr(url),
            ingest_processes=0,
            run_jobs=False,
        )
        with in_process(settings, MovableClock()) as hub:
            yield hub

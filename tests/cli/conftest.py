"""Fixtures of the operator's commands."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import Run, tocsin_hub
from tests.support.hub import LiveHub, in_own_process


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No settings but a data directory of the test's own, and that the hub is a sandbox."""
    for name in os.environ:
        if name.startswith("TOCSIN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TOCSIN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TOCSIN_SANDBOX", "true")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(environment: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on a migrated database."""
    monkeypatch.setenv("TOCSIN_DATABASE_URL", database_url)
    return tocsin_hub


@pytest.fixture
def installed_hub(database_url: str, tmp_path: Path) -> Iterator[LiveHub]:
    """A hub as the script starts it, measured for coverage."""
    data_dir = tmp_path / "live"
    data_dir.mkdir(mode=0o700)
    with in_own_process(database_url, data_dir, installed=True, ingest_processes="1") as running_hub:
        yield running_hub

"""Fixtures of the operator's commands."""

import os
from pathlib import Path

import pytest

from tests.cli.running import Run, tocsin_hub


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No settings but a data directory of the test's own."""
    for name in os.environ:
        if name.startswith("TOCSIN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TOCSIN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(environment: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on a migrated database."""
    monkeypatch.setenv("TOCSIN_DATABASE_URL", database_url)
    return tocsin_hub

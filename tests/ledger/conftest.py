"""Fixtures of the log's tests: a log with one witness, which is another hub."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ledger.logs import open_log
from tests.ledger.witnesses import Other, other_hub, policy, witness_set
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tocsin.db import Database
from tocsin.ledger.service import Ledger


@pytest.fixture
def other(databases: Databases, tmp_path: Path, clock: MovableClock) -> Iterator[Other]:
    with other_hub(databases, tmp_path / "other", clock) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def ledger(database: Database, folder: Path, other: Other) -> Ledger:
    """A log with one witness."""
    return replace(open_log(database, folder), witnesses=witness_set(database, policy(other)))

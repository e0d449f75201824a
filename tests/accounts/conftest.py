"""Fixtures of accounts' tests: one hub a module and database, with a clock that only moves forward."""

from collections.abc import Iterator
from itertools import count

import pytest
from argon2 import PasswordHasher

from tests.support.clock import MovableClock
from tests.support.console import Console
from tests.support.hub import Hub, in_process
from tocsin.accounts.service import passwords
from tocsin.config import Settings

_NUMBERS = count(1)


@pytest.fixture(scope="module")
def site(module_settings: Settings) -> Iterator[Hub]:
    """A hub, once on each kind of database."""
    with in_process(module_settings.model_copy(update={"sandbox": True}), MovableClock()) as hub:
        yield hub


@pytest.fixture
def console(site: Hub) -> Iterator[Console]:
    """Its console; whoever was seated is not any more afterwards."""
    made = Console(site)
    context = made.accounts.context
    before = context.seats, context.named
    yield made
    context.seats, context.named = before


@pytest.fixture
def handle() -> str:
    """A handle nobody has yet."""
    return f"person-{next(_NUMBERS)}"


@pytest.fixture(autouse=True)
def _quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """argon2id with little work; `test_codes` looks at what a hub really does."""
    monkeypatch.setattr(passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))

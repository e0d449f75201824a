"""Fixtures of the pages' tests: one board a module and database, whose clock only moves forward."""

from collections.abc import Iterator

import pytest

from tests.governance.pages.sitting import Room, sitting
from tests.support.clock import MovableClock
from tocsin.config import Settings


@pytest.fixture(scope="module")
def room(module_settings: Settings) -> Iterator[Room]:
    """A founded board with its people signed in, once on each kind of database."""
    with sitting(module_settings, MovableClock()) as made:
        yield made

"""A hub that a whole module shares, once on each database: boards are founded once, and refusals change nothing."""

from collections.abc import Iterator

import pytest

from tests.support.clock import MovableClock
from tests.support.hub import Hub, in_process
from tocsin.config import Settings


@pytest.fixture(scope="module")
def module_hub(module_settings: Settings) -> Iterator[Hub]:
    """A hub that is no sandbox and has no board yet."""
    with in_process(module_settings, MovableClock()) as hub:
        yield hub

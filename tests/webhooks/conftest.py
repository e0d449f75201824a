"""A hub that may call loopback, and receivers there."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from tests.support.clock import MovableClock
from tests.support.hub import Hub, in_process
from tests.support.parties import Party
from tests.webhooks.receiving import Receiver, receiving
from tocsin.config import Settings

LOOPBACK = "127.0.0.0/8"


@pytest.fixture(scope="module")
def calling_hub(module_settings: Settings) -> Iterator[Hub]:
    """A sandbox that a module shares. Each test has members of its own."""
    settings = module_settings.model_copy(update={"sandbox": True, "egress_allow_subnets": LOOPBACK})
    with in_process(settings, MovableClock()) as hub:
        yield hub


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that does everything right until it is told otherwise."""
    with receiving() as one:
        yield one


_NUMBERS = count(1)


@pytest.fixture
def member(calling_hub: Hub) -> Callable[..., Party]:
    """Admits a member that nobody else has."""
    return lambda **wanted: calling_hub.party(f"member{next(_NUMBERS)}", **wanted)

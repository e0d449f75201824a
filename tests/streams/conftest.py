"""One hub for each module and database: a sandbox that may call the loopback address."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from tests.streams.receiving import Receiver, Target
from tests.support.clock import MovableClock
from tests.support.hub import Hub, in_process
from tests.support.stream_invariants import check_streams
from tocsin.config import Settings

_NUMBERS = count()


@pytest.fixture(scope="module")
def shared_hub(module_settings: Settings) -> Iterator[Hub]:
    settings = module_settings.model_copy(update={"sandbox": True, "egress_allow_subnets": "127.0.0.0/8"})
    with in_process(settings, MovableClock()) as hub:
        yield hub


@pytest.fixture
def hub(shared_hub: Hub) -> Iterator[Hub]:
    """What a test leaves behind is whole."""
    yield shared_hub
    shared_hub.run_job("streams.fanout")
    with shared_hub.database.snapshot() as uow:
        check_streams(uow)


@pytest.fixture
def community() -> str:
    """One of this test's own."""
    return f"place-{next(_NUMBERS)}"


@pytest.fixture
def member(hub: Hub, community: str) -> Callable[..., Receiver]:
    """Admits members of this test's community."""

    def admitted(name: str, rights: str = "rw", **wanted: Any) -> Receiver:
        return Receiver(hub, f"{name}-{next(_NUMBERS)}", communities={community: rights}, **wanted)

    return admitted


@pytest.fixture
def target() -> Iterator[Target]:
    with Target().listening() as listening:
        yield listening

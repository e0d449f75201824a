"""Fixtures of delivery: a receiver on this machine, and a post office without what is above it."""

from collections.abc import Iterator

import pytest

from tests.delivery.carrying import Post
from tests.support.invariants import check_deliveries
from tests.support.sink import Sink, sink
from tocsin.db import Database


@pytest.fixture(scope="module")
def running_sink() -> Iterator[Sink]:
    with sink() as made:
        yield made


@pytest.fixture
def there(running_sink: Sink) -> Sink:
    running_sink.received.clear()
    running_sink.seen.clear()
    return running_sink


@pytest.fixture
def post(database: Database) -> Iterator[Post]:
    made = Post(database)
    yield made
    with database.snapshot() as uow:
        check_deliveries(uow)

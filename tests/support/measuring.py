"""Coverage where it says something, a plugin of the suite: measuring nearly doubles the processor time of a test.

Not measured are, with the processes that they start:

- the PostgreSQL twin of a test that also runs on SQLite: it walks the same lines;
- the laws and the journeys, and whatever asks for a browser or for the fixture `unmeasured` (`tests/conftest.py`): many
  examples, rounds or processes over lines that direct tests walk;
- tests of documents and of contracts, which walk none of ours.

What is left out can only lower a figure, so that the gates mean what they say: the tests that are measured meet them
alone.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from coverage import Coverage

import tocsin.cli.check
import tocsin.cli.means
import tocsin.objects.s3  # noqa: F401  # imported late, once for a process: a test that is not measured may be the first
from tests.support.forks import MEASURING

TESTS: Final = Path(__file__).parents[1]
FOLDERS: Final = frozenset({"property", "journeys", "docs", "contracts"})
FIXTURES: Final = frozenset({"unmeasured", "browser"})
UNMEASURED: Final = pytest.StashKey[bool]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Decide once, when all tests are known."""
    known = {item.nodeid for item in items}
    for item in items:
        twin = item.nodeid.replace("postgres", "sqlite")
        item.stash[UNMEASURED] = (
            (twin != item.nodeid and twin in known)
            or item.path.relative_to(TESTS).parts[0] in FOLDERS
            or not FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
        )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """The whole of a test: its fixtures take much of the time."""
    if not item.stash[UNMEASURED]:
        return (yield)
    stopped: list[Coverage] = []
    # A worker of xdist has two: its own, as any process has, and on top of it the one that pytest-cov begins.
    while (measuring := Coverage.current()) is not None:
        measuring.stop()
        stopped.append(measuring)
    kept = {name: os.environ.pop(name) for name in MEASURING if name in os.environ}
    try:
        return (yield)
    finally:
        os.environ |= kept
        for measuring in reversed(stopped):
            measuring.start()

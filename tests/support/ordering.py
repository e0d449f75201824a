"""The slow tests first, a plugin of the suite: one that is begun last is waited for by everybody else.

Each worker of xdist begins with an equal share of the tests, one behind the other, and takes from the others when it is
done (`--dist worksteal`). So each share begins with its part of the slow ones. Without workers nothing is moved.
"""

import os
from typing import Final, TypeVar

import pytest

WORKERS: Final = "PYTEST_XDIST_WORKER_COUNT"
"""How xdist tells its workers how many they are."""
_T = TypeVar("_T")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every worker moves all tests alike."""
    if workers := int(os.environ.get(WORKERS, "0")):
        slow = [item for item in items if is_slow(item)]
        items[:] = shared(slow, [item for item in items if not is_slow(item)], workers)


def is_slow(item: pytest.Item) -> bool:
    """Whether it says so, or works a browser."""
    return item.get_closest_marker("slow") is not None or "browser" in getattr(item, "fixturenames", ())


def shared(slow: list[_T], quick: list[_T], workers: int) -> list[_T]:
    """All of them: for each worker its part of the slow ones, then of the others, in their order."""
    return [
        each
        for n in range(workers)
        for each in (*slow[n::workers], *quick[n * len(quick) // workers : (n + 1) * len(quick) // workers])
    ]

"""The order in which the suite runs (tests/support/ordering.py): all of it, the slow tests first."""

import pytest

from tests.support.ordering import shared


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_each_worker_begins_with_its_part_of_the_slow_ones(workers: int) -> None:
    slow, quick = [f"slow {n}" for n in range(7)], [f"quick {n}" for n in range(100)]
    found = shared(slow, quick, workers)
    assert sorted(found) == sorted(slow + quick)
    assert [each for each in found if each in quick] == quick
    beginnings = [n for n, each in enumerate(found) if each in slow and (n == 0 or found[n - 1] in quick)]
    assert len(beginnings) == workers
    assert all(abs(n - at * len(found) / workers) < 2 for at, n in enumerate(beginnings))

import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tocsin_client.pool import Crashed, Workers


def double(n: int) -> int:
    return 2 * n


def slowest_first(n: int) -> tuple[int, int]:
    time.sleep((5 - n) * 0.02)
    return n, os.getpid()


def die_on_three(n: int) -> int:
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def die_once(path: Path) -> str:
    """The first call anywhere dies; the next ones find its mark."""
    try:
        path.open("x").close()
    except FileExistsError:
        return "alive"
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


def fail(n: int) -> int:
    raise ValueError(n)


def where(_: int) -> int:
    return os.getpid()


def test_one_worker_is_this_process() -> None:
    with Workers(where, 1) as pool:
        assert list(pool.map([1, 2])) == [(1, os.getpid()), (2, os.getpid())]


def test_results_keep_the_order_of_the_items() -> None:
    with Workers(slowest_first, 2) as pool:
        found = list(pool.map(range(6)))
    assert [item for item, _ in found] == list(range(6))
    pids = {outcome[1] for _, outcome in found if isinstance(outcome, tuple)}
    assert os.getpid() not in pids


def test_an_endless_input_is_taken_as_needed() -> None:
    with Workers(double, 2) as pool:
        found = list(itertools.islice(pool.map(itertools.count()), 100))
    assert found == [(n, 2 * n) for n in range(100)]


def test_a_worker_that_dies_costs_only_its_item() -> None:
    with Workers(die_on_three, 2) as pool:
        found = [outcome for _, outcome in pool.map(range(12))]
    assert isinstance(found.pop(3), Crashed)
    assert found == [n for n in range(12) if n != 3]


def test_a_pool_that_broke_while_nobody_looked_is_replaced() -> None:
    def slowly() -> Iterator[int]:
        yield 3
        time.sleep(2)
        yield from range(4, 60)

    with Workers(die_on_three, 2) as pool:
        found = [outcome for _, outcome in pool.map(slowly())]
    assert isinstance(found[0], Crashed)
    assert found[1:] == list(range(4, 60))


def test_an_item_that_was_only_unlucky_is_tried_again(tmp_path: Path) -> None:
    with Workers(die_once, 2) as pool:
        assert [outcome for _, outcome in pool.map([tmp_path / "mark"])] == ["alive"]


def test_what_the_job_raises_is_raised() -> None:
    with Workers(fail, 2) as pool, pytest.raises(ValueError, match="1"):
        list(pool.map([1]))

"""Run one function over many items in worker processes, with the results in the items' order.

A worker that dies (a decoder crashed, the system ran out of memory) costs the item it worked on and nothing else: the
items in flight are tried again, and the one that kills a worker on its own is given up. At most a few items for each
worker wait in memory, so the input may be endless.

What crosses over is packed and unpacked by the caller's own thread. The executor's threads then only move bytes; busy
ones would take the interpreter away from a caller that stores rows, at every row.
"""

import gc
import multiprocessing
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final, Generic, Self, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")
_WAITING_PER_WORKER: Final = 16


COLLECTED_AFTER: Final = 50_000


def _settle() -> None:
    """In a worker: look for cycles rarely. Walking a batch over and over costs a sixth of verifying it."""
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER)


def _packed(job: Callable[[Item], Outcome], item: bytes) -> bytes:
    """In a worker: the job, on what the caller packed."""
    return pickle.dumps(job(pickle.loads(item)), pickle.HIGHEST_PROTOCOL)  # noqa: S301  # between our own processes


class Crashed(Exception):
    """The worker died on this item."""


class Workers(Generic[Item, Outcome]):
    """`count` worker processes that apply `job`; with one, everything runs in this process."""

    def __init__(self, job: Callable[[Item], Outcome], count: int) -> None:
        self._job = job
        self._count = count
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def map(self, items: Iterable[Item]) -> Iterator[tuple[Item, Outcome | Crashed]]:
        """Each item with its outcome, in order. What the job raises is raised here."""
        if self._count <= 1:
            yield from ((item, self._job(item)) for item in items)
            return
        waiting: deque[tuple[Item, Future[bytes]]] = deque()
        for item in items:
            waiting.append((item, self._start(item)))
            if len(waiting) >= self._count * _WAITING_PER_WORKER:
                yield self._next(waiting)
        while waiting:
            yield self._next(waiting)

    def _start(self, item: Item) -> "Future[bytes]":
        if self._pool is None:
            # Spawned, not forked: the caller may have threads and open databases.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._count, mp_context=context, initializer=_settle)
        try:
            return self._pool.submit(_packed, self._job, pickle.dumps(item, pickle.HIGHEST_PROTOCOL))
        except BrokenProcessPool:
            self._stop()
            return self._start(item)

    def _next(self, waiting: "deque[tuple[Item, Future[bytes]]]") -> tuple[Item, Outcome | Crashed]:
        item, future = waiting.popleft()
        try:
            return item, self._unpacked(future)
        except BrokenProcessPool:
            # Somebody in flight killed a worker, which takes all with it. Try this one alone; the rest start again.
            self._stop()
            outcome = self._alone(item)
            for place, (other, stopped) in enumerate(waiting):
                if stopped.cancelled() or isinstance(stopped.exception(), BrokenProcessPool):
                    waiting[place] = (other, self._start(other))
            return item, outcome

    def _alone(self, item: Item) -> Outcome | Crashed:
        try:
            return self._unpacked(self._start(item))
        except BrokenProcessPool:
            self._stop()
            return Crashed()

    def _unpacked(self, future: "Future[bytes]") -> Outcome:
        outcome: Outcome = pickle.loads(future.result())  # noqa: S301  # between our own processes
        return outcome

    def _stop(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

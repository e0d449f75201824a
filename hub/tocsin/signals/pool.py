"""Large batches are worked on in processes of their own, each with one thread.

Many short calls that release the interpreter lock (a signature, a row) collapse beside one busy thread: 72,000 rows
a second fall to 1,000 (ADR 0005). So a batch runs from verification to commit in a process where nothing else runs.
The serving process hands over bytes and gets bytes back.
"""

import gc
import logging
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from multiprocessing import connection
from typing import Any, Final

from tocsin import telemetry
from tocsin.config import Settings
from tocsin.signals.render import count, lines, ndjson, tally
from tocsin.signals.service.context import Context, open_context
from tocsin.signals.service.submit import submit
from tocsin_schemas.problems import Refused

logger = logging.getLogger(__name__)

INLINE_LINES: Final = 32
"""Batches up to this size are worked on where they arrive: handing them over would cost more."""
WAITING_PER_PROCESS: Final = 4


class IngestPool:
    """Runs submissions: small ones at once, large ones in `settings.ingest_processes` worker processes."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._places = threading.BoundedSemaphore(max(1, settings.ingest_processes) * WAITING_PER_PROCESS)
        self._lock = threading.Lock()
        self._executor: ProcessPoolExecutor | None = None

    def start(self) -> None:
        """Start the worker processes, so that the first batch does not wait for them."""
        if self._settings.ingest_processes:
            executor = self._running()
            for _ in range(self._settings.ingest_processes):
                executor.submit(os.getpid)

    def stop(self) -> None:
        """Stop the worker processes; a batch in hand is finished first."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown()

    def submit_batch(self, author_id: int, body: bytes, *, dry_run: bool) -> bytes:
        """Submit the tokens of `body`, one a line; NDJSON results in their order.

        Raises:
            Refused: for the whole request: `request-invalid` without a line, `payload-too-large`, `rate-limited`,
                as `membership.permit`, `unavailable` when the processes are busy or one died (nothing was stored then,
                or everything was and a retry gets the same receipts).
        """
        if count(body) <= INLINE_LINES or not self._settings.ingest_processes:
            answer, ends = _submit(self._context, author_id, body, dry_run)
        else:
            answer, ends = self._hand_over(author_id, body, dry_run)
        telemetry.count_signals(ends)
        return answer

    def _hand_over(self, author_id: int, body: bytes, dry_run: bool) -> tuple[bytes, dict[str, int]]:
        if not self._places.acquire(blocking=False):
            raise Refused("unavailable", "", "too many batches are waiting", retry_after=1)
        executor = self._running()
        try:
            return executor.submit(_work, author_id, body, dry_run).result()
        except BrokenProcessPool:
            self._drop(executor)
            raise Refused("unavailable", "", "a worker process died", retry_after=1) from None
        finally:
            self._places.release()

    def _running(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._executor is None:
                spawn = multiprocessing.get_context("spawn")
                turn = spawn.Lock() if self._context.database.dialect == "sqlite" else None
                self._executor = ProcessPoolExecutor(
                    self._settings.ingest_processes,
                    mp_context=spawn,
                    initializer=_begin,
                    initargs=(self._settings, turn),
                )
            return self._executor

    def _drop(self, executor: ProcessPoolExecutor) -> None:
        logger.error("an ingest process died; starting new ones")
        with self._lock:
            if self._executor is executor:
                self._executor = None
        executor.shutdown(wait=False)


def _submit(context: Context, author_id: int, body: bytes, dry_run: bool) -> tuple[bytes, dict[str, int]]:
    results = submit(context, author_id, lines(body), dry_run=dry_run)
    return ndjson(results), tally(results)


class _Worker:
    """What a worker process keeps between batches."""

    context: Context


def _begin(settings: Settings, turn: AbstractContextManager[Any] | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        # A killed server must not leave workers behind that hold the database.
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    _Worker.context = open_context(settings, turn=turn)
    # A batch is a hundred thousand live objects and no cycles: collecting in its midst walks them over and over.
    gc.freeze()
    gc.disable()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def _work(author_id: int, body: bytes, dry_run: bool) -> tuple[bytes, dict[str, int]]:
    try:
        return _submit(_Worker.context, author_id, body, dry_run)
    finally:
        gc.collect()

"""Waiting for the log to grow, without a thread or a connection for each who waits.

However many wait, one task of the event loop looks at two numbers, at most every tenth of a second, and only while
somebody waits. It looks in a thread, since a database may be slow. One instance belongs to one event loop.
"""

import asyncio
from dataclasses import dataclass
from typing import Final, Literal

from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from tocsin.db import Database
from tocsin.ledger.store import entries, publication

EVERY_SECONDS: Final = 0.1
_What = Literal["recorded", "published"]


@dataclass(eq=False, slots=True)
class _Waiter:
    what: _What
    beyond: int
    reached: asyncio.Future[bool]


class Watch:
    """Tells when the log has grown beyond an index."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiters: set[_Waiter] = set()
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    async def recorded(self, beyond: int, timeout: float) -> bool:  # noqa: ASYNC109  # it is what is promised
        """Whether entry `beyond` is recorded within `timeout` seconds: the log's size is larger than that index.

        False at once when the hub is about to end.
        """
        return await self._wait("recorded", beyond, timeout)

    async def published(self, beyond: int, timeout: float) -> bool:  # noqa: ASYNC109  # the same
        """Whether a checkpoint covers entry `beyond` within `timeout` seconds; likewise."""
        return await self._wait("published", beyond, timeout)

    async def close(self) -> None:
        """Send everybody home: those who wait now, and those who would."""
        self._closed = True
        for waiter in self._waiters:
            if not waiter.reached.done():
                waiter.reached.set_result(False)
        if self._looking is not None:
            await self._looking

    async def _wait(self, what: _What, beyond: int, timeout: float) -> bool:  # noqa: ASYNC109  # the same
        if self._closed:
            return False
        waiter = _Waiter(what, beyond, asyncio.get_running_loop().create_future())
        self._waiters.add(waiter)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(timeout):
                return await waiter.reached
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)

    async def _look(self) -> None:
        while self._waiters and not self._closed:
            try:
                sizes = await to_thread.run_sync(self._sizes)
            except SQLAlchemyError as error:
                self._fail(error)
                return
            for waiter in self._waiters:
                if sizes[waiter.what] > waiter.beyond and not waiter.reached.done():
                    waiter.reached.set_result(True)
            await asyncio.sleep(EVERY_SECONDS)

    def _sizes(self) -> dict[_What, int]:
        with self._database.snapshot() as uow:
            return {"recorded": entries.size(uow), "published": publication.published_size(uow)}

    def _fail(self, error: SQLAlchemyError) -> None:
        """Those who wait hear of it as if they had asked the database themselves; the next one tries again."""
        for waiter in self._waiters:
            if not waiter.reached.done():
                waiter.reached.set_exception(error)

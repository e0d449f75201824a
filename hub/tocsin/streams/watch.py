"""Waiting for something to be polled, without a thread or a connection for each who waits (RFC 8936 §2.4, long polls).

However many wait, one task of the event loop asks one question, at most every quarter of a second, and only while
somebody waits. It asks in a thread, since a database may be slow. One instance belongs to one event loop.
"""

import asyncio
from collections import Counter
from typing import Final

from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from tocsin.db import Database
from tocsin.streams.service.polling import arrived

EVERY_SECONDS: Final = 0.25
MOST: Final = 1000
"""How many may wait at once; who comes when they do is not kept waiting."""
MOST_PER_STREAM: Final = 4


class StreamWatch:
    """Tells when something waits on a stream."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[asyncio.Future[bool], int] = {}
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def arrived(self, number: int, timeout: float) -> bool:  # noqa: ASYNC109  # it is what is promised
        """Whether anything waits on the stream with this own id within `timeout` seconds.

        False at once when the hub is about to end, or too many wait already.
        """
        counts = Counter(self._waiting.values())
        if self._closed or len(self._waiting) >= MOST or counts[number] >= MOST_PER_STREAM:
            return False
        reached: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[reached] = number
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(timeout):
                return await reached
        except TimeoutError:
            return False
        finally:
            del self._waiting[reached]

    async def close(self) -> None:
        """Send everybody home: those who wait now, and those who would."""
        self._closed = True
        self._tell(set(), done=True)
        if self._looking is not None:
            await self._looking

    async def _look(self) -> None:
        while self._waiting and not self._closed:
            try:
                found = await to_thread.run_sync(arrived, self._database, set(self._waiting.values()))
            except SQLAlchemyError:
                # Whoever asks again is told what is wrong.
                self._tell(set(), done=True)
                return
            self._tell(found)
            await asyncio.sleep(EVERY_SECONDS)

    def _tell(self, found: set[int], *, done: bool = False) -> None:
        for reached, number in self._waiting.items():
            if not reached.done() and (done or number in found):
                reached.set_result(number in found)

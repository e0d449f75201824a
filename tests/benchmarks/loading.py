"""A load that does not wait for answers: requests fall due at a fixed rate, over connections that stay open.

Closed loops speed up when answers come sooner, refusals do, and then others are measured under another load than
before. Here a request that could not be sent when it was due waits, and its time counts from when it was due.
"""

import asyncio
import gc
import time
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from typing import Final, NamedTuple, cast

import uvloop

LINES: Final = 8
"""Connections of one sender to one server."""
DRAIN_SECONDS: Final = 10
"""How long answers may take after the last request fell due."""


class Sender(NamedTuple):
    """Who sends: of so many requests one is the next of `requests` while there are any, the others are `otherwise`.

    `every` should have no factor in common with the number of servers, or one of them gets all of `requests`.
    """

    requests: Sequence[bytes]
    every: int
    otherwise: bytes


class Done(NamedTuple):
    """One request: when it was due, sent and answered (seconds of the machine's own clock), and its status."""

    due: float
    sent: float
    answered: float
    status: int

    @property
    def seconds(self) -> float:
        """What whoever wanted it waited."""
        return self.answered - self.due


class Load(NamedTuple):
    """The servers' (host, port), who sends, each sender's requests a second, and from when to when."""

    servers: Sequence[tuple[str, int]]
    senders: Sequence[Sender]
    rate: float
    begins: float
    ends: float


def send(load: Load) -> list[list[Done]]:
    """Send all of it; what came of each sender's requests, in the order they were answered.

    Raises:
        ConnectionError: when a server ends a connection, or does not answer in time.
    """
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_send(load))


async def _send(load: Load) -> list[list[Done]]:
    loop = asyncio.get_running_loop()
    places = list(load.servers) * LINES
    all_done = []
    async with asyncio.TaskGroup() as group:
        for number, sender in enumerate(load.senders):
            done: list[Done] = []
            lines = []
            for host, port in places:
                _, line = await loop.create_connection(partial(_Line, done), host, port)
                lines.append(line)
            group.create_task(_pace(load, number / len(load.senders), _requests(sender), lines))
            all_done.append(done)
    return all_done


def _requests(sender: Sender) -> Iterator[bytes]:
    own = iter(sender.requests)
    for number in count():
        yield next(own, sender.otherwise) if number % sender.every == 0 else sender.otherwise


async def _pace(load: Load, offset: float, requests: Iterator[bytes], lines: Sequence["_Line"]) -> None:
    """Hand each request to the next connection when it falls due."""
    due, number = load.begins + offset / load.rate, 0
    while due < load.ends:
        if (early := due - time.monotonic()) > 0:
            await asyncio.sleep(early)
        lines[number % len(lines)].ask(due, next(requests))
        due, number = due + 1 / load.rate, number + 1
    for line in lines:
        await asyncio.wait_for(line.idle.wait(), DRAIN_SECONDS)
        line.end()


class _Line(asyncio.Protocol):
    """One connection, with one request under way at a time."""

    def __init__(self, done: list[Done]) -> None:
        self.idle = asyncio.Event()
        self.idle.set()
        self._done = done
        self._waiting = deque[tuple[float, bytes]]()
        self._due = self._sent = 0.0
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.idle.is_set():
            raise ConnectionError("the server ended a connection before it answered") from error

    def ask(self, due: float, request: bytes) -> None:
        """Send a request, now or when what is before it has been answered."""
        if self.idle.is_set():
            self.idle.clear()
            self._send(due, request)
        else:
            self._waiting.append((due, request))

    def end(self) -> None:
        """Close it."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if not _whole(self._heard):
            return
        status = int(self._heard[9:12])
        self._done.append(Done(self._due, self._sent, time.monotonic(), status))
        self._heard = b""
        if self._waiting:
            self._send(*self._waiting.popleft())
        else:
            self.idle.set()

    def _send(self, due: float, request: bytes) -> None:
        self._due, self._sent = due, time.monotonic()
        self._transport.write(request)


def _whole(answer: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
    return len(body) >= int(length) if length else body.endswith(b"0\r\n\r\n")

"""A receiver of webhooks that is as cheap as one can be: raw asyncio, in a thread or in a process of its own.

    with sink() as there:            in a thread
        there.url("ok", 7)           http://127.0.0.1:PORT/ok/7
        there.received               [Received(path, message, at, body)]

What an answer is follows from its path:

    /ok…                  204 at once
    /slow/SECONDS/…       204 after so long
    /status/CODE/…        that status
    /busy/CODE/VALUE/…    that status with Retry-After: VALUE
    /once/CODE/…          that status to the first request, 204 from then on
    /cut/…                the connection is closed without an answer
"""

import asyncio
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Final, NamedTuple, cast
from urllib.parse import unquote

_OK: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
BACKLOG: Final = 4096


class Received(NamedTuple):
    """A request: its path, its webhook-id, when it came (seconds of the machine's monotonic clock), and its body."""

    path: str
    message: str
    at: float
    body: bytes


class Sink:
    """The server, on a loop of its own that somebody else runs. `keep_bodies` keeps what was sent."""

    def __init__(self, *, keep_bodies: bool = True) -> None:
        self.received: list[Received] = []
        self.keep_bodies = keep_bodies
        self.seen: set[str] = set()
        self.in_hand = 0
        self.most_in_hand = 0
        self.port = 0
        self.connections: set[asyncio.Transport] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", self.port, backlog=BACKLOG
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is None:
            return
        loop, server, self._server = asyncio.get_running_loop(), self._server, None
        # Those that are being accepted are connected first: a server that is closed forgets them, and leaves them open.
        for listening in server.sockets:
            loop.remove_reader(listening)
        if accepting := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(accepting)
        server.close()
        for transport in self.connections:
            transport.abort()
        # They are let go of in the next round of the loop.
        await asyncio.sleep(0)

    def url(self, *path: object, host: str = "127.0.0.1") -> str:
        """The address of a path; any of 127.0.0.0/8 leads here only if it listens there."""
        return f"http://{host}:{self.port}/" + "/".join(map(str, path))

    def by_path(self) -> dict[str, list[str]]:
        """The ids of the messages that came on each path, in order."""
        found: dict[str, list[str]] = {}
        for one in list(self.received):
            found.setdefault(one.path, []).append(one.message)
        return found


class _Connection(asyncio.Protocol):
    """One connection, one request behind the other."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._transport: asyncio.Transport | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._sink.connections.add(self._transport)

    def connection_lost(self, _error: Exception | None) -> None:
        assert self._transport is not None
        self._sink.connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end]
            lower = head.lower()
            length = _header(head, lower, b"content-length")
            whole = end + 4 + int(length or 0)
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
            path = head[head.index(b" ") + 1 : head.index(b" HTTP/1.1\r\n")].decode()
            message = (_header(head, lower, b"webhook-id") or b"").decode()
            self._heard(path, message, body if self._sink.keep_bodies else b"")

    def _heard(self, path: str, message: str, body: bytes) -> None:
        sink, transport = self._sink, self._transport
        assert transport is not None
        sink.received.append(Received(path, message, time.monotonic(), body))
        if path.startswith("/ok"):
            transport.write(_OK)
            return
        first = path not in sink.seen
        sink.seen.add(path)
        match path.split("/")[1:]:
            case ["slow", seconds, *_]:
                sink.in_hand += 1
                sink.most_in_hand = max(sink.most_in_hand, sink.in_hand)
                asyncio.get_running_loop().call_later(float(seconds), self._late)
            case ["status", code, *_]:
                transport.write(_answer(code))
            case ["busy", code, value, *_]:
                transport.write(_answer(code, f"Retry-After: {unquote(value)}\r\n"))
            case ["once", code, *_]:
                transport.write(_answer(code) if first else _OK)
            case _:
                transport.close()

    def _late(self) -> None:
        self._sink.in_hand -= 1
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(_OK)


def _header(head: bytes, lower: bytes, name: bytes) -> bytes | None:
    start = lower.find(b"\r\n" + name + b":")
    if start < 0:
        return None
    start += len(name) + 3
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else len(head)].strip()


def _answer(code: str, more: str = "") -> bytes:
    return f"HTTP/1.1 {code} Said\r\n{more}Content-Length: 0\r\n\r\n".encode()


@contextmanager
def sink() -> Iterator[Sink]:
    """A sink in a thread of this process."""
    made, loop = Sink(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sink", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(made.start(), loop).result()
    try:
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(made.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class FarSink:
    """A sink in a process of its own: `port` to reach it at, `take()` for what it has received since the last time."""

    def __init__(self, port: int, connection: Connection) -> None:
        self.port = port
        self._connection = connection

    def take(self) -> Sequence[Received]:
        """What has come since the last call."""
        self._connection.send("take")
        got: list[Received] = self._connection.recv()
        return got


@contextmanager
def sink_in_own_process(*, keep_bodies: bool = False) -> Iterator[FarSink]:
    """A sink that shares no interpreter with what is measured."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, keep_bodies), daemon=True)
    process.start()
    there.close()
    try:
        yield FarSink(here.recv(), here)
    finally:
        here.send("end")
        process.join(10)


def _serve(connection: Connection, keep_bodies: bool) -> None:
    import uvloop

    async def run() -> None:
        made = Sink(keep_bodies=keep_bodies)
        await made.start()
        connection.send(made.port)
        ended = asyncio.Event()

        def asked() -> None:
            if connection.recv() == "end":
                ended.set()
                return
            got, made.received = made.received, []
            # Watching it has made it one that does not wait.
            os.set_blocking(connection.fileno(), True)
            connection.send(got)

        asyncio.get_running_loop().add_reader(connection.fileno(), asked)
        await ended.wait()
        await made.stop()

    uvloop.run(run())

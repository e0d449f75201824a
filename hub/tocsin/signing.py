"""Signing in a process of its own, so that a loop which sends a thousand requests does not wait for their signatures.

    signing = Signing()
    results = await signing.all([(Signer.headers, (signer, "msg_1", now, body)), …])

- A signature is a call of tens of microseconds that lets go of the interpreter. Threads make it no cheaper: each call
  then waits until the busy thread lets go in its turn (docs/adr/0005, docs/adr/0033).
- A function travels by its name, with what it is given and what it returns, over a socket that has no name.
- Nobody depends on the process. While it starts, and where it died or hangs, the answer is None: the caller makes the
  calls itself. It ends when the other end of its socket is closed, however that came to be.
"""

import asyncio
import logging
import pickle  # between ourselves and ourselves
import signal
import socket
import struct
import subprocess  # the same
import sys
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import BufferedIOBase
from typing import Any, Final

logger = logging.getLogger(__name__)

Call = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function that a module names, and what it is given."""
PATIENCE_SECONDS: Final = 2
"""Who does not answer in this time is not waited for: a thousand signatures take a tenth of a second."""
RESTART_SECONDS: Final = 10
"""A process is started no sooner than this after the one before."""
_LENGTH: Final = struct.Struct("!I")
_READ_AT_MOST: Final = 256 * 1024


class Signing:
    """A process that makes calls, started when there are some for the first time. For one event loop."""

    def __init__(self) -> None:
        self._far: _Far | None = None
        self._starting: asyncio.Task[None] | None = None
        self._start_at = 0.0

    async def all(self, calls: Sequence[Call]) -> list[Any] | None:
        """What the calls return, in order; None when somebody else has to make them."""
        if not self.runs and time.monotonic() >= self._start_at:
            self._start_at = time.monotonic() + RESTART_SECONDS
            self._starting = asyncio.create_task(self._start())
        far = self._far
        if far is None or not far.ready or far.ended:
            return None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await far.ask(calls)
        except TimeoutError:
            if not far.ended:
                logger.warning(
                    "the process that signs hangs; the next one is started when there is more to sign"
                )
                far.end()
            return None

    async def _start(self) -> None:
        here, there = socket.socketpair()
        # In a thread: on a busy machine it takes as long as a hundred requests.
        spawning = asyncio.get_running_loop().run_in_executor(None, _spawn, there)
        try:
            process = await asyncio.shield(spawning)
        except asyncio.CancelledError:
            # The loop ends, and nobody would end what is being started.
            _end(await spawning, here)
            raise
        self._far = _Far(process, here)

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self._far is not None and not self._far.ended

    def stop(self) -> None:
        """End the process, if there is one; on its loop."""
        if self._far is not None:
            self._far.end()


class _Far:
    """The near end of the socket to a process. Answers come in the order in which was asked."""

    def __init__(self, process: "subprocess.Popen[bytes]", here: socket.socket) -> None:
        here.setblocking(False)
        self._socket = here
        self._end = weakref.finalize(self, _end, process, here)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(here, self._readable)
        self._writing = asyncio.Lock()
        self._came = bytearray()
        self._asked: deque[asyncio.Future[list[Any] | None]] = deque()
        self.ready = False
        """Whether it has begun to answer: to nothing, which it is asked first. Nobody waits until it has started."""
        self._asked.append(self._loop.create_future())
        here.send(_framed([]))

    @property
    def ended(self) -> bool:
        """Whether nobody is there any more."""
        return not self._end.alive

    async def ask(self, calls: Sequence[Call]) -> list[Any] | None:
        """What the calls return; None when it ended meanwhile."""
        framed, answer = _framed(calls), self._loop.create_future()
        async with self._writing:
            if self.ended:
                return None
            self._asked.append(answer)
            with suppress(ConnectionError):
                await self._loop.sock_sendall(self._socket, framed)
        results: list[Any] | None = await answer
        return results

    def end(self) -> None:
        """Kill it. Who waits for an answer gets none."""
        if self.ended:
            return
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._end()
        for answer in self._asked:
            if not answer.done():
                answer.set_result(None)

    def _readable(self) -> None:
        try:
            came = self._socket.recv(_READ_AT_MOST)
        except BlockingIOError:
            return
        except OSError:
            came = b""
        if not came:
            logger.warning("the process that signs died; the next one is started when there is more to sign")
            self.end()
            return
        self._came += came
        while len(self._came) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._came)[0]
            if len(self._came) < end:
                return
            results = pickle.loads(self._came[_LENGTH.size : end])  # noqa: S301  # of the process that we started
            del self._came[:end]
            self.ready = True
            answer = self._asked.popleft()
            if not answer.done():
                answer.set_result(results)


def _spawn(there: socket.socket) -> "subprocess.Popen[bytes]":
    with there:
        command = [sys.executable, "-P", "-m", __name__]
        return subprocess.Popen(command, stdin=there.fileno())  # noqa: S603  # ourselves


def _end(process: "subprocess.Popen[bytes]", here: socket.socket) -> None:
    here.close()
    process.kill()
    process.wait()


def _framed(what: object) -> bytes:
    written = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(written)) + written


def serve(asked: BufferedIOBase, answered: BufferedIOBase) -> None:
    """Make the calls that are asked for and answer with what they return, until no more are."""
    while length := asked.read(_LENGTH.size):
        calls: Sequence[Call] = pickle.loads(asked.read(_LENGTH.unpack(length)[0]))  # noqa: S301  # of who started us
        answered.write(_framed([function(*given) for function, given in calls]))
        answered.flush()


def main() -> None:
    """Serve at the socket that is the standard input. Whoever started this ends it, not the terminal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The other end may be killed in the middle of it.
    with (
        suppress(ConnectionError),
        socket.socket(fileno=sys.stdin.fileno()) as end,
        end.makefile("rwb") as both,
    ):
        serve(both, both)


if __name__ == "__main__":
    main()

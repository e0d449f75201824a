"""Connections to members' hosts: to an address that may be called, and good for so many bytes an exchange.

Rules: the address is looked at when the socket is made, whatever resolved it or did not need to. What a host may send
for one request is rationed at the socket, below TLS and HTTP: interim answers (1xx), chunk extensions and the like are
no part of any body, and one host that pours them as fast as it can would take the loop from all others. It is hung up
on. A host that has been sent something over a kept connection gets a new ration for it.
"""

import socket
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from tocsin.egress.names import Allows

OVERHEAD: Final = 64 * 1024
"""Bytes that an answer may take besides its body: for a handshake with its certificates, or for a head."""


@dataclass(slots=True)
class Attempt:
    """One sending of a request: how much may come back; whether a connection was opened for it, or refused."""

    ration: int
    opened: bool = False
    refused: bool = False


attempt: ContextVar[Attempt] = ContextVar("attempt")
"""What the running task is at."""


class Rationed(socket.socket):
    """A socket that hands out `left` bytes, and then breaks. asyncio's own loops read from it; others would not."""

    left = 0

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """As a socket does, while something is left."""
        data = super().recv(min(bufsize, self._rest()), flags)
        self.left -= len(data)
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """As a socket does, while something is left."""
        size = super().recv_into(buffer, min(nbytes or memoryview(buffer).nbytes, self._rest()), flags)
        self.left -= size
        return size

    def _rest(self) -> int:
        if self.left <= 0:
            raise ConnectionAbortedError("more came than was asked for")
        return self.left


Opened = WeakValueDictionary[int, Rationed]
"""The open sockets, by their descriptors."""


class Guarded(aiohttp.TCPConnector):
    """Opens connections to addresses that `allows` allows, and keeps them while no more than `most` are open.

    `opened` is shared by those that share that limit.
    """

    def __init__(
        self, allows: Allows, resolver: AbstractResolver, opened: Opened, most: int, **given: Any
    ) -> None:
        super().__init__(resolver=resolver, use_dns_cache=False, socket_factory=self._make, limit=0, **given)
        self._allows = allows
        self._opened = opened
        self._most = most

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # the library's signature
    ) -> Connection:
        """A connection that was kept, or a new one, with the ration of this attempt."""
        connection = await super().connect(req, traces, timeout)
        transport, protocol, current = connection.transport, connection.protocol, attempt.get()
        made = None if transport is None else self._opened.get(transport.get_extra_info("socket").fileno())
        if made is not None:
            made.left = current.ration
        if protocol is not None and current.opened and len(self._opened) > self._most:
            protocol.force_close()
        return connection

    def _make(self, found: Any) -> socket.socket:
        family, kind, protocol, _, address = found
        current = attempt.get()
        current.opened = True
        # The last word, on what is really connected to: literals never pass a resolver.
        if not self._allows(address[0]):
            current.refused = True
            raise PermissionError
        made = Rationed(family, kind, protocol)
        made.left = current.ration
        self._opened[made.fileno()] = made
        return made

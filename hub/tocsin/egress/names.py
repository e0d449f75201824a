"""Host names to addresses, each of which may be called.

Rules: a name is asked for anew before every connection; one address among several that may not be called spoils them
all, since who mixes them is trying something. Names of members are resolved by c-ares, not by the operating system:
`getaddrinfo` holds a thread for as long as a name server likes, and a member chooses its name servers. They are asked
for as they stand: no search domain of this machine is put behind them.
"""

import socket
from collections.abc import Callable, Sequence
from typing import Final

import aiodns
from aiohttp.abc import AbstractResolver, ResolveResult

MOST_ADDRESSES: Final = 4
"""Of those found, so many are tried: a name with a hundred addresses is no reason to call a hundred hosts."""
QUESTION_SECONDS: Final = 0.5
QUESTION_TRIES: Final = 4
"""Each waits twice as long as the one before; the first for less, where the name server has been quick so far."""
_NO_SEARCH: Final = 1 << 5
"""ARES_FLAG_NOSEARCH."""

Allows = Callable[[str], bool]
"""Whether an address may be called."""


class NotAllowed(Exception):
    """A host name stands for an address that may not be called."""


class Nameservers(AbstractResolver):
    """Asks the machine's name servers, or `servers` on `port`; must be made on the loop that it works on."""

    def __init__(self, servers: Sequence[str] | None = None, port: int | None = None) -> None:
        self._resolver = aiodns.DNSResolver(
            nameservers=servers,
            udp_port=port,
            tcp_port=port,
            timeout=QUESTION_SECONDS,
            tries=QUESTION_TRIES,
            flags=_NO_SEARCH,
        )

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """All addresses of a host.

        Raises:
            OSError: when it has none.
        """
        try:
            found = await self._resolver.getaddrinfo(host, family=family, port=port, type=socket.SOCK_STREAM)
        except aiodns.error.DNSError as error:
            raise OSError("the name does not resolve") from error
        return [
            ResolveResult(
                hostname=host,
                host=node.addr[0].decode("ascii"),
                port=port,
                family=node.family,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for node in found.nodes
        ]

    async def close(self) -> None:
        """Give the questions up that are open."""
        await self._resolver.close()


class Checked(AbstractResolver):
    """What `inner` finds, when all of it may be called."""

    def __init__(self, inner: AbstractResolver, allows: Allows) -> None:
        self._inner = inner
        self._allows = allows

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """A few of the addresses of a host.

        Raises:
            OSError: when it has none.
            NotAllowed: when one of them may not be called.
        """
        found = await self._inner.resolve(host, port, family)
        if not found:
            raise OSError("the name has no address")
        if not all(self._allows(each["host"]) for each in found):
            raise NotAllowed
        return found[:MOST_ADDRESSES]

    async def close(self) -> None:
        """Close what it asks."""
        await self._inner.close()

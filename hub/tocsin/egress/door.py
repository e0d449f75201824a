"""The door: an event loop in a thread, the connections that live on it, and what limits them.

Rules: TLS is always verified; no redirect is followed; nothing is read from the environment (no proxies, no netrc); no
cookie is kept and nothing is unpacked; an answer has a size limit, and everything said with one party a time limit, so
that a slow party costs that time and no more. No error names an address.

There are three ways through it that share no connection. `operator`: addresses from the operator's settings, https or
plain http on a loopback host. `member`: what the guard lets out, and every address is checked when a connection to it
is opened. `confined`: the same for what the operator's own list of networks alone allows. A connection that was opened
on one way is never used on another, or a member could speak through what the operator's word has opened.
"""

import asyncio
import resource
import ssl
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from tocsin.config import Settings
from tocsin.egress.connections import OVERHEAD, Attempt, Guarded, Opened, attempt
from tocsin.egress.guard import Guard, check_header
from tocsin.egress.messages import Answer, Conversation, Outbound, Send, Unanswered
from tocsin.egress.names import Checked, Nameservers, NotAllowed
from tocsin.egress.trust import system_tls, trusting
from tocsin.errors import Refused

USER_AGENT: Final = "tocsin-hub"
CONNECT_SECONDS: Final = 5.0
"""For a member's host: name, connection and TLS together."""
MEMBER_SECONDS: Final = 15.0
"""For a whole exchange with a member's host, unless `Outbound.seconds` says less."""
OPERATOR_KEPT_SECONDS: Final = 60.0
MEMBER_KEPT_SECONDS: Final = 4.0
"""Less than the five seconds after which Node, uvicorn and Apache close an idle connection, just as we write to it."""
MOST_KEPT: Final = 4096
"""Open sockets, at the most, from which on connections are not kept: many hosts must not use up the descriptors."""
URLS_REMEMBERED: Final = 4096
_READ_AHEAD: Final = 16 * 1024
_MAX_RETRY_AFTER: Final = 64

Way = Literal["operator", "member", "confined"]
MakeResolver = Callable[[], AbstractResolver]
"""Makes what resolves the names of members, on the loop that it is to work on."""
_T = TypeVar("_T")
_REASONS: Final[Mapping[str, str]] = {
    "refused": "its host has an address that the hub does not call",
    "dns": "its host name stands for no address",
    "timeout": "its host name was not resolved in time",
}


class Egress:
    """The door. `ca_file` holds certificates (PEM) to trust besides the system's.

    Raises:
        Misconfigured: when the file cannot be read or holds no certificate.
    """

    def __init__(
        self,
        ca_file: Path | None = None,
        guard: Guard | None = None,
        *,
        resolver: MakeResolver = Nameservers,
    ) -> None:
        self.guard = guard or Guard()
        # Reading the system's certificates takes as long as the rest of a hub's start, and most hubs ask nobody.
        self._tls = None if ca_file is None else trusting(ca_file)
        self._resolver = resolver
        self._lock = threading.Lock()
        self._running: _Running | None = None

    def talk(self, conversations: Sequence[Conversation[_T]], seconds: float) -> list[_T | Unanswered]:
        """What each conversation came to, in order, after `seconds` at most; they run side by side.

        A conversation is given `Send` and may say several things one after another. It runs on the loop that all of
        them share: what takes long must be awaited in a thread. Whatever it raises but `Unanswered` goes through.
        """
        if not conversations:
            return []
        running = self._open()
        return running.wait(
            _all([_one(conversation, running.send, seconds) for conversation in conversations])
        )

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run `work` on the door's loop, on which it may await `send`, and wait for what it returns or raises.

        Not to be called on that loop itself.
        """
        return self._open().wait(work)

    def send(self, request: Outbound) -> Coroutine[Any, Any, Answer]:
        """Send one request; only on the door's loop.

        Raises:
            Unanswered: when there is no usable answer.
        """
        return self._open().send(request)

    def vet(self, url: str) -> str:
        """Check a member's URL and every address of its host; the URL in the one way it is written from here on.

        Raises:
            Refused: `egress-refused`.
        """
        target = self.guard.target(url)
        try:
            self.run(self._open().resolve(target.host, target.port, confined=target.confined))
        except Unanswered as error:
            raise Refused("egress-refused", "url", _REASONS[error.why]) from None
        return target.url

    def _open(self) -> "_Running":
        with self._lock:
            if self._running is None:
                self._running = _Running(self._tls or system_tls(), self.guard, self._resolver)
                weakref.finalize(self, self._running.stop)
            return self._running


def open_egress(settings: Settings) -> Egress:
    """The door as the operator has set it up.

    Raises:
        Misconfigured: as `Egress`.
    """
    return Egress(settings.outbound_ca_file, Guard(settings.allowed_ports(), settings.allowed_subnets()))


class _Loop(asyncio.SelectorEventLoop):
    """A loop that knows what it has connected. Not uvloop's, which does not read through the sockets it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.connected = weakref.WeakSet[asyncio.Transport]()

    async def create_connection(self, *given: Any, **named: Any) -> Any:
        """As any loop does."""
        transport, protocol = await super().create_connection(*given, **named)
        self.connected.add(transport)
        return transport, protocol


class _Running:
    """An event loop in a thread, and the HTTP clients that live on it. It must not know the door: its end stops it."""

    def __init__(self, tls: ssl.SSLContext, guard: Guard, resolver: MakeResolver) -> None:
        self._tls = tls
        self._guard = guard
        self._make_resolver = resolver
        self._names: AbstractResolver | None = None
        self._sessions: dict[Way, aiohttp.ClientSession] = {}
        self._opened = Opened()
        # The same few thousand are sent to again and again, and taking one apart costs a third of a request.
        self._member = lru_cache(URLS_REMEMBERED)(partial(_member, guard))
        # The other half is for what is under way, and for the rest of the hub.
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most_kept = MOST_KEPT if files == resource.RLIM_INFINITY else min(MOST_KEPT, files // 2)
        self._loop = _Loop()
        self._thread = threading.Thread(target=self._work, name="egress", daemon=True)
        self._thread.start()

    def wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop)
        # Work on the loop can be the last that knew the door.
        if threading.current_thread() is not self._thread:
            self._thread.join()

    async def resolve(self, host: str, port: int, *, confined: bool) -> None:
        """Ask whether all addresses of a host may be called.

        Raises:
            Unanswered: `refused`, `dns`, `timeout`.
        """
        allows = self._guard.listed if confined else self._guard.allows
        if allows(host):
            return
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await Checked(self._nameservers(), allows).resolve(host, port)
        except NotAllowed:
            raise Unanswered("refused") from None
        # Before OSError, of which it is one.
        except TimeoutError:
            raise Unanswered("timeout") from None
        except OSError:
            raise Unanswered("dns") from None

    async def send(self, request: Outbound) -> Answer:
        way, url = self._let_out(request)
        seconds = request.seconds
        if way != "operator":
            seconds = MEMBER_SECONDS if seconds is None else min(seconds, MEMBER_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(way, url, request)
        except (NotAllowed, aiohttp.InvalidURL):
            raise Unanswered("refused") from None
        except aiohttp.ClientConnectorDNSError:
            raise Unanswered("dns") from None
        # Before OSError, of which it is one.
        except TimeoutError:
            raise Unanswered("timeout") from None
        except aiohttp.ClientConnectorCertificateError:
            raise Unanswered("tls") from None
        except (aiohttp.ClientError, OSError):
            raise Unanswered("unreachable") from None

    def _let_out(self, request: Outbound) -> tuple[Way, URL]:
        try:
            for name, value in request.headers.items():
                check_header(name, value)
            if request.authorization is not None:
                check_header("Authorization", request.authorization)
            return ("operator", URL(request.url)) if request.to == "operator" else self._member(request.url)
        except (Refused, ValueError):
            raise Unanswered("refused") from None

    async def _exchange(self, way: Way, url: URL, request: Outbound) -> Answer:
        headers = dict(request.headers)
        if request.method == "POST":
            headers["Content-Type"] = request.media_type
        if request.authorization is not None:
            headers["Authorization"] = request.authorization
        body = request.body if request.method == "POST" else None
        response = await self._request(way, url, request, headers, body)
        try:
            return await _read(response, request)
        finally:
            # Closes the connection, unless the answer was read to its end: then it has been given back already.
            response.close()

    async def _request(
        self, way: Way, url: URL, request: Outbound, headers: Mapping[str, str], body: bytes | None
    ) -> aiohttp.ClientResponse:
        while True:
            current = Attempt(request.limit + OVERHEAD)
            attempt.set(current)
            try:
                return await self._session(way).request(
                    request.method, url, headers=headers, data=body, allow_redirects=False
                )
            except aiohttp.ClientConnectorError:
                if current.refused:
                    raise NotAllowed from None
                raise
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                # A connection that was kept, and that the other side closed while we wrote: no fault of the receiver's.
                # Each turn uses up one of them.
                if way == "operator" or current.opened:
                    raise

    def _session(self, way: Way) -> aiohttp.ClientSession:
        if way not in self._sessions:
            self._sessions[way] = self._make_session(way)
        return self._sessions[way]

    def _make_session(self, way: Way) -> aiohttp.ClientSession:
        connector: aiohttp.TCPConnector
        if way == "operator":
            connect = None
            connector = aiohttp.TCPConnector(
                ssl=self._tls,
                resolver=aiohttp.ThreadedResolver(),
                use_dns_cache=False,
                limit=0,
                keepalive_timeout=OPERATOR_KEPT_SECONDS,
            )
        else:
            connect = CONNECT_SECONDS
            allows = self._guard.allows if way == "member" else self._guard.listed
            connector = Guarded(
                allows,
                Checked(self._nameservers(), allows),
                self._opened,
                self._most_kept,
                ssl=self._tls,
                keepalive_timeout=MEMBER_KEPT_SECONDS,
            )
        return aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(connect=connect),
            read_bufsize=_READ_AHEAD,
        )

    def _nameservers(self) -> AbstractResolver:
        if self._names is None:
            self._names = self._make_resolver()
        return self._names

    def _work(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    async def _close(self) -> None:
        try:
            await _end(asyncio.all_tasks() - {asyncio.current_task()})
            # No session knows of a connection that it has closed and whose other end has yet to agree, as TLS has it.
            for transport in self._loop.connected:
                transport.abort()
            for session in self._sessions.values():
                await session.close()
            if self._names is not None:
                await self._names.close()
            # What has been aborted is let go of in the next round.
            await asyncio.sleep(0)
        finally:
            self._loop.stop()


def _member(guard: Guard, url: str) -> tuple[Way, URL]:
    target = guard.target(url)
    # Already in the form to send: nothing reads it a second time, and differently.
    return ("confined" if target.confined else "member"), URL(target.url, encoded=True)


async def _read(response: aiohttp.ClientResponse, request: Outbound) -> Answer:
    encoded = response.headers.get("Content-Encoding", "identity").strip().lower() != "identity"
    body = bytearray()
    while len(body) <= request.limit and not response.content.at_eof():
        body += await response.content.readany()
    if not request.cut and (encoded or len(body) > request.limit):
        raise Unanswered("encoded" if encoded else "too-large")
    retry_after = response.headers.get("Retry-After", "")
    sane = 0 < len(retry_after) <= _MAX_RETRY_AFTER and retry_after.isascii() and retry_after.isprintable()
    return Answer(
        response.status,
        response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
        b"" if encoded else bytes(body[: request.limit]),
        retry_after if sane else None,
    )


async def _all(work: Sequence[Coroutine[Any, Any, _T]]) -> list[_T]:
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        # One that raises leaves the others running, and nobody to hear them.
        await _end(tasks)


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel what is still running, and wait until it has let go of what it held."""
    if running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def _one(conversation: Conversation[_T], send: Send, seconds: float) -> _T | Unanswered:
    try:
        async with asyncio.timeout(seconds):
            return await conversation(send)
    except TimeoutError:
        return Unanswered("timeout")
    except Unanswered as error:
        return error

"""Outbound HTTP: the only door through which the hub opens a connection to somebody else.

Rules: the addresses are the operator's, https or plain http on a loopback host; TLS is always verified; no redirect is
followed; nothing is read from the environment (no proxies, no netrc); an answer has a size limit, and everything said
with one party together a time limit, so that a slow party costs that time and no more. No error names an address.

The conversations of one call run side by side in an event loop of the door's own, which keeps connections open between
calls.
"""

import asyncio
import ssl
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

import httpx2

from tocsin.config import LOOPBACK
from tocsin.errors import Misconfigured, Refused

USER_AGENT: Final = "tocsin-hub"
CONNECTIONS_KEPT: Final = 32
"""One for each of the 32 witnesses that tlog-policy recommends to support."""
KEPT_SECONDS: Final = 60

Why = Literal["timeout", "tls", "unreachable", "too-large", "encoded"]
_T = TypeVar("_T")


class Unanswered(Exception):
    """There is no usable answer, and `why`: too late, TLS not trusted, no whole answer, too large, compressed."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Final = why


@dataclass(frozen=True, slots=True)
class Outbound:
    """One request to send. `limit` is the largest answer in bytes that is read; `authorization` is that header."""

    method: Literal["GET", "POST"]
    url: str
    limit: int
    body: bytes = b""
    media_type: str = "text/plain; charset=utf-8"
    authorization: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, whatever its status; the media type without parameters, in lower case."""

    status: int
    media_type: str
    body: bytes


Send = Callable[[Outbound], Awaitable[Answer]]
"""Sends one request; raises `Unanswered`."""
Conversation = Callable[[Send], Awaitable[_T]]


def base_url(text: str) -> str:
    """An address that others are reached under, without a slash at the end; a path may follow the host.

    Raises:
        Refused: `request-invalid` unless it is https, or http on a loopback host, with no user, query or fragment.
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    else:
        if not text.isascii() or any(ord(char) <= 32 for char in text) or parts.username is not None:
            host = None
        if parts.query or parts.fragment or "?" in text or "#" in text:
            host = None
        if parts.scheme != "https" and (parts.scheme != "http" or host not in LOOPBACK):
            host = None
    if not host:
        raise Refused(
            "request-invalid", "url", "must be https://host/path; plain http is for loopback hosts only"
        )
    return text.rstrip("/")


class Egress:
    """The door. `ca_file` holds certificates (PEM) to trust besides the system's.

    Raises:
        Misconfigured: when the file cannot be read or holds no certificate.
    """

    def __init__(self, ca_file: Path | None = None) -> None:
        # Reading the system's certificates takes as long as the rest of a hub's start, and most hubs ask nobody.
        self._tls = None if ca_file is None else _trusting(ca_file)
        self._lock = threading.Lock()
        self._running: _Running | None = None

    def talk(self, conversations: Sequence[Conversation[_T]], seconds: float) -> list[_T | Unanswered]:
        """What each conversation came to, in order, after `seconds` at most; they run side by side.

        A conversation is given `Send` and may say several things one after another. It runs on the loop that all of
        them share: what takes long must be awaited in a thread. Whatever it raises but `Unanswered` goes through.
        """
        if not conversations:
            return []
        with self._lock:
            if self._running is None:
                self._running = _Running(self._tls or httpx2.create_ssl_context(trust_env=False))
                weakref.finalize(self, self._running.stop)
            running = self._running
        return running.wait(
            _all([_one(conversation, running.send, seconds) for conversation in conversations])
        )


class _Running:
    """An event loop in a thread, and the HTTP client that lives on it. It must not know the door: its end stops it."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="egress", daemon=True)
        self._thread.start()
        self._client = httpx2.AsyncClient(
            verify=tls,
            trust_env=False,
            follow_redirects=False,
            # The time limit is the conversation's.
            timeout=None,
            limits=httpx2.Limits(max_keepalive_connections=CONNECTIONS_KEPT, keepalive_expiry=KEPT_SECONDS),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        )
        self.send: Final[Send] = partial(_send, self._client)

    def wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        self.wait(self._client.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _trusting(ca_file: Path) -> ssl.SSLContext:
    context = httpx2.create_ssl_context(trust_env=False)
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise Misconfigured(
            "the certificates to trust cannot be read",
            "TOCSIN_OUTBOUND_CA_FILE names a file of certificates in PEM",
        ) from None
    return context


async def _all(work: Sequence[Coroutine[Any, Any, _T]]) -> list[_T]:
    return await asyncio.gather(*work)


async def _one(conversation: Conversation[_T], send: Send, seconds: float) -> _T | Unanswered:
    try:
        async with asyncio.timeout(seconds):
            return await conversation(send)
    except TimeoutError:
        return Unanswered("timeout")
    except Unanswered as error:
        return error


async def _send(client: httpx2.AsyncClient, request: Outbound) -> Answer:
    headers = {"Content-Type": request.media_type} if request.method == "POST" else {}
    if request.authorization is not None:
        headers["Authorization"] = request.authorization
    built = client.build_request(
        request.method,
        request.url,
        headers=headers,
        content=request.body if request.method == "POST" else None,
    )
    # Somebody else's cookies are nothing the hub keeps.
    client.cookies.clear()
    try:
        response = await client.send(built, stream=True)
        try:
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > request.limit:
                    raise Unanswered("too-large")
        finally:
            await response.aclose()
    except (httpx2.RequestError, httpx2.InvalidURL) as error:
        raise Unanswered("tls" if _untrusted(error) else "unreachable") from None
    if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Unanswered("encoded")
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Answer(response.status_code, media_type, bytes(body))


def _untrusted(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False

"""What is said through the door: a request, its answer, or why there is none."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar
from urllib.parse import urlsplit

from tocsin.config import LOOPBACK
from tocsin.errors import Refused

Why = Literal["timeout", "tls", "unreachable", "too-large", "encoded", "refused", "dns"]
_T = TypeVar("_T")


class Unanswered(Exception):
    """There is no usable answer, and `why`.

    Too late, TLS not trusted, no whole answer, too large, compressed, not let out (its URL, a header or its address),
    or its host name stands for no address.
    """

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Final = why


@dataclass(frozen=True, slots=True)
class Outbound:
    """One request to send.

    `limit` is the largest answer in bytes that is read. One that is larger is no answer, unless `cut`: then what is
    over it is left unread, and a body that came compressed is left out; for a receiver of whom only the status counts.
    `authorization` is that header, `headers` are others. `to` says whose word the address is; a request to a member
    may be sent twice when a kept connection breaks, so it must be one that may. `seconds` is the time for this
    exchange, besides that of the conversation it belongs to.
    """

    method: Literal["GET", "POST"]
    url: str
    limit: int
    body: bytes = b""
    media_type: str = "text/plain; charset=utf-8"
    authorization: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    to: Literal["operator", "member"] = "member"
    cut: bool = False
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, whatever its status; the media type without parameters, in lower case.

    `retry_after` is that header as it came, if it is of a sane length (RFC 9110 §10.2.3: seconds or a date).
    """

    status: int
    media_type: str
    body: bytes
    retry_after: str | None = None


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

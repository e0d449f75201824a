"""Reading a request's body: of the types a route names, never compressed, never more than it takes.

The size is checked against Content-Length before anything is read, and again while reading, because the header may be
missing or wrong. Routes get the exact bytes: signatures are over bytes.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fastapi import Request
from starlette.requests import ClientDisconnect

from tocsin.errors import Refused


@dataclass(frozen=True, slots=True)
class Body:
    """A request body: its media type without parameters, and its bytes."""

    media_type: str
    content: bytes


def body(limits: Mapping[str, int]) -> Callable[[Request], Awaitable[Body]]:
    """A dependency that reads the body; `limits` maps each accepted media type to its largest size in bytes.

    Raises (when used):
        Refused: `unsupported-media-type` for another type or any content coding, `payload-too-large` past the limit,
            `request-invalid` when the connection closes early.
    """
    accepted = " or ".join(limits)

    async def read(request: Request) -> Body:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        limit = limits.get(media_type)
        if limit is None:
            raise Refused("unsupported-media-type", "content-type", f"send {accepted}")
        return Body(media_type, await _content(request, limit))

    return read


def octets(limit: int) -> Callable[[Request], Awaitable[bytes]]:
    """A dependency that reads a body of at most `limit` bytes, whatever type its sender calls it.

    Raises (when used):
        Refused: as `body`.
    """

    async def read(request: Request) -> bytes:
        return await _content(request, limit)

    return read


async def _content(request: Request, limit: int) -> bytes:
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refused("unsupported-media-type", "content-encoding", "send the body uncompressed")
    too_large = Refused("payload-too-large", "body", f"{limit} bytes are the limit")
    announced = request.headers.get("content-length", "0")
    if not (announced.isascii() and announced.isdigit()):
        raise Refused("request-invalid", "content-length", "not a number")
    if int(announced) > limit:
        raise too_large
    chunks = bytearray()
    try:
        async for chunk in request.stream():
            chunks += chunk
            if len(chunks) > limit:
                raise too_large
    except ClientDisconnect:
        raise Refused("request-invalid", "body", "the connection closed before its end") from None
    return bytes(chunks)

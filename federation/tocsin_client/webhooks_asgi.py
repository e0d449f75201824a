"""A webhook receiver as an ASGI application: a route of any ASGI framework, or served by itself.

Give it a route of its own (Starlette's `Route("/tocsin", WebhookApp(…))`). Mounted below a path, some frameworks answer
that path with a redirect to the one with a slash behind it, and a hub follows no redirects.

It needs no framework. A plain function that handles events runs in a thread, an `async` one in the event loop. What the
function raises is left to the server, which answers 500: the hub tries again.
"""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from tocsin_client.webhooks import HANDLED, MAX_BODY_BYTES, Answer, Event, Receiver, refusal
from tocsin_schemas.problems import Refused

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Handle = Callable[[Event], object]
"""What handles an event: a function or a coroutine function; what it returns is not looked at."""

_NOT_A_POST: Final = Answer(405)


class WebhookApp:
    """The application: POST requests to any path below it are `receiver`'s, new events are given to `handle`."""

    def __init__(self, receiver: Receiver, handle: Handle) -> None:
        self._receiver = receiver
        self._handle = (
            handle if inspect.iscoroutinefunction(handle) else functools.partial(_in_thread, handle)
        )

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            raise RuntimeError("a webhook is an HTTP request")
        if scope["method"] != "POST":
            return await _answer(send, _NOT_A_POST, [(b"allow", b"POST")])
        body = await _body(receive)
        if body is None:
            return await _answer(send, _TOO_LARGE, [(b"connection", b"close")])
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        found = self._receiver.open(headers, body)
        if isinstance(found, Event):
            with self._receiver.handling(found):
                await self._handle(found)
            found = HANDLED
        return await _answer(send, found)


_TOO_LARGE: Final = refusal(Refused("payload-too-large", "body", f"{MAX_BODY_BYTES} bytes are the limit"))


async def _in_thread(handle: Handle, event: Event) -> None:
    await asyncio.to_thread(handle, event)


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when it is too large to be a hub's, or the client has gone."""
    chunks = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunks += message.get("body", b"")
        if len(chunks) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(chunks)


async def _answer(send: Send, answer: Answer, more: list[tuple[bytes, bytes]] | None = None) -> None:
    headers = [(b"content-length", str(len(answer.body)).encode()), *(more or [])]
    if answer.status == HANDLED.status:
        headers = []  # RFC 9110 §8.6: a 204 has no length
    if answer.media_type:
        headers.append((b"content-type", answer.media_type.encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})

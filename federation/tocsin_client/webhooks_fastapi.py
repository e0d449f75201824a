"""A webhook receiver as a FastAPI dependency: the route is called with new events only, and with nothing else.

    received = Received(Receiver("whsec_…"), app)

    @app.post("/tocsin")
    def tocsin(event: Annotated[Event, Depends(received)]) -> None: ...

Challenges, repetitions and refusals are answered before the route is reached. What the route raises leaves the event
unhandled, so that the hub sends it again; what it returns is the answer, so return nothing or something small. FastAPI
(or Starlette) is not among what Tocsin's client installs: whoever imports this module has it.
"""

from collections.abc import AsyncIterator
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from tocsin_client.webhooks import MAX_BODY_BYTES, Answer, Event, Receiver, refusal
from tocsin_schemas.problems import Refused

_TOO_LARGE: Final = refusal(Refused("payload-too-large", "body", f"{MAX_BODY_BYTES} bytes are the limit"))


class Answered(Exception):
    """A request has its answer and does not reach the route."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.status))
        self.answer = answer


class Received:
    """The dependency: gives the event of a request, once."""

    def __init__(self, receiver: Receiver, app: Starlette) -> None:
        """Receive for `receiver` in the routes of `app` (a `FastAPI` is one), which learns how to answer the rest."""
        self._receiver = receiver
        app.add_exception_handler(Answered, _respond)

    async def __call__(self, request: Request) -> AsyncIterator[Event]:
        """The event, until the route has returned."""
        found = self._receiver.open(request.headers.items(), await _body(request))
        if isinstance(found, Answer):
            raise Answered(found)
        with self._receiver.handling(found):
            yield found


async def _body(request: Request) -> bytes:
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > MAX_BODY_BYTES:
            raise Answered(_TOO_LARGE)
    return bytes(chunks)


def _respond(_: Request, error: Exception) -> Response:
    if not isinstance(error, Answered):
        raise error
    answer = error.answer
    return Response(answer.body, answer.status, media_type=answer.media_type or None)

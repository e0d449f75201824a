"""Polling over HTTP (RFC 8936). While a receiver waits it holds neither a thread nor a connection of the database."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from tocsin.streams.routes.shapes import STRINGS, Content, Events, Reader, Streams, parsed, reader, takes
from tocsin.streams.rules import asking
from tocsin.streams.service import polling
from tocsin.streams.watch import StreamWatch
from tocsin.web import problems

router: Final = APIRouter(tags=["streams"])

MAX_WAIT: Final = 25
"""Seconds that a receiver may wait for an event; proxies give up on a silent connection not much later."""


@router.post(
    "/ssf/poll/{stream_id}",
    summary="Poll a stream",
    response_model=Events,
    response_model_exclude_none=True,
    responses=problems.documented(
        "request-invalid",
        "not-found",
        "conflict",
        "payload-too-large",
        "unsupported-media-type",
        "unavailable",
    ),
    openapi_extra=takes(
        maxEvents={"type": "integer", "minimum": 0},
        returnImmediately={"type": "boolean"},
        ack=STRINGS,
        setErrs={"type": "object"},
    ),
)
async def poll(
    request: Request, transmitter: Streams, actor: Reader, content: Content, stream_id: str
) -> Events:
    """What is acknowledged or refused is taken off; what waits is given, at most 200 events at a time."""
    asked = asking.poll(parsed(content))
    found = await run_in_threadpool(polling.poll, transmitter, actor.org_id, stream_id, asked)
    if not found.sets and not found.more and asked.limit and not asked.immediately:
        found = await _awaited(request, transmitter, stream_id, asked, found)
    return Events(sets=found.sets, moreAvailable=True if found.more else None)


async def _awaited(
    request: Request, transmitter: Streams, stream_id: str, asked: asking.Poll, found: polling.Polled
) -> polling.Polled:
    """What has come by the time that something has, or what there was when the time is up or the caller is gone."""
    watch: StreamWatch = request.app.state.stream_watch
    if not await watch.arrived(found.number, MAX_WAIT) or await request.is_disconnected():
        return found
    # A member may have lost its rights while it waited; what it acknowledged is taken off already.
    actor = await run_in_threadpool(reader, request)
    again = asked._replace(acks=(), errors=())
    return await run_in_threadpool(polling.poll, transmitter, actor.org_id, stream_id, again)

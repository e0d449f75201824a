"""Following a community: pages of its feed, ranges of the log, and waiting for what comes next.

Stored segments go out as the bytes they are. While a caller waits (RFC 7240) it holds neither a thread nor a connection
of the database.
"""

import asyncio
import re
from functools import partial
from typing import Final, NamedTuple

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from tocsin.db import View
from tocsin.ledger.watch import Watch
from tocsin.signals.routes.access import Signals, reader
from tocsin.signals.routes.joined import Joined, entity_tag, fetch
from tocsin.signals.service import feed as service
from tocsin.signals.service.context import Context
from tocsin.signals.service.feed import Page, Reader
from tocsin.web import problems
from tocsin.web.coding import WORTHWHILE, Coding, encode, negotiate
from tocsin.web.lanes import in_reading_lane
from tocsin.web.parameters import documented, read_query
from tocsin_schemas.feed import FEED_MEDIA_TYPE, MAX_PAGE, Gone, Live, Withheld
from tocsin_schemas.problems import Refused

router = APIRouter(prefix="/v1", tags=["signals"])

DEFAULT_PAGE: Final = 1000
MAX_WAIT: Final = 25
"""Seconds that a caller may wait for a record; proxies give up on a silent connection not much later."""
UNIT: Final = "seq"
"""The range unit of a feed: log indexes."""
_RANGE: Final = re.compile(r"\s*([0-9]{1,15})\s*-\s*([0-9]{1,15})?\s*")
_WAIT: Final = re.compile(r'\s*wait\s*=\s*"?([0-9]{1,6})"?\s*', re.IGNORECASE)
_LINES: Final = {
    FEED_MEDIA_TYPE: {
        "schema": {
            "anyOf": [{"$ref": f"#/components/schemas/{model.__name__}"} for model in (Live, Gone, Withheld)]
        }
    }
}


class Asked(NamedTuple):
    """What is asked of a feed: at most `limit` records behind log index `after`, none behind `last`.

    `ranged` says that it is asked for as a range (RFC 9110 §14), `wait` for how many seconds to wait for a record,
    `known` which entity tags the caller has, `coding` how the answer is to be coded.
    """

    after: int
    last: int | None
    limit: int
    ranged: bool
    wait: int
    known: frozenset[str]
    coding: Coding


class Span(BaseModel):
    """What a query says of a feed."""

    model_config = ConfigDict(frozen=True)

    after: int | None = Field(None, ge=0, le=2**53, description="Log index of the last record held.")
    limit: int = Field(DEFAULT_PAGE, ge=1, le=MAX_PAGE, description="How many records at the most.")


_HEADERS: Final = {
    "Range": "`seq=0-8191`: log indexes, both included, instead of `after`.",
    "Prefer": f"`wait=N`: where there is no record, wait up to N seconds ({MAX_WAIT}) for one.",
    "If-None-Match": "The `ETag` of an answer that the caller has.",
}


def _asked(request: Request) -> Asked:
    query = read_query(Span, request.query_params)
    after, limit = query.after, query.limit
    span, prefer, known = (request.headers.get(name, "") for name in _HEADERS)
    chosen = negotiate(request.headers.get("accept-encoding"))
    tags = frozenset(tag.strip().removeprefix("W/") for tag in known.split(","))
    # No entity tag stands for a range, so the condition of If-Range cannot hold (RFC 9110 §13.1.5). Other units than
    # ours are to be ignored (§14.2).
    unit, _, ranges = span.partition("=")
    if unit.strip().lower() != UNIT or "if-range" in request.headers:
        return Asked(-1 if after is None else after, None, limit, False, _wait(prefer), tags, chosen)
    if after is not None:
        raise Refused("request-invalid", "range", "give a range or `after`, not both")
    match = _RANGE.fullmatch(ranges)
    if match is None or int(match[1]) > int(match[2] or match[1]):
        raise Refused(
            "request-invalid", "range", "write one range of log indexes: seq=FIRST-LAST or seq=FIRST-"
        )
    last = None if match[2] is None else int(match[2])
    return Asked(int(match[1]) - 1, last, limit, True, 0, tags, chosen)


def _wait(prefer: str) -> int:
    """Seconds to wait, from `Prefer`. What cannot be read is ignored, and only the first counts (RFC 7240 §2)."""
    for preference in prefer.split(","):
        if match := _WAIT.fullmatch(preference.partition(";")[0]):
            return min(int(match[1]), MAX_WAIT)
    return 0


@router.get(
    "/communities/{community}/feed",
    summary="Follow a community",
    response_class=Response,
    responses={
        200: {
            "description": "One record a line. `Link: rel=next` names what follows; an empty body means: up to date.",
            "content": _LINES,
        },
        206: {
            "description": "The records in the part of the log that `Content-Range` names.",
            "content": _LINES,
        },
        304: {"description": "The answer is stored, and `If-None-Match` names it."},
        **problems.documented("request-invalid", "not-found", "not-acceptable", "range-not-satisfiable"),
    },
    openapi_extra=documented(Span, _HEADERS),
)
async def feed(
    request: Request,
    context: Signals,
    community: str,
) -> Response:
    """The records behind `after`, in log order, each byte for byte as its author signed it."""
    asked = _asked(request)
    page = await _page(request, context, community, asked)
    if page.empty and asked.wait:
        page = await _awaited(request, context, community, asked, page)
    if asked.ranged and asked.after >= page.size - 1:
        answer = problems.response(Refused("range-not-satisfiable", "range", "begins behind the log's end"))
        answer.headers["Content-Range"] = f"{UNIT} */{page.size}"
        return answer
    headers = _headers(request, context, community, asked, page)
    status = 206 if asked.ranged else 200
    if page.segments:
        if not asked.ranged:
            headers["ETag"] = entity_tag(page, asked.coding)
            if not asked.known.isdisjoint({headers["ETag"], "*"}):
                return Response(status_code=304, headers=headers)
        first = await fetch(context, page, 0, asked.coding)
        if first is not None:
            headers |= {} if asked.coding == "identity" else {"Content-Encoding": asked.coding}
            return Joined(context, page, asked.coding, first, status=status, headers=headers)
        page = await _page(request, context, community, asked, stored=False)
        headers = _headers(request, context, community, asked, page)
    return await _rendered(page, asked.coding, status, headers)


async def _page(
    request: Request, context: Context, community: str, asked: Asked, *, stored: bool = True
) -> Page:
    """What the caller is given: it is recognised on the state of which it gets a part."""
    page = await in_reading_lane(
        request,
        service.page,
        context,
        partial(_reader, request),
        community,
        after=asked.after,
        last=asked.last,
        limit=asked.limit,
        stored=stored,
    )
    if page.new:
        await run_in_threadpool(service.remember, context, page)
    return page


def _reader(request: Request, view: View, community: str) -> Reader:
    caller = reader.on(view, request, community)
    return Reader(caller.org_id, caller.reads)


async def _awaited(request: Request, context: Context, community: str, asked: Asked, page: Page) -> Page:
    """The first page that is not empty, or an empty one when the time is up, the caller gone, or the hub ending."""
    watch: Watch = request.app.state.watch
    now = asyncio.get_running_loop().time
    until = now() + asked.wait
    while page.empty and await watch.recorded(page.size, until - now()):
        if await request.is_disconnected():
            break
        # A member that lost its rights while it waited is refused here.
        page = await _page(request, context, community, asked)
    return page


def _headers(request: Request, context: Context, community: str, asked: Asked, page: Page) -> dict[str, str]:
    headers = {
        "Accept-Ranges": UNIT,
        "Cache-Control": "private, no-store",
        "Vary": "Accept-Encoding",
    }
    if asked.wait:
        headers["Preference-Applied"] = f"wait={asked.wait}"
    if asked.ranged:
        headers["Content-Range"] = f"{UNIT} {asked.after + 1}-{page.covered}/*"
    elif page.covered > asked.after:
        target = str(request.app.url_path_for("feed", community=community))
        target += f"?after={page.covered}&limit={asked.limit}"
        headers["Link"] = f'<{context.issuer}{target}>; rel="next"'
    return headers


async def _rendered(page: Page, chosen: Coding, status: int, headers: dict[str, str]) -> Response:
    body = page.rendered
    if chosen != "identity" and len(body) >= WORTHWHILE:
        body = await run_in_threadpool(encode, body, chosen)
        headers["Content-Encoding"] = chosen
    return Response(body, status, headers, FEED_MEDIA_TYPE)

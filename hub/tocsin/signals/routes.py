"""Signals over HTTP: submit, follow, look at one indicator, and know who you are here."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from tocsin import telemetry
from tocsin.signals import render
from tocsin.signals.pool import IngestPool
from tocsin.signals.service import read
from tocsin.signals.service.context import Context
from tocsin.signals.service.submit import Accepted, submit
from tocsin.web import problems
from tocsin.web.auth import Actor, require
from tocsin.web.body import Body, body
from tocsin_schemas.envelope import BATCH_MEDIA_TYPE, MAX_TOKEN_BYTES, MEDIA_TYPE
from tocsin_schemas.feed import (
    FEED_MEDIA_TYPE,
    MAX_PAGE,
    DryRun,
    Gone,
    IndicatorView,
    Live,
    Me,
    Receipt,
    Withheld,
)
from tocsin_schemas.policy import Policy
from tocsin_schemas.problems import Refused

router = APIRouter(prefix="/v1", tags=["signals"])

MAX_LINES: Final = 10_000
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
DEFAULT_PAGE: Final = 1000

Submitter = Annotated[Actor, Depends(require("signals:submit"))]
Reader = Annotated[Actor, Depends(require("signals:read"))]
SignalBody = Annotated[Body, Depends(body({MEDIA_TYPE: MAX_TOKEN_BYTES, BATCH_MEDIA_TYPE: MAX_BATCH_BYTES}))]


def _context(request: Request) -> Context:
    context: Context = request.app.state.signals
    return context


Signals = Annotated[Context, Depends(_context)]


@router.post(
    "/signals",
    summary="Submit one signal or a batch",
    response_class=Response,
    responses={
        200: {
            "description": "The signal was recorded before, this is a dry run, or this is a batch (one result a line).",
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/Receipt"}},
                FEED_MEDIA_TYPE: {"schema": {"type": "string"}},
            },
        },
        201: {"model": Receipt, "description": "The signal is recorded."},
        **problems.documented("payload-too-large", "unsupported-media-type", "rate-limited", "unavailable"),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                MEDIA_TYPE: {"schema": {"type": "string"}},
                BATCH_MEDIA_TYPE: {"schema": {"type": "string"}},
            },
        }
    },
)
def submit_signals(
    request: Request,
    actor: Submitter,
    context: Signals,
    content: SignalBody,
    dry_run: Annotated[bool, Query(description="Check everything, store nothing.")] = False,
) -> Response:
    """One JWS (`application/secevent+jwt`), or one JWS a line (`application/secevent+jwt-seq`, at most 10,000).

    A batch is answered with one NDJSON line for each of its lines, in order: a receipt or a problem. One bad line never
    spoils the others. The same signal again gets the same receipt, so any failed request may be sent again as it is.
    """
    if content.media_type == BATCH_MEDIA_TYPE:
        if not content.content:
            raise Refused("request-invalid", "body", "a batch has at least one line")
        if render.count(content.content) > MAX_LINES:
            raise Refused("payload-too-large", "body", f"{MAX_LINES} lines are the limit")
        pool: IngestPool = request.app.state.ingest
        answer = pool.submit_batch(actor.org_id, content.content, dry_run=dry_run)
        return Response(answer, media_type=FEED_MEDIA_TYPE)
    (result,) = results = submit(context, actor.org_id, [content.content], dry_run=dry_run)
    telemetry.count_signals(render.tally(results))
    if isinstance(result, Refused):
        raise result
    created = isinstance(result, Accepted) and not result.again
    return Response(render.line(result), 201 if created else 200, media_type="application/json")


@router.get(
    "/communities/{community}/feed",
    summary="Follow a community",
    response_class=Response,
    responses={
        200: {
            "description": "One record a line. `Link: rel=next` names the next page; an empty body means: up to date.",
            "content": {FEED_MEDIA_TYPE: {"schema": {"anyOf": [
                {"$ref": f"#/components/schemas/{model.__name__}"} for model in (Live, Gone, Withheld)
            ]}}},
        },
        **problems.documented("not-found"),
    },
)  # fmt: skip
def feed(
    request: Request,
    actor: Reader,
    context: Signals,
    community: str,
    after: Annotated[
        int | None, Query(ge=0, le=2**53, description="Log index of the last record held.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE,
) -> Response:
    """The records behind `after`, in log order, each byte for byte as its author signed it."""
    page = read.feed(context, actor.org_id, community, -1 if after is None else after, limit)
    headers = {"Cache-Control": "private, no-store"}
    if page.last is not None:
        base = str(request.app.url_path_for("feed", community=community))
        headers["Link"] = f'<{context.issuer}{base}?after={page.last}&limit={limit}>; rel="next"'
    return Response(page.body, headers=headers, media_type=FEED_MEDIA_TYPE)


@router.get(
    "/communities/{community}/indicators/{indicator}",
    summary="One indicator: where it stands and why",
    response_model_exclude_none=True,
    responses=problems.documented("not-found", "indicator-invalid"),
)
def indicator(actor: Reader, context: Signals, community: str, indicator: str) -> IndicatorView:
    """Its status, the rules that led to it with their inputs, and every live statement the caller may see."""
    return read.indicator_view(context, actor.org_id, community, indicator)


@router.get("/policy", summary="The policy in force")
def policy(_actor: Annotated[Actor, Depends(require(None))], context: Signals) -> Policy:
    """The numbers that the board has set; a follower folds with the same ones."""
    return context.policy


@router.get("/me", summary="Who you are here")
def me(actor: Annotated[Actor, Depends(require(None, suspended=True))], context: Signals) -> Me:
    """State, rights, and what is left of the cap in this hour."""
    return read.me(context, actor.org_id, actor.client_id, actor.scopes)


SCHEMAS: Final = (Receipt, DryRun, Live, Gone, Withheld)
"""Models that stand in bodies the framework does not see, for the OpenAPI document."""

"""Submitting signals, one or a batch."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from tocsin import telemetry
from tocsin.signals import render
from tocsin.signals.pool import IngestPool
from tocsin.signals.routes.access import Signals, Submitter
from tocsin.signals.routes.receipts import streamed, with_proofs
from tocsin.signals.service.context import Context
from tocsin.signals.service.submit import Accepted, submit
from tocsin.web import problems
from tocsin.web.auth import Actor
from tocsin.web.body import Body, body
from tocsin_schemas.envelope import BATCH_MEDIA_TYPE, MAX_TOKEN_BYTES, MEDIA_TYPE
from tocsin_schemas.feed import FEED_MEDIA_TYPE, Receipt
from tocsin_schemas.problems import Refused

router = APIRouter(prefix="/v1", tags=["signals"])

MAX_LINES: Final = 10_000
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024

SignalBody = Annotated[Body, Depends(body({MEDIA_TYPE: MAX_TOKEN_BYTES, BATCH_MEDIA_TYPE: MAX_BATCH_BYTES}))]


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
        **problems.documented(
            "payload-too-large", "unsupported-media-type", "rate-limited", "unavailable", "log-halted"
        ),
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
async def submit_signals(
    request: Request,
    actor: Submitter,
    context: Signals,
    content: SignalBody,
    dry_run: Annotated[bool, Query(description="Check everything, store nothing.")] = False,
    wait: Annotated[
        Literal["proof"] | None,
        Query(description="`proof`: answer when a checkpoint covers it, with the proof in each receipt."),
    ] = None,
) -> Response:
    """One JWS (`application/secevent+jwt`), or one JWS a line (`application/secevent+jwt-seq`, at most 10,000).

    A batch is answered with one NDJSON line for each of its lines, in order: a receipt or a problem. One bad line never
    spoils the others. The same signal again gets the same receipt, so any failed request may be sent again as it is.

    With `wait=proof` each receipt has its `proof`, and the answer says `Preference-Applied: wait=proof`. If no
    checkpoint came within ten seconds it does not: what was recorded is recorded, and `/v1/receipts/{seq}` has the
    proof later.
    """
    batch = content.media_type == BATCH_MEDIA_TYPE
    if batch:
        answers, status = await run_in_threadpool(_batch, request, actor, content.content, dry_run), 200
    else:
        answers, status = await run_in_threadpool(_one, request, context, actor, content.content, dry_run)
    media_type = FEED_MEDIA_TYPE if batch else "application/json"
    proved = (
        None if wait is None or dry_run else await with_proofs(request, context, actor, answers.splitlines())
    )
    if proved is None:
        return Response(answers, status, media_type=media_type)
    headers = {"Preference-Applied": f"wait={wait}"}
    if batch:
        return streamed(proved, media_type, headers)
    return Response(await run_in_threadpool(b"".join, proved), status, headers, media_type=media_type)


def _may_record(request: Request) -> None:
    """Refuse while a witness has seen another log: what is recorded now would have the place of what is lost."""
    if request.app.state.halted():
        raise Refused("log-halted", "", "a witness has seen another log of this hub")


def _batch(request: Request, actor: Actor, body: bytes, dry_run: bool) -> bytes:
    _may_record(request)
    if not body:
        raise Refused("request-invalid", "body", "a batch has at least one line")
    if render.count(body) > MAX_LINES:
        raise Refused("payload-too-large", "body", f"{MAX_LINES} lines are the limit")
    pool: IngestPool = request.app.state.ingest
    return pool.submit_batch(actor.org_id, body, dry_run=dry_run)


def _one(request: Request, context: Context, actor: Actor, token: bytes, dry_run: bool) -> tuple[bytes, int]:
    _may_record(request)
    (result,) = results = submit(context, actor.org_id, [token], dry_run=dry_run)
    telemetry.count_signals(render.tally(results))
    if isinstance(result, Refused):
        raise result
    created = isinstance(result, Accepted) and not result.again
    return render.line(result), 201 if created else 200

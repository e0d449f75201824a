"""For the operator's machines: alive, ready, and metrics. None of them needs a token, none of them holds a value."""

import logging
from typing import Final

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from tocsin import telemetry
from tocsin.errors import Refused
from tocsin.web import problems
from tocsin_schemas.ledger import rfc3339

logger = logging.getLogger(__name__)
router: Final = APIRouter(tags=["health"])


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> dict[str, str]:
    """Answers as long as the process does. It asks nothing else: a restart does not mend a database."""
    return {"status": "ok"}


@router.get(
    "/readyz", summary="Can the hub do its work?", responses=problems.documented("unavailable", "log-halted")
)
def readyz(request: Request) -> dict[str, str]:
    """Answers 200 when the database answers, its schema is this version's and the log may grow, else 503.

    `calendar` says since when no rule of the calendar has come true, where that is so: everything else works.
    """
    try:
        at_head = request.app.state.at_head()
        alarms = request.app.state.alarms() if at_head else ()
        since = request.app.state.calendar() if at_head else None
    except SQLAlchemyError:
        logger.exception("the database did not answer")
        raise Refused(
            "unavailable", "database", "does not answer", retry_after=problems.RETRY_SECONDS
        ) from None
    if not at_head:
        raise Refused(
            "unavailable",
            "migrations",
            "the schema is not this version's",
            retry_after=problems.RETRY_SECONDS,
        )
    for alarm in alarms:
        raise Refused("log-halted", "log", alarm.what)
    return {"status": "ready"} | ({} if since is None else {"calendar": f"waits since {rfc3339(since)}"})


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
def metrics() -> Response:
    """Counters and timings in the Prometheus text format."""
    return Response(generate_latest(telemetry.REGISTRY), media_type=CONTENT_TYPE_LATEST)

"""The one place where a refusal becomes HTTP: RFC 9457 problem documents.

Features raise `Refused` with a code of the registry; status, title and help come from there. What the framework refuses
(no such path, wrong method, a parameter that does not parse) gets a code of the same registry. An error nobody foresaw
becomes `internal-error` with a request id and nothing else. No answer repeats anything the caller sent. Where people
are, in the console, a refusal is a page instead.
"""

import json
import logging
import re
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from tocsin import telemetry
from tocsin.errors import Refused
from tocsin.web import console
from tocsin_schemas.problems import MEDIA_TYPE, REGISTRY, document

logger = logging.getLogger(__name__)

INSTANCE_PREFIX: Final = "urn:tocsin:request:"
RETRY_SECONDS: Final = 1
"""When to come back after `unavailable`."""

_BY_STATUS: Final[Mapping[int, str]] = {
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    413: "payload-too-large",
    415: "unsupported-media-type",
    429: "rate-limited",
    503: "unavailable",
}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,40}")


class Challenged(Refused):
    """A refusal that also tells the caller how to authenticate (`WWW-Authenticate`, RFC 6750 §3)."""

    def __init__(self, code: str, field: str, reason: str, challenge: str) -> None:
        super().__init__(code, field, reason)
        self.challenge = challenge


def install(app: FastAPI) -> None:
    """Have `app` answer every refusal and every error it catches with a problem document."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(OperationalError, _unavailable)
    app.add_exception_handler(PoolTimeoutError, _unavailable)


def body(code: str, field: str = "", reason: str = "") -> dict[str, Any]:
    """The problem document of the request being answered: RFC 9457 with `code`, `field`, `help`, `instance`."""
    problem = document(code, field, reason)
    problem["help"] = REGISTRY[code].help
    if (request_id := telemetry.request_id.get()) is not None:
        problem["instance"] = INSTANCE_PREFIX + request_id
    return problem


def response(refused: Refused) -> Response:
    """The answer to a refused request."""
    telemetry.REFUSALS.labels(refused.code).inc()
    headers: dict[str, str] = {}
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    if isinstance(refused, Challenged):
        headers["WWW-Authenticate"] = refused.challenge
    return Response(
        json.dumps(body(refused.code, refused.field, refused.reason), separators=(",", ":")),
        status_code=REGISTRY[refused.code].status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def documented(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route for OpenAPI: each status with the codes it may carry."""
    found: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        problem = REGISTRY[code]
        entry = found.setdefault(problem.status, {"description": "", "content": {MEDIA_TYPE: {}}})
        entry["description"] += f"{', ' if entry['description'] else ''}`{code}`: {problem.title}"
    return found


def _answer(request: Request, refused: Refused) -> Response:
    """A page where people are, else a problem document."""
    return console.refused(request, refused) if console.is_page(request) else response(refused)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101  # what the handler is registered for
    return _answer(request, error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # what the handler is registered for
    default = "request-invalid" if error.status_code < 500 else "internal-error"
    answer = _answer(request, Refused(_BY_STATUS.get(error.status_code, default)))
    if allow := (error.headers or {}).get("Allow"):
        answer.headers["Allow"] = allow
    return answer


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # what the handler is registered for
    first = error.errors()[0]
    # An unknown member's name is the caller's own word: leave it out.
    path = first["loc"][:-1] if first["type"] == "extra_forbidden" else first["loc"]
    field = ".".join(str(part) for part in path if isinstance(part, int) or _NAME.fullmatch(part))
    # The word of a list is for programs.
    why = "not acceptable here" if console.is_page(request) else f"not acceptable here ({first['type']})"
    return _answer(request, Refused("request-invalid", field, why))


async def _unavailable(request: Request, error: Exception) -> Response:
    logger.error("the database did not answer", exc_info=error)
    return _answer(
        request, Refused("unavailable", "", "the database did not answer", retry_after=RETRY_SECONDS)
    )

"""The outermost layer of every request, as one plain ASGI application (three `BaseHTTPMiddleware` cost 85 % of it).

For each request: an id of our own making, security headers, one access log line, two metrics. The line names the
route's template, never the path or the query as sent: those are the caller's words. An error that nothing inside caught
is logged here with the id, answered with `internal-error`, and raised again for the server.
"""

import logging
import secrets
import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin import telemetry
from tocsin.errors import Refused
from tocsin.web import problems

logger = logging.getLogger("tocsin.access")

UNMATCHED: Final = "(unmatched)"
NO_ANSWER: Final = 499
"""Logged and counted as the status of a request whose caller left before an answer began."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECURITY_HEADERS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    # Whoever hands out something cacheable says so itself.
    ("Cache-Control", "no-store"),
)


class Edge:
    """Wraps the hub's application; `https` adds Strict-Transport-Security (RFC 6797)."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self.app = app
        hsts = (("Strict-Transport-Security", "max-age=63072000; includeSubDomains"),) if https else ()
        # As the server sends them, once for all answers.
        self._headers = tuple(
            (name.lower().encode(), value.encode()) for name, value in _SECURITY_HEADERS + hsts
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = new_request_id()
        token = telemetry.request_id.set(request_id)
        started = time.perf_counter()
        status = NO_ANSWER

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                said = {name for name, _ in headers}
                headers += (header for header in self._headers if header[0] not in said)
                message["headers"] = headers
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:
            logger.exception("unexpected error", extra={"route": _route(scope)})
            if status == NO_ANSWER:
                answer = problems.response(Refused("internal-error"))
                await answer(scope, receive, send_with_headers)
            raise
        finally:
            _record(scope, status, time.perf_counter() - started)
            telemetry.request_id.reset(token)


def new_request_id() -> str:
    """A prefixed, time-ordered id: 48 bits of milliseconds and 64 random bits."""
    return f"req_{int(time.time() * 1000):012x}{secrets.token_hex(8)}"


def _record(scope: Scope, status: int, seconds: float) -> None:
    route = _route(scope)
    method = scope["method"] if scope["method"] in _METHODS else "other"
    telemetry.HTTP_REQUESTS.labels(method, route, status).inc()
    telemetry.HTTP_SECONDS.labels(route).observe(seconds)
    fields = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
    if (actor := scope.get("state", {}).get("actor")) is not None:
        fields["actor"] = actor.issuer
    logger.info("request", extra=fields)


def _route(scope: Scope) -> str:
    """The template of the route that matched."""
    return getattr(scope.get("route"), "path", None) or UNMATCHED

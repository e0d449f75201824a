"""What the hub says about itself: log lines and metrics. Neither can carry a value.

- One JSON object a line on stderr. Our own lines say constant words, and fields that the code chose.
- A line of another library is reduced to its template: its arguments may hold what a caller sent.
- An exception is logged as its type and its frames; its message, which may quote data, is left out.
- Libraries speak from `warning` up whatever the level is, because at `debug` some print tokens and SQL parameters.
"""

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, PlatformCollector, ProcessCollector

from tocsin_schemas.ledger import rfc3339

ROOT: Final = "tocsin"
request_id: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""The id of the request being answered; threads that work for it see it too."""

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
HTTP_REQUESTS: Final = Counter(
    "tocsin_http_requests", "Requests answered", ("method", "route", "status"), registry=REGISTRY
)
HTTP_SECONDS: Final = Histogram(
    "tocsin_http_request_seconds", "Time to answer a request", ("route",), registry=REGISTRY
)
SIGNALS: Final = Counter(
    "tocsin_signals", "Signals submitted, by what became of them", ("result",), registry=REGISTRY
)
"""`recorded`, `again` (a repetition, answered with the first receipt), `dry-run`, or the problem code."""
COSIGNATURES: Final = Counter(
    "tocsin_cosignatures",
    "Witnesses asked to cosign the log, by what came of it",
    ("result",),
    registry=REGISTRY,
)
"""`cosigned`, `failed` (no usable answer), or `conflict` (the witness has seen another log)."""
DELIVERIES: Final = Counter(
    "tocsin_deliveries",
    "Attempts to deliver, by what is delivered and what came of it",
    ("kind", "result"),
    registry=REGISTRY,
)
"""`delivered`, `retry`, `dead` (given up), or `dropped` (nothing to send any more)."""
DELIVERY_SECONDS: Final = Histogram(
    "tocsin_delivery_seconds",
    "Time from queueing to acceptance, by lane: 0 is urgent",
    ("lane",),
    buckets=(1, 2, 5, 10, 30, 60, 300, 3600, 86_400, 432_000),
    registry=REGISTRY,
)
REFUSALS: Final = Counter(
    "tocsin_refusals", "Requests refused, by problem code", ("code",), registry=REGISTRY
)

_encode: Final = json.JSONEncoder(separators=(",", ":"), default=str).encode
# What every LogRecord has; anything else was passed as `extra` by our own code.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One log record as one line of JSON: `at`, `level`, `logger`, `event`, the request id, and our own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        ours = record.name == ROOT or record.name.startswith(f"{ROOT}.")
        line: dict[str, Any] = {
            "at": rfc3339(int(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage() if ours else str(record.msg),
        }
        if (current := request_id.get()) is not None:
            line["request_id"] = current
        if ours:
            line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = describe(record.exc_info[1])
        return _encode(line)


def count_signals(ends: Mapping[str, int]) -> None:
    """Count what became of submitted signals: each end, and how many came to it."""
    for end, times in ends.items():
        SIGNALS.labels(end).inc(times)


def describe(error: BaseException) -> list[str]:
    """An exception and its causes as types and frames, innermost cause last; never their messages."""
    lines: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        lines.append(f"{type(current).__module__}.{type(current).__qualname__}")
        frames = traceback.extract_tb(current.__traceback__)
        lines += [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return lines


class _LoggedAlready(logging.Filter):
    """Drops the server's own line about an exception that web.middleware has logged with its request id."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith("Exception in ASGI application")


class _Stderr(logging.Handler):
    """Writes each line to whatever stderr is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(record) + "\n")
        sys.stderr.flush()


def setup_logging(level: str) -> None:
    """Send JSON lines to stderr: ours from `level` up, those of libraries from `warning` up."""
    handler = _Stderr()
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(ROOT).setLevel(level.upper())
    logging.getLogger("uvicorn.error").filters[:] = [_LoggedAlready()]
    logging.captureWarnings(True)
    # No line says them, and finding them out is a good part of what a line costs.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False

"""When to try again, when to leave a receiver alone, when to give up: the decisions of delivery.

- What is not accepted is tried ten times over 75.6 hours (Standard Webhooks, "Deliverability and reliability"), 20 %
  sooner or later, so that what failed together does not come back together. `Retry-After` moves a try within the wait
  it would have had and twice that.
- After five failures in a row a receiver is left alone for a while, which doubles up to five minutes; then one request
  is let through, and what comes of it decides (a circuit breaker).
- Instants and waits are Unix seconds. `draw` is a random number in [0, 1) that the caller draws.
"""

from email.utils import parsedate_to_datetime
from typing import Final, Literal, NamedTuple

from tocsin_schemas.policy import DAY

SCHEDULE: Final = (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds to wait before each attempt, from the end of the one before (Standard Webhooks)."""
ATTEMPTS: Final = len(SCHEDULE)
LONGEST_WAIT: Final = 2 * SCHEDULE[-1]
"""Nobody waits longer for the next try, whatever a receiver asks for."""
JITTER: Final = 0.2
THROTTLED: Final = frozenset({429, 503})
"""Statuses whose `Retry-After` speaks for the receiver, not only for one message (RFC 6585 §4, RFC 9110 §15.6.4)."""
BREAKS_AFTER: Final = 5
BREAK_SECONDS: Final = 10
LONGEST_BREAK: Final = 300
EXHAUSTED_AFTER: Final = 5 * DAY
"""The last failure of a row is this far from the first, with no success between them: at least two, far apart."""
SLOW_MS: Final = 2000
"""A receiver that takes longer than this, or fails, shares a part of the courier's hands with its like."""
SEVERAL_FROM_MS: Final = 2000
SEVERAL: Final = 4
"""What would take longer than the former one behind the other is sent this many at a time."""
SMOOTHING: Final = 4
"""A new latency counts for one part in so many."""

Verdict = Literal["delivered", "retry", "dead", "dropped"]
Breaker = Literal["closed", "open", "half-open"]


class Health(NamedTuple):
    """How a receiver has been: failures in a row, since when, the last; the last success; until when it has rest."""

    failures: int = 0
    failing_since: int | None = None
    failed_at: int | None = None
    succeeded_at: int | None = None
    breaker_until: int | None = None
    latency_ms: int = 0


def judge(status: int | None, attempt: int, final: frozenset[int]) -> Verdict:
    """What becomes of an item: only a 2xx is success, and a redirect is none (Standard Webhooks)."""
    if status is not None and 200 <= status < 300:
        return "delivered"
    return "dead" if attempt >= ATTEMPTS or status in final else "retry"


def next_attempt_at(attempt: int, at: int, retry_after: int | None, draw: float) -> int:
    """When to try again after `attempt` (from 1, below `ATTEMPTS`) failed at `at`."""
    base = SCHEDULE[attempt]
    wait = base * (1 - JITTER + 2 * JITTER * draw)
    if retry_after is not None:
        wait = min(max(wait, retry_after, base), 2 * base)
    return at + round(wait)


def retry_after(text: str | None, now: int) -> int | None:
    """The seconds that a `Retry-After` asks for, as a number or a date (RFC 9110 §10.2.3); None when it is neither."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return int(text) if len(text.lstrip("0")) < 10 else LONGEST_WAIT
    try:
        asked = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        # A year of eleven digits is no date either.
        return None
    # A date without a zone is none of HTTP's.
    return None if asked.tzinfo is None else max(0, int(asked.timestamp()) - now)


def succeeded(health: Health, at: int, latency_ms: int) -> Health:
    """A receiver that has accepted something: whatever failed before is forgotten."""
    return Health(0, None, health.failed_at, at, None, _smooth(health.latency_ms, latency_ms))


def failed(health: Health, at: int, latency_ms: int, asked: int | None = None) -> Health:
    """A receiver that has not. `asked` is how long it asked to be left alone, if it did."""
    failures = health.failures + 1
    rest = 0 if asked is None else min(asked, LONGEST_BREAK)
    if failures >= BREAKS_AFTER:
        # Beyond the sixth doubling nothing gets longer.
        rest = max(rest, min(BREAK_SECONDS << min(failures - BREAKS_AFTER, 6), LONGEST_BREAK))
    return health._replace(
        failures=failures,
        failing_since=at if health.failing_since is None else health.failing_since,
        failed_at=at,
        breaker_until=at + rest if rest else health.breaker_until,
        latency_ms=_smooth(health.latency_ms, latency_ms),
    )


def breaker(failures: int, breaker_until: int | None, now: int) -> Breaker:
    """Whether a receiver is sent to (closed), left alone (open), or sent one request to see (half-open)."""
    if breaker_until is not None and breaker_until > now:
        return "open"
    return "half-open" if failures >= BREAKS_AFTER else "closed"


def exhausted(health: Health) -> bool:
    """Whether a receiver that has just failed has done nothing else for five days."""
    if health.failing_since is None or health.failed_at is None:
        return False
    return health.failed_at - health.failing_since >= EXHAUSTED_AFTER


def side_by_side(latency_ms: int, items: int) -> int:
    """How many of a receiver's items are sent at a time: one, unless that would take long."""
    return 1 if latency_ms * items < SEVERAL_FROM_MS else min(SEVERAL, items)


def _smooth(before: int, latency_ms: int) -> int:
    return before + (latency_ms - before) // SMOOTHING

"""How deliveries go, for the pages and routes of the features and of the operator. All of it reads, in a snapshot."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from tocsin.db import UnitOfWork
from tocsin.delivery import rules
from tocsin.delivery.rules import Breaker
from tocsin.delivery.store import reading as store
from tocsin.delivery.store.reading import Attempt, Item
from tocsin.delivery.store.tables import LANES, ItemState, Kind, ReceiverState

SAMPLE: Final = 200
"""Percentiles are those of so many last attempts."""
CHART_MINUTES: Final = 60


@dataclass(frozen=True, slots=True)
class Standing:
    """How one receiver stands. Instants are Unix seconds; what is None never was.

    `backlog` is how many items are pending, `oldest` when the first of them was queued; `held` are kept back. `p50_ms`
    and `p99_ms` are those of its last attempts; `failures` those in a row since `failing_since`.
    """

    receiver_id: int
    kind: Kind
    public_id: str
    organisation_id: int
    state: ReceiverState
    backlog: int
    held: int
    oldest: int | None
    breaker: Breaker
    breaker_until: int | None
    failures: int
    failing_since: int | None
    failed_at: int | None
    succeeded_at: int | None
    p50_ms: int | None
    p99_ms: int | None


@dataclass(frozen=True, slots=True)
class LaneStanding:
    """A lane of the whole hub.

    How many items wait for their first attempt, how many seconds the oldest of them has, and how many wait for another.
    """

    lane: int
    fresh: int
    lag_seconds: int
    retrying: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole hub: each lane, receivers by breaker, and (minute's begin, succeeded, failed) of the last hour."""

    lanes: Sequence[LaneStanding]
    breakers: dict[Breaker, int]
    receivers: int
    minutes: Sequence[tuple[int, int, int]]


def standings(uow: UnitOfWork, receiver_ids: Collection[int]) -> dict[int, Standing]:
    """How these receivers stand, by id; those that do not exist are left out."""
    backlog, oldest = Counter[int](), dict[int, int]()
    for receiver_id, _, count, since in store.backlogs(uow, receiver_ids):
        backlog[receiver_id] += count
        oldest[receiver_id] = min(since, oldest.get(receiver_id, since))
    held = store.held(uow, receiver_ids)
    durations = store.durations(uow, receiver_ids, SAMPLE)
    return {
        row.id: Standing(
            receiver_id=row.id,
            kind=row.kind,
            public_id=row.public_id,
            organisation_id=row.organisation_id,
            state=row.state,
            backlog=backlog[row.id],
            held=held.get(row.id, 0),
            oldest=oldest.get(row.id),
            breaker=rules.breaker(row.failures, row.breaker_until, uow.now),
            breaker_until=row.breaker_until,
            failures=row.failures,
            failing_since=row.failing_since,
            failed_at=row.failed_at,
            succeeded_at=row.succeeded_at,
            p50_ms=_percentile(durations.get(row.id, []), 50),
            p99_ms=_percentile(durations.get(row.id, []), 99),
        )
        for row in store.receivers(uow, receiver_ids)
    }


def troubled(uow: UnitOfWork, limit: int = 50) -> list[Standing]:
    """Open receivers that fail, the one that has failed longest first."""
    failing = store.failing(uow, limit)
    found = standings(uow, failing)
    return [found[receiver_id] for receiver_id in failing]


def items(
    uow: UnitOfWork,
    receiver_id: int,
    states: Collection[ItemState] = (),
    before: int | None = None,
    limit: int = 100,
) -> list[Item]:
    """A receiver's items in any of these states (none: in all), the newest message first.

    `before` is the message id of the last one on the page before.
    """
    return store.items(uow, receiver_id, states, before, limit)


def attempts(
    uow: UnitOfWork,
    receiver_id: int,
    item_id: int | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Attempt]:
    """What was attempted for a receiver, or for one of its items, the newest first; `before` is an attempt's id."""
    return store.attempts(uow, receiver_id=receiver_id, item_id=item_id, before=before, limit=limit)


def overview(uow: UnitOfWork) -> Overview:
    """How the whole goes."""
    pending = store.backlog_by_lane(uow)
    this = uow.now // 60
    counted = store.minutes(uow, this - CHART_MINUTES + 1)
    rows = store.receivers(uow)
    breakers = Counter(rules.breaker(row.failures, row.breaker_until, uow.now) for row in rows)
    lanes = []
    for lane in LANES:
        fresh, oldest = pending.get((lane, True), (0, uow.now))
        retrying, _ = pending.get((lane, False), (0, 0))
        lanes.append(LaneStanding(lane, fresh, uow.now - oldest, retrying))
    return Overview(
        lanes=lanes,
        breakers={state: breakers[state] for state in ("closed", "half-open", "open")},
        receivers=len(rows),
        minutes=[(at * 60, *counted.get(at, (0, 0))) for at in range(this - CHART_MINUTES + 1, this + 1)],
    )


def _percentile(ordered: Sequence[int], part: int) -> int | None:
    return ordered[min(len(ordered) - 1, len(ordered) * part // 100)] if ordered else None

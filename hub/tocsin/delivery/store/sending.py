"""Queries of sending: taking what is due under a lease, and writing down how it ended. Each is a statement or two."""

import json
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from tocsin.db import UnitOfWork
from tocsin.delivery.rules import SLOW_MS, Health
from tocsin.delivery.store.bulk import fetch, run
from tocsin.delivery.store.tables import Kind


class DueQueue(NamedTuple):
    """A queue that nobody sends, in which something is due, and whose it is."""

    receiver_id: int
    lane: int
    public_id: str
    kind: Kind
    failures: int
    latency_ms: int


class TakenItem(NamedTuple):
    """An item that was taken; `attempts` includes the one to be made."""

    item_id: int
    receiver_id: int
    lane: int
    message_id: int
    seq: int
    attempts: int
    created_at: int


class ItemEnd(NamedTuple):
    """What becomes of an item; `back` is 1 when its attempt was not made after all."""

    item_id: int
    number: int
    state: str
    next_at: int
    ended_at: int | None
    status: int | None
    failure: str | None
    back: int


class MadeAttempt(NamedTuple):
    """An attempt, as its row says."""

    item_id: int
    receiver_id: int
    number: int
    at: int
    duration_ms: int
    status: int | None
    failure: str | None


_DOUBTFUL: Final = f"(r.failures > 0 OR r.latency_ms >= {SLOW_MS})"
_QUEUES: Final = """
SELECT q.receiver_id, q.lane, r.public_id, r.kind, r.failures, r.latency_ms
FROM delivery_queue AS q JOIN delivery_receiver AS r ON r.id = q.receiver_id
WHERE q.lane = :lane AND q.due_at <= :now AND """
_IN_ORDER: Final = " ORDER BY q.due_at LIMIT :most {skipping}"
_SOUND_QUEUES: Final = _QUEUES + "NOT " + _DOUBTFUL + _IN_ORDER
_DOUBTFUL_QUEUES: Final = _QUEUES + _DOUBTFUL + _IN_ORDER
_ANY: Final = """
SELECT EXISTS (SELECT 1 FROM delivery_queue WHERE lane = 0 AND due_at <= :now)
OR EXISTS (SELECT 1 FROM delivery_queue WHERE lane = 1 AND due_at <= :now)"""
_LEASE: Final = """
UPDATE delivery_queue SET lease_until = :until, due_at = :until, holder = :holder
WHERE (receiver_id, lane) IN (SELECT receiver_id, lane FROM {given} AS g)"""
_OF_A_QUEUE: Final = """(
  SELECT i.id FROM delivery_item AS i
  WHERE i.receiver_id = g.receiver_id AND i.lane = g.lane AND i.state = 'pending' AND i.next_at <= :now
  ORDER BY i.next_at, i.id LIMIT :most
)"""
# SQLite lets go of the interpreter for every row that it gives, and a busy thread beside it takes it: so it gives one.
_FIND: Final = """
SELECT json_group_array(json_array(x.id, x.receiver_id, x.lane, x.message_id, x.seq, x.attempts + 1, x.created_at))
FROM {given} AS g CROSS JOIN delivery_receiver AS r ON r.id = g.receiver_id AND r.state = 'open'
CROSS JOIN delivery_item AS x ON x.id IN {of_a_queue}""".replace("{of_a_queue}", _OF_A_QUEUE)
_COUNT_ATTEMPT: Final = """
UPDATE delivery_item SET attempts = attempts + 1
WHERE id IN (SELECT json_extract(value, '$[0]') FROM json_each(:found))"""
_TAKE: Final = """
UPDATE delivery_item SET attempts = attempts + 1
WHERE id IN (
  SELECT x.id FROM {given} AS g JOIN delivery_receiver AS r ON r.id = g.receiver_id AND r.state = 'open'
  CROSS JOIN LATERAL {of_a_queue} AS x
)
RETURNING id, receiver_id, lane, message_id, seq, attempts, created_at""".replace("{of_a_queue}", _OF_A_QUEUE)
_PROBE: Final = (
    "UPDATE delivery_receiver SET breaker_until = :until WHERE id IN (SELECT id FROM {given} AS g)"
)
_QUEUE: Final = ("receiver_id", "lane")

_END: Final = """
UPDATE delivery_item AS i SET state = g.state, attempts = i.attempts - g.back, next_at = g.next_at,
  ended_at = g.ended_at, status = g.status, failure = g.failure
FROM {given} AS g WHERE i.id = g.item_id AND (
  i.state = 'pending' AND i.attempts = g.number OR g.state = 'delivered' AND i.state IN ('pending', 'held')
)"""
_END_COLUMNS: Final = (
    "item_id",
    "number",
    "state:text",
    "next_at",
    "ended_at",
    "status",
    "failure:text",
    "back",
)
_RESUME: Final = """
UPDATE delivery_item AS i SET state = CASE r.state WHEN 'open' THEN 'pending' ELSE 'held' END, next_at = g.next_at,
  ended_at = NULL
FROM {given} AS g, delivery_receiver AS r WHERE i.id = g.item_id AND r.id = i.receiver_id
AND i.attempts >= g.number AND i.state IN ('delivered', 'dead', 'dropped')"""
_ATTEMPT: Final = """
INSERT INTO delivery_attempt (item_id, receiver_id, number, at, duration_ms, status, failure)
SELECT g.item_id, g.receiver_id, g.number, g.at, g.duration_ms, g.status, g.failure FROM {given} AS g"""
_ATTEMPT_COLUMNS: Final = (
    "item_id", "receiver_id", "number", "at", "duration_ms", "status", "failure:text",
)  # fmt: skip
_HEALTH: Final = """
SELECT id, failures, failing_since, failed_at, succeeded_at, breaker_until, latency_ms
FROM delivery_receiver WHERE id IN (SELECT id FROM {given} AS g) ORDER BY id {locked}"""
_SET_HEALTH: Final = """
UPDATE delivery_receiver AS r SET failures = g.failures, failing_since = g.failing_since, failed_at = g.failed_at,
  succeeded_at = g.succeeded_at, breaker_until = g.breaker_until, latency_ms = g.latency_ms
FROM {given} AS g WHERE r.id = g.id"""
_HEALTH_COLUMNS: Final = (
    "id", "failures", "failing_since", "failed_at", "succeeded_at", "breaker_until", "latency_ms",
)  # fmt: skip
_COUNT: Final = """
INSERT INTO delivery_minute (minute, delivered, failed) VALUES (:minute, :delivered, :failed)
ON CONFLICT (minute) DO UPDATE SET delivered = delivery_minute.delivered + excluded.delivered,
  failed = delivery_minute.failed + excluded.failed"""


def plan_by_index(uow: UnitOfWork) -> None:
    """Have PostgreSQL find by their keys the rows that the statements of this transaction are given.

    Planned for a thousand given ones, a statement about a small table reads all of it, and the table grows meanwhile.
    Planned for whatever may be given, it does not.
    """
    if uow.dialect == "postgresql":
        uow.conn.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")


def anything_due(uow: UnitOfWork) -> bool:
    """Whether there is a queue to be sent now."""
    return bool(fetch(uow, _ANY, now=uow.now)[0][0])


def due_queues(uow: UnitOfWork, lane: int, most: int, *, doubtful: bool) -> list[DueQueue]:
    """Up to `most` queues of a lane that are due, those that wait longest first.

    `doubtful` ones belong to receivers that fail or are slow. On PostgreSQL they are locked, those of others left out.
    """
    chosen = _DOUBTFUL_QUEUES if doubtful else _SOUND_QUEUES
    return [DueQueue._make(row) for row in fetch(uow, chosen, lane=lane, most=most, now=uow.now)]


def lease(uow: UnitOfWork, queues: Collection[tuple[int, int]], until: int, holder: str) -> None:
    """Keep others from sending these queues (receiver, lane) until then."""
    run(uow, _LEASE, _QUEUE, list(queues), until=until, holder=holder)


def take(uow: UnitOfWork, queues: Collection[tuple[int, int]], most: int) -> list[TakenItem]:
    """Up to `most` due items of each queue, their attempt counted. The lease of the queue keeps others from them.

    A receiver that was closed has none, even if more was pending for it than one transaction could hold back.
    """
    if uow.dialect == "sqlite":
        ((found,),) = fetch(uow, _FIND, _QUEUE, list(queues), most=most, now=uow.now)
        run(uow, _COUNT_ATTEMPT, found=found)
        taken = json.loads(found)
    else:
        taken = fetch(uow, _TAKE, _QUEUE, list(queues), most=most, now=uow.now)
    return [TakenItem._make(row) for row in sorted(taken)]


def probe(uow: UnitOfWork, receiver_ids: Collection[int], until: int) -> None:
    """Send nothing more to these until then, or until an end is recorded."""
    run(uow, _PROBE, ("id",), [(one,) for one in receiver_ids], until=until)


def end(uow: UnitOfWork, ends: Sequence[ItemEnd]) -> None:
    """Write down what becomes of items, unless others have them by now. Accepted is accepted, whoever hears it."""
    run(uow, _END, _END_COLUMNS, ends)


def resume(uow: UnitOfWork, items: Sequence[tuple[int, int, int]]) -> None:
    """Let items (id, number of the attempt, next at) that have just ended be pending again, or held with the rest."""
    run(uow, _RESUME, ("item_id", "number", "next_at"), items)


def log(uow: UnitOfWork, attempts: Sequence[MadeAttempt]) -> None:
    """Write down attempts."""
    run(uow, _ATTEMPT, _ATTEMPT_COLUMNS, attempts)


def healths(uow: UnitOfWork, receiver_ids: Collection[int]) -> dict[int, Health]:
    """How receivers have been, by id; on PostgreSQL nobody else may say until this transaction ends."""
    return {
        row[0]: Health(*row[1:]) for row in fetch(uow, _HEALTH, ("id",), [(one,) for one in receiver_ids])
    }


def set_healths(uow: UnitOfWork, healths: dict[int, Health]) -> None:
    """Say how receivers are, by id."""
    rows = [(receiver_id, *health) for receiver_id, health in healths.items()]
    run(uow, _SET_HEALTH, _HEALTH_COLUMNS, rows)


def count(uow: UnitOfWork, minute: int, delivered: int, failed: int) -> None:
    """Count attempts of a minute."""
    run(uow, _COUNT, minute=minute, delivered=delivered, failed=failed)

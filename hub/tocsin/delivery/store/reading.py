"""Queries of reading: how receivers stand, what is in their queues, what was attempted, how the whole goes.

A page is found by its key, those of dead letters and of what is held by indexes of their own; percentiles are those of
the last attempts, the chart has counters of its own. So each costs the same however much is stored, but for how much is
pending and held, which is counted: what is held has a limit (`service.retention`).
"""

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, literal_column, or_, select

from tocsin.db import UnitOfWork
from tocsin.delivery.store.bulk import fetch
from tocsin.delivery.store.tables import ItemState, Kind, ReceiverState, attempt, item, minute, receiver
from tocsin.egress import Why


class Item(NamedTuple):
    """One message for one receiver, as its row says."""

    id: int
    receiver_id: int
    lane: int
    message_id: int
    seq: int
    state: ItemState
    attempts: int
    next_at: int
    created_at: int
    ended_at: int | None
    status: int | None
    failure: Why | None


class Attempt(NamedTuple):
    """One attempt, as its row says, with the message that its item is about."""

    id: int
    item_id: int
    receiver_id: int
    number: int
    at: int
    duration_ms: int
    status: int | None
    failure: Why | None
    message_id: int


class ReceiverNow(NamedTuple):
    """A receiver, as its row says."""

    id: int
    kind: Kind
    public_id: str
    organisation_id: int
    state: ReceiverState
    failures: int
    failing_since: int | None
    failed_at: int | None
    succeeded_at: int | None
    breaker_until: int | None


_BACKLOG: Final = """
SELECT receiver_id, lane, count(*), min(created_at) FROM delivery_item
WHERE state = 'pending' AND receiver_id IN (SELECT receiver_id FROM {given} AS g) GROUP BY receiver_id, lane"""
_HELD: Final = """
SELECT receiver_id, count(*) FROM delivery_item
WHERE state = 'held' AND receiver_id IN (SELECT receiver_id FROM {given} AS g) GROUP BY receiver_id"""
_RECENT: Final = {
    "sqlite": "SELECT x.receiver_id, x.duration_ms FROM {given} AS g CROSS JOIN delivery_attempt AS x ON x.id IN"
    " (SELECT a.id FROM delivery_attempt AS a WHERE a.receiver_id = g.receiver_id ORDER BY a.id DESC LIMIT :most)",
    "postgresql": "SELECT x.receiver_id, x.duration_ms FROM {given} AS g CROSS JOIN LATERAL"
    " (SELECT a.receiver_id, a.duration_ms FROM delivery_attempt AS a WHERE a.receiver_id = g.receiver_id"
    " ORDER BY a.id DESC LIMIT :most) AS x",
}
_LANES: Final = """
SELECT lane, attempts = 0, count(*), min(created_at) FROM delivery_item WHERE state = 'pending' GROUP BY 1, 2"""


def receivers(uow: UnitOfWork, receiver_ids: Collection[int] | None = None) -> list[ReceiverNow]:
    """These receivers, or all that are not removed, by id."""
    chosen = select(*(receiver.c[name] for name in ReceiverNow._fields)).order_by(receiver.c.id)
    if receiver_ids is None:
        chosen = chosen.where(receiver.c.state != "removed")
    else:
        chosen = chosen.where(uow.among(receiver.c.id, receiver_ids))
    return [ReceiverNow._make(row) for row in uow.conn.execute(chosen)]


def backlogs(uow: UnitOfWork, receiver_ids: Collection[int]) -> list[tuple[int, int, int, int]]:
    """(receiver, lane, how many pending, when the oldest was queued)."""
    rows = fetch(uow, _BACKLOG, ("receiver_id",), [(one,) for one in receiver_ids])
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def held(uow: UnitOfWork, receiver_ids: Collection[int]) -> dict[int, int]:
    """How many items of each receiver are kept back."""
    rows = fetch(uow, _HELD, ("receiver_id",), [(one,) for one in receiver_ids])
    return {row[0]: row[1] for row in rows}


def durations(uow: UnitOfWork, receiver_ids: Collection[int], most: int) -> dict[int, list[int]]:
    """Milliseconds of the last `most` attempts of each receiver, sorted."""
    found: dict[int, list[int]] = {}
    rows = fetch(uow, _RECENT[uow.dialect], ("receiver_id",), [(one,) for one in receiver_ids], most=most)
    for row in rows:
        found.setdefault(row[0], []).append(row[1])
    return {receiver_id: sorted(values) for receiver_id, values in found.items()}


def items(
    uow: UnitOfWork, receiver_id: int, states: Collection[ItemState], before: int | None, limit: int
) -> list[Item]:
    """A receiver's items in any of these states (all, when there are none), the newest message first.

    `before` is the message id to go on behind.
    """
    chosen = (
        select(*(item.c[name] for name in Item._fields))
        .where(item.c.receiver_id == receiver_id)
        .order_by(item.c.message_id.desc())
        .limit(limit)
    )
    if states:
        # Spelled out: a partial index serves a query that says so itself, not one that is told later.
        chosen = chosen.where(or_(*(item.c.state == literal_column(f"'{word}'") for word in sorted(states))))
    if before is not None:
        chosen = chosen.where(item.c.message_id < before)
    return [Item._make(row) for row in uow.conn.execute(chosen)]


def attempts(
    uow: UnitOfWork, *, receiver_id: int, item_id: int | None, before: int | None, limit: int
) -> list[Attempt]:
    """The attempts of a receiver, or of one of its items, the newest first; `before` is the id to go on behind."""
    chosen: Select[Any] = (
        select(*(attempt.c[name] for name in Attempt._fields[:-1]), item.c.message_id)
        .join(item, item.c.id == attempt.c.item_id)
        .where(attempt.c.receiver_id == receiver_id)
        .order_by(attempt.c.id.desc())
        .limit(limit)
    )
    if item_id is not None:
        chosen = chosen.where(attempt.c.item_id == item_id)
    if before is not None:
        chosen = chosen.where(attempt.c.id < before)
    return [Attempt._make(row) for row in uow.conn.execute(chosen)]


def backlog_by_lane(uow: UnitOfWork) -> dict[tuple[int, bool], tuple[int, int]]:
    """(lane, whether for the first time): how many are pending, and when the oldest was queued."""
    return {(row[0], bool(row[1])): (row[2], row[3]) for row in fetch(uow, _LANES)}


def failing(uow: UnitOfWork, limit: int) -> list[int]:
    """Open receivers that fail, the one that has failed longest first."""
    chosen = (
        select(receiver.c.id)
        .where(receiver.c.state == "open", receiver.c.failures > 0)
        .order_by(receiver.c.failing_since, receiver.c.id)
        .limit(limit)
    )
    return list(uow.conn.execute(chosen).scalars())


def minutes(uow: UnitOfWork, since: int) -> dict[int, tuple[int, int]]:
    """Attempts that succeeded and that did not, by Unix minute, from one on."""
    rows = uow.conn.execute(select(minute).where(minute.c.minute >= since))
    return {row.minute: (row.delivered, row.failed) for row in rows}

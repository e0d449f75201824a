"""Queries of queueing: receivers, and what is put into their queues.

Everybody who touches a receiver's items locks its queues first, in one order (`lock`), and sets when they are due last
(`set_due`): on PostgreSQL each statement sees what was committed before it began, so whoever comes second sees what the
first has added.
"""

from collections.abc import Collection, Sequence
from typing import Final

from tocsin.db import UnitOfWork
from tocsin.delivery.store.bulk import fetch, run
from tocsin.delivery.store.tables import LANES, Kind, ReceiverState, queue, receiver

_LOCK: Final = """
SELECT 1 FROM delivery_queue AS q WHERE q.receiver_id IN (SELECT receiver_id FROM {given} AS g)
ORDER BY q.receiver_id, q.lane {locked}"""
_SET_DUE: Final = """
WITH freed AS (SELECT receiver_id, lane FROM {given} AS g),
wanted AS (
  SELECT q.receiver_id, q.lane, CASE WHEN r.state = 'open' THEN (
      SELECT CASE WHEN r.breaker_until > i.next_at THEN r.breaker_until ELSE i.next_at END FROM delivery_item AS i
      WHERE i.receiver_id = q.receiver_id AND i.lane = q.lane AND i.state = 'pending' ORDER BY i.next_at LIMIT 1
    ) END AS due_at
  FROM delivery_queue AS q JOIN delivery_receiver AS r ON r.id = q.receiver_id
  WHERE q.receiver_id IN (SELECT receiver_id FROM freed)
  AND (q.holder IS NULL OR (q.holder = :holder AND (q.receiver_id, q.lane) IN (SELECT receiver_id, lane FROM freed)))
)
UPDATE delivery_queue AS q SET due_at = w.due_at, lease_until = NULL, holder = NULL FROM wanted AS w
WHERE q.receiver_id = w.receiver_id AND q.lane = w.lane AND (q.holder IS NOT NULL OR q.due_at {distinct} w.due_at)"""
_ITEM: Final = ("receiver_id", "lane", "message_id", "seq")
_ADD: Final = """
INSERT INTO delivery_item (receiver_id, lane, message_id, seq, state, attempts, next_at, created_at)
SELECT g.receiver_id, g.lane, g.message_id, g.seq,
  CASE r.state WHEN 'open' THEN 'pending' ELSE 'held' END, 0, :now, :now
FROM {given} AS g JOIN delivery_receiver AS r ON r.id = g.receiver_id WHERE r.state IN ('open', 'holding')
ORDER BY g.message_id
ON CONFLICT (receiver_id, message_id) DO """
_ADD_NEW: Final = _ADD + "NOTHING"
_ADD_AGAIN: Final = (
    _ADD
    + """UPDATE SET state = excluded.state, attempts = 0, next_at = excluded.next_at, created_at = excluded.created_at,
  ended_at = NULL, status = NULL, failure = NULL WHERE delivery_item.state <> 'pending'"""
)
_BETWEEN: Final = """
SELECT id, message_id FROM delivery_item WHERE receiver_id = :id AND message_id BETWEEN :first AND :last
AND state <> 'pending' ORDER BY message_id LIMIT :most"""
_AGAIN: Final = """
UPDATE delivery_item AS i SET state = CASE r.state WHEN 'open' THEN 'pending' ELSE 'held' END, attempts = 0,
  next_at = :now, created_at = :now, ended_at = NULL, status = NULL, failure = NULL
FROM {given} AS g, delivery_receiver AS r
WHERE i.id = g.id AND r.id = i.receiver_id AND r.state IN ('open', 'holding')"""
_HOLD: Final = """
UPDATE delivery_item SET state = 'held' WHERE id IN (
  SELECT id FROM delivery_item WHERE receiver_id = :id AND state = 'pending' LIMIT :most
)"""
_UNHELD: Final = """
SELECT r.id FROM delivery_receiver AS r WHERE r.state <> 'open' AND EXISTS (
  SELECT 1 FROM delivery_item AS i WHERE i.receiver_id = r.id AND i.state = 'pending'
) ORDER BY r.id"""
_REVIVE: Final = """
UPDATE delivery_item SET state = 'held', ended_at = NULL WHERE id IN (
  SELECT i.id FROM delivery_item AS i JOIN delivery_receiver AS r ON r.id = i.receiver_id
  WHERE i.receiver_id = :id AND i.state = 'dead' AND i.ended_at >= r.failing_since
  ORDER BY i.message_id DESC LIMIT :most
)"""
_HELD: Final = """
SELECT id, message_id FROM delivery_item WHERE receiver_id = :id AND state = 'held' ORDER BY message_id LIMIT :most"""
_STATE: Final = "UPDATE delivery_receiver SET state = :state WHERE id = :id"
_AS_NEW: Final = """
UPDATE delivery_receiver SET state = 'open', failures = 0, failing_since = NULL, breaker_until = NULL WHERE id = :id"""


def add_receiver(uow: UnitOfWork, kind: Kind, public_id: str, organisation_id: int) -> int:
    """A new receiver, open, with nothing in its queues; its id."""
    receiver_id = uow.conn.execute(
        receiver.insert()
        .values(
            kind=kind,
            public_id=public_id,
            organisation_id=organisation_id,
            state="open",
            failures=0,
            latency_ms=0,
            created_at=uow.now,
        )
        .returning(receiver.c.id)
    ).scalar_one()
    uow.conn.execute(queue.insert(), [{"receiver_id": receiver_id, "lane": lane} for lane in LANES])
    return int(receiver_id)


def lock(uow: UnitOfWork, receiver_ids: Collection[int]) -> None:
    """Keep everybody else from the queues of these receivers until this transaction ends."""
    if uow.dialect == "postgresql":
        run(uow, _LOCK, ("receiver_id",), [(one,) for one in receiver_ids])


def set_due(
    uow: UnitOfWork, receiver_ids: Collection[int], freed: Collection[tuple[int, int]] = (), holder: str = ""
) -> None:
    """Say anew when the queues of these receivers are due: those that nobody leases, and those freed by `holder`."""
    rows = [*freed, *((one, -1) for one in set(receiver_ids) - {one for one, _ in freed})]
    run(uow, _SET_DUE, ("receiver_id", "lane"), rows, holder=holder)


def add(uow: UnitOfWork, items: Sequence[tuple[int, int, int, int]], *, again: bool) -> int:
    """Add (receiver, lane, message, seq) for receivers that take any; how many. `again`: those that ended, too."""
    return run(uow, _ADD_AGAIN if again else _ADD_NEW, _ITEM, items, now=uow.now)


def ended_between(
    uow: UnitOfWork, receiver_id: int, first: int, last: int, most: int
) -> list[tuple[int, int]]:
    """(item id, message id) of a receiver's items that are not pending, from one message to another, in order."""
    rows = fetch(uow, _BETWEEN, id=receiver_id, first=first, last=last, most=most)
    return [(row[0], row[1]) for row in rows]


def again(uow: UnitOfWork, item_ids: Collection[int]) -> int:
    """Queue these items anew, if their receiver takes any; how many."""
    return run(uow, _AGAIN, ("id",), [(one,) for one in item_ids], now=uow.now)


def hold(uow: UnitOfWork, receiver_id: int, most: int) -> int:
    """Keep back what is pending, so much of it; how much."""
    return run(uow, _HOLD, id=receiver_id, most=most)


def unheld(uow: UnitOfWork) -> list[int]:
    """Receivers that nothing is sent to, and for which something is pending all the same."""
    return [row[0] for row in fetch(uow, _UNHELD)]


def revive(uow: UnitOfWork, receiver_id: int, most: int) -> int:
    """Keep back what was given up since a receiver began to fail, the newest first; how much."""
    return run(uow, _REVIVE, id=receiver_id, most=most)


def held(uow: UnitOfWork, receiver_id: int, most: int) -> list[tuple[int, int]]:
    """(item id, message id) of what is kept back for a receiver, the oldest message first."""
    return [(row[0], row[1]) for row in fetch(uow, _HELD, id=receiver_id, most=most)]


def set_state(uow: UnitOfWork, receiver_id: int, state: ReceiverState) -> None:
    """Change a receiver's state. An open one begins anew, as if it had never failed."""
    if state == "open":
        run(uow, _AS_NEW, id=receiver_id)
    else:
        run(uow, _STATE, id=receiver_id, state=state)

"""Queries of forgetting, a bounded part at a time."""

from typing import Final

from tocsin.db import UnitOfWork
from tocsin.delivery.store.bulk import fetch, run

_ATTEMPTS: Final = """
DELETE FROM delivery_attempt WHERE id IN (SELECT id FROM delivery_attempt ORDER BY id LIMIT :most) AND at < :before"""
_ITEM_PLACES: Final = """
SELECT max(id), min(created_at)
FROM (SELECT id, created_at FROM delivery_item WHERE id > :after ORDER BY id LIMIT :most) AS p"""
_ITEMS: Final = """
DELETE FROM delivery_item WHERE id > :after AND id <= :last AND state <> 'pending'
AND coalesce(ended_at, created_at) < :before"""
_CROWDED: Final = """
SELECT receiver_id, count(*) - :most FROM delivery_item WHERE state = 'held'
GROUP BY receiver_id HAVING count(*) > :most ORDER BY receiver_id"""
_OLDEST_HELD: Final = """(
  SELECT id FROM delivery_item WHERE receiver_id = :id AND state = 'held' ORDER BY message_id LIMIT :most
)"""
_ATTEMPTS_AT_HELD: Final = f"DELETE FROM delivery_attempt WHERE item_id IN {_OLDEST_HELD}"  # noqa: S608  # our own
_HELD: Final = f"DELETE FROM delivery_item WHERE id IN {_OLDEST_HELD}"  # noqa: S608  # the same
_MINUTES: Final = "DELETE FROM delivery_minute WHERE minute < :before"
_REMOVED: Final = "SELECT id FROM delivery_receiver WHERE state = 'removed' ORDER BY id"
_THEIR_ATTEMPTS: Final = """
DELETE FROM delivery_attempt WHERE id IN (SELECT id FROM delivery_attempt WHERE receiver_id = :id LIMIT :most)"""
_THEIR_ITEMS: Final = """
DELETE FROM delivery_item WHERE id IN (SELECT id FROM delivery_item WHERE receiver_id = :id LIMIT :most)"""
_LEASED: Final = "SELECT count(*) FROM delivery_queue WHERE receiver_id = :id AND lease_until > :now"
_QUEUES: Final = "DELETE FROM delivery_queue WHERE receiver_id = :id"
_RECEIVER: Final = "DELETE FROM delivery_receiver WHERE id = :id"


def attempts(uow: UnitOfWork, before: int, most: int) -> int:
    """Delete attempts from before an instant among the `most` oldest; how many."""
    return run(uow, _ATTEMPTS, before=before, most=most)


def items(uow: UnitOfWork, before: int, after: int, most: int) -> tuple[int, int | None, int | None]:
    """Delete what ended, or was held, before an instant, among `most` items behind an id.

    How many; the id to go on behind, None at the end; and when the oldest among them was queued.
    """
    [(last, oldest)] = fetch(uow, _ITEM_PLACES, after=after, most=most)
    if last is None:
        return 0, None, None
    return run(uow, _ITEMS, after=after, last=last, before=before), last, oldest


def crowded(uow: UnitOfWork, most: int) -> list[tuple[int, int]]:
    """Receivers for which more is held than that, and how much more."""
    return [(row[0], row[1]) for row in fetch(uow, _CROWDED, most=most)]


def held(uow: UnitOfWork, receiver_id: int, most: int) -> int:
    """Delete the oldest of what is held for a receiver, with its attempts; how many items."""
    run(uow, _ATTEMPTS_AT_HELD, id=receiver_id, most=most)
    return run(uow, _HELD, id=receiver_id, most=most)


def minutes(uow: UnitOfWork, before: int) -> int:
    """Delete counters of minutes before one (Unix minutes)."""
    return run(uow, _MINUTES, before=before)


def removed(uow: UnitOfWork) -> list[int]:
    """Receivers that are to be forgotten."""
    return [row[0] for row in fetch(uow, _REMOVED)]


def of_receiver(uow: UnitOfWork, receiver_id: int, most: int) -> int:
    """Delete up to `most` attempts and items of a removed receiver; how many. None left: the receiver itself."""
    gone = run(uow, _THEIR_ATTEMPTS, id=receiver_id, most=most)
    gone += run(uow, _THEIR_ITEMS, id=receiver_id, most=most)
    if not gone and not fetch(uow, _LEASED, id=receiver_id, now=uow.now)[0][0]:
        run(uow, _QUEUES, id=receiver_id)
        gone = run(uow, _RECEIVER, id=receiver_id)
    return gone

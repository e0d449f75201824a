"""Receivers, and what is queued for them, in the transaction of the caller.

However much waits for a receiver, one transaction moves a part of it. Nothing is sent to one that is not open, whatever
is still pending for it.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from tocsin.db import Database, UnitOfWork
from tocsin.delivery.store import queueing as store
from tocsin.delivery.store.tables import Kind

PART: Final = 10_000
"""Items that one transaction moves, so that nobody waits long behind it."""


class NewItem(NamedTuple):
    """A message for a receiver. `lane` is 0 for what is urgent and 1 for the rest; `seq` is the caller's own."""

    receiver_id: int
    lane: int
    message_id: int
    seq: int


def open_receiver(uow: UnitOfWork, kind: Kind, public_id: str, organisation_id: int) -> int:
    """A new receiver; its id. `public_id` is what the feature calls it, 40 characters at most."""
    return store.add_receiver(uow, kind, public_id, organisation_id)


def lock(uow: UnitOfWork, receiver_ids: Sequence[int]) -> None:
    """Keep the courier and other writers from these receivers until the transaction ends.

    Whoever locks rows of its own beside a receiver takes the receiver first, as the courier does when it settles.
    """
    store.lock(uow, receiver_ids)


def enqueue(uow: UnitOfWork, items: Sequence[NewItem]) -> None:
    """Queue items, due now, whose message their receiver does not have yet.

    A closed receiver gets nothing; one that was closed with `keep` has it kept.
    """
    _add(uow, items, again=False)


def requeue(uow: UnitOfWork, items: Sequence[NewItem]) -> int:
    """Queue items, due now, whatever became of them before; how many. Those that are pending are left as they are.

    One that was queued before keeps its seq and lane, and its attempts begin anew.
    """
    return _add(uow, items, again=True)


def requeue_between(
    uow: UnitOfWork, receiver_id: int, first: int, last: int, limit: int
) -> tuple[int, int | None]:
    """Queue again what a receiver has of the messages `first` to `last`, oldest first, `limit` at most.

    How many, and the message id of the first that did not fit. What is pending is left as it is; a closed receiver
    gets nothing.
    """
    store.lock(uow, [receiver_id])
    found = store.ended_between(uow, receiver_id, first, last, limit + 1)
    done = store.again(uow, [item_id for item_id, _ in found[:limit]])
    store.set_due(uow, [receiver_id])
    return done, found[limit][1] if len(found) > limit else None


def close(uow: UnitOfWork, receiver_id: int, *, keep: bool = False, revive: bool = False) -> int:
    """Stop sending: what is pending is held, `PART` of it now and the rest by `hold`; how much was now.

    With `keep`, what is queued from now on is held as well; with `revive`, so is what was given up since it began to
    fail. A request that is being made cannot be called back: should it succeed, its item is delivered all the same.
    """
    store.lock(uow, [receiver_id])
    store.set_state(uow, receiver_id, "holding" if keep else "closed")
    held = store.hold(uow, receiver_id, PART)
    if revive:
        held += store.revive(uow, receiver_id, PART)
    store.set_due(uow, [receiver_id])
    return held


def reopen(uow: UnitOfWork, receiver_id: int) -> None:
    """Send again, as if the receiver had never failed. What is held stays so until it is released (`release`)."""
    store.lock(uow, [receiver_id])
    store.set_state(uow, receiver_id, "open")
    store.set_due(uow, [receiver_id])


def release(uow: UnitOfWork, receiver_id: int, limit: int = PART) -> tuple[int, int | None]:
    """Queue anew what is held for a receiver, the oldest first, `limit` at most; how it has fared is not forgotten.

    How many, and the message id of the first that did not fit.
    """
    store.lock(uow, [receiver_id])
    found = store.held(uow, receiver_id, limit + 1)
    done = store.again(uow, [item_id for item_id, _ in found[:limit]])
    store.set_due(uow, [receiver_id])
    return done, found[limit][1] if len(found) > limit else None


def unheld(database: Database) -> bool:
    """Whether anything is pending for receivers that nothing is sent to."""
    with database.snapshot() as uow:
        return bool(store.unheld(uow))


def hold(database: Database) -> int:
    """Hold the rest of what is pending for receivers that were closed, in parts, each a transaction; how much."""
    with database.snapshot() as uow:
        left = store.unheld(uow)
    done = 0
    for receiver_id in left:
        part = PART
        while part == PART:
            with database.transaction() as uow:
                store.lock(uow, [receiver_id])
                # It may have been opened again meanwhile: then there is nothing to hold.
                part = store.hold(uow, receiver_id, PART) if receiver_id in store.unheld(uow) else 0
            done += part
    return done


def remove(uow: UnitOfWork, receiver_id: int) -> None:
    """Never send to it again, and let `forget` delete what is kept of it."""
    store.lock(uow, [receiver_id])
    store.set_state(uow, receiver_id, "removed")
    store.hold(uow, receiver_id, PART)
    store.set_due(uow, [receiver_id])


def _add(uow: UnitOfWork, items: Sequence[NewItem], *, again: bool) -> int:
    if not items:
        return 0
    receivers = {item.receiver_id for item in items}
    store.lock(uow, receivers)
    added = store.add(uow, items, again=again)
    store.set_due(uow, receivers)
    return added

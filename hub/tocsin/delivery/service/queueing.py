"""Receivers, and what is queued for them, all in the transaction of the caller."""

from collections.abc import Sequence
from typing import NamedTuple

from tocsin.db import UnitOfWork
from tocsin.delivery.store import queueing as store
from tocsin.delivery.store.tables import Kind


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


def close(uow: UnitOfWork, receiver_id: int, *, keep: bool = False) -> int:
    """Stop sending: what is pending is held; how much. With `keep`, what is queued from now on is held as well.

    A request that is being made cannot be called back: should it succeed, its item is delivered all the same.
    """
    store.lock(uow, [receiver_id])
    store.set_state(uow, receiver_id, "holding" if keep else "closed")
    held = store.hold(uow, receiver_id)
    store.set_due(uow, [receiver_id])
    return held


def reopen(uow: UnitOfWork, receiver_id: int, *, release: bool = False) -> int:
    """Send again, as if the receiver had never failed. With `release`, what was held is due now; how much."""
    store.lock(uow, [receiver_id])
    store.set_state(uow, receiver_id, "open")
    released = store.release(uow, receiver_id) if release else 0
    store.set_due(uow, [receiver_id])
    return released


def remove(uow: UnitOfWork, receiver_id: int) -> None:
    """Never send to it again, and let `forget` delete what is kept of it."""
    store.lock(uow, [receiver_id])
    store.set_state(uow, receiver_id, "removed")
    store.hold(uow, receiver_id)
    store.set_due(uow, [receiver_id])


def _add(uow: UnitOfWork, items: Sequence[NewItem], *, again: bool) -> int:
    if not items:
        return 0
    receivers = {item.receiver_id for item in items}
    store.lock(uow, receivers)
    added = store.add(uow, items, again=again)
    store.set_due(uow, receivers)
    return added

"""What the courier asks of a feature whose messages it carries."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

from tocsin.db import UnitOfWork
from tocsin.delivery.rules import Verdict
from tocsin.delivery.store.tables import Kind
from tocsin.egress import Outbound, Why


class Claim(NamedTuple):
    """An item whose turn it is. `attempt` counts from 1 and includes this one; `now` is when it was claimed."""

    item_id: int
    receiver_id: int
    public_id: str
    lane: int
    message_id: int
    seq: int
    attempt: int
    now: int


class End(NamedTuple):
    """How an attempt ended: with a status, or with a reason why there is none. An item that was dropped has neither."""

    claim: Claim
    at: int
    duration_ms: int
    status: int | None
    failure: Why | None
    verdict: Verdict


Making = Callable[[int], Outbound]
"""Makes a request at the moment it is sent (Unix seconds), on the loop that sends: signs it, and does nothing else.

Signatures are made there because they are many short calls into a library. Beside a busy loop, a thread that makes them
waits for the interpreter behind every one.
"""


class Sender(Protocol):
    """A feature's side of delivery, called inside the courier's transactions: no network, nothing that takes long."""

    @property
    def kind(self) -> Literal["webhook", "stream"]:
        """Which receivers are its own."""
        ...

    @property
    def final(self) -> frozenset[int]:
        """Statuses that end an item at once."""
        ...

    def compose(self, uow: UnitOfWork, claims: Sequence[Claim]) -> Sequence[Making | None]:
        """What makes the request of each claim, in order; None when there is nothing to send any more."""
        ...

    def settle(self, uow: UnitOfWork, ends: Sequence[End]) -> None:
        """Note how items ended, in the transaction that records it. An end may be told twice."""
        ...

    def exhausted(self, uow: UnitOfWork, receiver_ids: Sequence[int]) -> None:
        """These have done nothing but fail for days, and just now again. Told at each failure until they are closed."""
        ...


__all__ = ["Claim", "End", "Kind", "Making", "Sender", "Verdict"]

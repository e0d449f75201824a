"""What the courier asks of a feature whose messages it carries."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

from tocsin.db import UnitOfWork
from tocsin.delivery.rules import Verdict
from tocsin.delivery.store.tables import Kind
from tocsin.egress import Outbound, Why
from tocsin.signing import Call


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


class Making(Protocol):
    """Makes a request at the moment it is sent: what is signed for it, and what it is once that is signed.

    Signatures are not made in the transaction: beside a busy loop, a thread that makes many short calls into a library
    waits for the interpreter behind every one.
    """

    def call(self, now: int) -> Call | None:
        """The call that signs, which may be made in another process; None when the request is made without."""
        ...

    def request(self, signed: Any) -> Outbound:
        """The request, with what the call returned; on the loop that sends it, and nothing there may take long."""
        ...


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

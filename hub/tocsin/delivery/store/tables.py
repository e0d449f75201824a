"""The tables of delivery.

A lease is on a queue, never on an item: two rows a receiver, however many items wait in them. `delivery_queue.due_at`
says when there is something to do, so that looking for work costs the same whatever waits behind a dead receiver:

    not leased   the earliest `next_at` of its pending items, or the receiver's `breaker_until` if that is later;
                 NULL without any
    leased       when the lease ends: if its holder dies, that is when the queue is taken up again

Rows of items and attempts carry no foreign keys: on PostgreSQL each costs a query a row. `tests/support/invariants.py`
checks what they would have.
"""

from typing import Any, Final, Literal, get_args

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from tocsin.db import WHOLE, table
from tocsin.egress import Why

Kind = Literal["webhook", "stream"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
ReceiverState = Literal["open", "holding", "closed", "removed"]
"""Sent to; kept for later; given nothing; about to be forgotten."""
ItemState = Literal["pending", "delivered", "dead", "held", "dropped"]
"""Waiting or being sent; accepted; given up; kept back with its receiver; nothing to send any more."""
ITEM_STATES: Final[tuple[ItemState, ...]] = get_args(ItemState)
LANES: Final = (0, 1)
"""What is urgent, and the rest."""


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


_FAILURES: Final = _words(get_args(Why))


def _where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


class ReceiverRow(SQLModel, table=True):
    """Where items go, as a feature calls it (`public_id`), and how it has been lately.

    `failures` in a row since `failing_since`, the last of them at `failed_at`; the last success at `succeeded_at`.
    Nothing is sent before `breaker_until`. `latency_ms` is a moving average of how long it takes to answer.
    """

    __tablename__ = "delivery_receiver"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_words(KINDS)})", name="delivery_receiver_kind"),
        CheckConstraint(f"state IN ({_words(get_args(ReceiverState))})", name="delivery_receiver_state"),
        CheckConstraint("(failures = 0) = (failing_since IS NULL)", name="delivery_receiver_failures"),
        UniqueConstraint("public_id", name="delivery_receiver_public_id"),
        # Items are known by it: a receiver that is gone must not lend it to another.
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, sa_column=Column(WHOLE, primary_key=True))
    kind: str = Field(sa_column=Column(String(8), nullable=False))
    public_id: str = Field(sa_column=Column(String(40), nullable=False))
    organisation_id: int = Field(foreign_key="organisation.id")
    state: str = Field(sa_column=Column(String(8), nullable=False))
    failures: int = Field(sa_column=Column(BigInteger(), nullable=False))
    failing_since: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    failed_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    succeeded_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    breaker_until: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    latency_ms: int = Field(sa_column=Column(BigInteger(), nullable=False))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class QueueRow(SQLModel, table=True):
    """What waits for one receiver in one lane, and who is sending it until when."""

    __tablename__ = "delivery_queue"
    __table_args__ = (
        CheckConstraint("lane IN (0, 1)", name="delivery_queue_lane"),
        CheckConstraint("(holder IS NULL) = (lease_until IS NULL)", name="delivery_queue_lease"),
        CheckConstraint("lease_until IS NULL OR due_at = lease_until", name="delivery_queue_leased"),
        Index("delivery_queue_due", "lane", "due_at", **_where("due_at IS NOT NULL")),
        {"sqlite_with_rowid": False},
    )

    receiver_id: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    lane: int = Field(sa_column=Column(SmallInteger(), primary_key=True, autoincrement=False))
    due_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    lease_until: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    holder: str | None = Field(sa_column=Column(String(16), nullable=True))


class ItemRow(SQLModel, table=True):
    """One message for one receiver. `status` or `failure` is how the last attempt ended.

    `attempts` counts the one being made, and `next_at` is when the item is due if nobody hears of that any more.
    """

    __tablename__ = "delivery_item"
    __table_args__ = (
        CheckConstraint(f"state IN ({_words(ITEM_STATES)})", name="delivery_item_state"),
        CheckConstraint("lane IN (0, 1)", name="delivery_item_lane"),
        CheckConstraint(f"failure IN ({_FAILURES})", name="delivery_item_failure"),
        CheckConstraint(
            "(ended_at IS NULL) = (state IN ('pending', 'held'))",
            name="delivery_item_ended",
        ),
        UniqueConstraint("receiver_id", "message_id", name="delivery_item_message"),
        Index("delivery_item_pending", "receiver_id", "lane", "next_at", "id", **_where("state = 'pending'")),
        Index("delivery_item_held", "receiver_id", "message_id", **_where("state = 'held'")),
        Index("delivery_item_dead", "receiver_id", "message_id", **_where("state = 'dead'")),
        # Room beside each row for the two changes that most of them see; and attempts are known by its id.
        {"postgresql_with": {"fillfactor": 60}, "sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, sa_column=Column(WHOLE, primary_key=True))
    receiver_id: int = Field(sa_column=Column(BigInteger(), nullable=False))
    lane: int = Field(sa_column=Column(SmallInteger(), nullable=False))
    message_id: int = Field(sa_column=Column(BigInteger(), nullable=False))
    seq: int = Field(sa_column=Column(BigInteger(), nullable=False))
    state: str = Field(sa_column=Column(String(9), nullable=False))
    attempts: int = Field(sa_column=Column(BigInteger(), nullable=False))
    next_at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    ended_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    status: int | None = Field(sa_column=Column(SmallInteger(), nullable=True))
    failure: str | None = Field(sa_column=Column(String(11), nullable=True))


class AttemptRow(SQLModel, table=True):
    """One attempt and what came of it: a status, or why there was none. Never a byte of the answer."""

    __tablename__ = "delivery_attempt"
    __table_args__ = (
        CheckConstraint(f"failure IN ({_FAILURES})", name="delivery_attempt_failure"),
        CheckConstraint("(status IS NULL) = (failure IS NOT NULL)", name="delivery_attempt_end"),
        Index("delivery_attempt_receiver", "receiver_id", "id"),
        Index("delivery_attempt_item", "item_id"),
    )

    id: int | None = Field(default=None, sa_column=Column(WHOLE, primary_key=True))
    item_id: int = Field(sa_column=Column(BigInteger(), nullable=False))
    receiver_id: int = Field(sa_column=Column(BigInteger(), nullable=False))
    number: int = Field(sa_column=Column(BigInteger(), nullable=False))
    at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    duration_ms: int = Field(sa_column=Column(BigInteger(), nullable=False))
    status: int | None = Field(sa_column=Column(SmallInteger(), nullable=True))
    failure: str | None = Field(sa_column=Column(String(11), nullable=True))


class MinuteRow(SQLModel, table=True):
    """How many attempts of one minute (Unix minutes) succeeded, and how many did not."""

    __tablename__ = "delivery_minute"

    minute: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    delivered: int = Field(sa_column=Column(BigInteger(), nullable=False))
    failed: int = Field(sa_column=Column(BigInteger(), nullable=False))


receiver: Final = table(ReceiverRow)
queue: Final = table(QueueRow)
item: Final = table(ItemRow)
attempt: Final = table(AttemptRow)
minute: Final = table(MinuteRow)

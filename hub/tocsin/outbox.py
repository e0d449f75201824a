"""The transactional outbox: what happened, written in the transaction of its cause, for delivery to pick up.

A row stands for a run of consecutive log entries of one community and event type, so a batch costs one row.
"""

from typing import Final, Literal, get_args

from sqlalchemy import BigInteger, CheckConstraint, Column, String
from sqlmodel import Field, SQLModel

from tocsin.db import WHOLE, UnitOfWork, table

EventType = Literal[
    "signal.recorded", "signal.expired", "signal.retracted", "indicator.corroborated", "indicator.disputed"
]
EVENT_TYPES: Final[tuple[str, ...]] = get_args(EventType)
Happening = tuple[EventType, int, int, int]
"""(event type, community id, first log index, last log index)."""
_WORDS: Final = ", ".join(f"'{word}'" for word in EVENT_TYPES)


class OutboxRow(SQLModel, table=True):
    """One thing to deliver: entries `first_seq` to `last_seq` of a community brought about an event of `type`."""

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint(f"type IN ({_WORDS})", name="outbox_type"),
        CheckConstraint("first_seq <= last_seq", name="outbox_range"),
    )

    id: int | None = Field(default=None, sa_column=Column(WHOLE, primary_key=True))
    type: str = Field(sa_column=Column(String(32), nullable=False))
    community_id: int = Field(foreign_key="community.id")
    first_seq: int = Field(sa_column=Column(BigInteger(), nullable=False))
    last_seq: int = Field(sa_column=Column(BigInteger(), nullable=False))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


def publish(uow: UnitOfWork, events: list[Happening]) -> None:
    """Write outbox rows in this transaction."""
    uow.insert_rows(
        table(OutboxRow),
        ("type", "community_id", "first_seq", "last_seq", "created_at"),
        [(*event, uow.now) for event in events],
    )

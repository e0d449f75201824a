"""The transactional outbox: what happened, written in the transaction of its cause, for its readers to take.

- A row stands for a run of consecutive log entries of one community and event type, so a batch costs one row.
- Each reader takes every row once and marks it in the transaction that makes messages of it. There is no cursor over
  ids: transactions commit in any order, and one that commits late must not be passed by.
- A row that all readers have taken is deleted a day later, by whoever takes next.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    SmallInteger,
    String,
    exists,
    select,
    text,
)
from sqlmodel import Field, SQLModel

from tocsin.db import WHOLE, UnitOfWork, table
from tocsin_schemas.notifications import ENDPOINT_EVENTS, EVENT_TYPES, LANES, SEVERITY, EventType
from tocsin_schemas.policy import DAY
from tocsin_schemas.vocabulary import Status

Reader = Literal["webhooks", "streams"]
KEPT_SECONDS: Final = DAY
"""How long a row stays that every reader has taken."""
_TYPES: Final = tuple(
    word for word in EVENT_TYPES if word not in ENDPOINT_EVENTS or word == "endpoint.disabled"
)
_WORDS: Final = ", ".join(f"'{word}'" for word in _TYPES)


@dataclass(frozen=True, slots=True)
class Happening:
    """Log entries `first` to `last` of a community, or of the board (None), brought about an event of `type`.

    `first` and `last` are None for what is in no log: what the operator of a sandbox does. `count` of them may be told
    to members that may read everything, `free_count` to those that are given only what travels freely; with 0, those
    are told nothing. `labels` and `free_labels` are what these carry between them. `cursor` is the newest log entry
    when it happened, `last` unless it says otherwise: who has read the feed so far knows of it. With `organisation_id`
    it is for that member alone; `about_id` is the member that it is about, `endpoint` the public id of the endpoint.
    """

    type: EventType
    community_id: int | None
    first: int | None
    last: int | None
    count: int = 1
    free_count: int = 1
    labels: frozenset[str] = frozenset()
    free_labels: frozenset[str] = frozenset()
    status: Status | str | None = None
    rule: str | None = None
    policy: int | None = None
    expires_at: int | None = None
    cursor: int | None = None
    organisation_id: int | None = None
    about_id: int | None = None
    endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A happening that a reader has taken, with the row's id and when it was caused (Unix seconds).

    `at` is the log index from which on it is to be told, where a part was told before.
    """

    id: int
    caused_at: int
    what: Happening
    at: int | None = None


class OutboxRow(SQLModel, table=True):
    """One happening, and who has taken it. `labels` and `free_labels` are JSON lists of labels, sorted.

    A row that streams have taken a part of goes on for them at log index `streams_at`.
    """

    __tablename__ = "outbox_event"
    __table_args__ = (
        CheckConstraint(f"type IN ({_WORDS})", name="outbox_type"),
        CheckConstraint("(first_seq IS NULL) = (last_seq IS NULL)", name="outbox_places"),
        CheckConstraint("first_seq <= last_seq", name="outbox_range"),
        CheckConstraint("0 <= free_count AND free_count <= count", name="outbox_count"),
        Index(
            "outbox_webhooks",
            "lane",
            "id",
            postgresql_where=text("NOT webhooks"),
            sqlite_where=text("NOT webhooks"),
        ),
        Index(
            "outbox_streams",
            "lane",
            "id",
            postgresql_where=text("NOT streams"),
            sqlite_where=text("NOT streams"),
        ),
        Index(
            "outbox_taken",
            "created_at",
            postgresql_where=text("webhooks AND streams"),
            sqlite_where=text("webhooks AND streams"),
        ),
    )  # fmt: skip

    id: int | None = Field(default=None, sa_column=Column(WHOLE, primary_key=True))
    type: str = Field(sa_column=Column(String(32), nullable=False))
    community_id: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    first_seq: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    last_seq: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    count: int = Field(sa_column=Column(BigInteger(), nullable=False))
    free_count: int = Field(sa_column=Column(BigInteger(), nullable=False))
    labels: str = Field(sa_column=Column(String(2000), nullable=False))
    free_labels: str = Field(sa_column=Column(String(2000), nullable=False))
    status: str | None = Field(sa_column=Column(String(24), nullable=True))
    rule: str | None = Field(sa_column=Column(String(24), nullable=True))
    policy: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    expires_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    cursor: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    organisation_id: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    about_id: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    endpoint: str | None = Field(sa_column=Column(String(40), nullable=True))
    lane: int = Field(sa_column=Column(SmallInteger(), nullable=False))
    webhooks: bool = Field(sa_column=Column(Boolean(), nullable=False))
    streams: bool = Field(sa_column=Column(Boolean(), nullable=False))
    streams_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


_outbox: Final = table(OutboxRow)


def publish(uow: UnitOfWork, happenings: Collection[Happening]) -> None:
    """Write outbox rows in this transaction."""
    uow.insert_rows(
        _outbox,
        (
            "type", "community_id", "first_seq", "last_seq", "count", "free_count", "labels", "free_labels",
            "status", "rule", "policy", "expires_at", "cursor", "organisation_id", "about_id", "endpoint",
            "lane", "webhooks", "streams", "created_at",
        ),
        [
            (
                what.type, what.community_id, what.first, what.last, what.count, what.free_count,
                json.dumps(sorted(what.labels)), json.dumps(sorted(what.free_labels)),
                what.status, what.rule, what.policy, what.expires_at,
                what.last if what.cursor is None else what.cursor, what.organisation_id, what.about_id, what.endpoint,
                LANES[SEVERITY[what.type]], False, False, uow.now,
            )
            for what in happenings
        ],
    )  # fmt: skip


def waiting(uow: UnitOfWork, reader: Reader) -> bool:
    """Whether there is anything that this reader has not taken."""
    return bool(uow.conn.execute(select(exists().where(~_outbox.c[reader]))).scalar())


def take(uow: UnitOfWork, reader: Reader, limit: int) -> Sequence[Event]:
    """The next `limit` rows for this reader; marked as taken in this transaction.

    Those of the urgent lane come before the others, so that no backlog keeps them; in each lane as they were written.
    All readers take, and lock, in this one order: two at once do not wait for each other.

    Another process that takes for the same reader waits for this transaction and then finds them taken.
    """
    c = _outbox.c
    chosen = _outbox.select().where(~c[reader]).order_by(c.lane, c.id).limit(limit).with_for_update()
    rows = uow.conn.execute(chosen).all()
    if rows:
        # Before they are marked: what is put back must still be there.
        uow.conn.execute(_outbox.delete().where(c.webhooks, c.streams, c.created_at < uow.now - KEPT_SECONDS))
        mark = _outbox.update().where(uow.among(c.id, [row.id for row in rows]))
        uow.conn.execute(mark.values({reader: True}))
    return [Event(row.id, row.created_at, _read(row), row.streams_at) for row in rows]


def put_back(uow: UnitOfWork, events: Collection[Event], at: int | None = None) -> None:
    """Leave rows to streams that were taken in this transaction; the first is told up to log index `at`, if given.

    They are taken again before whatever was written behind them in their lane.
    """
    c = _outbox.c
    if events:
        ids = [event.id for event in events]
        uow.conn.execute(_outbox.update().where(uow.among(c.id, ids)).values(streams=False))
        if at is not None:
            uow.conn.execute(_outbox.update().where(c.id == ids[0]).values(streams_at=at))


def _read(row: Any) -> Happening:
    return Happening(
        row.type, row.community_id, row.first_seq, row.last_seq, row.count, row.free_count,
        frozenset(json.loads(row.labels)), frozenset(json.loads(row.free_labels)),
        row.status, row.rule, row.policy, row.expires_at, row.cursor, row.organisation_id, row.about_id, row.endpoint,
    )  # fmt: skip

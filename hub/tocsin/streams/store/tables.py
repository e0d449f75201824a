"""The tables of streams: the streams, subjects taken off them, what waits for each, and what may have to be undone.

What is waiting is one row a stream and token, and gone once its receiver has it. Tokens are made of it when they are
sent, from the statements as they are then: what was erased meanwhile is not sent.
"""

from typing import Final, get_args

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from tocsin.db import WHOLE, table
from tocsin.streams.rules.asking import ALGS, METHOD_URIS, REASONS, SET_ERRORS, STATUSES
from tocsin.streams.rules.events import WORDS
from tocsin_schemas.vocabulary import MemberState, Status

STANDINGS: Final[tuple[str, ...]] = (*get_args(Status), *get_args(MemberState))
"""Where an indicator stands, or a member."""


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


class StreamRow(SQLModel, table=True):
    """A stream of a member. `events` is a JSON list of words, `credential` its Authorization header, sealed.

    A push stream has a `target` and a receiver of delivery, and tells of nothing but itself until `verified_at`.
    `active_at` is when its receiver last did something with it; `asked_at` when it last asked for verification.
    `refused` counts the tokens that its receiver could not use, the last of them with `refusal`.
    """

    __tablename__ = "stream"
    __table_args__ = (
        UniqueConstraint("public_id", name="stream_public"),
        CheckConstraint(f"method IN ({_words(tuple(METHOD_URIS))})", name="stream_method"),
        CheckConstraint(f"alg IN ({_words(ALGS)})", name="stream_alg"),
        CheckConstraint(f"status IN ({_words(STATUSES)})", name="stream_status"),
        CheckConstraint(f"reason IN ({_words(REASONS)})", name="stream_reason"),
        CheckConstraint(f"refusal IN ({_words(SET_ERRORS)})", name="stream_refusal"),
        CheckConstraint("(method = 'push') = (target IS NOT NULL)", name="stream_target"),
        CheckConstraint("method = 'poll' OR receiver_id IS NOT NULL", name="stream_delivery"),
        CheckConstraint("method = 'push' OR credential IS NULL", name="stream_credential"),
        CheckConstraint("refused >= 0", name="stream_refused"),
        Index("stream_receiver", "receiver_id", unique=True),
    )

    id: int | None = Field(default=None, sa_column=Column(WHOLE, primary_key=True))
    public_id: str = Field(sa_column=Column(String(40), nullable=False))
    organisation_id: int = Field(foreign_key="organisation.id", index=True)
    receiver_id: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    method: str = Field(sa_column=Column(String(4), nullable=False))
    target: str | None = Field(sa_column=Column(String(2000), nullable=True))
    credential: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))
    events: str = Field(sa_column=Column(String(1000), nullable=False))
    alg: str = Field(sa_column=Column(String(5), nullable=False))
    status: str = Field(sa_column=Column(String(8), nullable=False))
    reason: str | None = Field(sa_column=Column(String(13), nullable=True))
    status_at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    active_at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    asked_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    verified_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    refused: int = Field(sa_column=Column(BigInteger(), nullable=False))
    refusal: str | None = Field(sa_column=Column(String(24), nullable=True))


class RemovedRow(SQLModel, table=True):
    """A receiver wants to hear nothing about the subject of this digest on this stream."""

    __tablename__ = "stream_removed"
    __table_args__ = (
        CheckConstraint("length(digest) = 32", name="stream_removed_digest"),
        {"sqlite_with_rowid": False},
    )

    stream_id: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    digest: bytes = Field(sa_column=Column(LargeBinary(), primary_key=True))


class WaitingRow(SQLModel, table=True):
    """A token that waits for the receiver of a stream. `queued` says that delivery has been given it.

    About a statement: `seq` is its log index, `indicator_id` the one of its indicators that it is about, `target_seq`
    the log index of what a retraction has withdrawn. `subject` is
    kept for what has no other place to be read from: a statement or an account that is gone, a member, the board. Of a
    verification `state` is what it carries back, sealed.
    """

    __tablename__ = "stream_waiting"
    __table_args__ = (
        CheckConstraint(f"word IN ({_words(WORDS)})", name="stream_waiting_word"),
        CheckConstraint(f"status IN ({_words(STATUSES)})", name="stream_waiting_status"),
        CheckConstraint(f"reason IN ({_words(REASONS)})", name="stream_waiting_reason"),
        CheckConstraint(f"standing IN ({_words(STANDINGS)})", name="stream_waiting_standing"),
        CheckConstraint("length(jti) = 16 AND length(txn) = 16", name="stream_waiting_ids"),
        UniqueConstraint("stream_id", "jti", name="stream_waiting_jti"),
        Index("stream_waiting_order", "stream_id", "id"),
        Index(
            "stream_waiting_unqueued",
            "stream_id",
            "id",
            postgresql_where=text("NOT queued"),
            sqlite_where=text("NOT queued"),
        ),
        Index("stream_waiting_age", "created_at"),
        # Delivery knows a token by its id: one that is gone must not lend it to another.
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, sa_column=Column(WHOLE, primary_key=True))
    stream_id: int = Field(sa_column=Column(BigInteger(), nullable=False))
    word: str = Field(sa_column=Column(String(24), nullable=False))
    jti: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    txn: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    community_id: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    seq: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    indicator_id: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    subject: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))
    target_seq: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    standing: str | None = Field(sa_column=Column(String(24), nullable=True))
    policy: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    status: str | None = Field(sa_column=Column(String(8), nullable=True))
    reason: str | None = Field(sa_column=Column(String(13), nullable=True))
    state: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))
    queued: bool = Field(sa_column=Column(Boolean(), nullable=False))
    caused_at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class DisabledRow(SQLModel, table=True):
    """A live report by which an account was disabled has been told of: what a retraction of it would have to undo.

    Without it nobody could be told, since a retraction erases which account it was. It goes with the report.
    """

    __tablename__ = "stream_disabled"
    __table_args__ = (
        Index("stream_disabled_indicator", "indicator_id"),
        {"sqlite_with_rowid": False},
    )

    seq: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    indicator_id: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    community_id: int = Field(sa_column=Column(BigInteger(), nullable=False))
    subject: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))


stream: Final = table(StreamRow)
removed: Final = table(RemovedRow)
waiting: Final = table(WaitingRow)
disabled: Final = table(DisabledRow)

"""The tables of webhooks: endpoints, how far each subject was counted for them, and the messages.

A filter is a JSON list of closed words or slugs, sorted; an empty one lets everything pass. No secret is here: they are
derived from a key that is not in the database (`webhooks.service.secrets`).
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from tocsin.db import WHOLE, table
from tocsin_schemas.notifications import DETAILS, EVENT_TYPES, SEVERITIES

STATES: Final = ("pending", "active", "paused", "disabled")
REASONS: Final = ("gone", "failing", "operator")
AUDIENCES: Final = ("any", "full", "free")


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


class EndpointRow(SQLModel, table=True):
    """An endpoint of a member: where to send (`target`, an https URL), what, and how it stands.

    `pending` until it has answered its challenge, and again when its target changes; `paused` by its owner; `disabled`
    for a `reason`. `generation` counts its secrets; the one before signs too until a day after `rotated_at`.
    `activated_at` is when it answered first: nothing caused before is for it.
    """

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        UniqueConstraint("public_id", name="webhook_endpoint_public"),
        UniqueConstraint("receiver_id", name="webhook_endpoint_receiver"),
        CheckConstraint(f"state IN ({_words(STATES)})", name="webhook_endpoint_state"),
        CheckConstraint(f"reason IN ({_words(REASONS)})", name="webhook_endpoint_reason"),
        CheckConstraint("(state = 'disabled') = (disabled_at IS NOT NULL)", name="webhook_endpoint_disabled"),
        CheckConstraint("state IN ('pending', 'disabled') OR activated_at IS NOT NULL",
                        name="webhook_endpoint_activated"),
        CheckConstraint(f"detail IN ({_words(DETAILS)})", name="webhook_endpoint_detail"),
        CheckConstraint(f"severity IN ({_words(SEVERITIES)})", name="webhook_endpoint_severity"),
        CheckConstraint("generation >= 1", name="webhook_endpoint_generation"),
        # Numbers of subjects are counted under an id: one that is gone must not lend it to another.
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: int | None = Field(default=None, sa_column=Column(WHOLE, primary_key=True))
    public_id: str = Field(sa_column=Column(String(40), nullable=False))
    organisation_id: int = Field(foreign_key="organisation.id", index=True)
    receiver_id: int = Field(sa_column=Column(BigInteger(), nullable=False))
    target: str = Field(sa_column=Column(String(2000), nullable=False))
    state: str = Field(sa_column=Column(String(8), nullable=False))
    reason: str | None = Field(sa_column=Column(String(8), nullable=True))
    detail: str = Field(sa_column=Column(String(4), nullable=False))
    types: str = Field(sa_column=Column(String(1000), nullable=False))
    communities: str = Field(sa_column=Column(String(4000), nullable=False))
    labels: str = Field(sa_column=Column(String(2000), nullable=False))
    severity: str = Field(sa_column=Column(String(8), nullable=False))
    generation: int = Field(sa_column=Column(BigInteger(), nullable=False))
    rotated_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    activated_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    disabled_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))


class SubjectRow(SQLModel, table=True):
    """How many messages about a subject there have been for an endpoint: `seq` is the number of the newest."""

    __tablename__ = "webhook_subject"
    __table_args__ = (
        CheckConstraint("seq >= 1", name="webhook_subject_seq"),
        {"sqlite_with_rowid": False},
    )

    endpoint_id: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    subject: str = Field(sa_column=Column(String(80), primary_key=True))
    seq: int = Field(sa_column=Column(BigInteger(), nullable=False))


class MessageRow(SQLModel, table=True):
    """One message, whoever it is for: its thin body without the number, which differs from endpoint to endpoint.

    `audience` says for whom it is: for `any` reader, for those who may read in `full`, or for those who are given only
    what travels freely, whose message counts less. With `organisation_id` it is for that member alone. The message is
    about log entries `first_seq` to `last_seq`, if any.
    """

    __tablename__ = "webhook_message"
    __table_args__ = (
        UniqueConstraint("public_id", name="webhook_message_public"),
        CheckConstraint(f"type IN ({_words(EVENT_TYPES)})", name="webhook_message_type"),
        CheckConstraint(f"severity IN ({_words(SEVERITIES)})", name="webhook_message_severity"),
        CheckConstraint(f"audience IN ({_words(AUDIENCES)})", name="webhook_message_audience"),
        CheckConstraint("(first_seq IS NULL) = (last_seq IS NULL)", name="webhook_message_places"),
        CheckConstraint("first_seq <= last_seq", name="webhook_message_range"),
        Index("webhook_message_created", "created_at"),
        # The same: delivery knows a message by its id.
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, sa_column=Column(WHOLE, primary_key=True))
    public_id: str = Field(sa_column=Column(String(40), nullable=False))
    type: str = Field(sa_column=Column(String(24), nullable=False))
    subject: str = Field(sa_column=Column(String(80), nullable=False))
    community_id: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    organisation_id: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    audience: str = Field(sa_column=Column(String(4), nullable=False))
    first_seq: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    last_seq: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    labels: str = Field(sa_column=Column(String(2000), nullable=False))
    severity: str = Field(sa_column=Column(String(8), nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    caused_at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


endpoint: Final = table(EndpointRow)
subject: Final = table(SubjectRow)
message: Final = table(MessageRow)

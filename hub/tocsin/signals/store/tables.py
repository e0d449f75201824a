"""What the hub remembers of signals: statements, the indicators they are about, deliveries and quotas.

Rows of the hot tables carry no foreign keys: on PostgreSQL each costs a query a row. `tests/support/invariants.py`
checks what they would have.
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
from tocsin_schemas.indicators import INDICATOR_TYPES
from tocsin_schemas.vocabulary import ENTRY_KINDS, Basis, Status

ALIASES_PER_STATEMENT: Final = 16
"""An indicator's id is 16 x the log index of the statement that brought it, plus its place there."""

_KINDS: Final = ", ".join(f"'{kind}'" for kind in ENTRY_KINDS)
_BASES: Final = ", ".join(f"'{basis}'" for basis in get_args(Basis))
_STATUSES: Final = ", ".join(f"'{status}'" for status in get_args(Status))
_TYPES: Final = ", ".join(f"'{kind}'" for kind in INDICATOR_TYPES)


class StatementRow(SQLModel, table=True):
    """One recorded statement. `seq` is its log index, `kind` how the log counts it.

    While it lives, `jws` is the signed token byte for byte and `nonce` the r that opens its commitment. Once it is
    gone, both are erased; its identity (`jti`, `digest`) follows when no replay of it could be fresh any more.

    `free` says that it may be given to members that are given only TLP clear and green (NULL, from before that was
    asked: it may not); `released_at` is when what a provisional member said was shown to others, because somebody whose
    word counts had reported the same.
    """

    __tablename__ = "statement"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_KINDS})", name="statement_kind"),
        CheckConstraint(f"basis IN ({_BASES})", name="statement_basis"),
        CheckConstraint(f"status IN ({_STATUSES})", name="statement_status"),
        CheckConstraint("gone IN ('expired', 'retracted', 'recalled', 'erased')", name="statement_gone"),
        CheckConstraint("length(jti) = 16 AND length(digest) = 32", name="statement_digests"),
        CheckConstraint(
            "quarantine IN ('pdq-degenerate', 'pdq-low-quality', 'benign', 'minor-suspected')",
            name="statement_quarantine",
        ),
        CheckConstraint("(gone IS NULL) = (gone_at IS NULL)", name="statement_gone_at"),
        CheckConstraint("(jws IS NULL) = (gone IS NOT NULL)", name="statement_erased"),
        CheckConstraint("(nonce IS NULL) = (jws IS NULL)", name="statement_nonce"),
        UniqueConstraint("author_id", "jti", name="statement_identity"),
        Index("statement_digest", "digest"),
        Index("statement_feed", "community_id", "seq"),
        Index(
            "statement_replay",
            "iat",
            postgresql_where=text("gone IS NOT NULL AND jti IS NOT NULL"),
            sqlite_where=text("gone IS NOT NULL AND jti IS NOT NULL"),
        ),
        Index(
            "statement_expiry",
            "expires_at",
            postgresql_where=text("gone IS NULL"),
            sqlite_where=text("gone IS NULL"),
        ),
        Index(
            "statement_expired_day",
            "community_id",
            "expires_at",
            postgresql_where=text("gone IS NOT NULL"),
            sqlite_where=text("gone IS NOT NULL"),
        ),
    )

    seq: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    community_id: int = Field(sa_column=Column(BigInteger(), nullable=False))
    author_id: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    kind: str = Field(sa_column=Column(String(16), nullable=False))
    jti: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))
    digest: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))
    jws: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))
    nonce: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))
    basis: str | None = Field(sa_column=Column(String(20), nullable=True))
    iat: int = Field(sa_column=Column(BigInteger(), nullable=False))
    toe: int = Field(sa_column=Column(BigInteger(), nullable=False))
    recorded_at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    expires_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    status: str = Field(sa_column=Column(String(16), nullable=False))
    quarantine: str | None = Field(sa_column=Column(String(16), nullable=True))
    free: bool | None = Field(sa_column=Column(Boolean(), nullable=True))
    released_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    gone: str | None = Field(sa_column=Column(String(10), nullable=True))
    gone_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))


class IndicatorRow(SQLModel, table=True):
    """One indicator in one community, kept while a statement about it lives."""

    __tablename__ = "indicator"
    __table_args__ = (
        CheckConstraint(f"type IN ({_TYPES})", name="indicator_type"),
        CheckConstraint("length(value) BETWEEN 16 AND 144", name="indicator_length"),
        UniqueConstraint("community_id", "type", "value", name="indicator_value"),
    )

    id: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    community_id: int = Field(sa_column=Column(BigInteger(), nullable=False))
    type: str = Field(sa_column=Column(String(16), nullable=False))
    value: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))


class ObservationRow(SQLModel, table=True):
    """A live statement is about an indicator. `decides` tells reports and disputes from the rest: there may be any
    number of sightings of one indicator, and where it stands is asked without reading them.
    """

    __tablename__ = "observation"
    __table_args__ = (Index("observation_seq", "seq"), {"sqlite_with_rowid": False})

    indicator_id: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    decides: bool = Field(sa_column=Column(Boolean(), primary_key=True))
    seq: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))


class PastObservationRow(SQLModel, table=True):
    """A statement that was erased at `erased_at` was about an indicator: kept until whoever was given it was told.

    Numbers alone: what an indicator was is erased with the last statement about it.
    """

    __tablename__ = "past_observation"
    __table_args__ = (Index("past_observation_age", "erased_at"), {"sqlite_with_rowid": False})

    seq: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    indicator_id: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    erased_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class DeliveryRow(SQLModel, table=True):
    """How far a member was ever given a community's feed: the basis of independence and, later, of recall."""

    __tablename__ = "delivery"

    organisation_id: int = Field(foreign_key="organisation.id", primary_key=True)
    community_id: int = Field(foreign_key="community.id", primary_key=True)
    seq: int = Field(sa_column=Column(BigInteger(), nullable=False))


class ViewRow(SQLModel, table=True):
    """A member was shown one indicator's view; `seq` is the log size at that time."""

    __tablename__ = "indicator_view"

    organisation_id: int = Field(foreign_key="organisation.id", primary_key=True)
    indicator_id: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    seq: int = Field(sa_column=Column(BigInteger(), nullable=False))


class QuotaRow(SQLModel, table=True):
    """How many lines a member has submitted in the hour that began at `hour` (Unix seconds)."""

    __tablename__ = "quota"
    __table_args__ = (CheckConstraint("used >= 0", name="quota_used"),)

    organisation_id: int = Field(foreign_key="organisation.id", primary_key=True)
    hour: int = Field(sa_column=Column(BigInteger(), nullable=False))
    used: int = Field(sa_column=Column(BigInteger(), nullable=False))


class ExpiryDayRow(SQLModel, table=True):
    """A community's expiries of one day (days since 1970-01-01) are in the log."""

    __tablename__ = "expiry_day"

    community_id: int = Field(foreign_key="community.id", primary_key=True)
    day: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))


class FeedSegmentRow(SQLModel, table=True):
    """A community has records in the range of `SEGMENT` log indexes with this number, and this is what is stored of it.

    Unless it is stale: then the objects of its generation are not there, or not yet, or show what must not be shown.
    """

    __tablename__ = "feed_segment"
    __table_args__ = (
        CheckConstraint("stale OR length(digest) = 32", name="feed_segment_built"),
        Index("feed_segment_number", "number"),
        Index(
            "feed_segment_stale",
            "community_id",
            "number",
            postgresql_where=text("stale"),
            sqlite_where=text("stale"),
        ),
    )

    community_id: int = Field(foreign_key="community.id", primary_key=True)
    number: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    generation: int = Field(sa_column=Column(BigInteger(), nullable=False))
    stale: bool = Field(sa_column=Column(Boolean(), nullable=False))
    records: int = Field(sa_column=Column(BigInteger(), nullable=False))
    size: int = Field(sa_column=Column(BigInteger(), nullable=False))
    crc: int = Field(sa_column=Column(BigInteger(), nullable=False))
    zstd: int = Field(sa_column=Column(BigInteger(), nullable=False))
    deflate: int = Field(sa_column=Column(BigInteger(), nullable=False))
    digest: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))
    until: int | None = Field(sa_column=Column(BigInteger(), nullable=True))


class DepartureRow(SQLModel, table=True):
    """What a member left behind that left at `since` has been gone through, and what nobody bore out has expired."""

    __tablename__ = "departure"

    organisation_id: int = Field(foreign_key="organisation.id", primary_key=True)
    since: int = Field(sa_column=Column(BigInteger(), nullable=False))


class ReleaseRow(SQLModel, table=True):
    """How much of the log was looked through for what bears out a provisional member; there is one row, or none."""

    __tablename__ = "release_state"
    __table_args__ = (CheckConstraint("id = 1", name="release_state_once"),)

    id: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    size: int = Field(sa_column=Column(BigInteger(), nullable=False))


class FeedAuthorRow(SQLModel, table=True):
    """A member has a signal in a stored segment; `withheld` says whether it was built without any of these.

    `withheld_from` is from which instant of recording they were withheld (`signals.service.sight`), and `latest` when
    the last of them was recorded. Both are NULL where a segment was built before that was asked.
    """

    __tablename__ = "feed_author"
    __table_args__ = (Index("feed_author_withheld", "withheld", "organisation_id"),)

    community_id: int = Field(foreign_key="community.id", primary_key=True)
    number: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    organisation_id: int = Field(foreign_key="organisation.id", primary_key=True)
    withheld: bool = Field(sa_column=Column(Boolean(), nullable=False))
    latest: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    withheld_from: int | None = Field(sa_column=Column(BigInteger(), nullable=True))


class SnapshotRow(SQLModel, table=True):
    """The newest snapshot of a community's live set of a type; version 0 has not been made yet.

    It covers everything that happened until `checked_at` and, in the log, below `checked_size`; `withheld` is the
    SHA-256 of which members' signals did not count, and from when on. `claim` counts those that began to make a
    version: only the last may finish. Unless it is `swept`, objects may lie beside those that its manifest names.
    """

    __tablename__ = "snapshot"
    __table_args__ = (
        CheckConstraint(f"type IN ({_TYPES})", name="snapshot_type"),
        CheckConstraint("(version = 0) = (manifest IS NULL)", name="snapshot_made"),
        CheckConstraint("(version = 0) = (seq IS NULL)", name="snapshot_entered"),
        CheckConstraint("length(manifest) = 32", name="snapshot_manifest"),
    )

    community_id: int = Field(foreign_key="community.id", primary_key=True)
    type: str = Field(sa_column=Column(String(16), primary_key=True))
    version: int = Field(sa_column=Column(BigInteger(), nullable=False))
    claim: int = Field(sa_column=Column(BigInteger(), nullable=False))
    swept: bool = Field(sa_column=Column(Boolean(), nullable=False))
    seq: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    manifest: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))
    checked_at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    checked_size: int = Field(sa_column=Column(BigInteger(), nullable=False))
    withheld: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))


statement: Final = table(StatementRow)
indicator: Final = table(IndicatorRow)
observation: Final = table(ObservationRow)
past_observation: Final = table(PastObservationRow)
delivery: Final = table(DeliveryRow)
view: Final = table(ViewRow)
quota: Final = table(QuotaRow)
expiry_day: Final = table(ExpiryDayRow)
departure: Final = table(DepartureRow)
release_state: Final = table(ReleaseRow)
feed_segment: Final = table(FeedSegmentRow)
feed_author: Final = table(FeedAuthorRow)
snapshot: Final = table(SnapshotRow)

"""The log's tables: its size, one row an entry, and what of it has been published."""

from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, LargeBinary, String, text
from sqlmodel import Field, SQLModel

from tocsin.db import WHOLE
from tocsin_schemas.vocabulary import BOARD, DOCKET, ENTRY_KINDS

SINGLE_ID: Final = 1
_OF_THE_BOARD: Final = text(f"community = '{BOARD}'")
_OF_THE_DOCKET: Final = text(f"community = '{DOCKET}'")
_KINDS: Final = ", ".join(f"'{kind}'" for kind in ENTRY_KINDS)


class LedgerHeadRow(SQLModel, table=True):
    """The one row that orders writers: the number of entries in the log."""

    __tablename__ = "ledger_head"
    __table_args__ = (CheckConstraint(f"id = {SINGLE_ID}", name="ledger_head_single"),)

    id: int = Field(default=SINGLE_ID, primary_key=True)
    size: int = Field(default=0, sa_column=Column(BigInteger(), nullable=False))


class EntryRow(SQLModel, table=True):
    """One log entry. `seq` is its RFC 6962 leaf index."""

    __tablename__ = "entry"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_KINDS})", name="entry_kind"),
        CheckConstraint("length(commitment) = 32", name="entry_commitment"),
        # The board's entries are few among many, and looked through whole; so are those of its proceedings.
        Index("entry_board", "seq", sqlite_where=_OF_THE_BOARD, postgresql_where=_OF_THE_BOARD),
        Index("entry_docket", "seq", sqlite_where=_OF_THE_DOCKET, postgresql_where=_OF_THE_DOCKET),
    )

    seq: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    community: str = Field(sa_column=Column(String(63), nullable=False))
    kind: str = Field(sa_column=Column(String(16), nullable=False))
    recorded_at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    commitment: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))


class EntryDayRow(SQLModel, table=True):
    """How many published entries of one kind were recorded on one day (days since 1970-01-01, UTC).

    All rows together count exactly the entries of the newest publication.
    """

    __tablename__ = "entry_day"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_KINDS})", name="entry_day_kind"),
        CheckConstraint("entries > 0", name="entry_day_entries"),
    )

    day: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    kind: str = Field(sa_column=Column(String(16), primary_key=True))
    entries: int = Field(sa_column=Column(BigInteger(), nullable=False))


class PublicationRow(SQLModel, table=True):
    """The newest tree the hub has signed. It is there from the first publication on, and only ever grows.

    `edge` is what the tree grows from (`tocsin_schemas.merkle.Edge`), `checkpoint` the signed note with the
    cosignatures of witnesses below it.
    """

    __tablename__ = "publication"
    __table_args__ = (
        CheckConstraint(f"id = {SINGLE_ID}", name="publication_single"),
        CheckConstraint("size >= 0", name="publication_size"),
        CheckConstraint("length(root) = 32", name="publication_root"),
    )

    id: int = Field(default=SINGLE_ID, primary_key=True)
    size: int = Field(sa_column=Column(BigInteger(), nullable=False))
    root: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    edge: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    checkpoint: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    published_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class LogWitnessRow(SQLModel, table=True):
    """What is known of a witness of this log: the size it cosigned last, and whether it has seen another log.

    `place` is the SHA-256 of its submission prefix. `conflict`: `ahead` and `other` are proved by `shown`, a note under
    our log's key with a larger tree than ours, or another one; `claimed` is the witness's word alone.
    """

    __tablename__ = "log_witness"
    __table_args__ = (
        CheckConstraint("length(place) = 32", name="log_witness_place"),
        CheckConstraint("conflict IN ('ahead', 'other', 'claimed')", name="log_witness_conflict"),
    )

    place: bytes = Field(sa_column=Column(LargeBinary(), primary_key=True))
    size: int = Field(default=0, sa_column=Column(BigInteger(), nullable=False))
    cosigned_at: int | None = Field(default=None, sa_column=Column(BigInteger()))
    failures: int = Field(default=0, sa_column=Column(BigInteger(), nullable=False))
    retry_at: int = Field(default=0, sa_column=Column(BigInteger(), nullable=False))
    conflict: str | None = Field(default=None, sa_column=Column(String(8)))
    conflict_size: int | None = Field(default=None, sa_column=Column(BigInteger()))
    shown: bytes | None = Field(default=None, sa_column=Column(LargeBinary()))

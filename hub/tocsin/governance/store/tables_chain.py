"""The tables of the board's chain: its records, the policy in force, the roster that is being gathered, and the seals.

The records are the truth, and every one of them is an entry of the log. The policy is derived from them; the roster
that is being gathered has no power before it stands in the first record. The seals hold what leads to a record against
the log.
"""

from typing import Final

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

from tocsin.db import WHOLE

SINGLE_ID = 1
_WITH_ROWS: Final = text("spelled IS NOT NULL")
_LIVE: Final = text("live")


class RecordRow(SQLModel, table=True):
    """One record: `raw` is its canonical form, `nonce` the r that opens its log entry's commitment.

    `shown` says that its copy lies beside the public log.
    """

    __tablename__ = "board_record"
    __table_args__ = (
        CheckConstraint("length(digest) = 32", name="board_record_digest"),
        CheckConstraint("length(nonce) = 32", name="board_record_nonce"),
        UniqueConstraint("log_seq", name="board_record_entry"),
    )

    seq: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    log_seq: int = Field(sa_column=Column(BigInteger(), nullable=False))
    digest: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    raw: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    nonce: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    shown: bool = Field(default=False, nullable=False)


class PolicyRow(SQLModel, table=True):
    """The policy in force, as canonical JSON, so that a request need not replay anything."""

    __tablename__ = "board_policy"
    __table_args__ = (CheckConstraint(f"id = {SINGLE_ID}", name="board_policy_single"),)

    id: int = Field(default=SINGLE_ID, primary_key=True)
    document: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))


class FoundingRow(SQLModel, table=True):
    """The seats of a board that is being founded, as canonical JSON: handles, classes, keys that are kept offline."""

    __tablename__ = "board_founding"
    __table_args__ = (CheckConstraint(f"id = {SINGLE_ID}", name="board_founding_single"),)

    id: int = Field(default=SINGLE_ID, primary_key=True)
    document: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    begun_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class SealRow(SQLModel, table=True):
    """A seal of a case of the proceedings (`tocsin_schemas.docket`), by the log entry that it is.

    `spelled` is the case as it was sealed and `salt` what its digest was salted with, as long as the seal is the newest
    of its case: nothing outlives what was deleted. Which case it is of, and whether that is `live`, follows from there;
    here it is only to be found by. No foreign key: a case may end.
    """

    __tablename__ = "board_seal"
    __table_args__ = (
        CheckConstraint("kind IN ('application', 'motion', 'ties', 'acts')", name="board_seal_kind"),
        CheckConstraint("length(state) = 32", name="board_seal_state"),
        CheckConstraint("length(nonce) = 32", name="board_seal_nonce"),
        CheckConstraint("length(salt) = 32", name="board_seal_salt"),
        CheckConstraint("(salt IS NULL) = (spelled IS NULL)", name="board_seal_newest"),
        Index("board_seal_case", "kind", "case_id", sqlite_where=_WITH_ROWS, postgresql_where=_WITH_ROWS),
        Index("board_seal_live", "log_seq", sqlite_where=_LIVE, postgresql_where=_LIVE),
        Index("board_seal_replaces", "replaces"),
    )

    log_seq: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    kind: str = Field(sa_column=Column(String(12), nullable=False))
    case_id: str = Field(sa_column=Column(String(35), nullable=False))
    live: bool = Field(sa_column=Column(Boolean(), nullable=False))
    replaces: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    state: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    nonce: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    salt: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))
    spelled: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))

"""The tables of the board's chain: its records, the policy in force, and the roster that is being gathered.

The records are the truth, and every one of them is an entry of the log. The policy is derived from them; the roster
that is being gathered has no power before it stands in the first record.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from tocsin.db import WHOLE

SINGLE_ID = 1


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

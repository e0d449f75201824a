"""What the log remembers: its size, and one row an entry."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Column, LargeBinary, String
from sqlmodel import Field, SQLModel

from tocsin.db import WHOLE, UnitOfWork, table
from tocsin_schemas.ledger import Entry
from tocsin_schemas.vocabulary import ENTRY_KINDS

HEAD_ID: Final = 1
_KINDS: Final = ", ".join(f"'{kind}'" for kind in ENTRY_KINDS)


class LedgerHeadRow(SQLModel, table=True):
    """The one row that orders writers: the number of entries in the log."""

    __tablename__ = "ledger_head"
    __table_args__ = (CheckConstraint(f"id = {HEAD_ID}", name="ledger_head_single"),)

    id: int = Field(default=HEAD_ID, primary_key=True)
    size: int = Field(default=0, sa_column=Column(BigInteger(), nullable=False))


class EntryRow(SQLModel, table=True):
    """One log entry. `seq` is its RFC 6962 leaf index."""

    __tablename__ = "entry"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_KINDS})", name="entry_kind"),
        CheckConstraint("length(commitment) = 32", name="entry_commitment"),
    )

    seq: int = Field(sa_column=Column(WHOLE, primary_key=True, autoincrement=False))
    community: str = Field(sa_column=Column(String(63), nullable=False))
    kind: str = Field(sa_column=Column(String(16), nullable=False))
    recorded_at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    commitment: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))


_head = table(LedgerHeadRow)
_entry = table(EntryRow)
_COLUMNS: Final = (_entry.c.community, _entry.c.kind, _entry.c.recorded_at, _entry.c.commitment)


def locked_size(uow: UnitOfWork) -> int:
    """The size of the log; until this transaction ends, no other can append."""
    return int(
        uow.conn.execute(_head.select().with_only_columns(_head.c.size).with_for_update()).scalar_one()
    )


def size(uow: UnitOfWork) -> int:
    """The size of the log."""
    return int(uow.conn.execute(_head.select().with_only_columns(_head.c.size)).scalar_one())


def append(uow: UnitOfWork, first: int, entries: Sequence[Entry]) -> None:
    """Write entries from leaf index `first` on, and move the head behind them."""
    uow.insert_rows(
        _entry,
        ("seq", "community", "kind", "recorded_at", "commitment"),
        [(first + at, e.community, e.kind, e.recorded_at, e.commitment) for at, e in enumerate(entries)],
    )
    uow.conn.execute(_head.update().values(size=first + len(entries)))


def entries(uow: UnitOfWork, first: int, count: int) -> list[Entry]:
    """At most `count` entries from leaf index `first` on, in order."""
    chosen = _entry.select().with_only_columns(*_COLUMNS).where(_entry.c.seq >= first)
    return [Entry(*row) for row in uow.conn.execute(chosen.order_by(_entry.c.seq).limit(count))]


def entries_at(uow: UnitOfWork, seqs: Sequence[int]) -> dict[int, Entry]:
    """The entries at the leaf indexes given."""
    chosen = _entry.select().with_only_columns(_entry.c.seq, *_COLUMNS).where(uow.among(_entry.c.seq, seqs))
    return {row[0]: Entry(*row[1:]) for row in uow.conn.execute(chosen)}

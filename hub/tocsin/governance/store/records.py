"""The chain's rows: its records in order, the policy in force, and the roster that is being gathered."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite

from tocsin.db import UnitOfWork, table
from tocsin.governance.store.tables_chain import SINGLE_ID, FoundingRow, PolicyRow, RecordRow

_record: Final = table(RecordRow)
_policy: Final = table(PolicyRow)
_founding: Final = table(FoundingRow)


class Kept(NamedTuple):
    """A record as it is kept: its number, its log entry, its digest and canonical bytes, and what opens the entry."""

    seq: int
    log_seq: int
    digest: bytes
    raw: bytes
    nonce: bytes
    shown: bool = False


_KEPT: Final = select(*(_record.c[name] for name in Kept._fields)).order_by(_record.c.seq)
_LAST: Final = select(func.max(_record.c.seq))
_NEWEST: Final = select(_record.c.seq, _record.c.digest).order_by(_record.c.seq.desc()).limit(1)


def kept(uow: UnitOfWork, first: int = 0) -> list[Kept]:
    """The records from number `first` on."""
    rows = uow.conn.execute(_KEPT.where(_record.c.seq >= first))
    return [
        Kept(row.seq, row.log_seq, bytes(row.digest), bytes(row.raw), bytes(row.nonce), row.shown)
        for row in rows
    ]


def below(uow: UnitOfWork, first: int, end: int, count: int) -> list[Kept]:
    """The newest `count` records of those from number `first` on and below `end`, the newest first."""
    chosen = select(*(_record.c[name] for name in Kept._fields)).where(
        _record.c.seq >= first, _record.c.seq < end
    )
    rows = uow.conn.execute(chosen.order_by(_record.c.seq.desc()).limit(count))
    return [Kept(*row) for row in rows]


def one(uow: UnitOfWork, seq: int) -> Kept | None:
    """One record."""
    row = uow.conn.execute(_KEPT.where(_record.c.seq == seq)).one_or_none()
    return None if row is None else Kept(*row)


def some(uow: UnitOfWork, seqs: Sequence[int]) -> dict[int, bytes]:
    """The bytes of those of these records that there are, by their numbers."""
    chosen = select(_record.c.seq, _record.c.raw).where(_record.c.seq.in_(seqs))
    return {row.seq: bytes(row.raw) for row in uow.conn.execute(chosen)}


def unshown(uow: UnitOfWork, below: int) -> list[Kept]:
    """The records whose copies do not lie beside the log yet, of entries below a log index."""
    rows = uow.conn.execute(_KEPT.where(_record.c.shown.is_(False), _record.c.log_seq < below))
    return [Kept(*row) for row in rows]


def count(uow: UnitOfWork) -> int:
    """How many records there are."""
    ((last,),) = uow.ask(_LAST)
    return 0 if last is None else int(last) + 1


def digest_at(uow: UnitOfWork, seq: int) -> bytes | None:
    """The digest of a record, as its row says."""
    found = uow.conn.execute(select(_record.c.digest).where(_record.c.seq == seq)).scalar()
    return None if found is None else bytes(found)


def newest(uow: UnitOfWork) -> tuple[int, bytes] | None:
    """The number and the digest of the newest record."""
    found = uow.ask(_NEWEST)
    return (int(found[0][0]), bytes(found[0][1])) if found else None


def add(uow: UnitOfWork, row: Kept) -> None:
    """Add a record."""
    uow.conn.execute(_record.insert().values(**row._asdict()))


def put_back(uow: UnitOfWork, row: Kept) -> None:
    """Put a record in the place of what its row says."""
    remove(uow, [row.seq])
    add(uow, row)


def remove(uow: UnitOfWork, seqs: Sequence[int]) -> None:
    """Remove rows that are no records."""
    uow.conn.execute(_record.delete().where(_record.c.seq.in_(seqs)))


def mark_shown(uow: UnitOfWork, seqs: Sequence[int]) -> None:
    """Remember that their copies lie beside the log."""
    uow.conn.execute(_record.update().where(_record.c.seq.in_(seqs)).values(shown=True))


def policy(uow: UnitOfWork) -> bytes | None:
    """The policy in force, as canonical JSON; None before the board is founded."""
    found = uow.conn.execute(select(_policy.c.document)).scalar()
    return None if found is None else bytes(found)


def set_policy(uow: UnitOfWork, document: bytes | None) -> None:
    """Put a policy in force; None takes it away."""
    if document is None:
        uow.conn.execute(_policy.delete())
        return
    insert = postgresql.insert if uow.dialect == "postgresql" else sqlite.insert
    uow.conn.execute(
        insert(_policy)
        .values(id=SINGLE_ID, document=document)
        .on_conflict_do_update(index_elements=[_policy.c.id], set_={"document": document})
    )


def founding(uow: UnitOfWork) -> bytes | None:
    """The seats that are being gathered, as canonical JSON."""
    found = uow.conn.execute(select(_founding.c.document)).scalar()
    return None if found is None else bytes(found)


def set_founding(uow: UnitOfWork, document: bytes) -> None:
    """Remember the seats that are being gathered, in place of earlier ones."""
    uow.conn.execute(_founding.delete())
    uow.conn.execute(_founding.insert().values(id=SINGLE_ID, document=document, begun_at=uow.now))

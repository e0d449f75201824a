"""The newest tree the hub has signed: one row that is compared before it is changed."""

from typing import Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from tocsin.db import UnitOfWork, table
from tocsin.ledger.store import days
from tocsin.ledger.store.tables import SINGLE_ID, EntryRow, PublicationRow

_publication: Final = table(PublicationRow)
_entry: Final = table(EntryRow)
_COUNTED: Final = {"preserve_rowcount": True}


class Publication(NamedTuple):
    """A tree that was signed: `note` is its checkpoint with the cosignatures it has so far, `edge` what it grows from.

    `published_at` is Unix seconds, when the hub signed it.
    """

    size: int
    root: bytes
    edge: bytes
    note: bytes
    published_at: int


def newest(uow: UnitOfWork) -> Publication | None:
    """The newest tree that was signed; None before the first."""
    columns = ("size", "root", "edge", "checkpoint", "published_at")
    chosen = _publication.select().with_only_columns(*(_publication.c[name] for name in columns))
    row = uow.conn.execute(chosen).first()
    return None if row is None else Publication(*row)


def published_size(uow: UnitOfWork) -> int:
    """How many entries a checkpoint covers by now; 0 before the first."""
    chosen = _publication.select().with_only_columns(_publication.c.size)
    return int(uow.conn.execute(chosen).scalar() or 0)


def last_sign(uow: UnitOfWork) -> int | None:
    """When the newest tree was signed or the newest entry written, the later one (Unix seconds); None of neither."""
    signed = uow.conn.execute(select(_publication.c.published_at)).scalar()
    written = uow.conn.execute(select(_entry.c.recorded_at).order_by(_entry.c.seq.desc()).limit(1)).scalar()
    return max((int(at) for at in (signed, written) if at is not None), default=None)


def advance(uow: UnitOfWork, before: Publication | None, after: Publication) -> bool:
    """Put `after` in the place of `before`, if that is still the newest; whether it was (compare and swap).

    The entries it adds are counted by day in the same transaction.
    """
    values = {
        "size": after.size,
        "root": after.root,
        "edge": after.edge,
        "checkpoint": after.note,
        "published_at": after.published_at,
    }
    if before is None:
        insert = postgresql.insert if uow.dialect == "postgresql" else sqlite.insert
        first = insert(_publication).values(id=SINGLE_ID, **values).on_conflict_do_nothing()
        won = uow.conn.execute(first, execution_options=_COUNTED).rowcount
    else:
        same = (_publication.c.size == before.size, _publication.c.root == before.root)
        change = _publication.update().where(*same).values(**values)
        won = uow.conn.execute(change, execution_options=_COUNTED).rowcount
    if won:
        days.count(uow, 0 if before is None else before.size, after.size)
    return bool(won)


def cosign(uow: UnitOfWork, before: Publication, note: bytes) -> bool:
    """Put a note with more cosignatures in the place of the publication's, if nobody else did; whether that was so."""
    same = (_publication.c.size == before.size, _publication.c.checkpoint == before.note)
    change = _publication.update().where(*same).values(checkpoint=note)
    return bool(uow.conn.execute(change, execution_options=_COUNTED).rowcount)

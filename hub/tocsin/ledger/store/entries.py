"""The entries, and the head row that orders those who append."""

import json
from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, select, text

from tocsin.db import UnitOfWork, View, table
from tocsin.ledger.store.tables import EntryRow, LedgerHeadRow
from tocsin_schemas.ledger import Entry
from tocsin_schemas.vocabulary import BOARD, DOCKET, SCOPE_WORDS

_head: Final = table(LedgerHeadRow)
_entry: Final = table(EntryRow)
SIZE: Final = _head.select().with_only_columns(_head.c.size)
"""How many entries there are: asked on nearly every request, and foreseen (`tocsin.db.Database.at_a_glance`)."""
_COLUMNS: Final = (_entry.c.community, _entry.c.kind, _entry.c.recorded_at, _entry.c.commitment)

_AT: Final = {
    "sqlite": text("seq IN (SELECT value FROM json_each(:seqs))"),
    "postgresql": text(
        "seq = ANY (ARRAY(SELECT CAST(json_array_elements_text(CAST(:seqs AS json)) AS bigint)))"
    ),
}
_ENTRIES_AT: Final = {name: select(_entry.c.seq, *_COLUMNS).where(chosen) for name, chosen in _AT.items()}


def locked_size(uow: UnitOfWork) -> int:
    """The size of the log; until this transaction ends, no other can append."""
    return int(uow.conn.execute(SIZE.with_for_update()).scalar_one())


def size(view: View) -> int:
    """The size of the log."""
    ((size,),) = view.ask(SIZE)
    return int(size)


def append(uow: UnitOfWork, first: int, entries: Sequence[Entry]) -> None:
    """Write entries from leaf index `first` on, and move the head behind them."""
    uow.insert_rows(
        _entry,
        ("seq", "community", "kind", "recorded_at", "commitment"),
        [(first + at, e.community, e.kind, e.recorded_at, e.commitment) for at, e in enumerate(entries)],
    )
    uow.conn.execute(_head.update().values(size=first + len(entries)))


def entries(uow: UnitOfWork, first: int, end: int) -> list[Entry]:
    """The entries at the leaf indexes `first` up to but without `end`, in order."""
    chosen = _entry.select().with_only_columns(*_COLUMNS).where(_entry.c.seq >= first, _entry.c.seq < end)
    return [Entry(*row) for row in uow.conn.execute(chosen.order_by(_entry.c.seq))]


def earliest(uow: UnitOfWork, first: int, end: int) -> int | None:
    """The earliest time (Unix seconds) of the entries from leaf index `first` up to but without `end`; None of none."""
    within = (_entry.c.seq >= first, _entry.c.seq < end)
    found = uow.conn.execute(select(func.min(_entry.c.recorded_at)).where(*within)).scalar()
    return None if found is None else int(found)


def of_the_board(uow: UnitOfWork) -> list[tuple[int, Entry]]:
    """The entries of the board's chain, each behind its leaf index, in order."""
    return _under(uow, BOARD)


def of_the_docket(uow: UnitOfWork) -> list[tuple[int, Entry]]:
    """The entries that seal the board's proceedings, each behind its leaf index, in order."""
    return _under(uow, DOCKET)


def matching(
    uow: UnitOfWork,
    first: int,
    end: int,
    count: int,
    *,
    kind: str | None,
    community: str | None,
    since: int | None,
    until: int | None,
) -> list[tuple[int, Entry]]:
    """The newest `count` entries at the leaf indexes `first` up to but without `end` that are of a kind, of a community
    and of a time (Unix seconds), each behind its leaf index; the newest first. None stands for any.

    It reads whatever lies between the two indexes, but for a scope word, which has an index of its own.
    """
    chosen = _entry.select().with_only_columns(_entry.c.seq, *_COLUMNS)
    if community in SCOPE_WORDS:
        chosen = chosen.where(text(f"community = '{community}'"))
    elif community is not None:
        chosen = chosen.where(_entry.c.community == community)
    chosen = chosen.where(_entry.c.seq >= first, _entry.c.seq < end)
    if kind is not None:
        chosen = chosen.where(_entry.c.kind == kind)
    if since is not None and until is not None:
        chosen = chosen.where(_entry.c.recorded_at >= since, _entry.c.recorded_at < until)
    return [
        (row[0], Entry(*row[1:]))
        for row in uow.conn.execute(chosen.order_by(_entry.c.seq.desc()).limit(count))
    ]


def put_back(uow: UnitOfWork, seq: int, entry: Entry) -> None:
    """Make the row at a leaf index below the head say what the entry there is."""
    uow.conn.execute(_entry.delete().where(_entry.c.seq == seq))
    uow.conn.execute(_entry.insert().values(seq=seq, **entry._asdict()))


def entries_at(uow: UnitOfWork, seqs: Sequence[int]) -> dict[int, Entry]:
    """The entries at the leaf indexes given."""
    if not seqs:
        return {}
    found = uow.ask(_ENTRIES_AT[uow.dialect], {"seqs": json.dumps(list(seqs))})
    return {row[0]: Entry(*row[1:]) for row in found}


def _under(uow: UnitOfWork, word: str) -> list[tuple[int, Entry]]:
    # The word stands in the query itself, so that the index of exactly these entries is used.
    chosen = _entry.select().with_only_columns(_entry.c.seq, *_COLUMNS).where(text(f"community = '{word}'"))
    return [(row[0], Entry(*row[1:])) for row in uow.conn.execute(chosen.order_by(_entry.c.seq))]

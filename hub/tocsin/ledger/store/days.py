"""Published entries counted by day and kind, so that nobody has to count the log again to show how it grew."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import case, func, literal
from sqlalchemy.dialects import postgresql, sqlite

from tocsin.db import UnitOfWork, table
from tocsin.ledger.store.tables import EntryDayRow, EntryRow

SECONDS: Final = 86_400
_entry: Final = table(EntryRow)
_day: Final = table(EntryDayRow)


class Count(NamedTuple):
    """So many entries of a kind on one day (days since 1970-01-01, UTC)."""

    day: int
    kind: str
    entries: int


def count(uow: UnitOfWork, first: int, end: int) -> None:
    """Count the entries at the leaf indexes `first` up to but without `end`, which were not counted before."""
    insert = postgresql.insert if uow.dialect == "postgresql" else sqlite.insert
    day = _entry.c.recorded_at // SECONDS
    found = (
        _entry.select()
        .with_only_columns(day, _entry.c.kind, func.count())
        .where(_entry.c.seq >= first, _entry.c.seq < end)
        .group_by(day, _entry.c.kind)
    )
    added = insert(_day).from_select(["day", "kind", "entries"], found)
    uow.conn.execute(
        added.on_conflict_do_update(
            index_elements=[_day.c.day, _day.c.kind],
            set_={"entries": _day.c.entries + added.excluded.entries},
        )
    )


def since(uow: UnitOfWork, day: int) -> list[Count]:
    """The counts of `day` and of those after it, in order."""
    chosen = _day.select().where(_day.c.day >= day).order_by(_day.c.day, _day.c.kind)
    return [Count(row.day, row.kind, row.entries) for row in uow.conn.execute(chosen)]


def totals(uow: UnitOfWork) -> dict[str, int]:
    """How many entries of each kind there are; kinds without any are left out."""
    chosen = _day.select().with_only_columns(_day.c.kind, func.sum(_day.c.entries)).group_by(_day.c.kind)
    return {kind: int(entries) for kind, entries in uow.conn.execute(chosen)}


def growth(uow: UnitOfWork, kind: str | None) -> Sequence[tuple[int, int, int]]:
    """Each day that has entries, in order: the day, how many it has, and how many of those are of `kind`, or of any."""
    counted = literal(True) if kind is None else _day.c.kind == kind
    chosen = (
        _day.select()
        .with_only_columns(
            _day.c.day, func.sum(_day.c.entries), func.sum(case((counted, _day.c.entries), else_=0))
        )
        .group_by(_day.c.day)
        .order_by(_day.c.day)
    )
    return [(day, int(total), int(matching)) for day, total, matching in uow.conn.execute(chosen)]

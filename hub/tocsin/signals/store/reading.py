"""Queries of readers: pages of the feed, one indicator's statements, and what was delivered to whom."""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Table, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

from tocsin.db import UnitOfWork
from tocsin.signals.store.tables import delivery, feed_segment, indicator, observation, statement, view
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.vocabulary import Basis, EntryKind

NEWEST_SHOWN: Final = 100
"""How many sightings and outcomes a view shows: there may be any number, and they decide nothing."""


class FeedRow(NamedTuple):
    """One statement as the feed renders it."""

    seq: int
    kind: EntryKind
    author_id: int | None
    recorded_at: int
    expires_at: int | None
    nonce: bytes | None
    jws: bytes | None
    quarantine: str | None
    free: bool | None
    released_at: int | None
    gone: str | None


class Departed(NamedTuple):
    """A statement that is gone, until when it would have lived, and what decides to whom it was shown."""

    seq: int
    expires_at: int | None
    author_id: int | None
    quarantine: str | None
    free: bool | None
    released_at: int | None


class ViewedStatement(NamedTuple):
    """One live statement about an indicator, with what its view shows."""

    seq: int
    digest: bytes
    kind: EntryKind
    author_id: int
    iat: int
    toe: int
    recorded_at: int
    expires_at: int
    basis: Basis | None
    quarantine: str | None
    free: bool | None
    released_at: int | None
    nonce: bytes
    jws: bytes


class Position(NamedTuple):
    """Where a reader stands in a community's feed.

    `first` is the log index of the next statement, or None; `end` the number behind the last range of log indexes that
    segments have been entered for; `delivered` the highest log index the reader was ever given, -1 for none.
    """

    first: int | None
    end: int
    delivered: int


# One statement, made once: a page costs a few milliseconds, and most of that is making statements.
_POSITION: Final = select(
    select(statement.c.seq)
    .where(statement.c.community_id == bindparam("community_id"), statement.c.seq > bindparam("after"))
    .order_by(statement.c.seq)
    .limit(1)
    .scalar_subquery(),
    select(func.coalesce(func.max(feed_segment.c.number) + 1, 0)).scalar_subquery(),
    func.coalesce(
        select(delivery.c.seq)
        .where(
            delivery.c.organisation_id == bindparam("reader_id"),
            delivery.c.community_id == bindparam("community_id"),
        )
        .scalar_subquery(),
        -1,
    ),
)


def position(uow: UnitOfWork, community_id: int, reader_id: int, after: int) -> Position:
    """Where a reader stands that has what is up to log index `after`."""
    named = {"community_id": community_id, "reader_id": reader_id, "after": after}
    return Position._make(uow.ask(_POSITION, named)[0])


def page(uow: UnitOfWork, community_id: int, first: int, last: int, limit: int) -> list[FeedRow]:
    """The statements of a community at log indexes `first` to `last` (both included), at most `limit`, in order."""
    c = statement.c
    chosen = statement.select().with_only_columns(*(c[name] for name in FeedRow._fields))
    here = (c.community_id == community_id, c.seq >= first, c.seq <= last)
    rows = uow.conn.execute(chosen.where(*here).order_by(c.seq).limit(limit))
    return [FeedRow._make(row) for row in rows.all()]


def placed(uow: UnitOfWork, seqs: Sequence[int]) -> dict[int, tuple[int, FeedRow]]:
    """(community id, statement) at each of the log indexes given."""
    c = statement.c
    chosen = statement.select().with_only_columns(c.community_id, *(c[name] for name in FeedRow._fields))
    rows = uow.conn.execute(chosen.where(uow.among(c.seq, seqs)))
    return {row.seq: (row.community_id, FeedRow._make(row[1:])) for row in rows}


def departed(uow: UnitOfWork, community_id: int, first: int, last: int) -> list[Departed]:
    """The statements at log indexes `first` to `last` (both included) of a community that are gone, in order."""
    c = statement.c
    chosen = statement.select().with_only_columns(*(c[name] for name in Departed._fields))
    here = (c.community_id == community_id, c.seq >= first, c.seq <= last, c.gone.is_not(None))
    return [Departed._make(row) for row in uow.conn.execute(chosen.where(*here).order_by(c.seq))]


def gone_before(uow: UnitOfWork, seqs: Collection[int], instant: int) -> set[int]:
    """Those of the statements at these log indexes that went before an instant."""
    c = statement.c
    if not seqs:
        return set()
    chosen = statement.select().with_only_columns(c.seq).where(uow.among(c.seq, seqs), c.gone_at < instant)
    return set(uow.conn.execute(chosen).scalars())


def indicators_at(uow: UnitOfWork, seqs: Sequence[int]) -> dict[int, list[tuple[int, Indicator]]]:
    """(id, indicator) for each indicator that the live statements at these log indexes are about, in their order."""
    found: dict[int, list[tuple[int, Indicator]]] = {}
    if seqs:
        c = indicator.c
        pairs = uow.conn.execute(observation.select().where(uow.among(observation.c.seq, seqs))).all()
        chosen = indicator.select().where(uow.among(c.id, {pair.indicator_id for pair in pairs}))
        named = {row.id: Indicator(row.type, row.value) for row in uow.conn.execute(chosen)}
        for pair in sorted(pairs, key=lambda pair: pair.indicator_id):
            found.setdefault(pair.seq, []).append((pair.indicator_id, named[pair.indicator_id]))
    return found


def find_indicator(uow: UnitOfWork, community_id: int, kind: str, value: bytes) -> int | None:
    """The id of an indicator in a community."""
    c = indicator.c
    chosen = indicator.select().with_only_columns(c.id)
    found = uow.conn.execute(chosen.where(c.community_id == community_id, c.type == kind, c.value == value))
    return found.scalar_one_or_none()


def statements_of(uow: UnitOfWork, indicator_id: int, now: int) -> list[ViewedStatement]:
    """The live statements about an indicator in log order: every report and dispute, the newest of the others."""
    o, c = observation.c, statement.c
    places = observation.select().with_only_columns(o.seq).where(o.indicator_id == indicator_id)
    seqs = [
        *uow.conn.execute(places.where(o.decides)).scalars(),
        *uow.conn.execute(places.where(~o.decides).order_by(o.seq.desc()).limit(NEWEST_SHOWN)).scalars(),
    ]
    chosen = statement.select().with_only_columns(*(c[name] for name in ViewedStatement._fields))
    rows = uow.conn.execute(chosen.where(uow.among(c.seq, seqs), c.gone.is_(None), c.expires_at > now))
    return sorted(ViewedStatement._make(row) for row in rows)


def mark_delivered(uow: UnitOfWork, organisation_id: int, community_id: int, seq: int) -> None:
    """Remember that the feed up to `seq` went to this organisation; the mark only ever rises."""
    here = (delivery.c.organisation_id == organisation_id, delivery.c.community_id == community_id)
    _insert_once(uow, delivery, organisation_id=organisation_id, community_id=community_id, seq=seq)
    uow.conn.execute(delivery.update().where(*here, delivery.c.seq < seq).values(seq=seq))


def mark_viewed(uow: UnitOfWork, organisation_id: int, indicator_id: int, size: int) -> None:
    """Remember that an indicator was shown to this organisation when the log had `size` entries."""
    _insert_once(uow, view, organisation_id=organisation_id, indicator_id=indicator_id, seq=size)
    here = (view.c.organisation_id == organisation_id, view.c.indicator_id == indicator_id)
    uow.conn.execute(view.update().where(*here, view.c.seq < size).values(seq=size))


def mark_all_viewed(uow: UnitOfWork, pairs: Collection[tuple[int, int]], size: int) -> None:
    """Remember that indicators were shown: each an (organisation id, indicator id), as `mark_viewed`."""
    if not pairs:
        return
    insert = (postgresql.insert if uow.dialect == "postgresql" else sqlite.insert)(view)
    risen = insert.on_conflict_do_update(
        index_elements=[view.c.organisation_id, view.c.indicator_id],
        set_={"seq": insert.excluded.seq},
        where=view.c.seq < insert.excluded.seq,
    )
    # In one order for everybody, so that no two wait for each other.
    uow.conn.execute(
        risen,
        [{"organisation_id": org, "indicator_id": item, "seq": size} for org, item in sorted(set(pairs))],
    )


def _insert_once(uow: UnitOfWork, into: Table, **values: int) -> None:
    insert = postgresql.insert if uow.dialect == "postgresql" else sqlite.insert
    uow.conn.execute(insert(into).values(**values).on_conflict_do_nothing())

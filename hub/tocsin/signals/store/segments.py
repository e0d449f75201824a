"""Queries of stored segments: which there are, which may be served, which have to be built, and what an erasure does to
them.

A row is there for every community with a record in a range of `SEGMENT` log indexes, once that range has been entered.
`generation` counts every attempt to build it and every erasure in it, and names the objects. So an object is current if
and only if its row is not stale and has its generation.
"""

from collections.abc import Collection, Mapping
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, exists, func, literal, or_, select, true

from tocsin.db import UnitOfWork
from tocsin.signals.store.tables import feed_author, feed_segment, statement
from tocsin_schemas.feed import SEGMENT


class Place(NamedTuple):
    """A segment of one community's feed: it spans log indexes `number * SEGMENT` to the one before the next."""

    community_id: int
    number: int


class Stored(NamedTuple):
    """A stored segment. `size` and `crc` are of its lines, `zstd` and `deflate` the sizes of its objects in bytes.

    `fresh` says that it may be served now: nothing in it was erased or has expired since it was built, and the same
    signals are withheld.
    """

    number: int
    generation: int
    records: int
    size: int
    crc: int
    zstd: int
    deflate: int
    digest: bytes
    fresh: bool


class Built(NamedTuple):
    """What a build knows of its segment. `until` is when the first record in it expires (Unix seconds), or None.

    `authors` are those with a signal in it: id, when the last of theirs was recorded, and from when on theirs are
    withheld, if any of these is.
    """

    records: int
    size: int
    crc: int
    zstd: int
    deflate: int
    digest: bytes
    until: int | None
    authors: frozenset[tuple[int, int, int | None]]


def end(uow: UnitOfWork) -> int:
    """The number behind the last range that has been entered."""
    last = uow.conn.execute(
        feed_segment.select().with_only_columns(func.max(feed_segment.c.number))
    ).scalar_one()
    return 0 if last is None else int(last) + 1


def at(
    uow: UnitOfWork, community_id: int, first: int, withheld: Mapping[int, int], limit: int
) -> list[Stored]:
    """At most `limit` segments of a community from number `first` on, in order.

    `withheld` maps authors to the instant of recording from which their signals are withheld now.
    """
    c = feed_segment.c
    fresh = and_(~c.stale, or_(c.until.is_(None), c.until > uow.now), ~_restated(uow, withheld))
    chosen = feed_segment.select().with_only_columns(
        c.number, c.generation, c.records, c.size, c.crc, c.zstd, c.deflate, c.digest, fresh.label("fresh")
    )
    rows = uow.conn.execute(
        chosen.where(c.community_id == community_id, c.number >= first).order_by(c.number).limit(limit)
    )
    return [Stored(*row[:8], bool(row.fresh)) for row in rows]


def enter(uow: UnitOfWork, first: int, behind: int) -> None:
    """Enter the ranges numbered `first` to the one before `behind`: a stale row for each community that has a record.

    Only under the log's lock, so that every erasure is either seen by the build or sees the row.
    """
    number = (statement.c.seq // SEGMENT).label("number")
    found = (
        select(
            statement.c.community_id, number,
            literal(0), true(), literal(0), literal(0), literal(0), literal(0), literal(0),
        )
        .where(statement.c.seq >= first * SEGMENT, statement.c.seq < behind * SEGMENT)
        .distinct()
    )  # fmt: skip
    columns = (
        "community_id", "number", "generation", "stale", "records", "size", "crc", "zstd", "deflate",
    )  # fmt: skip
    uow.conn.execute(feed_segment.insert().from_select(columns, found))


def pending(uow: UnitOfWork, withheld: Mapping[int, int]) -> bool:
    """Whether any segment has to be built."""
    stale = exists(feed_segment.select().where(feed_segment.c.stale))
    restated = exists(feed_author.select().where(_changed(uow, withheld)))
    return bool(uow.conn.execute(select(or_(stale, restated))).scalar_one())


def restate(uow: UnitOfWork, withheld: Mapping[int, int]) -> None:
    """Have those segments built again in which other signals are withheld now than when they were built."""
    _outdate(uow, and_(~feed_segment.c.stale, _restated(uow, withheld)))


def claim(uow: UnitOfWork, behind: Place) -> tuple[Place, int] | None:
    """Take the next stale segment behind a place, and its new generation; None when there is none.

    Whoever claimed it before can no longer finish.
    """
    c = feed_segment.c
    later = or_(
        c.community_id > behind.community_id,
        and_(c.community_id == behind.community_id, c.number > behind.number),
    )
    found = uow.conn.execute(
        feed_segment.select()
        .with_only_columns(c.community_id, c.number, c.generation)
        .where(later, c.stale)
        .order_by(c.community_id, c.number)
        .limit(1)
        .with_for_update()
    ).first()
    if found is None:
        return None
    place = Place(found.community_id, found.number)
    _outdate(uow, _is(place))
    return place, found.generation + 1


def finish(uow: UnitOfWork, place: Place, generation: int, built: Built) -> bool:
    """Have a segment served from now on; False when it was claimed again, or something in it erased, meanwhile."""
    *values, authors = built
    named = dict(zip(Built._fields, values, strict=False))
    done = uow.conn.execute(
        feed_segment.update()
        .where(_is(place), feed_segment.c.generation == generation)
        .values(stale=False, **named)
    )
    if done.rowcount != 1:
        return False
    a = feed_author.c
    uow.conn.execute(
        feed_author.delete().where(a.community_id == place.community_id, a.number == place.number)
    )
    uow.insert_rows(
        feed_author,
        ("community_id", "number", "organisation_id", "withheld", "latest", "withheld_from"),
        [
            (*place, author, since is not None, latest, since)
            for author, latest, since in sorted(authors, key=itemgetter(0))
        ],
    )
    return True


def lose(uow: UnitOfWork, place: Place, generation: int) -> None:
    """A segment's object is not where it should be: have it built again, unless that is under way."""
    _outdate(uow, and_(_is(place), ~feed_segment.c.stale, feed_segment.c.generation == generation))


def outdate(uow: UnitOfWork, seqs: Collection[int]) -> None:
    """Records at these places change in this transaction: no segment that shows them otherwise is served after it."""
    touched = (
        select(statement.c.community_id, (statement.c.seq // SEGMENT).label("number"))
        .where(uow.among(statement.c.seq, seqs))
        .distinct()
        .subquery()
    )
    c = feed_segment.c
    here = and_(touched.c.community_id == c.community_id, touched.c.number == c.number)
    _outdate(
        uow,
        and_(
            uow.among(c.number, {seq // SEGMENT for seq in seqs}),
            exists(select(touched.c.number).where(here)),
        ),
    )


def current(uow: UnitOfWork) -> set[tuple[int, int, int]]:
    """(community id, number, generation) of every segment."""
    c = feed_segment.c
    rows = uow.conn.execute(feed_segment.select().with_only_columns(c.community_id, c.number, c.generation))
    return {(row.community_id, row.number, row.generation) for row in rows}


def _outdate(uow: UnitOfWork, which: ColumnElement[bool]) -> None:
    generation = feed_segment.c.generation + 1
    uow.conn.execute(feed_segment.update().where(which).values(stale=True, generation=generation))


def _is(place: Place) -> ColumnElement[bool]:
    c = feed_segment.c
    return and_(c.community_id == place.community_id, c.number == place.number)


def _restated(uow: UnitOfWork, withheld: Mapping[int, int]) -> ColumnElement[bool]:
    a, c = feed_author.c, feed_segment.c
    here = and_(a.community_id == c.community_id, a.number == c.number)
    return exists(select(a.number).where(here, _changed(uow, withheld)).correlate(feed_segment))


def _changed(uow: UnitOfWork, withheld: Mapping[int, int]) -> ColumnElement[bool]:
    """Other signals of an author are withheld now than when the segment was built."""
    a = feed_author.c
    if not withheld:
        return a.withheld
    return or_(
        and_(a.withheld, ~uow.among(a.organisation_id, withheld.keys())),
        *(
            and_(
                a.organisation_id == author,
                or_(
                    and_(a.withheld, or_(a.withheld_from.is_(None), a.withheld_from != since)),
                    and_(~a.withheld, or_(a.latest.is_(None), a.latest >= since)),
                ),
            )
            for author, since in withheld.items()
        ),
    )

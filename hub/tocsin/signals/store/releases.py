"""Queries of releases: what others have borne out of a provisional member's signals, and how far was looked."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import select

from tocsin.db import UnitOfWork
from tocsin.signals.store import segments
from tocsin.signals.store.tables import observation, release_state, statement


class Withheld(NamedTuple):
    """A live signal that others are not shown yet: where it is, and one of the indicators that it is about."""

    seq: int
    community_id: int
    author_id: int
    indicator_id: int


def looked_at(uow: UnitOfWork) -> int:
    """How many entries of the log have been looked at."""
    size = uow.conn.execute(select(release_state.c.size)).scalar_one_or_none()
    return 0 if size is None else int(size)


def look_at(uow: UnitOfWork, size: int) -> None:
    """Remember that the log was looked at up to this size."""
    done = uow.conn.execute(release_state.update().values(size=size))
    if not done.rowcount:
        uow.conn.execute(release_state.insert().values(id=1, size=size))


def reported_between(uow: UnitOfWork, first: int, behind: int) -> list[int]:
    """The indicators that live reports and disputes at log indexes `first` to the one before `behind` are about."""
    o = observation.c
    found = select(o.indicator_id).where(o.seq >= first, o.seq < behind, o.decides).distinct()
    return list(uow.conn.execute(found).scalars())


def withheld(uow: UnitOfWork, indicator_ids: Collection[int], authors: Collection[int]) -> list[Withheld]:
    """What these authors said about any of the indicators, is alive, and was not released; in log order."""
    if not indicator_ids or not authors:
        return []
    o, c = observation.c, statement.c
    # Two look-ups by key, as `admission.about`.
    found = select(o.indicator_id, o.seq).where(uow.among(o.indicator_id, indicator_ids))
    places = uow.conn.execute(found).all()
    chosen = select(c.seq, c.community_id, c.author_id).where(
        uow.among(c.seq, {seq for _, seq in places}),
        uow.among(c.author_id, authors),
        c.gone.is_(None),
        c.expires_at > uow.now,
        c.quarantine.is_(None),
        c.released_at.is_(None),
    )
    rows = {row.seq: row for row in uow.conn.execute(chosen)} if places else {}
    return sorted(Withheld(*rows[seq], indicator_id) for indicator_id, seq in places if seq in rows)


def release(uow: UnitOfWork, seqs: Collection[int]) -> None:
    """Show these from now on; stored segments that say they are withheld are not served any more."""
    segments.outdate(uow, seqs)
    uow.conn.execute(statement.update().where(uow.among(statement.c.seq, seqs)).values(released_at=uow.now))

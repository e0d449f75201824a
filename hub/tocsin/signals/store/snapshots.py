"""Queries of snapshots: whether a live set may have changed, its values in order, and which version is the newest."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, exists, or_, select

from tocsin.db import UnitOfWork
from tocsin.signals.store.tables import indicator, observation, snapshot, statement


class State(NamedTuple):
    """What is remembered of one live set (`SnapshotRow`)."""

    version: int
    claim: int
    swept: bool
    seq: int | None
    manifest: bytes | None
    checked_at: int
    checked_size: int
    withheld: bytes | None


class Event(NamedTuple):
    """The hub's event about a snapshot, and what opens its commitment."""

    jws: bytes
    nonce: bytes


def state(uow: UnitOfWork, community_id: int, kind: str) -> State | None:
    """What is remembered of a live set; None before anything of this type was ever reported."""
    columns = [snapshot.c[name] for name in State._fields]
    row = uow.conn.execute(
        snapshot.select().with_only_columns(*columns).where(_is(community_id, kind))
    ).first()
    return None if row is None else State._make(row)


def any_of(uow: UnitOfWork, community_id: int, kind: str) -> bool:
    """Whether a community has an indicator of a type."""
    c = indicator.c
    return _holds(uow, exists().where(c.community_id == community_id, c.type == kind))


def changed(uow: UnitOfWork, community_id: int, kind: str, since: State) -> bool:
    """Whether a live set may be another than when it was last looked at, apart from whose signals are withheld."""
    c = statement.c
    if kind in _said_about(uow, community_id, since.checked_size):
        return True
    ended = exists().where(c.community_id == community_id, c.gone.is_not(None), c.gone_at >= since.checked_at)
    expired = exists().where(
        c.gone.is_(None),
        c.expires_at > since.checked_at,
        c.expires_at <= uow.now,
        c.community_id == community_id,
    )
    return _holds(uow, or_(ended, expired))


def page(uow: UnitOfWork, community_id: int, kind: str, after: bytes, limit: int) -> list[tuple[int, bytes]]:
    """(id, value) of the next `limit` indicators of a type in a community above the value `after`, ascending."""
    c = indicator.c
    chosen = indicator.select().with_only_columns(c.id, c.value).order_by(c.value).limit(limit)
    rows = uow.conn.execute(chosen.where(c.community_id == community_id, c.type == kind, c.value > after))
    return [(row.id, row.value) for row in rows.all()]


def decided(uow: UnitOfWork, ids: Collection[int], withheld: Mapping[int, int]) -> tuple[set[int], set[int]]:
    """Which of some indicators have a live report that counts, and which a live dispute, counted or not.

    It counts when it is not quarantined, and was recorded before the instant that `withheld` has for its author, if it
    has one. Two look-ups by key, as `admission.about`.
    """
    o, c = observation.c, statement.c
    found = observation.select().with_only_columns(o.indicator_id, o.seq)
    places = uow.conn.execute(found.where(uow.among(o.indicator_id, ids), o.decides)).all()
    if not places:
        return set(), set()
    chosen = statement.select().with_only_columns(c.seq, c.kind, c.author_id, c.recorded_at, c.quarantine)
    live = chosen.where(
        uow.among(c.seq, {seq for _, seq in places}), c.gone.is_(None), c.expires_at > uow.now
    )
    reports, disputes = set(), set()
    for seq, kind, author_id, recorded_at, quarantine in uow.conn.execute(live).all():
        if kind == "dispute":
            disputes.add(seq)
        elif quarantine is None and (author_id not in withheld or recorded_at < withheld[author_id]):
            reports.add(seq)
    return (
        {indicator_id for indicator_id, seq in places if seq in reports},
        {indicator_id for indicator_id, seq in places if seq in disputes},
    )


def claim(uow: UnitOfWork, community_id: int, kind: str) -> State:
    """Begin to make a version; what is remembered, with the claim to finish it with.

    Whoever began before can no longer finish.
    """
    known = state(uow, community_id, kind)
    if known is None:
        first = State(0, 1, False, None, None, 0, 0, None)
        uow.insert_rows(snapshot, ("community_id", "type", *State._fields), [(community_id, kind, *first)])
        return first
    begun = known._replace(claim=known.claim + 1, swept=False)
    uow.conn.execute(snapshot.update().where(_is(community_id, kind)).values(begun._asdict()))
    return begun


def finish(uow: UnitOfWork, community_id: int, kind: str, made: State) -> bool:
    """Remember a version that was made under `made.claim`; False when somebody else has begun since."""
    done = uow.conn.execute(
        snapshot.update()
        .where(_is(community_id, kind), snapshot.c.claim == made.claim)
        .values(made._asdict())
    )
    return done.rowcount == 1


def swept(uow: UnitOfWork, community_id: int, kind: str, claimed: int) -> None:
    """Remember that only the objects of the newest version are left, unless somebody has begun another."""
    uow.conn.execute(
        snapshot.update().where(_is(community_id, kind), snapshot.c.claim == claimed).values(swept=True)
    )


def lose(uow: UnitOfWork, community_id: int, kind: str) -> None:
    """An object of the newest version is not where it should be: have the set looked at again."""
    uow.conn.execute(snapshot.update().where(_is(community_id, kind)).values(withheld=None))


def event(uow: UnitOfWork, seq: int) -> Event:
    """The hub's event at a log index."""
    c = statement.c
    row = uow.conn.execute(statement.select().with_only_columns(c.jws, c.nonce).where(c.seq == seq)).one()
    return Event(row.jws, row.nonce)


def _said_about(uow: UnitOfWork, community_id: int, size: int) -> set[str]:
    """The types of a community's indicators that a report or dispute from log index `size` on is about."""
    o, i = observation.c, indicator.c
    about = observation.select().with_only_columns(o.indicator_id).where(o.seq >= size, o.decides)
    # By key, in two queries: a join could begin with every indicator of the type.
    ids = uow.conn.execute(about.distinct()).scalars().all()
    kinds = (
        indicator.select()
        .with_only_columns(i.type)
        .where(uow.among(i.id, ids), i.community_id == community_id)
    )
    return set(uow.conn.execute(kinds.distinct()).scalars()) if ids else set()


def _is(community_id: int, kind: str) -> ColumnElement[bool]:
    return and_(snapshot.c.community_id == community_id, snapshot.c.type == kind)


def _holds(uow: UnitOfWork, condition: ColumnElement[bool]) -> bool:
    return bool(uow.conn.execute(select(condition)).scalar_one())

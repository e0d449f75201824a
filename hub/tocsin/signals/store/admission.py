"""Queries of submission: what is known about a batch, and writing what was admitted. Every one is set-based."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, func, literal

from tocsin.db import UnitOfWork
from tocsin.signals.store import segments
from tocsin.signals.store.tables import (
    delivery,
    indicator,
    observation,
    past_observation,
    quota,
    statement,
    view,
)
from tocsin_schemas.vocabulary import Basis, EntryKind, Status

STATEMENT_COLUMNS = (
    "seq", "community_id", "author_id", "kind", "jti", "digest", "jws", "nonce", "basis",
    "iat", "toe", "recorded_at", "expires_at", "status", "quarantine", "free", "gone", "gone_at",
)  # fmt: skip


DECIDING: Final[tuple[EntryKind, ...]] = ("report", "dispute")
"""The kinds of statement that decide where an indicator stands."""


class Recorded(NamedTuple):
    """A statement found under its author's jti."""

    jti: bytes
    seq: int
    digest: bytes
    jws: bytes | None
    recorded_at: int
    expires_at: int
    status: Status
    gone: str | None


class About(NamedTuple):
    """A live report or dispute of an indicator."""

    indicator_id: int
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


class Telling(NamedTuple):
    """A live statement of a member that is about to be erased, as far as others may be told of it."""

    seq: int
    author_id: int
    kind: EntryKind
    quarantine: str | None
    free: bool | None
    released_at: int | None
    jws: bytes | None


class Live(NamedTuple):
    """A live statement found by the digest of its payload."""

    digest: bytes
    seq: int
    community_id: int
    expires_at: int


def by_jti(uow: UnitOfWork, author_id: int, jtis: Collection[bytes]) -> list[Recorded]:
    """What this author recorded under any of `jtis`."""
    c = statement.c
    chosen = statement.select().with_only_columns(
        c.jti, c.seq, c.digest, c.jws, c.recorded_at, c.expires_at, c.status, c.gone
    )
    rows = uow.conn.execute(chosen.where(c.author_id == author_id, uow.among(c.jti, jtis)))
    return [Recorded._make(row) for row in rows]


def by_digest(uow: UnitOfWork, author_id: int, digests: Collection[bytes], now: int) -> dict[bytes, Live]:
    """This author's live statements among `digests`, without its retractions: what is withdrawn stays so."""
    if not digests:
        return {}
    c = statement.c
    chosen = statement.select().with_only_columns(c.digest, c.seq, c.community_id, c.expires_at)
    rows = uow.conn.execute(
        chosen.where(
            uow.among(c.digest, digests),
            c.author_id == author_id,
            c.kind != "retraction",
            c.gone.is_(None),
            c.expires_at > now,
        )
    )
    return {row.digest: Live._make(row) for row in rows}


def indicator_ids(
    uow: UnitOfWork, community_id: int, kind: str, values: Collection[bytes]
) -> dict[bytes, int]:
    """The ids of those `values` of one type that the community has."""
    c = indicator.c
    chosen = indicator.select().with_only_columns(c.value, c.id)
    rows = uow.conn.execute(
        chosen.where(c.community_id == community_id, c.type == kind, uow.among(c.value, values))
    )
    return {row.value: row.id for row in rows}


def about(uow: UnitOfWork, indicator_ids: Collection[int], now: int) -> list[About]:
    """The live reports and disputes of any of the indicators: the kinds that decide where it stands."""
    o, c = observation.c, statement.c
    if not indicator_ids:
        return []
    # Two look-ups by key rather than a join: no statistics, however old, can make them anything else.
    found = observation.select().with_only_columns(o.indicator_id, o.seq)
    places = uow.conn.execute(found.where(uow.among(o.indicator_id, indicator_ids), o.decides)).all()
    chosen = statement.select().with_only_columns(
        c.seq, c.digest, c.kind, c.author_id, c.iat, c.toe, c.recorded_at, c.expires_at, c.basis,
        c.quarantine, c.free, c.released_at,
    )  # fmt: skip
    live = chosen.where(uow.among(c.seq, {seq for _, seq in places}), c.gone.is_(None), c.expires_at > now)
    rows = {row.seq: row for row in uow.conn.execute(live)} if places else {}
    return [About._make((indicator_id, *rows[seq])) for indicator_id, seq in places if seq in rows]


def indicators_of(uow: UnitOfWork, seqs: Collection[int]) -> dict[int, list[int]]:
    """The ids of the indicators that each of these live statements is about."""
    c = observation.c
    found: dict[int, list[int]] = {}
    if seqs:
        for row in uow.conn.execute(observation.select().where(uow.among(c.seq, seqs))):
            found.setdefault(row.seq, []).append(row.indicator_id)
    return found


def tokens(uow: UnitOfWork, seqs: Collection[int]) -> dict[int, bytes]:
    """The signed tokens of live statements, by log index."""
    if not seqs:
        return {}
    chosen = statement.select().with_only_columns(statement.c.seq, statement.c.jws)
    rows = uow.conn.execute(chosen.where(uow.among(statement.c.seq, seqs), statement.c.jws.is_not(None)))
    return {row.seq: row.jws for row in rows}


def telling(uow: UnitOfWork, seqs: Collection[int]) -> list[Telling]:
    """What may be told of the statements of members at these log indexes."""
    if not seqs:
        return []
    c = statement.c
    chosen = statement.select().with_only_columns(*(c[name] for name in Telling._fields))
    rows = uow.conn.execute(chosen.where(uow.among(c.seq, seqs), c.author_id.is_not(None)))
    return [Telling._make(row) for row in rows]


def delivered_up_to(uow: UnitOfWork, organisation_ids: Collection[int], community_id: int) -> int:
    """The highest log index of the community's feed ever given to any of these organisations; -1 for none."""
    chosen = delivery.select().with_only_columns(func.max(delivery.c.seq))
    highest = uow.conn.execute(
        chosen.where(
            uow.among(delivery.c.organisation_id, organisation_ids), delivery.c.community_id == community_id
        )
    ).scalar_one()
    return -1 if highest is None else int(highest)


def viewed_up_to(
    uow: UnitOfWork, organisation_ids: Collection[int], indicator_ids: Collection[int]
) -> dict[int, int]:
    """For each indicator shown to any of these organisations, the log size when it was last shown."""
    if not indicator_ids:
        return {}
    c = view.c
    chosen = (
        view.select().with_only_columns(c.indicator_id, func.max(c.seq).label("seq")).group_by(c.indicator_id)
    )
    rows = uow.conn.execute(
        chosen.where(uow.among(c.organisation_id, organisation_ids), uow.among(c.indicator_id, indicator_ids))
    )
    return {row.indicator_id: row.seq for row in rows}


def record(
    uow: UnitOfWork,
    statements: Sequence[tuple[object, ...]],
    indicators: Sequence[tuple[int, int, str, bytes]],
    observations: Iterable[tuple[int, bool, int]],
) -> None:
    """Write admitted statements (`STATEMENT_COLUMNS`), new indicators and what is about what."""
    uow.insert_rows(statement, STATEMENT_COLUMNS, statements)
    # In the order of their index, so that neighbouring rows touch the same pages.
    uow.insert_rows(
        indicator, ("id", "community_id", "type", "value"), sorted(indicators, key=lambda row: row[1:])
    )
    uow.insert_rows(observation, ("indicator_id", "decides", "seq"), sorted(observations))


def forget(uow: UnitOfWork, seqs: Collection[int], reason: str, at: int) -> None:
    """Erase what statements said; their place in the log stays, marked with the reason.

    Indicators that no statement is about any more go with them, and stored segments of the feed that show them are not
    served any more. What they were about is remembered by number, until whoever was given it was told.
    """
    if not seqs:
        return
    segments.outdate(uow, seqs)
    about_them = uow.among(observation.c.seq, seqs)
    touched = (
        uow.conn.execute(
            observation.select().with_only_columns(observation.c.indicator_id).where(about_them).distinct()
        )
        .scalars()
        .all()
    )
    uow.conn.execute(
        statement.update()
        .where(uow.among(statement.c.seq, seqs))
        .values(gone=reason, gone_at=at, jws=None, nonce=None)
    )
    was_about = observation.select().with_only_columns(
        observation.c.seq, observation.c.indicator_id, literal(at).label("erased_at")
    )
    uow.conn.execute(
        past_observation.insert().from_select(
            ["seq", "indicator_id", "erased_at"], was_about.where(about_them).distinct()
        )
    )
    uow.conn.execute(observation.delete().where(about_them))
    if touched:
        still = observation.select().where(observation.c.indicator_id == indicator.c.id).exists()
        uow.conn.execute(indicator.delete().where(uow.among(indicator.c.id, touched), ~still))


# Asked twice with every batch: built once.
_USED: Final = (
    quota.select()
    .with_only_columns(quota.c.used)
    .where(quota.c.organisation_id == bindparam("organisation_id"), quota.c.hour == bindparam("hour"))
)


def quota_used(uow: UnitOfWork, organisation_id: int, hour: int) -> int:
    """Lines this member has submitted in the hour that began at `hour`."""
    found = uow.ask(_USED, {"organisation_id": organisation_id, "hour": hour})
    return int(found[0][0]) if found else 0


def charge_quota(uow: UnitOfWork, organisation_id: int, hour: int, lines: int) -> None:
    """Add `lines` to this member's count of the hour; a new hour starts from zero."""
    used = quota_used(uow, organisation_id, hour) + lines
    changed = uow.conn.execute(
        quota.update().where(quota.c.organisation_id == organisation_id).values(hour=hour, used=used)
    )
    if not changed.rowcount:
        uow.conn.execute(quota.insert().values(organisation_id=organisation_id, hour=hour, used=used))

"""Queries of the expiry job."""

from collections.abc import Collection, Sequence

from sqlalchemy import func

from tocsin.db import UnitOfWork
from tocsin.signals.store.tables import departure, expiry_day, statement
from tocsin_schemas.policy import DAY


def due(uow: UnitOfWork, limit: int) -> list[tuple[int, int]]:
    """(seq, community id) of at most `limit` live statements whose time is up, in log order."""
    c = statement.c
    chosen = statement.select().with_only_columns(c.seq, c.community_id)
    rows = uow.conn.execute(
        chosen.where(c.gone.is_(None), c.expires_at <= uow.now).order_by(c.seq).limit(limit)
    )
    return [(row.seq, row.community_id) for row in rows]


def erase_identities(uow: UnitOfWork, issued_before: int) -> int:
    """Erase jti and digest of gone statements that can no longer be replayed; the number erased."""
    c = statement.c
    erased = uow.conn.execute(
        statement.update()
        .where(c.gone.is_not(None), c.jti.is_not(None), c.iat < issued_before)
        .values(jti=None, digest=None)
    )
    return erased.rowcount


def unlogged_days(uow: UnitOfWork, community_id: int, today: int) -> list[int]:
    """Days before `today` with expiries of a community that no log entry covers yet, in order."""
    c = statement.c
    last = uow.conn.execute(
        expiry_day.select()
        .with_only_columns(func.max(expiry_day.c.day))
        .where(expiry_day.c.community_id == community_id)
    ).scalar_one()
    since = 0 if last is None else (int(last) + 1) * DAY
    rows = uow.conn.execute(
        statement.select()
        .with_only_columns((c.expires_at // DAY).label("day"))
        .where(
            c.community_id == community_id,
            c.gone == "expired",
            c.expires_at >= since,
            c.expires_at < today * DAY,
        )
        .distinct()
    )
    return sorted(row.day for row in rows)


def expired_on(uow: UnitOfWork, community_id: int, day: int) -> list[int]:
    """The log indexes of a community's statements that expired on a day, in order.

    It is the day of their date, not of the job's run, so that a follower finds the same ones by itself.
    """
    c = statement.c
    rows = uow.conn.execute(
        statement.select()
        .with_only_columns(c.seq)
        .where(
            c.community_id == community_id,
            c.gone == "expired",
            c.expires_at >= day * DAY,
            c.expires_at < (day + 1) * DAY,
        )
        .order_by(c.seq)
    )
    return [row.seq for row in rows]


def mark_logged(uow: UnitOfWork, community_id: int, days: Sequence[int]) -> None:
    """Remember that the log covers these days."""
    uow.insert_rows(expiry_day, ("community_id", "day"), [(community_id, day) for day in days])


def said_by(uow: UnitOfWork, author_id: int, behind: int, limit: int) -> list[tuple[int, int]]:
    """(seq, community id) of at most `limit` live statements of an author behind a log index, in log order.

    Its retractions are not among them: what is withdrawn stays so.
    """
    c = statement.c
    chosen = statement.select().with_only_columns(c.seq, c.community_id)
    rows = uow.conn.execute(
        chosen.where(c.author_id == author_id, c.seq > behind, c.gone.is_(None), c.kind != "retraction")
        .order_by(c.seq)
        .limit(limit)
    )
    return [(row.seq, row.community_id) for row in rows]


def departed(uow: UnitOfWork, organisation_ids: Collection[int]) -> dict[int, int]:
    """Which of these members' statements have been gone through, and since when they had left then."""
    c = departure.c
    rows = uow.conn.execute(departure.select().where(uow.among(c.organisation_id, organisation_ids)))
    return {row.organisation_id: row.since for row in rows}


def mark_departed(uow: UnitOfWork, organisation_id: int, since: int) -> None:
    """Remember that what this member left behind, that left at `since`, has been gone through."""
    c = departure.c
    uow.conn.execute(departure.delete().where(c.organisation_id == organisation_id))
    uow.conn.execute(departure.insert().values(organisation_id=organisation_id, since=since))

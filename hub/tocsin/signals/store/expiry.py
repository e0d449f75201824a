"""Queries of the expiry job."""

from collections.abc import Sequence

from sqlalchemy import func

from tocsin.db import UnitOfWork
from tocsin.signals.store.tables import expiry_day, statement
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

"""What a simulation of another policy reads: what was recorded of late, in bounded parts."""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import func, select

from tocsin.db import UnitOfWork, table
from tocsin.signals.store.tables import IndicatorRow, ObservationRow, StatementRow

_statement = table(StatementRow)
_observation = table(ObservationRow)
_indicator = table(IndicatorRow)
PART = 5000


class Recorded(NamedTuple):
    """A live statement: when it was recorded, and its signed token."""

    recorded_at: int
    jws: bytes


class Life(NamedTuple):
    """A live statement: its kind and status when it came, the type of an indicator it is about, and its life."""

    kind: str
    status: str
    type: str
    recorded_at: int
    expires_at: int


def first_seq(uow: UnitOfWork, since: int) -> int | None:
    """The log index of the first statement recorded from an instant on."""
    c = _statement.c
    found = uow.conn.execute(select(func.min(c.seq)).where(c.recorded_at >= since)).scalar()
    return None if found is None else int(found)


def touched(uow: UnitOfWork, first: int) -> Iterator[list[int]]:
    """The indicators that statements from a log index on decide about, in parts."""
    c, after = _observation.c, -1
    while True:
        chosen = (
            select(c.indicator_id)
            .where(c.seq >= first, c.decides, c.indicator_id > after)
            .group_by(c.indicator_id)
            .order_by(c.indicator_id)
            .limit(PART)
        )
        part = [int(at) for at in uow.conn.execute(chosen).scalars()]
        if part:
            yield part
        if len(part) < PART:
            return
        after = part[-1]


def hourly(uow: UnitOfWork, first: int) -> list[int]:
    """How many statements each member made in each hour, from a log index on, as far as they are still there."""
    c = _statement.c
    hour = c.recorded_at // 3600
    chosen = select(func.count()).where(c.seq >= first, c.author_id.is_not(None)).group_by(c.author_id, hour)
    return [int(count) for count in uow.conn.execute(chosen).scalars()]


def recorded(uow: UnitOfWork, first: int) -> Iterator[list[Recorded]]:
    """The live statements from a log index on, in parts."""
    c, after = _statement.c, first - 1
    while True:
        chosen = (
            select(c.seq, c.recorded_at, c.jws)
            .where(c.seq > after, c.gone.is_(None))
            .order_by(c.seq)
            .limit(PART)
        )
        part = uow.conn.execute(chosen).all()
        if part:
            yield [Recorded(row.recorded_at, bytes(row.jws)) for row in part]
        if len(part) < PART:
            return
        after = part[-1].seq


def lives(uow: UnitOfWork, first: int) -> Iterator[Life]:
    """The live statements from a log index on."""
    c, after = _statement.c, first - 1
    while True:
        chosen = (
            select(c.seq, c.kind, c.status, func.min(_indicator.c.type), c.recorded_at, c.expires_at)
            .join(_observation, _observation.c.seq == c.seq)
            .join(_indicator, _indicator.c.id == _observation.c.indicator_id)
            .where(c.seq > after, c.gone.is_(None), c.expires_at.is_not(None))
            .group_by(c.seq, c.kind, c.status, c.recorded_at, c.expires_at)
            .order_by(c.seq)
            .limit(PART)
        )
        part = uow.conn.execute(chosen).all()
        yield from (Life(*row[1:]) for row in part)
        if len(part) < PART:
            return
        after = part[-1].seq

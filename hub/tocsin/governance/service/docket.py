"""The docket as everybody may read it, a page at a time: what is before the board, and what was.

It is asked for without a login, so it costs little: a line needs no count of votes, and what a motion or a record says
is put into words once. A motion to suspend somebody in an emergency is not listed before it is recorded, or it would
warn.
"""

import logging
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.governance.rules.motions import MotionState
from tocsin.governance.service import course, motions, showing
from tocsin.governance.service.context import Chamber
from tocsin.governance.store import motions as store
from tocsin.governance.store import records
from tocsin.governance.store.motions import Motion
from tocsin_schemas.explained import asked
from tocsin_schemas.governance import DecisionBody, parse_record
from tocsin_schemas.tally import Result
from tocsin_schemas.vocabulary import DecisionType

logger = logging.getLogger(__name__)

_REMEMBERED: Final = 1024


class PublicLine(NamedTuple):
    """A motion as everybody may know it; `until` is when its state ends by itself, or when it ended (Unix seconds)."""

    id: str
    type: DecisionType
    state: MotionState
    until: int
    text: str
    result: Result | None
    record: int | None


def page(chamber: Chamber, limit: int, after: str | None = None) -> list[PublicLine]:
    """At most `limit` motions behind the one with the id `after`: open ones, the nearest deadline first; then those
    that have ended, the newest first. One that was changed by hand and cannot be read is left out.

    Raises:
        Refused: `board-absent`; `not-found` when there is no motion of that id.
    """
    motions.advance(chamber)
    with chamber.database.snapshot() as uow:
        chamber.chain.state(uow)
        behind = None if after is None else course.get(uow, after)
        return list(_lines(uow, store.page(uow, limit, behind)))


def _lines(uow: UnitOfWork, rows: list[Motion]) -> Iterator[PublicLine]:
    kept = records.some(uow, [row.record_seq for row in rows if row.record_seq is not None])
    for row in rows:
        try:
            yield _line(row, None if row.record_seq is None else kept.get(row.record_seq))
        except Refused:
            logger.warning("motion %s cannot be read", row.id)


def _line(row: Motion, record: bytes | None) -> PublicLine:
    """A recorded motion says what its record says; another one what its row does."""
    until = row.until if row.closed_at is None else row.closed_at
    said = None if record is None else _recorded(record)
    if said is not None and said.number == row.decision_seq:
        return PublicLine(row.id, said.type, row.state, until, said.text, said.result, row.record_seq)
    return PublicLine(row.id, row.type, row.state, until, _moved(row), None, None)


class _Recorded(NamedTuple):
    number: int
    type: DecisionType
    text: str
    result: Result


@lru_cache(maxsize=_REMEMBERED)
def _recorded(raw: bytes) -> _Recorded | None:
    """What a record says of a decision; None for a record of another kind."""
    body = parse_record(raw).body
    if not isinstance(body, DecisionBody):
        return None
    return _Recorded(body.decision.seq, body.decision.type, showing.sentence(body.decision), body.result)


@lru_cache(maxsize=_REMEMBERED)
def _moved(row: Motion) -> str:
    """What a motion says: once its ballot has opened, what is voted on."""
    decision = course.frozen(row)
    if decision is not None:
        return showing.sentence(decision)
    return showing.as_sentence(asked(row.type, row.subject, course.params_of(row)))

"""What the hub remembers of motions and their ballots: the queries of each use case."""

import hashlib
from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, func, select, true, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from tocsin.db import UnitOfWork
from tocsin.governance.rules.motions import OPEN_STATES, MotionState, Tie
from tocsin.governance.store.desk_tables import (
    is_id,
    motion,
    motion_ballot,
    motion_declaration,
    motion_endorsement,
    motion_remark,
    seat_act,
    seat_tie,
)
from tocsin_schemas.decisions import Ballot
from tocsin_schemas.policy import DAY
from tocsin_schemas.roster import canonical
from tocsin_schemas.tally import Result, RuleName
from tocsin_schemas.vocabulary import DecisionType, RemarkStance, RemarkTopic


class Motion(NamedTuple):
    """A motion, as its row says. `until` is when its state ends by itself; the two blobs are canonical JSON."""

    id: str
    type: DecisionType
    subject: str
    params: bytes
    threshold: RuleName
    proposer: str | None
    complainant: str | None
    application_id: str | None
    state: MotionState
    until: int
    proposed_at: int
    discussed_at: int | None = None
    opened_at: int | None = None
    closed_at: int | None = None
    decision_seq: int | None = None
    decision: bytes | None = None
    result: Result | None = None
    record_seq: int | None = None


class Remark(NamedTuple):
    """A remark of a seat; `document` is a SHA-256."""

    seat: str
    stance: RemarkStance
    topic: RemarkTopic
    document: bytes | None
    remarked_at: int


_MOTIONS: Final = select(*(motion.c[name] for name in Motion._fields))


def add(uow: UnitOfWork, row: Motion) -> None:
    """Add a motion."""
    uow.conn.execute(motion.insert().values(**row._asdict()))


def get(uow: UnitOfWork, motion_id: str) -> Motion | None:
    """One motion."""
    if not is_id(motion_id):
        return None
    row = uow.conn.execute(_MOTIONS.where(motion.c.id == motion_id)).one_or_none()
    return None if row is None else _motion(row)


def listed(uow: UnitOfWork, states: Sequence[MotionState] = ()) -> list[Motion]:
    """Motions in these states, or all: the one whose state ends first comes first."""
    chosen = _MOTIONS.order_by(motion.c.until, motion.c.id)
    if states:
        chosen = chosen.where(motion.c.state.in_(states))
    return [_motion(row) for row in uow.conn.execute(chosen)]


def page(uow: UnitOfWork, limit: int, behind: Motion | None) -> list[Motion]:
    """At most `limit` motions behind that one: open ones, the one whose state ends first first; then those that have
    ended, the newest first. Emergencies that are still open are none of them.
    """
    opened = motion.c.state.in_(OPEN_STATES)
    ended_at = func.coalesce(motion.c.closed_at, motion.c.until)
    found: list[Motion] = []
    if behind is None or behind.state in OPEN_STATES:
        chosen = _MOTIONS.where(opened, motion.c.type != "member.emergency_suspend")
        if behind is not None:
            chosen = chosen.where(tuple_(motion.c.until, motion.c.id) > (behind.until, behind.id))
        rows = uow.conn.execute(chosen.order_by(motion.c.until, motion.c.id).limit(limit))
        found = [_motion(row) for row in rows]
    if len(found) < limit:
        chosen = _MOTIONS.where(~opened)
        if behind is not None and behind.state not in OPEN_STATES:
            last = behind.until if behind.closed_at is None else behind.closed_at
            chosen = chosen.where(tuple_(ended_at, motion.c.id) < (last, behind.id))
        newest = chosen.order_by(ended_at.desc(), motion.c.id.desc()).limit(limit - len(found))
        found += [_motion(row) for row in uow.conn.execute(newest)]
    return found


def about(uow: UnitOfWork, subject: str, kind: DecisionType) -> list[Motion]:
    """Open motions of one type about one subject."""
    chosen = _MOTIONS.where(
        motion.c.subject == subject, motion.c.type == kind, motion.c.state.in_(OPEN_STATES)
    )
    return [_motion(row) for row in uow.conn.execute(chosen.order_by(motion.c.id))]


def against(uow: UnitOfWork, subjects: Collection[str], kinds: Collection[DecisionType]) -> list[Motion]:
    """Open motions of these types about any of these subjects: the one whose state ends first comes first."""
    chosen = _MOTIONS.where(
        motion.c.state.in_(OPEN_STATES), motion.c.type.in_(kinds), motion.c.subject.in_(subjects)
    )
    return [_motion(row) for row in uow.conn.execute(chosen.order_by(motion.c.until, motion.c.id))]


def of_application(uow: UnitOfWork, application_id: str) -> Motion | None:
    """The newest motion to admit an applicant."""
    chosen = _MOTIONS.where(motion.c.application_id == application_id)
    row = uow.conn.execute(chosen.order_by(motion.c.proposed_at.desc(), motion.c.id.desc()).limit(1)).first()
    return None if row is None else _motion(row)


def decided(uow: UnitOfWork, number: int) -> Motion | None:
    """The motion whose ballot was about the decision of that number."""
    row = uow.conn.execute(_MOTIONS.where(motion.c.decision_seq == number)).one_or_none()
    return None if row is None else _motion(row)


def due(uow: UnitOfWork) -> list[Motion]:
    """Open motions whose state is over; the one that was over first comes first."""
    chosen = _MOTIONS.where(motion.c.state.in_(OPEN_STATES), motion.c.until <= uow.now)
    return [_motion(row) for row in uow.conn.execute(chosen.order_by(motion.c.until, motion.c.id))]


def change(uow: UnitOfWork, motion_id: str, **values: str | int | bytes | None) -> None:
    """Change columns of a motion."""
    uow.conn.execute(motion.update().where(motion.c.id == motion_id).values(**values))


def last_number(uow: UnitOfWork) -> int:
    """The highest decision number given out, or 0."""
    found = uow.conn.execute(select(func.max(motion.c.decision_seq))).scalar_one()
    return 0 if found is None else int(found)


def endorse(uow: UnitOfWork, motion_id: str, seat: str) -> bool:
    """Add an endorser; False when it is one already."""
    insert = postgresql.insert if uow.dialect == "postgresql" else sqlite.insert
    statement = insert(motion_endorsement).values(motion_id=motion_id, seat=seat, endorsed_at=uow.now)
    done = uow.conn.execute(statement.on_conflict_do_nothing(), execution_options={"preserve_rowcount": True})
    return done.rowcount == 1


def endorsers(uow: UnitOfWork, motion_id: str) -> tuple[str, ...]:
    """The seats that want it to be discussed, the first first."""
    rows = uow.conn.execute(
        select(motion_endorsement.c.seat)
        .where(motion_endorsement.c.motion_id == motion_id)
        .order_by(motion_endorsement.c.endorsed_at, motion_endorsement.c.seat)
    )
    return tuple(row.seat for row in rows)


def remark(uow: UnitOfWork, motion_id: str, said: Remark) -> None:
    """Add a remark."""
    uow.conn.execute(motion_remark.insert().values(motion_id=motion_id, **said._asdict()))


def remarks(uow: UnitOfWork, motion_id: str) -> tuple[Remark, ...]:
    """The discussion, in its order."""
    rows = uow.conn.execute(
        select(*(motion_remark.c[name] for name in Remark._fields))
        .where(motion_remark.c.motion_id == motion_id)
        .order_by(motion_remark.c.id)
    )
    return tuple(
        Remark(row.seat, row.stance, row.topic, _bytes(row.document), row.remarked_at) for row in rows
    )


def declare(uow: UnitOfWork, motion_id: str, seat: str, *, conflict: bool) -> None:
    """Remember what a seat has declared; the first word stands, except that a conflict may always be declared."""
    insert = postgresql.insert if uow.dialect == "postgresql" else sqlite.insert
    statement = insert(motion_declaration).values(
        motion_id=motion_id, seat=seat, conflict=conflict, declared_at=uow.now
    )
    table = motion_declaration
    if conflict:
        keys = [table.c.motion_id, table.c.seat]
        changed = {"conflict": True, "declared_at": uow.now}
        uow.conn.execute(
            statement.on_conflict_do_update(
                index_elements=keys, set_=changed, where=table.c.conflict.is_(False)
            )
        )
    else:
        uow.conn.execute(statement.on_conflict_do_nothing())


def declared(uow: UnitOfWork, motion_id: str) -> dict[str, bool]:
    """Seat to whether it has declared a conflict; a seat that has declared nothing is left out."""
    rows = uow.conn.execute(
        select(motion_declaration.c.seat, motion_declaration.c.conflict).where(
            motion_declaration.c.motion_id == motion_id
        )
    )
    return {row.seat: bool(row.conflict) for row in rows}


def cast(uow: UnitOfWork, motion_id: str, ballot: Ballot) -> None:
    """Keep a ballot that has been verified."""
    values = {
        "motion_id": motion_id,
        "seat": ballot.seat,
        "credential": hashlib.sha256(ballot.credential.encode()).digest(),
        "choice": ballot.choice,
        "ballot": canonical(ballot),
        "cast_at": ballot.cast_at,
    }
    uow.conn.execute(motion_ballot.insert().values(**values))


def ballots(uow: UnitOfWork, motion_id: str) -> list[tuple[str, bytes]]:
    """The ballots as they were cast: the seat, and the canonical JSON; the first first."""
    rows = uow.conn.execute(
        select(motion_ballot.c.seat, motion_ballot.c.ballot)
        .where(motion_ballot.c.motion_id == motion_id)
        .order_by(motion_ballot.c.cast_at, motion_ballot.c.seat)
    )
    return [(row.seat, bytes(row.ballot)) for row in rows]


def use_act(uow: UnitOfWork, seat: str, jti: bytes, expires_at: int) -> bool:
    """Use up a seat's signed act, and forget those of it that are too old; False when it was used before."""
    uow.conn.execute(seat_act.delete().where(seat_act.c.seat == seat, seat_act.c.expires_at < uow.now))
    insert = postgresql.insert if uow.dialect == "postgresql" else sqlite.insert
    statement = insert(seat_act).values(seat=seat, jti=jti, expires_at=expires_at)
    done = uow.conn.execute(statement.on_conflict_do_nothing(), execution_options={"preserve_rowcount": True})
    return done.rowcount == 1


def tie(uow: UnitOfWork, handle: str, issuer: str, ended_at: int | None) -> bool:
    """Remember a tie, or when it ended; False, and nothing is changed, for an end before what was said already: before
    the end, or before the day on which it was said to last.
    """
    insert = postgresql.insert if uow.dialect == "postgresql" else sqlite.insert
    values = {"ended_at": ended_at, "declared_at": uow.now}
    statement = insert(seat_tie).values(handle=handle, issuer=issuer, **values)
    said = seat_tie.c.declared_at - seat_tie.c.declared_at % DAY
    later = true() if ended_at is None else func.coalesce(seat_tie.c.ended_at, said) <= ended_at
    done = uow.conn.execute(
        statement.on_conflict_do_update(
            index_elements=[seat_tie.c.handle, seat_tie.c.issuer], set_=values, where=later
        ),
        execution_options={"preserve_rowcount": True},
    )
    return done.rowcount == 1


def ties(uow: UnitOfWork, issuer: str) -> list[Tie]:
    """Who has a tie to an organisation, or had one."""
    chosen = select(seat_tie.c.handle, seat_tie.c.issuer, seat_tie.c.ended_at)
    return [Tie._make(row) for row in uow.conn.execute(chosen.where(seat_tie.c.issuer == issuer))]


def ties_of(uow: UnitOfWork, handle: str) -> list[Tie]:
    """The ties that a person has declared, by organisation."""
    chosen = select(seat_tie.c.handle, seat_tie.c.issuer, seat_tie.c.ended_at)
    mine = chosen.where(seat_tie.c.handle == handle).order_by(seat_tie.c.issuer)
    return [Tie._make(row) for row in uow.conn.execute(mine)]


def _motion(row: Row[Any]) -> Motion:
    found = Motion._make(row)
    return found._replace(params=bytes(found.params), decision=_bytes(found.decision))


def _bytes(value: bytes | None) -> bytes | None:
    return None if value is None else bytes(value)

"""Queries about visits: sessions, purposes and reads, answered challenges, and how often somebody tried."""

from typing import Any, NamedTuple

from sqlalchemy import Table, case, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from tocsin.accounts.store.tables import (
    enrolment,
    person,
    read_log,
    session,
    session_purpose,
    sign_in_try,
    used_challenge,
)
from tocsin.db import UnitOfWork


class Session(NamedTuple):
    """An open session."""

    digest: bytes
    person_id: int
    method: str
    credential: bytes | None
    created_at: int
    seen_at: int


class Tries(NamedTuple):
    """How often since when."""

    began_at: int
    tries: int


class Read(NamedTuple):
    """One read; `handle` is None when the reader's name is no longer kept."""

    at: int
    handle: str | None
    action: str
    purpose: str
    subject: bytes


def open_session(uow: UnitOfWork, new: Session) -> None:
    """Open a session."""
    uow.conn.execute(session.insert().values(**new._asdict()))


def find_session(uow: UnitOfWork, digest: bytes) -> Session | None:
    """A session."""
    row = uow.conn.execute(select(session).where(session.c.digest == digest)).one_or_none()
    return None if row is None else Session(*row)


def seen(uow: UnitOfWork, digest: bytes) -> None:
    """A session was used now."""
    uow.conn.execute(update(session).where(session.c.digest == digest).values(seen_at=uow.now))


def end_session(uow: UnitOfWork, digest: bytes) -> None:
    """End a session."""
    uow.conn.execute(delete(session_purpose).where(session_purpose.c.session == digest))
    uow.conn.execute(delete(session).where(session.c.digest == digest))


def end_sessions(uow: UnitOfWork, person_id: int, keep: bytes = b"") -> None:
    """End every session of a person but the one with the digest `keep`."""
    chosen = (session.c.person_id == person_id, session.c.digest != keep)
    theirs = select(session.c.digest).where(*chosen)
    uow.conn.execute(delete(session_purpose).where(session_purpose.c.session.in_(theirs)))
    uow.conn.execute(delete(session).where(*chosen))


def end_sessions_of(uow: UnitOfWork, credential: bytes) -> None:
    """End every session that a passkey opened."""
    theirs = select(session.c.digest).where(session.c.credential == credential)
    uow.conn.execute(delete(session_purpose).where(session_purpose.c.session.in_(theirs)))
    uow.conn.execute(delete(session).where(session.c.credential == credential))


def last_seen(uow: UnitOfWork) -> dict[int, int]:
    """When each person with an open session was last here."""
    query = select(session.c.person_id, func.max(session.c.seen_at)).group_by(session.c.person_id)
    return {row[0]: row[1] for row in uow.conn.execute(query)}


def purpose(uow: UnitOfWork, digest: bytes, action: str) -> str | None:
    """Why the person of a session reads what an action shows."""
    chosen = (session_purpose.c.session == digest, session_purpose.c.action == action)
    return uow.conn.execute(select(session_purpose.c.purpose).where(*chosen)).scalar_one_or_none()


def set_purpose(uow: UnitOfWork, digest: bytes, action: str, why: str) -> None:
    """Remember it for the rest of the session."""
    row = _insert(uow, session_purpose).values(session=digest, action=action, purpose=why)
    uow.conn.execute(row.on_conflict_do_update(index_elements=["session", "action"], set_={"purpose": why}))


def log_read(uow: UnitOfWork, person_id: int, action: str, why: str, subject: bytes) -> None:
    """Enter a read."""
    values = {"at": uow.now, "person_id": person_id, "action": action, "purpose": why, "subject": subject}
    uow.conn.execute(read_log.insert().values(**values))


def reads(uow: UnitOfWork, limit: int, subject: bytes | None = None) -> list[Read]:
    """The newest reads, of one subject or of any."""
    query = select(
        read_log.c.at, person.c.handle, read_log.c.action, read_log.c.purpose, read_log.c.subject
    ).outerjoin_from(read_log, person, person.c.id == read_log.c.person_id)
    if subject is not None:
        query = query.where(read_log.c.subject == subject)
    return [Read(*row) for row in uow.conn.execute(query.order_by(read_log.c.id.desc()).limit(limit))]


def use_challenge(uow: UnitOfWork, digest: bytes, expires_at: int) -> bool:
    """Use a challenge up; whether it was still to be used."""
    row = _insert(uow, used_challenge).values(digest=digest, expires_at=expires_at)
    inserted = row.on_conflict_do_nothing().returning(used_challenge.c.digest)
    return uow.conn.execute(inserted).first() is not None


def charge_try(uow: UnitOfWork, digest: bytes, over: int) -> Tries:
    """Count one more try, in a span that began after `over`; what there are now."""
    begun = sign_in_try.c.began_at > over
    counted = {
        "began_at": case((begun, sign_in_try.c.began_at), else_=uow.now),
        "tries": case((begun, sign_in_try.c.tries + 1), else_=1),
    }
    row = _insert(uow, sign_in_try).values(digest=digest, began_at=uow.now, tries=1)
    charged = row.on_conflict_do_update(index_elements=["digest"], set_=counted)
    returned = charged.returning(sign_in_try.c.began_at, sign_in_try.c.tries)
    return Tries(*uow.conn.execute(returned).one())


def forgive(uow: UnitOfWork, digest: bytes) -> None:
    """Forget the tries: one was right."""
    uow.conn.execute(delete(sign_in_try).where(sign_in_try.c.digest == digest))


def forget(
    uow: UnitOfWork, *, opened: int, seen_before: int, tried: int, named: int, read_before: int
) -> int:
    """Drop what is over: sessions, links, challenges and tries; names of old reads, and older reads; how many."""
    ended = or_(session.c.created_at <= opened, session.c.seen_at <= seen_before)
    over = select(session.c.digest).where(ended)
    uow.conn.execute(delete(session_purpose).where(session_purpose.c.session.in_(over)))
    old = (read_log.c.at <= named, read_log.c.person_id.is_not(None))
    return sum(
        uow.conn.execute(statement).rowcount
        for statement in (
            delete(session).where(ended),
            delete(enrolment).where(enrolment.c.expires_at <= uow.now),
            delete(used_challenge).where(used_challenge.c.expires_at <= uow.now),
            delete(sign_in_try).where(sign_in_try.c.began_at <= tried),
            update(read_log).where(*old).values(person_id=None),
            delete(read_log).where(read_log.c.at <= read_before),
        )
    )


def _insert(uow: UnitOfWork, into: Table) -> Any:
    """An INSERT that can say what is to happen when the row is there."""
    return (postgresql.insert if uow.dialect == "postgresql" else sqlite.insert)(into)

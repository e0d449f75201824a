"""Queries about people: who they are, what they were given, and what they sign in with."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import delete, func, select, update

from tocsin.accounts.store.tables import (
    enrolment,
    oidc_identity,
    passkey,
    person,
    recovery_code,
    role_grant,
)
from tocsin.db import UnitOfWork


class Known(NamedTuple):
    """A person, as their row says."""

    id: int
    handle: str
    passkey_user: bytes
    password: str | None
    totp: bytes | None
    totp_step: int
    created_at: int
    locked_at: int | None


class Grant(NamedTuple):
    """A role given; `issuer` is empty for the hub."""

    person_id: int
    role: str
    issuer: str


class Key(NamedTuple):
    """A passkey."""

    credential: bytes
    person_id: int
    alg: str
    public: bytes
    counter: int
    created_at: int
    used_at: int | None
    cloned_at: int | None


class Link(NamedTuple):
    """An open enrolment link."""

    digest: bytes
    person_id: int
    expires_at: int


def by_handle(uow: UnitOfWork, handle: str) -> Known | None:
    """The person with this handle."""
    row = uow.conn.execute(select(person).where(person.c.handle == handle)).one_or_none()
    return None if row is None else Known(*row)


def by_id(uow: UnitOfWork, person_id: int) -> Known:
    """The person with this id, who exists."""
    return Known(*uow.conn.execute(select(person).where(person.c.id == person_id)).one())


def everyone(uow: UnitOfWork) -> list[Known]:
    """Everybody, by handle."""
    return [Known(*row) for row in uow.conn.execute(select(person).order_by(person.c.handle))]


def add(uow: UnitOfWork, handle: str, passkey_user: bytes) -> int:
    """A new person; their id."""
    values = {
        "handle": handle,
        "passkey_user": passkey_user,
        "password": None,
        "totp": None,
        "totp_step": 0,
        "created_at": uow.now,
        "locked_at": None,
    }
    return int(uow.conn.execute(person.insert().values(**values).returning(person.c.id)).scalar_one())


def lock(uow: UnitOfWork, person_id: int, locked_at: int | None) -> None:
    """From when a person may not sign in, or None."""
    uow.conn.execute(update(person).where(person.c.id == person_id).values(locked_at=locked_at))


def set_code_sign_in(uow: UnitOfWork, person_id: int, password: str | None, totp: bytes | None) -> None:
    """The password's hash and the sealed seed of one-time codes, or neither."""
    values = {"password": password, "totp": totp, "totp_step": 0}
    uow.conn.execute(update(person).where(person.c.id == person_id).values(**values))


def rehash(uow: UnitOfWork, person_id: int, before: str, password: str) -> None:
    """The same password hashed with the parameters of today, unless another one was set meanwhile."""
    same = (person.c.id == person_id, person.c.password == before)
    uow.conn.execute(update(person).where(*same).values(password=password))


def use_step(uow: UnitOfWork, person_id: int, step: int) -> bool:
    """Use up a one-time code's step; whether it was still to be used."""
    used = update(person).where(person.c.id == person_id, person.c.totp_step < step).values(totp_step=step)
    return uow.conn.execute(used).rowcount == 1


def grants(uow: UnitOfWork, person_id: int | None = None, issuer: str | None = None) -> list[Grant]:
    """The roles given: to one person or to all, for one member or for any."""
    query = select(role_grant.c.person_id, role_grant.c.role, role_grant.c.issuer)
    if person_id is not None:
        query = query.where(role_grant.c.person_id == person_id)
    if issuer is not None:
        query = query.where(role_grant.c.issuer == issuer)
    return [Grant(*row) for row in uow.conn.execute(query.order_by(role_grant.c.issuer, role_grant.c.role))]


def grant(uow: UnitOfWork, person_id: int, role: str, issuer: str) -> bool:
    """Give a role; whether it is new."""
    if Grant(person_id, role, issuer) in grants(uow, person_id):
        return False
    values = {"person_id": person_id, "role": role, "issuer": issuer, "created_at": uow.now}
    uow.conn.execute(role_grant.insert().values(**values))
    return True


def revoke(uow: UnitOfWork, person_id: int, role: str, issuer: str) -> bool:
    """Take a role away; whether it was there."""
    chosen = (role_grant.c.person_id == person_id, role_grant.c.role == role, role_grant.c.issuer == issuer)
    return uow.conn.execute(delete(role_grant).where(*chosen)).rowcount == 1


def keys(uow: UnitOfWork, person_id: int) -> list[Key]:
    """A person's passkeys, the oldest first."""
    query = select(passkey).where(passkey.c.person_id == person_id)
    return [Key(*row) for row in uow.conn.execute(query.order_by(passkey.c.created_at, passkey.c.credential))]


def key(uow: UnitOfWork, credential: bytes) -> Key | None:
    """A passkey by its credential id."""
    row = uow.conn.execute(select(passkey).where(passkey.c.credential == credential)).one_or_none()
    return None if row is None else Key(*row)


def key_counts(uow: UnitOfWork) -> dict[int, int]:
    """How many live passkeys each person has."""
    query = select(passkey.c.person_id, func.count()).where(passkey.c.cloned_at.is_(None))
    return {row[0]: row[1] for row in uow.conn.execute(query.group_by(passkey.c.person_id))}


def add_key(uow: UnitOfWork, new: Key) -> None:
    """Register a passkey."""
    uow.conn.execute(passkey.insert().values(**new._asdict()))


def remove_key(uow: UnitOfWork, person_id: int, credential: bytes) -> bool:
    """Forget a passkey; whether it was this person's."""
    chosen = (passkey.c.person_id == person_id, passkey.c.credential == credential)
    return uow.conn.execute(delete(passkey).where(*chosen)).rowcount == 1


def key_used(uow: UnitOfWork, credential: bytes, counter: int) -> None:
    """A passkey was used, and says so many times."""
    chosen = update(passkey).where(passkey.c.credential == credential)
    uow.conn.execute(chosen.values(counter=counter, used_at=uow.now))


def key_cloned(uow: UnitOfWork, credential: bytes) -> None:
    """A passkey's counter went back: it signs nobody in any more."""
    uow.conn.execute(update(passkey).where(passkey.c.credential == credential).values(cloned_at=uow.now))


def put_link(uow: UnitOfWork, new: Link) -> None:
    """Open an enrolment link instead of any older one of that person."""
    uow.conn.execute(delete(enrolment).where(enrolment.c.person_id == new.person_id))
    uow.conn.execute(enrolment.insert().values(**new._asdict()))


def link(uow: UnitOfWork, digest: bytes) -> Link | None:
    """An enrolment link."""
    row = uow.conn.execute(select(enrolment).where(enrolment.c.digest == digest)).one_or_none()
    return None if row is None else Link(*row)


def use_link(uow: UnitOfWork, digest: bytes) -> bool:
    """Use a link up; whether it was there."""
    return uow.conn.execute(delete(enrolment).where(enrolment.c.digest == digest)).rowcount == 1


def put_recovery_codes(uow: UnitOfWork, person_id: int, digests: Iterable[bytes]) -> None:
    """New recovery codes instead of the old ones."""
    uow.conn.execute(delete(recovery_code).where(recovery_code.c.person_id == person_id))
    rows = [{"digest": digest, "person_id": person_id} for digest in digests]
    if rows:
        uow.conn.execute(recovery_code.insert(), rows)


def use_recovery_code(uow: UnitOfWork, person_id: int, digest: bytes) -> bool:
    """Use a recovery code up; whether it was this person's."""
    chosen = (recovery_code.c.person_id == person_id, recovery_code.c.digest == digest)
    return uow.conn.execute(delete(recovery_code).where(*chosen)).rowcount == 1


def recovery_codes_left(uow: UnitOfWork, person_id: int) -> int:
    """How many recovery codes a person has."""
    query = select(func.count()).select_from(recovery_code).where(recovery_code.c.person_id == person_id)
    return int(uow.conn.execute(query).scalar_one())


def by_identity(uow: UnitOfWork, digest: bytes) -> int | None:
    """The id of the person with this identity at the OpenID provider."""
    query = select(oidc_identity.c.person_id).where(oidc_identity.c.digest == digest)
    return uow.conn.execute(query).scalar_one_or_none()


def has_identity(uow: UnitOfWork, person_id: int) -> bool:
    """Whether a person signs in at the OpenID provider."""
    query = select(oidc_identity.c.digest).where(oidc_identity.c.person_id == person_id)
    return uow.conn.execute(query).first() is not None


def add_identity(uow: UnitOfWork, person_id: int, digest: bytes) -> None:
    """Join an identity to a person, instead of any older one."""
    remove_identity(uow, person_id)
    values = {"digest": digest, "person_id": person_id, "created_at": uow.now}
    uow.conn.execute(oidc_identity.insert().values(**values))


def remove_identity(uow: UnitOfWork, person_id: int) -> None:
    """Part a person from the OpenID provider."""
    uow.conn.execute(delete(oidc_identity).where(oidc_identity.c.person_id == person_id))

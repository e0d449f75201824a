"""What somebody signs in with, changed by themselves: passkeys, password and codes, recovery codes, OpenID.

Each change wants a session opened within the last quarter of an hour. Passkeys are added and taken away by whoever
signed in with one, or holds an enrolment link: nobody climbs from a password to what a passkey may do.
"""

from dataclasses import dataclass

from tocsin.accounts import rules
from tocsin.accounts.service.context import Context
from tocsin.accounts.service.enrolling import Passkey, passkeys_in, put_code_sign_in
from tocsin.accounts.service.passwords import hash_password
from tocsin.accounts.service.secrets import decode, new_recovery_code, recovery_digest
from tocsin.accounts.store import people, visits
from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.web.people import Person


@dataclass(frozen=True, slots=True)
class Factors:
    """What somebody signs in with. `recent`: signed in lately enough to change it."""

    passkeys: tuple[Passkey, ...]
    password: bool
    recovery_codes: int
    oidc: bool
    recent: bool


def factors(context: Context, person: Person) -> Factors:
    """What `person` signs in with."""
    with context.database.snapshot() as uow:
        known = people.by_id(uow, person.id)
        return Factors(
            passkeys_in(uow, person.handle),
            known.password is not None,
            people.recovery_codes_left(uow, person.id),
            people.has_identity(uow, person.id),
            uow.now - person.since < rules.RECENT_SECONDS,
        )


def remove_passkey(context: Context, person: Person, credential: str) -> None:
    """Forget a passkey, and end the sessions it opened.

    Raises:
        Refused: `passkey-needed`, `sign-in-again`; `not-found`; `conflict` for the last way to sign in.
    """
    if person.method != "passkey":
        raise Refused("passkey-needed")
    raw = decode(credential, "credential")
    with context.database.transaction() as uow:
        rules.check_recent(person.since, uow.now)
        if not people.remove_key(uow, person.id, raw):
            raise Refused("not-found", "credential", "you have no such passkey")
        _check_way_left(uow, person)
        visits.end_sessions_of(uow, raw)


def set_password(context: Context, person: Person, password: str, sealed: bytes, code: str) -> None:
    """Set or change password and one-time codes; sessions opened with the old ones end.

    Raises:
        Refused: `passkey-needed` for whoever came from the OpenID provider; `sign-in-again`, `claim-invalid`,
            `code-wrong`, `challenge-invalid`.
    """
    _check_own_factor(context, person)
    hashed = hash_password(password, person.handle)
    with context.database.transaction() as uow:
        put_code_sign_in(context, uow, people.by_id(uow, person.id), hashed, sealed, code)


def remove_password(context: Context, person: Person) -> None:
    """Sign in with passkeys alone: no password, no codes.

    Raises:
        Refused: as `set_password`; `conflict` without a passkey.
    """
    _check_own_factor(context, person)
    with context.database.transaction() as uow:
        people.set_code_sign_in(uow, person.id, None, None)
        people.put_recovery_codes(uow, person.id, ())
        _check_way_left(uow, person)


def new_recovery_codes(context: Context, person: Person) -> tuple[str, ...]:
    """Ten new recovery codes instead of the old ones; each stands once for a one-time code.

    Raises:
        Refused: as `set_password`; `conflict` without a password.
    """
    _check_own_factor(context, person)
    codes = tuple(new_recovery_code() for _ in range(rules.RECOVERY_CODES))
    digests = [found for code in codes if (found := recovery_digest(code)) is not None]
    with context.database.transaction() as uow:
        if people.by_id(uow, person.id).password is None:
            raise Refused("conflict", "password", "set a password first: a recovery code goes with it")
        people.put_recovery_codes(uow, person.id, digests)
    return codes


def part_from_provider(context: Context, person: Person) -> None:
    """Sign in at the OpenID provider no more.

    Raises:
        Refused: as `set_password`; `conflict` for the last way to sign in.
    """
    _check_own_factor(context, person)
    with context.database.transaction() as uow:
        people.remove_identity(uow, person.id)
        _check_way_left(uow, person)


def join_provider(context: Context, person: Person, identity: bytes) -> None:
    """Let somebody sign in as who they are at the OpenID provider.

    Raises:
        Refused: as `set_password`; `conflict` when that identity is somebody else's.
    """
    _check_own_factor(context, person)
    with context.database.transaction() as uow:
        if people.by_identity(uow, identity) not in {None, person.id}:
            raise Refused("conflict", "oidc", "somebody else signs in as that")
        people.add_identity(uow, person.id, identity)


def _check_own_factor(context: Context, person: Person) -> None:
    """Whoever came from the OpenID provider has shown this hub no secret of their own."""
    if person.method == "oidc":
        raise Refused("passkey-needed")
    rules.check_recent(person.since, context.database.clock())


def _check_way_left(uow: UnitOfWork, person: Person) -> None:
    live = [key for key in people.keys(uow, person.id) if key.cloned_at is None]
    if not live and people.by_id(uow, person.id).password is None:
        raise Refused("conflict", "", "it is the last way in which you can sign in")

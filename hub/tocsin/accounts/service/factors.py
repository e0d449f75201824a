"""What somebody signs in with, changed by themselves: passkeys, password and codes, recovery codes, OpenID.

Each change wants a session opened within the last quarter of an hour, and ends the person's other sessions. A new
password or code wants the code of now as well, or a passkey's answer of whoever signed in with one, which the pages
ask for. Passkeys are added and taken away with the answer of one, or come from an enrolment link, which somebody
else's passkey answered for: nobody climbs from a password, or from a session they took, to what a passkey may do.
`session` is the cookie of the one that goes on.
"""

from dataclasses import dataclass

from tocsin.accounts import rules
from tocsin.accounts.service.context import Context
from tocsin.accounts.service.enrolling import Passkey, open_seed, passkeys_in, put_code_sign_in
from tocsin.accounts.service.passwords import hash_password
from tocsin.accounts.service.secrets import decode, digest, encode, new_recovery_code, recovery_digest
from tocsin.accounts.service.signing_in import charge, use_code
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


def check_removal(context: Context, person: Person, credential: str) -> Passkey:
    """The passkey of that id, which the person may do without.

    Raises:
        Refused: as `remove_passkey`.
    """
    rules.check_recent(person.since, context.database.clock())
    with context.database.snapshot() as uow:
        for one in passkeys_in(uow, person.handle):
            if one.id == credential:
                _check_way_left(uow, person, without=credential)
                return one
    raise Refused("not-found", "passkey", "you have no such passkey")


def remove_passkey(context: Context, person: Person, session: str, credential: str) -> None:
    """Forget a passkey.

    Raises:
        Refused: `sign-in-again`; `not-found`; `conflict` for the last way to sign in.
    """
    raw = decode(credential, "passkey")
    with context.database.transaction() as uow:
        rules.check_recent(person.since, uow.now)
        if not people.remove_key(uow, person.id, raw):
            raise Refused("not-found", "passkey", "you have no such passkey")
        _check_way_left(uow, person)
        visits.end_sessions_of(uow, raw)
        visits.end_sessions(uow, person.id, digest(session))


def check_change(context: Context, person: Person) -> None:
    """See that somebody may change their password, codes or provider.

    Raises:
        Refused: `passkey-needed` for whoever came from the OpenID provider, who has shown this hub no secret of their
            own; `sign-in-again`.
    """
    if person.method == "oidc":
        raise Refused("passkey-needed")
    rules.check_recent(person.since, context.database.clock())


def set_password(
    context: Context, person: Person, session: str, password: str, sealed: bytes, code: str, current: str = ""
) -> None:
    """Set or change password and one-time codes; sessions opened with the old ones end.

    Who signed in with a password gives the `current` code, or a recovery code; who did with a passkey has a seed that
    one answered for (`new_seed` in this session).

    Raises:
        Refused: as `check_change`; `claim-invalid`, `code-wrong`, `challenge-invalid`; `rate-limited`.
    """
    check_change(context, person)
    seed = open_seed(context, person.handle, sealed, session if person.method == "passkey" else "")
    hashed = hash_password(password, person.handle)
    _charge(context, person)
    with context.database.transaction() as uow:
        _check_current(context, uow, person, current)
        put_code_sign_in(context, uow, people.by_id(uow, person.id), hashed, seed, code)
        visits.end_sessions(uow, person.id, digest(session))


def remove_password(context: Context, person: Person, session: str) -> None:
    """Sign in with passkeys alone: no password, no codes.

    Raises:
        Refused: as `check_change`; `conflict` without a passkey.
    """
    check_change(context, person)
    with context.database.transaction() as uow:
        people.set_code_sign_in(uow, person.id, None, None)
        people.put_recovery_codes(uow, person.id, ())
        _check_way_left(uow, person)
        visits.end_sessions(uow, person.id, digest(session))


def check_password(context: Context, person: Person) -> None:
    """See that there is a password for recovery codes to go with.

    Raises:
        Refused: as `check_change`; `conflict`.
    """
    check_change(context, person)
    with context.database.snapshot() as uow:
        _check_password(uow, person)


def new_recovery_codes(context: Context, person: Person, session: str, current: str = "") -> tuple[str, ...]:
    """Ten new recovery codes instead of the old ones; each stands once for a one-time code.

    Who signed in with a password gives the `current` code, or an old recovery code.

    Raises:
        Refused: as `check_password`; `code-wrong`, `rate-limited`.
    """
    check_password(context, person)
    codes = tuple(new_recovery_code() for _ in range(rules.RECOVERY_CODES))
    digests = [found for code in codes if (found := recovery_digest(code)) is not None]
    _charge(context, person)
    with context.database.transaction() as uow:
        _check_password(uow, person)
        _check_current(context, uow, person, current)
        people.put_recovery_codes(uow, person.id, digests)
        visits.end_sessions(uow, person.id, digest(session))
    return codes


def part_from_provider(context: Context, person: Person, session: str) -> None:
    """Sign in at the OpenID provider no more.

    Raises:
        Refused: as `check_change`; `conflict` for the last way to sign in.
    """
    check_change(context, person)
    with context.database.transaction() as uow:
        people.remove_identity(uow, person.id)
        _check_way_left(uow, person)
        visits.end_sessions(uow, person.id, digest(session))


def join_provider(context: Context, person: Person, session: str, identity: bytes) -> None:
    """Let somebody sign in as who they are at the OpenID provider.

    Raises:
        Refused: as `check_change`; `conflict` when that identity is somebody else's.
    """
    check_change(context, person)
    with context.database.transaction() as uow:
        if people.by_identity(uow, identity) not in {None, person.id}:
            raise Refused("conflict", "oidc", "somebody else signs in as that")
        people.add_identity(uow, person.id, identity)
        visits.end_sessions(uow, person.id, digest(session))


def _charge(context: Context, person: Person) -> None:
    """Count a try at the code of now: a session that somebody took guesses no better than the sign-in page."""
    if person.method == "code":
        charge(context, digest(person.handle))


def _check_current(context: Context, uow: UnitOfWork, person: Person, current: str) -> None:
    if person.method != "code":
        return
    if not use_code(context, uow, people.by_id(uow, person.id), current):
        raise Refused(
            "code-wrong",
            "current",
            "not the code that your app shows now, or used already: wait for the next",
        )
    visits.forgive(uow, digest(person.handle))


def _check_password(uow: UnitOfWork, person: Person) -> None:
    if people.by_id(uow, person.id).password is None:
        raise Refused("conflict", "password", "set a password first: a recovery code goes with it")


def _check_way_left(uow: UnitOfWork, person: Person, without: str = "") -> None:
    keys = people.keys(uow, person.id)
    live = [key for key in keys if key.cloned_at is None and encode(key.credential) != without]
    if not live and people.by_id(uow, person.id).password is None:
        raise Refused("conflict", "", "it is the last way in which you can sign in")

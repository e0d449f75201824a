"""Signing in: with a passkey, or with a password and a code; and approving with a passkey what is no ballot.

A wrong password or code is counted before it is checked, for its handle and for the whole hub, and every refusal is the
same, and comes by the same work: nobody learns whether a handle exists, nor how far they got.
"""

import hmac
from collections.abc import Mapping
from typing import Final, cast

import pyotp

from tocsin.accounts import rules
from tocsin.accounts.service import passwords
from tocsin.accounts.service.context import Context, open_session, refused_sign_in, use_challenge
from tocsin.accounts.service.passkeys import Answered, answered, verify_answer
from tocsin.accounts.service.secrets import digest, encode, recovery_digest
from tocsin.accounts.store import people, visits
from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.web.people import Action, Person
from tocsin_schemas.jwk import KeyAlg

STEP_SECONDS: Final = 30
"""RFC 6238 §5.2; one step early or late is taken."""
SEED: Final = "one-time-codes"
_NOBODY: Final = 0
_NO_STEP: Final = -1
_DECOY_SEED: Final = pyotp.random_base32()
"""Of a code that nobody has: a wrong password is looked no less into than a wrong code."""
_ALL: Final = digest("tocsin/every-handle")


def sign_in_challenge(context: Context, visit: str) -> str:
    """A challenge for whoever has that cookie, whoever they are."""
    return encode(context.secrets.challenge("sign-in", visit, context.database.clock()))


def sign_in_with_passkey(context: Context, visit: str, fields: Mapping[str, str]) -> str:
    """Open a session for whose passkey it is; the new cookie.

    Raises:
        Refused: `challenge-invalid`, `credential-unknown`, `credential-cloned`, `assertion-invalid`,
            `assertion-unverified-user`, `sign-in-refused` for somebody locked.
    """
    answer = answered(fields)
    expires_at = context.secrets.check(answer.challenge, "sign-in", visit, context.database.clock())
    key, counter = _verified(context, answer)
    with context.database.transaction() as uow:
        use_challenge(uow, answer.challenge, expires_at)
        sound = _still_sound(uow, key, counter)
        if sound:
            if people.by_id(uow, key.person_id).locked_at is not None:
                raise refused_sign_in()
            return open_session(uow, key.person_id, "passkey", key.credential)
    raise _cloned()


def sign_in_with_code(context: Context, handle: str, password: str, code: str) -> str:
    """Open a session with a password and a one-time or recovery code; the new cookie.

    Raises:
        Refused: `sign-in-refused`; `rate-limited` after too many tries.
    """
    tried = digest(handle)
    charge(context, tried)
    with context.database.snapshot() as uow:
        known = people.by_handle(uow, handle)
    right = passwords.fits(None if known is None else known.password, password)
    whose = known if right and known is not None and known.locked_at is None else None
    with context.database.transaction() as uow:
        used = use_code(context, uow, whose, code)
        if whose is None or not used:
            raise refused_sign_in()
        visits.forgive(uow, tried)
        opened = open_session(uow, whose.id, "code")
    renewed = passwords.renewed(str(whose.password), password)
    if renewed is not None:
        with context.database.transaction() as uow:
            people.rehash(uow, whose.id, str(whose.password), renewed)
    return opened


def approval(context: Context, person: Person, action: Action, subject: str) -> tuple[str, tuple[str, ...]]:
    """A challenge for one approval of `subject` by `person`, and the passkeys that may answer it, in base64url."""
    bound = _bound(person, action, subject)
    with context.database.snapshot() as uow:
        theirs = [encode(key.credential) for key in people.keys(uow, person.id) if key.cloned_at is None]
        challenge = encode(context.secrets.challenge("approve", bound, uow.now))
    return challenge, tuple(name for name in theirs if _may_sign(person, name))


def approve(context: Context, person: Person, action: Action, subject: str, fields: Mapping[str, str]) -> str:
    """Check the answer to such a challenge, once; the credential that gave it.

    Raises:
        Refused: as `sign_in_with_passkey`; `credential-unknown` also for a passkey of somebody else, or for one that
            the roster does not name for the person's seat.
    """
    answer = answered(fields)
    now = context.database.clock()
    expires_at = context.secrets.check(answer.challenge, "approve", _bound(person, action, subject), now)
    key, counter = _verified(context, answer)
    if key.person_id != person.id or not _may_sign(person, encode(key.credential)):
        raise _unknown()
    with context.database.transaction() as uow:
        use_challenge(uow, answer.challenge, expires_at)
        sound = _still_sound(uow, key, counter)
    if not sound:
        raise _cloned()
    return encode(key.credential)


def totp_step(seed: str, code: str, now: int) -> int | None:
    """The step whose code this is (RFC 6238), one early or late; None when it is of none."""
    totp, current = pyotp.TOTP(seed), now // STEP_SECONDS
    found = None
    for step in (current - 1, current, current + 1):
        if hmac.compare_digest(totp.generate_otp(step), code):
            found = step
    return found


def charge(context: Context, tried: bytes) -> None:
    """Count a try, unless there were too many: for all handles together, and only then for this one.

    What all of them have used up leaves no row of a handle: strangers could name as many as they like.

    Raises:
        Refused: `rate-limited`.
    """
    limits = (
        (_ALL, rules.HUB_TRIES, rules.HUB_TRY_SECONDS),
        (tried, rules.TRIES, rules.TRY_SECONDS),
    )
    wait = None
    with context.database.transaction() as uow:
        for key, most, span in limits:
            tries = visits.charge_try(uow, key, uow.now - span)
            if tries.tries > most:
                wait = tries.began_at + span - uow.now
                break
    if wait is not None:
        raise Refused("rate-limited", "", "too many wrong passwords or codes", retry_after=wait)


def use_code(context: Context, uow: UnitOfWork, whose: people.Known | None, code: str) -> bool:
    """Whether it is a one-time code or a recovery code of theirs, which is then used up; None has none."""
    text = code.replace(" ", "")
    seed, person_id = _DECOY_SEED, _NOBODY
    if whose is not None and whose.totp is not None:
        seed, person_id = context.secrets.open(SEED, whose.handle, whose.totp).decode(), whose.id
    if len(text) == 6 and text.isascii() and text.isdigit():
        step = totp_step(seed, text, uow.now)
        return people.use_step(uow, person_id, _NO_STEP if step is None else step)
    recovery = recovery_digest(text)
    return recovery is not None and people.use_recovery_code(uow, person_id, recovery)


def _verified(context: Context, answer: Answered) -> tuple[people.Key, int]:
    """The passkey that answered, and its counter."""
    with context.database.snapshot() as uow:
        key = people.key(uow, answer.credential)
    if key is None:
        raise _unknown()
    if key.cloned_at is not None:
        raise _cloned()
    return key, verify_answer(context.party, answer, cast("KeyAlg", key.alg), key.public)


def _still_sound(uow: UnitOfWork, key: people.Key, counter: int) -> bool:
    """Whether the counter has grown (WebAuthn §7.2 step 22); if not, the passkey is dead from here on."""
    current = people.key(uow, key.credential)
    if current is None:
        raise _unknown()
    if max(counter, current.counter) > 0 and counter <= current.counter:
        people.key_cloned(uow, key.credential)
        visits.end_sessions_of(uow, key.credential)
        return False
    people.key_used(uow, key.credential, counter)
    return True


def _may_sign(person: Person, credential: str) -> bool:
    return person.seat is None or credential in person.seat.credentials


def _bound(person: Person, action: Action, subject: str) -> str:
    return f"{person.id}\n{action}\n{subject}"


def _unknown() -> Refused:
    return Refused("credential-unknown", "credential", "not a passkey that may sign here")


def _cloned() -> Refused:
    return Refused("credential-cloned", "credential", "its counter went back: there may be a copy of it")

"""Enrolment: a one-time link makes a person able to sign in, with a passkey or with a password and codes.

A link is 256 random bits of which the hub keeps the digest. It is good for 15 minutes and once, and it is used up by
what is registered with it, not by opening it, so that a mail scanner does not spend it.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import pyotp

from tocsin.accounts import rules
from tocsin.accounts.service.context import Context, known_person, open_session, standing, use_challenge
from tocsin.accounts.service.passkeys import Made, answered, verify_made
from tocsin.accounts.service.passwords import hash_password
from tocsin.accounts.service.secrets import digest, encode, new_token
from tocsin.accounts.service.signing_in import SEED, totp_step
from tocsin.accounts.store import people, visits
from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.members.rules import check_issuer
from tocsin.web.people import Person
from tocsin_schemas.jwk import PublicKey, public_key

ENROL_PATH: Final = "/console/enrol/"
USER_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Link:
    """A new enrolment link. Whoever opens `url` first can sign in as `handle`; `expires_at` in Unix seconds."""

    handle: str
    url: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Passkey:
    """A person's passkey: its credential id in base64url, and its public key."""

    id: str
    jwk: dict[str, str]
    created_at: int
    used_at: int | None
    cloned: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """What a page needs so that a browser makes a passkey: all in base64url but the handle."""

    handle: str
    user: str
    challenge: str
    exclude: tuple[str, ...]


def check_invite(
    context: Context, handle: str, roles: Iterable[str], issuer: str | None, by: Person
) -> int | None:
    """See that `by` may open this link, before they are asked to approve it; how many passkeys somebody has who is
    here already, None for somebody new.

    Raises:
        Refused: as `invite_in`.
    """
    rules.check_handle(handle)
    if issuer is not None:
        check_issuer(issuer)
    for role in roles:
        rules.check_grant(role, issuer)
    with context.database.snapshot() as uow:
        known = people.by_handle(uow, handle)
        _check_inviter(context, uow, by, handle, known, issuer)
        return None if known is None else len(people.keys(uow, known.id))


def invite_in(
    context: Context,
    uow: UnitOfWork,
    handle: str,
    roles: Iterable[str] = (),
    issuer: str | None = None,
    by: Person | None = None,
) -> Link:
    """Make a person, unless there is one, give roles, and open a link; any older one of theirs ends.

    `by` is the person who invites, who must be an operator or an administrator of `issuer`, and somebody else:
    nobody gives themselves a passkey. None is the operator's command. An administrator cannot open a link for
    somebody who is more than a person of that member, nor for a handle that the board knows, whether there is such
    an account or not: a handle is all that joins a seat to a person.

    Raises:
        Refused: `claim-invalid`; `conflict` for oneself; `forbidden-person` for somebody `by` may not open a link for.
    """
    rules.check_handle(handle)
    wanted = [rules.check_grant(role, issuer) for role in roles]
    known = people.by_handle(uow, handle)
    if by is not None:
        _check_inviter(context, uow, by, handle, known, issuer)
    person_id = people.add(uow, handle, secrets.token_bytes(USER_BYTES)) if known is None else known.id
    for role in wanted:
        people.grant(uow, person_id, role, issuer or "")
    token = new_token()
    expires_at = uow.now + rules.LINK_SECONDS
    people.put_link(uow, people.Link(digest(token), person_id, expires_at))
    return Link(handle, context.party.origin + ENROL_PATH + token, expires_at)


def passkeys_in(uow: UnitOfWork, handle: str) -> tuple[Passkey, ...]:
    """The passkeys of somebody, the oldest first.

    Raises:
        Refused: `not-found`.
    """
    return tuple(_passkey(key) for key in people.keys(uow, known_person(uow, handle).id))


def offer(context: Context, token: str) -> Offer:
    """What the holder of a link may register.

    Raises:
        Refused: `link-invalid`.
    """
    with context.database.snapshot() as uow:
        known = _holder(uow, token)
        return _offer(context, uow, known, "enrol", token)


def enrol_with_passkey(context: Context, token: str, fields: Mapping[str, str]) -> str:
    """Register a passkey with a link, which is used up, and open a session, alone; the new cookie.

    Raises:
        Refused: `link-invalid`, `challenge-invalid`, `assertion-invalid`, `assertion-unverified-user`, `conflict`.
    """
    answer = answered(fields)
    context.secrets.check(answer.challenge, "enrol", token, context.database.clock())
    made = verify_made(context.party, answer)
    with context.database.transaction() as uow:
        known = _use_link(uow, token)
        _register(uow, known.id, made)
        visits.end_sessions(uow, known.id)
        return open_session(uow, known.id, "passkey", made.credential)


def new_seed(context: Context, handle: str, session: str = "") -> tuple[str, str]:
    """A new seed of one-time codes (160 random bits, base32), and the same sealed for a form to bring back.

    With the cookie of a `session` it is one that a passkey has answered for there, good in that session alone.
    """
    seed = pyotp.random_base32()
    return seed, encode(context.secrets.seal(*_sealed_for(handle, session), seed.encode()))


def open_seed(context: Context, handle: str, sealed: bytes, session: str = "") -> str:
    """The seed of `new_seed`.

    Raises:
        Refused: `challenge-invalid` when it was made for somebody else, or in another way.
    """
    return context.secrets.open(*_sealed_for(handle, session), sealed).decode()


def provisioning_uri(context: Context, handle: str, seed: str) -> str:
    """What an authenticator app reads from a QR code."""
    return pyotp.TOTP(seed).provisioning_uri(name=handle, issuer_name=f"Tocsin {context.party.rp_id}")


def enrol_with_code(context: Context, token: str, password: str, sealed: bytes, code: str) -> str:
    """Set a password and one-time codes with a link, which is used up, and open a session, alone; the new cookie.

    Raises:
        Refused: `link-invalid`, `claim-invalid`, `code-wrong`, `challenge-invalid`.
    """
    with context.database.snapshot() as uow:
        handle = _holder(uow, token).handle
    hashed = hash_password(password, handle)
    with context.database.transaction() as uow:
        known = _use_link(uow, token)
        put_code_sign_in(context, uow, known, hashed, open_seed(context, handle, sealed), code)
        visits.end_sessions(uow, known.id)
        return open_session(uow, known.id, "code")


def put_code_sign_in(
    context: Context, uow: UnitOfWork, known: people.Known, hashed: str, seed: str, code: str
) -> None:
    """Keep a password and a seed whose code of now is `code`; that code is used up.

    Raises:
        Refused: `code-wrong`.
    """
    step = totp_step(seed, code.replace(" ", ""), uow.now)
    if step is None:
        raise Refused("code-wrong", "code", "not the code of this moment; is the clock of your device right?")
    people.set_code_sign_in(uow, known.id, hashed, context.secrets.seal(SEED, known.handle, seed.encode()))
    people.use_step(uow, known.id, step)


def offer_more(context: Context, person: Person, session: str) -> Offer:
    """What somebody signed in may register besides, in this session: to be given once a passkey of theirs has answered
    for it, for the challenge is all that `add_passkey` asks for.
    """
    with context.database.snapshot() as uow:
        return _offer(context, uow, people.by_id(uow, person.id), "add-passkey", f"{person.id}\n{session}")


def add_passkey(context: Context, person: Person, session: str, fields: Mapping[str, str]) -> None:
    """Register one more passkey of somebody to whom it was offered (`offer_more`); their other sessions end.

    Raises:
        Refused: `passkey-needed`, `sign-in-again`, and as `enrol_with_passkey`.
    """
    if person.method != "passkey":
        raise Refused("passkey-needed")
    answer = answered(fields)
    now = context.database.clock()
    rules.check_recent(person.since, now)
    expires_at = context.secrets.check(answer.challenge, "add-passkey", f"{person.id}\n{session}", now)
    made = verify_made(context.party, answer)
    with context.database.transaction() as uow:
        use_challenge(uow, answer.challenge, expires_at)
        _register(uow, person.id, made)
        visits.end_sessions(uow, person.id, digest(session))


def _sealed_for(handle: str, session: str) -> tuple[str, str]:
    return (f"{SEED}/approved", f"{handle}\n{session}") if session else (f"{SEED}/new", handle)


def _offer(context: Context, uow: UnitOfWork, known: people.Known, kind: str, bound_to: str) -> Offer:
    theirs = tuple(encode(key.credential) for key in people.keys(uow, known.id))
    challenge = encode(context.secrets.challenge(kind, bound_to, uow.now))
    return Offer(known.handle, encode(known.passkey_user), challenge, theirs)


def _holder(uow: UnitOfWork, token: str) -> people.Known:
    link = people.link(uow, digest(token))
    if link is None or link.expires_at <= uow.now:
        raise Refused("link-invalid")
    known = people.by_id(uow, link.person_id)
    if known.locked_at is not None:
        raise Refused("link-invalid")
    return known


def _use_link(uow: UnitOfWork, token: str) -> people.Known:
    """Use a link up; whose it was. Of two who come at once, one waits here and then finds nothing to use."""
    known = _holder(uow, token)
    if not people.use_link(uow, digest(token)):
        raise Refused("link-invalid")
    return known


def _register(uow: UnitOfWork, person_id: int, made: Made) -> None:
    if people.key(uow, made.credential) is not None:
        raise Refused("conflict", "credential", "registered already")
    public = made.public
    people.add_key(
        uow,
        people.Key(made.credential, person_id, public.alg, public.raw, made.counter, uow.now, None, None),
    )


def _passkey(key: people.Key) -> Passkey:
    # Reading the key anew gives it its thumbprint.
    public = public_key(PublicKey("Ed25519" if key.alg == "Ed25519" else "ES256", key.public, "").jwk())
    return Passkey(
        encode(key.credential), public.jwk(), key.created_at, key.used_at, key.cloned_at is not None
    )


def _check_inviter(
    context: Context,
    uow: UnitOfWork,
    by: Person,
    handle: str,
    known: people.Known | None,
    issuer: str | None,
) -> None:
    if known is not None and known.id == by.id:
        raise Refused("conflict", "handle", "nobody opens a link for themselves: ask somebody else who may")
    if rules.allowed(by.roles, "people.invite"):
        return
    if issuer is None or "org_admin" not in by.of(issuer):
        raise Refused("role-missing")
    if context.named(handle):
        raise _more_than_theirs()
    if known is not None:
        theirs = standing(context, uow, known)
        if theirs.roles - set(rules.OF_A_MEMBER) or set(theirs.organisations) != {issuer}:
            raise _more_than_theirs()


def _more_than_theirs() -> Refused:
    return Refused("forbidden-person", "handle", "somebody who is more than a person of this member")

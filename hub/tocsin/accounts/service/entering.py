"""Every request of the console: whose session it is, what they may do, and the log of what they read."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import cast

from tocsin.accounts import rules
from tocsin.accounts.service.context import Context, standing
from tocsin.accounts.service.secrets import digest, encode
from tocsin.accounts.store import people, visits
from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.web.console import csrf
from tocsin.web.people import Action, Halt, Method, Person, Purpose, PurposeNeeded
from tocsin_schemas.membership import permit


def identify(context: Context, secret: str) -> Person:
    """Who has the cookie `secret`, as the database and the roster know them now.

    Raises:
        Refused: `signed-out` when there is no session, it has ended, or the person is locked.
    """
    with context.database.snapshot() as uow:
        session = visits.find_session(uow, digest(secret)) if secret else None
        if session is None or rules.session_over(session.created_at, session.seen_at, uow.now):
            raise Refused("signed-out")
        found = _person(context, uow, session, secret)
        lagging = uow.now - session.seen_at >= rules.SEEN_SECONDS
    if lagging and not context.database.read_only:
        with context.database.transaction() as uow:
            visits.seen(uow, session.digest)
    return found


def admit(context: Context, person: Person, secret: str, action: Action, subject: str) -> Person:
    """The same person as far as they may do `action`, with the purpose they read for. A sensitive read is logged.

    Raises:
        Refused: as `rules.demand`; `passkey-needed`; `passkey-unseated` to whoever has a seat, and came with a passkey
            that the roster does not name; `purpose-needed` when a sensitive read has none yet.
    """
    permission = rules.PERMISSIONS[action]
    person = rules.demand(person, action)
    if permission.passkey and not person.passkey:
        raise Refused("passkey-unseated" if person.method == "passkey" else "passkey-needed")
    if not permission.sensitive:
        return person
    session = digest(secret)
    with context.database.transaction() as uow:
        purpose = visits.purpose(uow, session, action)
        if purpose is None:
            raise PurposeNeeded(action, rules.REASONS[action])
        visits.log_read(uow, person.id, action, purpose, digest(subject))
    return replace(person, purpose=cast("Purpose", purpose))


def state_purpose(context: Context, secret: str, person: Person, action: Action, purpose: Purpose) -> None:
    """Say why one reads what `action` shows, for the rest of the session.

    Raises:
        Refused: as `rules.demand`; `request-invalid` for a purpose that is none of that action's.
    """
    rules.demand(person, action)
    if purpose not in rules.REASONS.get(action, ()):
        raise Refused("request-invalid", "purpose", "not one of what can be chosen")
    with context.database.transaction() as uow:
        visits.set_purpose(uow, digest(secret), action, purpose)


def sign_out(context: Context, secret: str) -> None:
    """End the session with that cookie, if there is one."""
    with context.database.transaction() as uow:
        visits.end_session(uow, digest(secret))


def sign_out_everywhere(context: Context, person: Person) -> None:
    """End every session of somebody."""
    with context.database.transaction() as uow:
        visits.end_sessions(uow, person.id)


def _person(context: Context, uow: UnitOfWork, session: visits.Session, secret: str) -> Person:
    known = people.by_id(uow, session.person_id)
    if known.locked_at is not None:
        raise Refused("signed-out")
    at = standing(context, uow, known)
    passkey = session.credential is not None and (
        at.seat is None or encode(session.credential) in at.seat.credentials
    )
    return Person(
        id=known.id,
        handle=known.handle,
        roles=at.roles,
        organisations=at.organisations,
        seat=at.seat,
        method=cast("Method", session.method),
        passkey=passkey,
        purpose=None,
        csrf=csrf(secret),
        since=session.created_at,
        halts=tuple(_halts(context, uow, at.organisations)),
    )


def _halts(context: Context, uow: UnitOfWork, issuers: Iterable[str]) -> Iterator[Halt]:
    """Those of these members, by their issuers, whose state lets them read nothing."""
    for issuer in sorted(issuers):
        org = context.members.by_issuer(uow, issuer)
        if org is None:
            continue
        try:
            permit(org.state, "read")
        except Refused as error:
            reason = error.reason.replace("the member", issuer, 1)
            yield Halt(issuer, org.state_since, error.code, reason)

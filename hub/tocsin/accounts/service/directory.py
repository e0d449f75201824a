"""Who there is, and what they are: for the operator, for a member's administrators, and for auditors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tocsin.accounts import rules
from tocsin.accounts.service.context import Context, known_person, standing
from tocsin.accounts.service.secrets import digest
from tocsin.accounts.store import people, visits
from tocsin.db import Database, UnitOfWork
from tocsin.errors import Refused
from tocsin.web.people import Person, Role, Seated

READS_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody as the people page shows them. `grants` are (role, issuer), the issuer empty for the hub."""

    handle: str
    seat: Seated | None
    roles: frozenset[Role]
    grants: tuple[tuple[str, str], ...]
    passkeys: int
    locked: bool
    seen_at: int | None
    created_at: int


def everyone(context: Context, issuer: str | None = None) -> list[Entry]:
    """Everybody, or everybody with a role for a member, by handle."""
    with context.database.snapshot() as uow:
        found = people.everyone(uow)
        if issuer is not None:
            theirs = {granted.person_id for granted in people.grants(uow, issuer=issuer)}
            found = [known for known in found if known.id in theirs]
        keys, seen = people.key_counts(uow), visits.last_seen(uow)
        return [_entry(context, uow, known, keys.get(known.id, 0), seen.get(known.id)) for known in found]


def entry(context: Context, handle: str) -> Entry:
    """Somebody.

    Raises:
        Refused: `not-found`.
    """
    with context.database.snapshot() as uow:
        known = known_person(uow, handle)
        keys, seen = people.key_counts(uow), visits.last_seen(uow)
        return _entry(context, uow, known, keys.get(known.id, 0), seen.get(known.id))


def grant(
    context: Context, handle: str, role: str, issuer: str | None = None, by: Person | None = None
) -> None:
    """Give somebody a role; `by` None is the operator's command.

    Raises:
        Refused: `not-found`, `claim-invalid`; `role-missing` for whoever may not give it; `conflict` for one there is.
    """
    with context.database.transaction() as uow:
        known = known_person(uow, handle)
        wanted = rules.check_grant(role, issuer)
        _check_may(by, known, issuer)
        if not people.grant(uow, known.id, wanted, issuer or ""):
            raise Refused("conflict", "role", "has it already")


def check_grant(context: Context, handle: str, role: str, issuer: str | None, by: Person) -> None:
    """See that `by` may give somebody a role, before they are asked to approve it.

    Raises:
        Refused: as `grant`.
    """
    with context.database.snapshot() as uow:
        known = known_person(uow, handle)
        wanted = rules.check_grant(role, issuer)
        _check_may(by, known, issuer)
        if people.Grant(known.id, wanted, issuer or "") in people.grants(uow, known.id):
            raise Refused("conflict", "role", "has it already")


def revoke(
    context: Context, handle: str, role: str, issuer: str | None = None, by: Person | None = None
) -> None:
    """Take a role from somebody, from their very next request.

    Raises:
        Refused: as `grant`; `not-found` for a role they do not have.
    """
    with context.database.transaction() as uow:
        known = known_person(uow, handle)
        wanted = rules.check_grant(role, issuer)
        _check_may(by, known, issuer)
        if not people.revoke(uow, known.id, wanted, issuer or ""):
            raise Refused("not-found", "role", "does not have it")


def lock(context: Context, handle: str, *, locked: bool, by: Person | None = None) -> None:
    """Keep somebody out, at once, or let them in again.

    Raises:
        Refused: `not-found`; `conflict` for oneself.
    """
    with context.database.transaction() as uow:
        known = known_person(uow, handle)
        if by is not None and by.id == known.id:
            raise Refused("conflict", "handle", "nobody locks themselves out")
        people.lock(uow, known.id, uow.now if locked else None)
        visits.end_sessions(uow, known.id)


def reads(context: Context, path: str | None = None) -> Sequence[visits.Read]:
    """The newest reads of what is sensitive: of the page at `path`, or of any."""
    with context.database.snapshot() as uow:
        return visits.reads(uow, READS_SHOWN, None if path is None else digest(path))


def forget(database: Database) -> int:
    """The job: drop sessions, links, challenges and tries that are over, names of old reads, and older reads."""
    with database.transaction() as uow:
        return visits.forget(
            uow,
            opened=uow.now - rules.ABSOLUTE_SECONDS,
            seen_before=uow.now - rules.IDLE_SECONDS,
            tried=uow.now - rules.TRY_SECONDS,
            named=uow.now - rules.READ_LOG_NAMED,
            read_before=uow.now - rules.READ_LOG_KEPT,
        )


def _check_may(by: Person | None, known: people.Known, issuer: str | None) -> None:
    if by is None:
        return
    if by.id == known.id:
        raise Refused("conflict", "handle", "nobody changes their own roles")
    if rules.allowed(by.roles, "people.manage"):
        return
    if issuer is None or "org_admin" not in by.of(issuer):
        raise Refused("role-missing")


def _entry(context: Context, uow: UnitOfWork, known: people.Known, keys: int, seen: int | None) -> Entry:
    at = standing(context, uow, known)
    return Entry(
        known.handle,
        at.seat,
        at.roles,
        tuple((granted.role, granted.issuer) for granted in people.grants(uow, known.id)),
        keys,
        known.locked_at is not None,
        seen,
        known.created_at,
    )

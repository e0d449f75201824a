"""Who acts, as the proceedings know them, made from who is signed in."""

from collections.abc import Iterator, Sequence

from fastapi import Request

from tocsin.db import Database
from tocsin.errors import Refused
from tocsin.governance.rules.people import Caller, Seated
from tocsin.governance.service.context import Chamber
from tocsin.members.service import Members, Org
from tocsin.web.people import Person
from tocsin_schemas.board import BoardState


def chamber(request: Request) -> Chamber:
    """The proceedings of this hub."""
    found: Chamber = request.app.state.chamber
    return found


def board(request: Request) -> BoardState | None:
    """What the chain says now, or None in a hub without a board."""
    at = chamber(request)
    with at.database.snapshot() as uow:
        return at.chain.state(uow) if at.chain.founded(uow) else None


def now(request: Request) -> int:
    """The hub's time, in Unix seconds."""
    return chamber(request).database.clock()


def seat(who: Person) -> Seated | None:
    """The seat that a person acts for, if there is one."""
    return None if who.seat is None else Seated(who.seat.seat, who.handle)


def seated(who: Person) -> Seated:
    """The seat that a person acts for.

    Raises:
        Refused: `forbidden` to anybody without one.
    """
    found = seat(who)
    if found is None:
        raise Refused("forbidden", "seat", "only a seat of the board can do this")
    return found


def caller(who: Person) -> Caller:
    """A person who acts by a role."""
    return Caller(who.handle, who.roles, who.issuer, frozenset(who.organisations))


def organisation(request: Request, who: Person) -> Org | None:
    """The member that a person looks at: the first one they administer, else the first; None if it is none yet."""
    return next(orgs(request, _administered(who) or sorted(who.organisations)), None)


def administered(request: Request, who: Person) -> Org:
    """The member that a person administers, the first one by name.

    Raises:
        Refused: `role-missing` to who administers none, `not-found` when theirs is no member of this hub yet.
    """
    issuers = _administered(who)
    if not issuers:
        raise Refused("role-missing", "role", "only an administrator of a member can do this")
    found = next(orgs(request, issuers), None)
    if found is None:
        raise Refused("not-found", "organisation", "your organisation is no member of this hub yet")
    return found


def orgs(request: Request, issuers: Sequence[str]) -> Iterator[Org]:
    """Those of the issuers that are members of this hub, in that order."""
    if not issuers:
        return
    members: Members = request.app.state.members
    database: Database = request.app.state.database
    with database.snapshot() as uow:
        found = {org.issuer: org for org in members.orgs(uow).values()}
    yield from (found[issuer] for issuer in issuers if issuer in found)


def _administered(who: Person) -> list[str]:
    return [issuer for issuer in sorted(who.organisations) if "org_admin" in who.of(issuer)]


def admin(who: Person) -> Caller:
    """A person who speaks for a member: the first one, by name, that made them its administrator.

    Raises:
        Refused: `role-missing` to anybody else.
    """
    for issuer in _administered(who):
        return Caller(who.handle, who.of(issuer), issuer)
    raise Refused("role-missing", "role", "an administrator of a member speaks for it")

"""What every use case of accounts is given, and what several of them share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from tocsin.accounts import rules
from tocsin.accounts.service.secrets import Secrets, digest, encode, new_token
from tocsin.accounts.store import people, visits
from tocsin.db import Database, UnitOfWork
from tocsin.errors import Refused
from tocsin.members.service import Members
from tocsin.web.people import Method, RelyingParty, Role, Seated

Seats = Callable[[str], Seated | None]
"""The seat of a handle in the roster in force."""
Named = Callable[[str], bool]
"""Whether the board knows somebody by this handle: in its roster, in one before it, or while it is being founded."""
OPERATOR_ROLES: Final[frozenset[Role]] = frozenset({"operator", "auditor"})
"""What nobody can be beside a seat: a seat puts these out, so that nobody can take a vote away by granting one."""


def nobody_seated(_handle: str) -> Seated | None:
    """The seats of a hub without a roster."""
    return None


def nobody_named(_handle: str) -> bool:
    """The names of a hub without a roster."""
    return False


@dataclass(slots=True)
class Context:
    """The database, its members, what passkeys are bound to, the secrets, who is seated, and whose handle the board
    knows.
    """

    database: Database
    members: Members
    party: RelyingParty
    secrets: Secrets
    seats: Seats = field(default=nobody_seated)
    named: Named = field(default=nobody_named)


@dataclass(frozen=True, slots=True)
class Standing:
    """A person's roles: all of them, and those for each member."""

    seat: Seated | None
    roles: frozenset[Role]
    organisations: Mapping[str, frozenset[Role]]


def standing(context: Context, uow: UnitOfWork, known: people.Known) -> Standing:
    """What somebody is at this moment, by the database and by the roster."""
    seat = context.seats(known.handle)
    own: set[Role] = set()
    organisations: dict[str, frozenset[Role]] = {}
    for granted in people.grants(uow, known.id):
        role = cast("Role", granted.role)
        if granted.issuer:
            organisations[granted.issuer] = organisations.get(granted.issuer, frozenset()) | {role}
        elif seat is None or role not in OPERATOR_ROLES:
            own.add(role)
    if seat is not None:
        own |= {"board"}
        own |= {"chair"} if seat.chair else set()
        own |= {"duty"} if seat.duty else set()
    return Standing(seat, frozenset(own).union(*organisations.values()), organisations)


def open_session(uow: UnitOfWork, person_id: int, method: Method, credential: bytes | None = None) -> str:
    """Open a session under a new id, and give the id: whatever cookie was sent before means nothing any more."""
    secret = new_token()
    visits.open_session(uow, visits.Session(digest(secret), person_id, method, credential, uow.now, uow.now))
    return secret


def use_challenge(uow: UnitOfWork, challenge: bytes, expires_at: int) -> None:
    """Use a challenge up.

    Raises:
        Refused: `challenge-invalid` when it was answered before.
    """
    if not visits.use_challenge(uow, digest(encode(challenge)), expires_at):
        raise Refused("challenge-invalid", "challenge", "answered before")


def known_person(uow: UnitOfWork, handle: str) -> people.Known:
    """The person with a handle.

    Raises:
        Refused: `not-found`.
    """
    found = people.by_handle(uow, handle) if rules.HANDLE.fullmatch(handle) else None
    if found is None:
        raise Refused("not-found", "handle", "nobody has this handle")
    return found


def refused_sign_in() -> Refused:
    """One refusal for whatever is wrong, so that it tells nobody who has an account."""
    return Refused("sign-in-refused", "", "the handle, the password or the code is wrong")

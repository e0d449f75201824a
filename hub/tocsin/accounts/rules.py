"""What people may do, and what a handle, a password and a session must be like. Pure.

PERMISSIONS is the one table of who may do what; nothing else in the hub decides it. A right is never enough where NEVER
forbids it to another role of the same person: duties are separate by person, not by page.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tocsin.errors import Refused
from tocsin.members.rules import check_issuer
from tocsin.web.people import ACTIONS, PURPOSES, ROLES, Action, Halted, Person, Purpose, Role
from tocsin_schemas.policy import DAY

HANDLE: Final = re.compile(r"[a-z][a-z0-9-]{1,31}")
LINK_SECONDS: Final = 15 * 60
IDLE_SECONDS: Final = 30 * 60
ABSOLUTE_SECONDS: Final = 12 * 3600
SEEN_SECONDS: Final = 60
"""How far the note of when a session was last used may lag: not every page is worth a write."""
RECENT_SECONDS: Final = 15 * 60
"""How long ago somebody may have signed in who changes what they sign in with (ASVS 7.5.1)."""
CHALLENGE_SECONDS: Final = 5 * 60
TRIES: Final = 5
TRY_SECONDS: Final = 15 * 60
"""Wrong passwords or codes for one handle in that time."""
HUB_TRIES: Final = 60
HUB_TRY_SECONDS: Final = 60
"""The same for all handles together, known or not: what bounds the hub's own work, and guessing across handles."""
PASSWORD_LENGTH: Final = range(14, 129)
RECOVERY_CODES: Final = 10
READ_LOG_NAMED: Final = 183 * DAY
READ_LOG_KEPT: Final = 730 * DAY
"""How long a read keeps the name of its reader, and how long it is kept at all (trust.md §6)."""

GRANTED: Final[tuple[Role, ...]] = ("vetter", "operator", "auditor", "org_admin", "org_analyst")
"""Roles that somebody gives; the others come with a seat."""
OF_A_MEMBER: Final[tuple[Role, ...]] = ("org_admin", "org_analyst")

_EVERYONE: Final = frozenset(ROLES)
_BOARD: Final[frozenset[Role]] = frozenset({"board"})


@dataclass(frozen=True, slots=True)
class Permission:
    """Who may do something, and what it takes besides a session.

    `passkey`: one begun with a passkey. `approves`: the answer of a passkey to exactly this as well, each time; a
    signed ballot needs none, for it is such an answer, and a remark is no approval. `sensitive`: reading is logged.
    `writes` is true of everything but reading. `standing`: roles for a member are none for this while the member's
    state lets it read nothing (`tocsin_schemas.membership.permit`).
    """

    roles: frozenset[Role]
    approves: bool = False
    passkey: bool = False
    sensitive: bool = False
    writes: bool = True
    standing: bool = False


def _read(*roles: Role, sensitive: bool = False, standing: bool = False) -> Permission:
    return Permission(frozenset(roles) or _EVERYONE, sensitive=sensitive, writes=False, standing=standing)


def _do(*roles: Role, approves: bool = False, passkey: bool = False, standing: bool = False) -> Permission:
    return Permission(
        frozenset(roles) or _EVERYONE, approves=approves, passkey=approves or passkey, standing=standing
    )


PERMISSIONS: Final[Mapping[Action, Permission]] = {
    "home.read": _read(),
    "security.manage": _do(),
    "passkey.manage": _do(approves=True),
    "seat.accept": _do(passkey=True),
    "people.read": _read("operator", "auditor"),
    "people.manage": _do("operator"),
    "people.invite": _do("operator", approves=True),
    "readlog.read": _read("auditor"),
    "application.read": _read("board", "vetter", "auditor", sensitive=True),
    "application.vet": _do("board", "vetter", approves=True),
    "application.ask": _do("board", "vetter"),
    "application.sponsor": _do("org_admin", approves=True, standing=True),
    "docket.read": _read("board", "auditor"),
    "motion.read": _read("board", "auditor"),
    "motion.propose": _do("board", approves=True),
    "motion.endorse": _do("board", approves=True),
    "motion.remark": _do("board", passkey=True),
    "motion.recuse": _do("board", approves=True),
    "motion.vote": _do("board", passkey=True),
    "emergency.read": _read("board", "duty", "auditor"),
    "emergency.sign": _do("duty", approves=True),
    "member.read": _read("board", "vetter", "operator", "auditor"),
    "scorecard.read": _read("board", "auditor", sensitive=True),
    "policy.read": _read(),
    "policy.simulate": _read("board", "operator", "auditor"),
    "key.read": _read("board", "operator", "auditor"),
    "audit.read": _read(),
    "audit.export": _read("board", "auditor"),
    "signal.read": _read("org_admin", "org_analyst", "auditor", sensitive=True, standing=True),
    "organisation.read": _read("org_admin", "org_analyst"),
    "organisation.manage": _do("org_admin", standing=True),
    "organisation.invite": _do("org_admin", approves=True, standing=True),
    "organisation.act": _do("org_admin"),
    "appeal.file": _do("org_admin"),
    "endpoint.read": _read("org_admin", "org_analyst"),
    "endpoint.manage": _do("org_admin", standing=True),
    "stream.read": _read("org_admin", "org_analyst"),
    "stream.manage": _do("org_admin", standing=True),
    "delivery.read": _read("operator", "auditor"),
    "delivery.stop": _do("operator"),
}
"""Who may do what in the console."""

_OWN: Final[frozenset[Action]] = frozenset({"security.manage", "passkey.manage"})
"""What is about nobody but oneself: how one signs in."""
_WRITING: Final = frozenset(action for action in ACTIONS if PERMISSIONS[action].writes) - _OWN
NEVER: Final[Mapping[Role, frozenset[Action]]] = {
    # The board decides about members and cannot read what they report.
    "board": frozenset({"signal.read"}),
    # Whoever runs the machines neither votes, nor vets, nor speaks for a member, nor reads what members report.
    "operator": (_WRITING - {"people.manage", "people.invite", "delivery.stop"}) | {"signal.read"},
    # An auditor reads everything and writes nothing.
    "auditor": _WRITING,
}
"""What a role takes from a person, whatever else they are."""


def demand_same(named: Iterable[str], words: Iterable[str]) -> None:
    """See that a table names exactly the words there are; done at import.

    Raises:
        ValueError: when it does not.
    """
    if set(named) != set(words):
        raise ValueError("a table of rights does not name exactly what there is")


demand_same(PERMISSIONS, ACTIONS)

REASONS: Final[Mapping[Action, tuple[Purpose, ...]]] = {
    "application.read": ("vetting", "ballot", "appeal", "audit"),
    "scorecard.read": ("ballot", "appeal", "audit"),
    "signal.read": ("investigation", "own-signals", "appeal", "audit"),
}
"""The purposes somebody may name for each sensitive read."""

demand_same(REASONS, (action for action in ACTIONS if PERMISSIONS[action].sensitive))
demand_same((purpose for reasons in REASONS.values() for purpose in reasons), PURPOSES)


def allowed(roles: frozenset[Role], action: Action) -> bool:
    """Whether somebody with these roles may do it: one role has the right, and none takes it away.

    What every role may do, somebody without any may, too.
    """
    right = PERMISSIONS[action].roles
    return (right == _EVERYONE or not roles.isdisjoint(right)) and not any(
        action in NEVER.get(role, frozenset()) for role in roles
    )


def in_standing(person: Person, action: Action) -> Person:
    """Somebody with the roles, and for the members, that count for an action: not for one that is halted, where the
    action needs its standing.
    """
    halted = {halt.issuer for halt in person.halts}
    if not halted or not PERMISSIONS[action].standing:
        return person
    kept = {issuer: roles for issuer, roles in person.organisations.items() if issuer not in halted}
    roles = (person.roles - set(OF_A_MEMBER)).union(*kept.values())
    return replace(person, roles=roles, organisations=kept)


def may(person: Person, action: Action) -> bool:
    """Whether somebody may do it, as they and their members stand now."""
    return allowed(in_standing(person, action).roles, action)


def demand(person: Person, action: Action) -> Person:
    """Somebody as far as they may do it: `in_standing`.

    Raises:
        Refused: `role-missing`; `member-suspended` or `membership-ended` (`Halted`) for whoever acts for nobody else.
    """
    left = in_standing(person, action)
    if allowed(left.roles, action):
        return left
    if allowed(person.roles, action):
        raise Halted(person.halts[0])
    raise Refused("role-missing")


def check_handle(handle: str) -> str:
    """A person's handle.

    Raises:
        Refused: `claim-invalid`.
    """
    if not HANDLE.fullmatch(handle):
        raise Refused("claim-invalid", "handle", "2 to 32 of a-z, 0-9 and -, beginning with a letter")
    return handle


def check_grant(role: str, issuer: str | None) -> Role:
    """A role that may be given: for a member where it is one of a member's, else for the hub.

    Raises:
        Refused: `claim-invalid`.
    """
    if issuer is not None:
        check_issuer(issuer)
    for known in GRANTED:
        if known == role:
            if (known in OF_A_MEMBER) != (issuer is not None):
                raise Refused(
                    "claim-invalid", "role", "roles of a member are given for one, the others for none"
                )
            return known
    raise Refused("claim-invalid", "role", f"one of {', '.join(GRANTED)}")


def check_password(password: str, handle: str) -> str:
    """A password worth hashing: long, and not the handle over again.

    Raises:
        Refused: `claim-invalid`.
    """
    if len(password) not in PASSWORD_LENGTH:
        raise Refused(
            "claim-invalid",
            "password",
            f"{PASSWORD_LENGTH.start} to {PASSWORD_LENGTH.stop - 1} characters; several words do well",
        )
    if len(set(password)) < 5 or len(password.lower().replace(handle, "")) < PASSWORD_LENGTH.start // 2:
        raise Refused("claim-invalid", "password", "too easily guessed")
    return password


def session_over(opened: int, seen: int, now: int) -> bool:
    """Whether a session has ended: unused for 30 minutes, or 12 hours old."""
    return now - seen >= IDLE_SECONDS or now - opened >= ABSOLUTE_SECONDS


def check_recent(since: int, now: int) -> None:
    """Who changes what they sign in with has just signed in.

    Raises:
        Refused: `sign-in-again`.
    """
    if now - since >= RECENT_SECONDS:
        raise Refused("sign-in-again", "", "signed in too long ago for this")

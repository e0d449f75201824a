"""Who is signed in to the console: people, their roles, what there is to do, and where passkeys are bound to.

Pure: rules and services of every feature may import it. Which role may do what is one table, in tocsin.accounts.rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal, NamedTuple, get_args
from urllib.parse import urlsplit

from tocsin.errors import Refused

Role = Literal["board", "chair", "duty", "vetter", "operator", "auditor", "org_admin", "org_analyst"]
"""`board`, `chair` and `duty` come with a seat of the roster; the others are granted, `org_…` for one member."""
Action = Literal[
    "home.read",
    "security.manage",
    "passkey.manage",
    "seat.accept",
    "people.read",
    "people.manage",
    "people.invite",
    "readlog.read",
    "application.read",
    "application.vet",
    "application.ask",
    "application.sponsor",
    "docket.read",
    "motion.read",
    "motion.propose",
    "motion.endorse",
    "motion.remark",
    "motion.recuse",
    "motion.vote",
    "emergency.read",
    "emergency.sign",
    "member.read",
    "scorecard.read",
    "policy.read",
    "policy.simulate",
    "key.read",
    "audit.read",
    "audit.export",
    "signal.read",
    "organisation.read",
    "organisation.manage",
    "organisation.invite",
    "organisation.act",
    "appeal.file",
    "endpoint.read",
    "endpoint.manage",
    "stream.read",
    "stream.manage",
    "delivery.read",
    "delivery.stop",
]
"""Everything that can be done in the console."""
Purpose = Literal["vetting", "ballot", "audit", "investigation", "appeal", "own-signals"]
"""Why somebody reads what is sensitive (trust.md §7)."""

Method = Literal["passkey", "code", "oidc"]
"""How somebody signed in: with a passkey, with a password and a code, at the operator's OpenID provider."""

ROLES: Final[tuple[Role, ...]] = get_args(Role)
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)
METHODS: Final[tuple[Method, ...]] = get_args(Method)


class Halt(NamedTuple):
    """A member whose state lets it read nothing, since when (Unix seconds); `code` and `reason` say so."""

    issuer: str
    since: int
    code: str
    reason: str


class Halted(Refused):
    """Everybody for whom somebody could do this is a member that is halted; `halt` is the first of them."""

    def __init__(self, halt: Halt) -> None:
        super().__init__(halt.code, "", halt.reason)
        self.halt = halt


class PurposeNeeded(Refused):
    """Somebody is to say first why they read what `action` shows: one of `reasons`."""

    def __init__(self, action: Action, reasons: tuple[Purpose, ...]) -> None:
        super().__init__("purpose-needed", "purpose", "say first why you read this")
        self.action = action
        self.reasons = reasons


class Approval(NamedTuple):
    """What is approved, in plain words: a heading, a sentence, the facts it rests on, and the page it was asked on."""

    title: str
    text: str
    facts: tuple[tuple[str, str], ...]
    back: str


class ApprovalNeeded(Refused):
    """Somebody is to approve with a passkey what they have just sent.

    `fields` are what they sent, `challenge` is what one of the passkeys `allow` has to answer; `again` says why an
    answer that came already was not taken.
    """

    def __init__(
        self,
        what: Approval,
        fields: Mapping[str, str],
        challenge: str,
        allow: tuple[str, ...],
        again: Refused | None = None,
    ) -> None:
        super().__init__("approval-needed", "", "approve it with your passkey")
        self.what = what
        self.fields = fields
        self.challenge = challenge
        self.allow = allow
        self.again = again


@dataclass(frozen=True, slots=True)
class Seated:
    """A seat of the roster in force; `credentials` are the ids (base64url) of the passkeys that sign for it."""

    seat: str
    seat_class: str
    chair: bool
    duty: bool
    credentials: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody signed in, as the database and the roster know them at this moment.

    `roles` are all of them, `organisations` those held for a member, by its issuer. `passkey`: they signed in with a
    passkey and, for a seat, with one that the roster names; without it nothing can be approved. `purpose` is why they
    read, where the action asks. `csrf` goes into every form. `since` is when they signed in (Unix seconds). `halts` are
    those of their members that can do nothing here but put their case (`tocsin.accounts.rules`).
    """

    id: int
    handle: str
    roles: frozenset[Role]
    organisations: Mapping[str, frozenset[Role]]
    seat: Seated | None
    method: Method
    passkey: bool
    purpose: Purpose | None
    csrf: str
    since: int
    halts: tuple[Halt, ...] = ()

    @property
    def issuer(self) -> str | None:
        """The member this person acts for; with several, the first by name."""
        return min(self.organisations, default=None)

    def of(self, issuer: str) -> frozenset[Role]:
        """The roles this person holds for a member."""
        return self.organisations.get(issuer, frozenset())


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """What passkeys are bound to (WebAuthn §5.4.2, §5.8.1): a domain, and the origin of the console."""

    rp_id: str
    origin: str


def relying_party(issuer: str) -> RelyingParty:
    """Where people reach the console of the hub with that issuer.

    An IP address cannot be a relying party, so on a loopback address the console is at `localhost`; at any other
    address that is no name there are no passkeys.
    """
    parts = urlsplit(issuer)
    host = parts.hostname or ""
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        return RelyingParty(host, issuer)
    port = "" if parts.port is None else f":{parts.port}"
    return RelyingParty("localhost", f"{parts.scheme}://localhost{port}")

"""What the service of members hands out, and the rows it is made from."""

from dataclasses import dataclass
from typing import Final

from tocsin.members import store
from tocsin_schemas.envelope import AuthorKey
from tocsin_schemas.feed import MemberKey
from tocsin_schemas.jwk import KeyAlg, PublicKey
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import DAY
from tocsin_schemas.vocabulary import MemberClass, MemberState

KEY_LIFE: Final = 365 * DAY
"""How long a key is in force when nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Org:
    """A member. `group` is the opaque id of its owner; instants are Unix seconds.

    `activated` says that it is active, or was.
    """

    id: int
    issuer: str
    member_class: MemberClass
    group: str
    state: MemberState
    state_since: int
    signals_per_hour: int | None
    activated: bool = True


@dataclass(frozen=True, slots=True)
class Community:
    """A sharing group; `slug` is its name in URLs."""

    id: int
    slug: str


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to register: in force from `not_before` (None is now) for `life` seconds."""

    public: PublicKey
    not_before: int | None = None
    life: int = KEY_LIFE


@dataclass(frozen=True, slots=True)
class ClientView:
    """An OAuth client as the operator sees it."""

    client_id: str
    issuer: str
    scopes: frozenset[str]
    revoked: bool


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member as the operator sees it: with keys, clients, and (slug, may_read, may_write) of its communities."""

    org: Org
    keys: tuple[AuthorKey, ...]
    clients: tuple[ClientView, ...]
    communities: tuple[tuple[str, bool, bool], ...]


def org(row: store.Organisation) -> Org:
    """The member of a row."""
    return Org(
        id=row.id,
        issuer=row.issuer,
        member_class=row.member_class,
        group=row.control_group_id,
        state=row.state,
        state_since=row.state_since,
        signals_per_hour=row.signals_per_hour,
        activated=row.trial_since is None,
    )


def author_key(row: store.Key) -> AuthorKey:
    """The key of a row."""
    public = PublicKey(alg(row.alg), row.public, row.kid)
    return AuthorKey(public, row.issuer, row.not_before, row.not_after, row.revoked_at)


def alg(word: str) -> KeyAlg:
    """An algorithm as the database spells it; its CHECK constraint knows no other."""
    return "Ed25519" if word == "Ed25519" else "ES256"


def client_view(row: store.Client) -> ClientView:
    """The client of a row."""
    return ClientView(
        row.client_id, row.issuer, frozenset(row.scopes.split()), revoked=row.revoked_at is not None
    )


def member_key(key: AuthorKey) -> MemberKey:
    """A key as the directory shows it."""
    return MemberKey(
        jwk=key.public.jwk(),
        not_before=rfc3339(key.not_before),
        not_after=rfc3339(key.not_after),
        revoked_at=None if key.revoked_at is None else rfc3339(key.revoked_at),
    )

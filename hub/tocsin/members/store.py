"""What the hub remembers of members. No column holds a word that somebody chose freely: an organisation's name is its
issuer, an owner's is an opaque id, and a used assertion is remembered by the digest of its jti.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    delete,
    exists,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Field, SQLModel

from tocsin.db import UnitOfWork, table
from tocsin.members.rules import GROUP_CHARS, GROUP_PREFIX, MEMBER_CLASSES, MEMBER_STATES
from tocsin_schemas.vocabulary import SCOPES, MemberClass, MemberState


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


_SCOPE_SETS: Final = tuple(
    " ".join(chosen) for size in range(1, len(SCOPES) + 1) for chosen in combinations(sorted(SCOPES), size)
)


class ControlGroupRow(SQLModel, table=True):
    """An ultimate owner, by its opaque id. Members of one group are one voice."""

    __tablename__ = "control_group"
    __table_args__ = (
        CheckConstraint(
            f"id LIKE '{GROUP_PREFIX}%' AND length(id) = {len(GROUP_PREFIX) + GROUP_CHARS}",
            name="control_group_id",
        ),
    )

    id: str = Field(sa_column=Column(String(20), primary_key=True))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class OrganisationRow(SQLModel, table=True):
    """A member. `signals_per_hour` is its own cap, where it has one."""

    __tablename__ = "organisation"
    __table_args__ = (
        CheckConstraint("issuer LIKE 'https://%'", name="organisation_issuer"),
        CheckConstraint(f"member_class IN ({_words(MEMBER_CLASSES)})", name="organisation_class"),
        CheckConstraint(f"state IN ({_words(MEMBER_STATES)})", name="organisation_state"),
        CheckConstraint("signals_per_hour >= 0", name="organisation_cap"),
        UniqueConstraint("issuer", name="organisation_issuer_once"),
    )

    id: int | None = Field(default=None, primary_key=True)
    issuer: str = Field(sa_column=Column(String(300), nullable=False))
    member_class: str = Field(sa_column=Column(String(16), nullable=False))
    control_group_id: str = Field(foreign_key="control_group.id", max_length=20, index=True)
    state: str = Field(sa_column=Column(String(16), nullable=False))
    state_since: int = Field(sa_column=Column(BigInteger(), nullable=False))
    signals_per_hour: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class MemberKeyRow(SQLModel, table=True):
    """A member's public key, by its RFC 7638 thumbprint; it belongs to one member for good."""

    __tablename__ = "member_key"
    __table_args__ = (
        CheckConstraint("(alg = 'Ed25519' AND length(public) = 32) OR (alg = 'ES256' AND length(public) = 65)",
                        name="member_key_public"),
        CheckConstraint("not_before < not_after", name="member_key_life"),
    )  # fmt: skip

    kid: str = Field(sa_column=Column(String(43), primary_key=True))
    organisation_id: int = Field(foreign_key="organisation.id", index=True)
    alg: str = Field(sa_column=Column(String(8), nullable=False))
    public: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    not_before: int = Field(sa_column=Column(BigInteger(), nullable=False))
    not_after: int = Field(sa_column=Column(BigInteger(), nullable=False))
    revoked_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))


class CommunityRow(SQLModel, table=True):
    """A sharing group."""

    __tablename__ = "community"
    __table_args__ = (UniqueConstraint("slug", name="community_slug_once"),)

    id: int | None = Field(default=None, primary_key=True)
    slug: str = Field(sa_column=Column(String(63), nullable=False))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class CommunityMemberRow(SQLModel, table=True):
    """What a member may do in a community."""

    __tablename__ = "community_member"

    community_id: int = Field(foreign_key="community.id", primary_key=True)
    organisation_id: int = Field(foreign_key="organisation.id", primary_key=True, index=True)
    may_write: bool = Field(sa_column=Column(Boolean(), nullable=False))
    may_read: bool = Field(sa_column=Column(Boolean(), nullable=False))


class ClientRow(SQLModel, table=True):
    """An OAuth client of a member. `scopes` are sorted and parted by a space."""

    __tablename__ = "client"
    __table_args__ = (CheckConstraint(f"scopes IN ({_words(_SCOPE_SETS)})", name="client_scopes"),)

    client_id: str = Field(sa_column=Column(String(40), primary_key=True))
    organisation_id: int = Field(foreign_key="organisation.id", index=True)
    scopes: str = Field(sa_column=Column(String(200), nullable=False))
    revoked_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class AssertionRow(SQLModel, table=True):
    """A client assertion that was used. The key is what makes each usable once, whatever runs side by side."""

    __tablename__ = "assertion"
    __table_args__ = (CheckConstraint("length(jti) = 32", name="assertion_jti"),)

    client_id: str = Field(foreign_key="client.client_id", primary_key=True, max_length=40)
    jti: bytes = Field(sa_column=Column(LargeBinary(), primary_key=True))
    expires_at: int = Field(sa_column=Column(BigInteger(), nullable=False, index=True))


class RevokedTokenRow(SQLModel, table=True):
    """An access token that was revoked before its time."""

    __tablename__ = "revoked_token"

    jti: str = Field(sa_column=Column(String(32), primary_key=True))
    expires_at: int = Field(sa_column=Column(BigInteger(), nullable=False, index=True))


control_group: Final = table(ControlGroupRow)
organisation: Final = table(OrganisationRow)
member_key: Final = table(MemberKeyRow)
community: Final = table(CommunityRow)
community_member: Final = table(CommunityMemberRow)
client: Final = table(ClientRow)
assertion: Final = table(AssertionRow)
revoked_token: Final = table(RevokedTokenRow)


class Organisation(NamedTuple):
    """A member, as its row says."""

    id: int
    issuer: str
    member_class: MemberClass
    control_group_id: str
    state: MemberState
    state_since: int
    signals_per_hour: int | None
    created_at: int


class Key(NamedTuple):
    """A member's key, with its owner's issuer."""

    kid: str
    organisation_id: int
    alg: str
    public: bytes
    not_before: int
    not_after: int
    revoked_at: int | None
    issuer: str


class Client(NamedTuple):
    """A client, with its owner's issuer."""

    client_id: str
    organisation_id: int
    scopes: str
    revoked_at: int | None
    issuer: str


class Bearer(NamedTuple):
    """Everything that can stop an access token: its member, its client, its key, its own revocation."""

    organisation: Organisation
    scopes: str
    client_revoked_at: int | None
    not_before: int
    not_after: int
    key_revoked_at: int | None
    token_revoked: bool

    def in_force(self, now: int) -> bool:
        """Whether nothing does. The member's state is for the caller to judge."""
        revoked = self.token_revoked or self.client_revoked_at is not None or self.key_revoked_at is not None
        return not revoked and self.not_before <= now < self.not_after


class Membership(NamedTuple):
    """One member's part in one community."""

    community_id: int
    slug: str
    organisation_id: int
    may_write: bool
    may_read: bool


_ORGANISATIONS: Final = select(*(organisation.c[name] for name in Organisation._fields))
_KEYS: Final = select(*(member_key.c[name] for name in Key._fields[:-1]), organisation.c.issuer).join(
    organisation, organisation.c.id == member_key.c.organisation_id
)
_CLIENTS: Final = select(*(client.c[name] for name in Client._fields[:-1]), organisation.c.issuer).join(
    organisation, organisation.c.id == client.c.organisation_id
)


def organisations(uow: UnitOfWork) -> list[Organisation]:
    """Every member, in order of their issuers."""
    return [
        Organisation._make(row) for row in uow.conn.execute(_ORGANISATIONS.order_by(organisation.c.issuer))
    ]


def organisation_by_issuer(uow: UnitOfWork, issuer: str) -> Organisation | None:
    """The member of that issuer."""
    row = uow.conn.execute(_ORGANISATIONS.where(organisation.c.issuer == issuer)).one_or_none()
    return None if row is None else Organisation._make(row)


def keys(uow: UnitOfWork, organisation_id: int | None = None) -> list[Key]:
    """Every key, or those of one member, in force or not; the oldest first."""
    chosen = _KEYS.order_by(member_key.c.not_before, member_key.c.kid)
    if organisation_id is not None:
        chosen = chosen.where(member_key.c.organisation_id == organisation_id)
    return [Key._make(row) for row in uow.conn.execute(chosen)]


def key(uow: UnitOfWork, kid: str) -> Key | None:
    """One key."""
    row = uow.conn.execute(_KEYS.where(member_key.c.kid == kid)).one_or_none()
    return None if row is None else Key._make(row)


def clients(uow: UnitOfWork) -> list[Client]:
    """Every client, the oldest first."""
    return [
        Client._make(row)
        for row in uow.conn.execute(_CLIENTS.order_by(client.c.created_at, client.c.client_id))
    ]


def client_by_id(uow: UnitOfWork, client_id: str) -> Client | None:
    """One client."""
    row = uow.conn.execute(_CLIENTS.where(client.c.client_id == client_id)).one_or_none()
    return None if row is None else Client._make(row)


def communities(uow: UnitOfWork) -> dict[str, int]:
    """Every community: slug to id."""
    rows = uow.conn.execute(select(community.c.slug, community.c.id).order_by(community.c.slug))
    return {row.slug: row.id for row in rows}


def memberships(
    uow: UnitOfWork, *, organisation_id: int | None = None, community_id: int | None = None
) -> list[Membership]:
    """Who may do what where; all of it, or of one member, or in one community."""
    chosen = (
        select(
            community_member.c.community_id,
            community.c.slug,
            community_member.c.organisation_id,
            community_member.c.may_write,
            community_member.c.may_read,
        )
        .join(community, community.c.id == community_member.c.community_id)
        .order_by(community.c.slug, community_member.c.organisation_id)
    )
    if organisation_id is not None:
        chosen = chosen.where(community_member.c.organisation_id == organisation_id)
    if community_id is not None:
        chosen = chosen.where(community_member.c.community_id == community_id)
    return [Membership._make(row) for row in uow.conn.execute(chosen)]


def bearer(uow: UnitOfWork, client_id: str, kid: str, jti: str) -> Bearer | None:
    """The standing of an access token, in one query; None when its client or key was never this member's."""
    row = uow.conn.execute(
        select(
            client.c.scopes,
            client.c.revoked_at,
            member_key.c.not_before,
            member_key.c.not_after,
            member_key.c.revoked_at,
            exists().where(revoked_token.c.jti == jti),
            *(organisation.c[name] for name in Organisation._fields),
        )
        .join(organisation, organisation.c.id == client.c.organisation_id)
        .join(member_key, member_key.c.organisation_id == organisation.c.id)
        .where(client.c.client_id == client_id, member_key.c.kid == kid)
    ).one_or_none()
    return None if row is None else Bearer(Organisation(*row[6:]), *row[:6])


def add_control_group(uow: UnitOfWork, group: str) -> None:
    """Remember an owner, if it is new."""
    _insert(uow, control_group, {"id": group, "created_at": uow.now})


def add_organisation(uow: UnitOfWork, values: Mapping[str, Any]) -> bool:
    """Add a member, active from now on; False when its issuer is taken."""
    return _insert(uow, organisation, {**values, "state_since": uow.now, "created_at": uow.now})


def add_key(uow: UnitOfWork, values: Mapping[str, Any]) -> bool:
    """Add a key; False when it is registered already."""
    return _insert(uow, member_key, values)


def add_client(uow: UnitOfWork, client_id: str, organisation_id: int, scopes: str) -> None:
    """Add a client."""
    values = {"client_id": client_id, "organisation_id": organisation_id, "scopes": scopes}
    uow.conn.execute(client.insert().values(**values, created_at=uow.now))


def add_community(uow: UnitOfWork, slug: str) -> bool:
    """Add a community; False when there is one of that name."""
    return _insert(uow, community, {"slug": slug, "created_at": uow.now})


def use_assertion(uow: UnitOfWork, client_id: str, jti: bytes, expires_at: int) -> bool:
    """Use up an assertion; False when it was used before, be it at this very moment."""
    return _insert(uow, assertion, {"client_id": client_id, "jti": jti, "expires_at": expires_at})


def revoke_token(uow: UnitOfWork, jti: str, expires_at: int) -> None:
    """Revoke an access token."""
    _insert(uow, revoked_token, {"jti": jti, "expires_at": expires_at})


def set_organisation(uow: UnitOfWork, organisation_id: int, **values: str | int | None) -> None:
    """Change columns of a member."""
    uow.conn.execute(organisation.update().where(organisation.c.id == organisation_id).values(**values))


def revoke_key(uow: UnitOfWork, kid: str) -> None:
    """Revoke a key now."""
    uow.conn.execute(member_key.update().where(member_key.c.kid == kid).values(revoked_at=uow.now))


def revoke_client(uow: UnitOfWork, client_id: str) -> None:
    """Revoke a client now."""
    uow.conn.execute(client.update().where(client.c.client_id == client_id).values(revoked_at=uow.now))


def set_membership(
    uow: UnitOfWork, community_id: int, organisation_id: int, *, may_write: bool, may_read: bool
) -> None:
    """Say what a member may do in a community; nothing at all takes it out."""
    here = (
        community_member.c.community_id == community_id,
        community_member.c.organisation_id == organisation_id,
    )
    uow.conn.execute(delete(community_member).where(*here))
    if may_write or may_read:
        uow.conn.execute(
            community_member.insert().values(
                community_id=community_id,
                organisation_id=organisation_id,
                may_write=may_write,
                may_read=may_read,
            )
        )


def forget(uow: UnitOfWork, before: int) -> int:
    """Delete used assertions and revoked tokens that expired before an instant; how many."""
    return sum(
        uow.conn.execute(delete(rows).where(rows.c.expires_at < before)).rowcount
        for rows in (assertion, revoked_token)
    )


def _insert(uow: UnitOfWork, into: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless its key is there already; of two transactions at once, one gets False."""
    insert = postgresql.insert if uow.dialect == "postgresql" else sqlite.insert
    statement = insert(into).values(**values).on_conflict_do_nothing()
    return uow.conn.execute(statement, execution_options={"preserve_rowcount": True}).rowcount == 1

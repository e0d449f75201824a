"""What the hub remembers of members: the queries of each use case."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, Table, bindparam, delete, exists, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from tocsin.db import UnitOfWork, View
from tocsin.members.store.tables import (
    assertion,
    client,
    community,
    community_member,
    control_group,
    member_key,
    organisation,
    revoked_token,
)
from tocsin_schemas.membership import EFFECTS
from tocsin_schemas.vocabulary import MemberClass, MemberState


class Organisation(NamedTuple):
    """A member, as its row says."""

    id: int
    issuer: str
    member_class: MemberClass
    control_group_id: str
    state: MemberState
    state_since: int
    trial_since: int | None
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
    """A client, with its owner's issuer and state."""

    client_id: str
    organisation_id: int
    scopes: str
    revoked_at: int | None
    issuer: str
    state: MemberState


class Bearer(NamedTuple):
    """Everything that can stop an access token: its member, its client, its key, its own revocation.

    `reads` is the id of the community that it was asked for, if the member may read that.
    """

    organisation: Organisation
    scopes: str
    client_revoked_at: int | None
    not_before: int
    not_after: int
    key_revoked_at: int | None
    token_revoked: bool
    reads: int | None

    def in_force(self, now: int) -> bool:
        """Whether nothing does. The member's state is for the caller to judge."""
        revoked = self.token_revoked or self.client_revoked_at is not None or self.key_revoked_at is not None
        return not revoked and self.not_before <= now < self.not_after


class Community(NamedTuple):
    """A community, as its row says."""

    id: int
    slug: str
    created_at: int


class Membership(NamedTuple):
    """One member's part in one community."""

    community_id: int
    slug: str
    organisation_id: int
    may_write: bool
    may_read: bool


_ORGANISATIONS: Final = select(*(organisation.c[name] for name in Organisation._fields))
_ALL_ORGANISATIONS: Final = _ORGANISATIONS.order_by(organisation.c.issuer)
_KEYS: Final = select(*(member_key.c[name] for name in Key._fields[:-1]), organisation.c.issuer).join(
    organisation, organisation.c.id == member_key.c.organisation_id
)
_ALL_KEYS: Final = _KEYS.order_by(member_key.c.not_before, member_key.c.kid)
_KEYS_OF: Final = _ALL_KEYS.where(member_key.c.organisation_id == bindparam("organisation_id"))
_CLIENTS: Final = select(
    *(client.c[name] for name in Client._fields[:-2]), organisation.c.issuer, organisation.c.state
).join(organisation, organisation.c.id == client.c.organisation_id)


def _read_by(organisation_id: ColumnElement[int]) -> Select[tuple[int]]:
    """The id of the community `slug`, if that member may read it."""
    return (
        select(community.c.id)
        .join(community_member, community_member.c.community_id == community.c.id)
        .where(
            community.c.slug == bindparam("slug"),
            community_member.c.organisation_id == organisation_id,
            community_member.c.may_read,
        )
    )


_READING: Final = [state for state, effects in EFFECTS.items() if effects.reads != "none"]
_COMMUNITIES: Final = select(community.c.slug, community.c.id).order_by(community.c.slug)
_MEMBERSHIPS: Final = (
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
_MEMBERSHIPS_OF: Final = _MEMBERSHIPS.where(
    community_member.c.organisation_id == bindparam("organisation_id")
)
_MEMBERSHIPS_IN: Final = _MEMBERSHIPS.where(community_member.c.community_id == bindparam("community_id"))


# Asked on every request, or nearly: built once.
_BEARER: Final = (
    select(
        client.c.scopes,
        client.c.revoked_at,
        member_key.c.not_before,
        member_key.c.not_after,
        member_key.c.revoked_at,
        exists().where(revoked_token.c.jti == bindparam("jti")),
        _read_by(organisation.c.id).correlate(organisation).scalar_subquery(),
        *(organisation.c[name] for name in Organisation._fields),
    )
    .join(organisation, organisation.c.id == client.c.organisation_id)
    .join(member_key, member_key.c.organisation_id == organisation.c.id)
    .where(client.c.client_id == bindparam("client_id"), member_key.c.kid == bindparam("kid"))
)
_READABLE: Final = _read_by(bindparam("organisation_id")).where(
    # The doors ask for the state first (`permit`); here nothing comes past it either.
    exists().where(
        organisation.c.id == community_member.c.organisation_id,
        or_(*(organisation.c.state == state for state in _READING)),
    )
)


def organisations(uow: UnitOfWork) -> list[Organisation]:
    """Every member, in order of their issuers."""
    return [Organisation._make(row) for row in uow.ask(_ALL_ORGANISATIONS)]


def organisation_by_issuer(uow: UnitOfWork, issuer: str) -> Organisation | None:
    """The member of that issuer."""
    row = uow.conn.execute(_ORGANISATIONS.where(organisation.c.issuer == issuer)).one_or_none()
    return None if row is None else Organisation._make(row)


def keys(uow: UnitOfWork, organisation_id: int | None = None) -> list[Key]:
    """Every key, or those of one member, in force or not; the oldest first."""
    if organisation_id is None:
        return [Key._make(row) for row in uow.ask(_ALL_KEYS)]
    return [Key._make(row) for row in uow.ask(_KEYS_OF, {"organisation_id": organisation_id})]


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


def readable(view: View, organisation_id: int, slug: str) -> int | None:
    """The id of the community of that name, if the member may read it, and reads anything in its state."""
    named = {"organisation_id": organisation_id, "slug": slug}
    found = view.ask(_READABLE, named)
    return found[0][0] if found else None


def communities(uow: UnitOfWork) -> dict[str, int]:
    """Every community: slug to id."""
    return dict(uow.ask(_COMMUNITIES))


def community_rows(uow: UnitOfWork) -> list[Community]:
    """Every community, in the order they were opened."""
    chosen = select(*(community.c[name] for name in Community._fields)).order_by(community.c.id)
    return [Community._make(row) for row in uow.conn.execute(chosen)]


def memberships(
    uow: UnitOfWork, *, organisation_id: int | None = None, community_id: int | None = None
) -> list[Membership]:
    """Who may do what where; all of it, or of one member, or in one community."""
    if organisation_id is not None:
        rows = uow.ask(_MEMBERSHIPS_OF, {"organisation_id": organisation_id})
    elif community_id is not None:
        rows = uow.ask(_MEMBERSHIPS_IN, {"community_id": community_id})
    else:
        rows = uow.ask(_MEMBERSHIPS)
    return [Membership._make((*names, bool(write), bool(read))) for *names, write, read in rows]


def bearer(view: View, client_id: str, kid: str, jti: str, slug: str | None) -> Bearer | None:
    """The standing of an access token, in one query, and whether its member may read the community of that name.

    None when its client or key was never this member's.
    """
    values = {"client_id": client_id, "kid": kid, "jti": jti, "slug": slug}
    found = view.ask(_BEARER, values)
    return Bearer(Organisation(*found[0][7:]), *found[0][:7]) if found else None


def add_control_group(uow: UnitOfWork, group: str) -> None:
    """Remember an owner, if it is new."""
    _insert(uow, control_group, {"id": group, "created_at": uow.now})


def add_organisation(uow: UnitOfWork, values: Mapping[str, Any]) -> bool:
    """Add a member, in its state from now on unless the values say since when; False when its issuer is taken."""
    return _insert(uow, organisation, {"state_since": uow.now, **values, "created_at": uow.now})


def add_key(uow: UnitOfWork, values: Mapping[str, Any]) -> bool:
    """Add a key; False when it is registered already."""
    return _insert(uow, member_key, values)


def add_client(uow: UnitOfWork, client_id: str, organisation_id: int, scopes: str) -> None:
    """Add a client."""
    values = {"client_id": client_id, "organisation_id": organisation_id, "scopes": scopes}
    uow.conn.execute(client.insert().values(**values, created_at=uow.now))


def add_community(uow: UnitOfWork, slug: str, opened_at: int) -> bool:
    """Add a community; False when there is one of that name."""
    return _insert(uow, community, {"slug": slug, "created_at": opened_at})


def set_community(uow: UnitOfWork, community_id: int, **values: str | int) -> None:
    """Change columns of a community."""
    uow.conn.execute(community.update().where(community.c.id == community_id).values(**values))


def delete_community(uow: UnitOfWork, community_id: int) -> None:
    """Delete a community in which nobody ever was."""
    uow.conn.execute(community.delete().where(community.c.id == community_id))


def use_assertion(uow: UnitOfWork, client_id: str, jti: bytes, expires_at: int) -> bool:
    """Use up an assertion; False when it was used before, be it at this very moment."""
    return _insert(uow, assertion, {"client_id": client_id, "jti": jti, "expires_at": expires_at})


def revoke_token(uow: UnitOfWork, jti: str, expires_at: int) -> None:
    """Revoke an access token."""
    _insert(uow, revoked_token, {"jti": jti, "expires_at": expires_at})


def set_organisation(uow: UnitOfWork, organisation_id: int, **values: str | int | None) -> None:
    """Change columns of a member."""
    uow.conn.execute(organisation.update().where(organisation.c.id == organisation_id).values(**values))


def set_key(uow: UnitOfWork, kid: str, values: Mapping[str, Any]) -> None:
    """Change columns of a key."""
    uow.conn.execute(member_key.update().where(member_key.c.kid == kid).values(**values))


def revoke_key(uow: UnitOfWork, kid: str) -> None:
    """Revoke a key now."""
    uow.conn.execute(member_key.update().where(member_key.c.kid == kid).values(revoked_at=uow.now))


def revoke_client(uow: UnitOfWork, client_id: str) -> None:
    """Revoke a client now."""
    uow.conn.execute(client.update().where(client.c.client_id == client_id).values(revoked_at=uow.now))


def set_membership(
    uow: UnitOfWork, community_id: int, organisation_id: int, *, may_write: bool, may_read: bool
) -> None:
    """Say what a member may do in a community.

    Whoever loses every right stays in the directory: what it signed before must still be verified.
    """
    here = {"community_id": community_id, "organisation_id": organisation_id}
    rights = {"may_write": may_write, "may_read": may_read}
    if not _insert(uow, community_member, {**here, **rights}):
        uow.conn.execute(
            community_member.update()
            .where(*(community_member.c[name] == value for name, value in here.items()))
            .values(**rights)
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

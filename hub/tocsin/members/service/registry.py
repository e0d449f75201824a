"""What can be done with members, one use case a transaction, and what other features may read of them.

Helpers that take an open unit of work are for features that need members inside their own transaction.
"""

import secrets
from collections.abc import Iterable, Mapping
from functools import cached_property

from tocsin import keys, outbox
from tocsin.config import Settings
from tocsin.db import Database, UnitOfWork, View
from tocsin.errors import Refused
from tocsin.members import rules, store
from tocsin.members.service import hub_keys, records
from tocsin.members.service.records import ClientView, Community, MemberView, NewKey, Org
from tocsin.outbox import Happening
from tocsin_schemas.envelope import AuthorKey
from tocsin_schemas.feed import CommunityView, Directory, DirectoryMember, MemberKey
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.notifications import EventType
from tocsin_schemas.signals import LATEST


class Members:
    """The members of one hub. `hub` is its public base URL."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self.hub = settings.issuer

    # --- what the operator of a sandbox does. Where there is a board, each of these is a decision of the board's:
    # --- `decision-required`, whatever is asked.

    def add_member(
        self,
        issuer: str,
        member_class: str,
        *,
        control_group: str | None = None,
        keys: Iterable[NewKey] = (),
        grants: Mapping[str, tuple[bool, bool]] | None = None,
        scopes: Iterable[str] | None = None,
        signals_per_hour: int | None = None,
    ) -> MemberView:
        """Admit a member: its owner, keys, one client, and (may_read, may_write) for each community named.

        `control_group` is the id or the name of the owner; without it the member is its own. Without `scopes` its
        client has all that its class may hold.

        Raises:
            Refused: `conflict` when the issuer or a key is registered already, `not-found` for an unknown community,
                `claim-invalid` for anything out of form.
        """
        self._demand_sandbox()
        group = rules.control_group_id(control_group if control_group is not None else issuer)
        values = {
            "issuer": rules.check_issuer(issuer),
            "member_class": rules.check_member_class(member_class),
            "control_group_id": group,
            "state": "active",
            "signals_per_hour": rules.check_cap(signals_per_hour),
        }
        with self._database.transaction() as uow:
            store.add_control_group(uow, group)
            if not store.add_organisation(uow, values):
                raise Refused("conflict", "issuer", "a member with this issuer exists already")
            org = self._org(uow, issuer)
            for key in keys:
                self._register(uow, org, key)
            self._new_client(uow, org, scopes)
            for slug, (may_read, may_write) in (grants or {}).items():
                self._grant(uow, org, slug, may_read=may_read, may_write=may_write)
            return self._views(uow, [org])[0]

    def add_key(self, issuer: str, key: NewKey) -> AuthorKey:
        """Register one more public key of a member.

        Raises:
            Refused: `not-found`, `conflict` when the key is registered already (be it revoked), `claim-invalid`.
        """
        self._demand_sandbox()
        with self._database.transaction() as uow:
            return self._register(uow, self._org(uow, issuer), key)

    def revoke_key(self, kid: str) -> None:
        """Revoke a key now and for good: for signals, for authentication, and for the tokens it obtained.

        Raises:
            Refused: `not-found`; `conflict` when it is revoked already.
        """
        self._demand_sandbox()
        with self._database.transaction() as uow:
            key = store.key(uow, kid)
            if key is None:
                raise Refused("not-found", "kid", "no such key")
            if key.revoked_at is not None:
                raise Refused("conflict", "kid", "the key is revoked already")
            store.revoke_key(uow, kid)
            self._tell(uow, "key.revoked", key.organisation_id)

    def suspend(self, issuer: str) -> Org:
        """Suspend a member: from now on its clients can ask who they are, and nothing else.

        Raises:
            Refused: `not-found`; `conflict` when it is not active.
        """
        return self._move(issuer, "suspend")

    def reinstate(self, issuer: str) -> Org:
        """Let a suspended member in again.

        Raises:
            Refused: `not-found`; `conflict` when it is not suspended.
        """
        return self._move(issuer, "reinstate")

    def set_cap(self, issuer: str, signals_per_hour: int | None) -> Org:
        """Give a member its own cap of signals an hour; None is the policy's.

        Raises:
            Refused: `not-found`, `claim-invalid`.
        """
        self._demand_sandbox()
        cap = rules.check_cap(signals_per_hour)
        with self._database.transaction() as uow:
            store.set_organisation(uow, self._org(uow, issuer).id, signals_per_hour=cap)
            return self._org(uow, issuer)

    def add_community(self, slug: str) -> Community:
        """Open a community.

        Raises:
            Refused: `conflict` when it exists, `claim-invalid`.
        """
        self._demand_sandbox()
        rules.check_slug(slug)
        with self._database.transaction() as uow:
            if not store.add_community(uow, slug, uow.now):
                raise Refused("conflict", "community", "exists already")
            return self._community(uow, slug)

    def grant(self, issuer: str, slug: str, *, may_read: bool, may_write: bool) -> None:
        """Say what a member may do in a community; without any right it stays in the directory.

        Raises:
            Refused: `not-found` for an unknown member or community.
        """
        self._demand_sandbox()
        with self._database.transaction() as uow:
            self._grant(uow, self._org(uow, issuer), slug, may_read=may_read, may_write=may_write)

    # --- what the operator does anywhere: clients are no power, their member has it

    def add_client(self, issuer: str, scopes: Iterable[str] | None = None) -> ClientView:
        """Give a member one more OAuth client, with all that its class may hold unless `scopes` says less.

        Raises:
            Refused: `not-found`, `claim-invalid`.
        """
        with self._database.transaction() as uow:
            return self._new_client(uow, self._org(uow, issuer), scopes)

    def revoke_client(self, client_id: str) -> None:
        """Revoke a client now; its tokens are refused at once.

        Raises:
            Refused: `not-found`; `conflict` when it is revoked already.
        """
        with self._database.transaction() as uow:
            client = store.client_by_id(uow, client_id)
            if client is None:
                raise Refused("not-found", "client_id", "no such client")
            if client.revoked_at is not None:
                raise Refused("conflict", "client_id", "the client is revoked already")
            store.revoke_client(uow, client_id)

    def list_members(self) -> list[MemberView]:
        """Every member, in order of their issuers."""
        with self._database.snapshot() as uow:
            return self._views(uow, [records.org(row) for row in store.organisations(uow)])

    def list_communities(self) -> list[Community]:
        """Every community."""
        with self._database.snapshot() as uow:
            return list(self.communities(uow).values())

    # --- what a member sees

    def communities_of(self, org_id: int) -> list[CommunityView]:
        """The communities a member may read or write in."""
        with self._database.snapshot() as uow:
            return self.community_views(uow, org_id)

    def directory_for(self, org_id: int, slug: str) -> Directory:
        """The directory of a community, for a member that may read there.

        Raises:
            Refused: `not-found` when there is no such community, or not for this member.
        """
        with self._database.snapshot() as uow:
            community = self.readable(uow, org_id, slug)
            if community is None:
                raise Refused("not-found", "community", "none that you may read")
            return self.directory(uow, community)

    # --- inside another feature's unit of work

    def orgs(self, uow: UnitOfWork) -> dict[int, Org]:
        """Every member by id."""
        return {row.id: records.org(row) for row in store.organisations(uow)}

    def by_issuer(self, uow: UnitOfWork, issuer: str) -> Org | None:
        """The member of that issuer."""
        row = store.organisation_by_issuer(uow, issuer)
        return None if row is None else records.org(row)

    def author_keys(self, uow: UnitOfWork, org_id: int) -> dict[str, AuthorKey]:
        """The keys of one member by kid: those in force, and those that were."""
        return {row.kid: records.author_key(row) for row in store.keys(uow, org_id)}

    def communities(self, uow: UnitOfWork) -> dict[str, Community]:
        """Every community by slug."""
        return {slug: Community(number, slug) for slug, number in store.communities(uow).items()}

    def readable(self, view: View, org_id: int, slug: str) -> Community | None:
        """The community of that name, if the member may read it, and reads anything in its state."""
        found = store.readable(view, org_id, slug)
        return None if found is None else Community(found, slug)

    def grants(self, uow: UnitOfWork, org_id: int) -> dict[int, tuple[bool, bool]]:
        """Community id to (may_write, may_read) of one member."""
        rows = store.memberships(uow, organisation_id=org_id)
        return {row.community_id: (row.may_write, row.may_read) for row in rows}

    def reading(self, uow: UnitOfWork) -> dict[int, frozenset[int]]:
        """The ids of the communities that each member may read, by its id."""
        found: dict[int, set[int]] = {}
        for row in store.memberships(uow):
            if row.may_read:
                found.setdefault(row.organisation_id, set()).add(row.community_id)
        return {org_id: frozenset(ids) for org_id, ids in found.items()}

    def community_views(self, uow: UnitOfWork, org_id: int) -> list[CommunityView]:
        """The communities a member may read or write in, as it sees them."""
        return [
            CommunityView(
                community=row.slug,
                audience=self.audience(row.slug),
                may_read=row.may_read,
                may_write=row.may_write,
            )
            for row in store.memberships(uow, organisation_id=org_id)
            if row.may_read or row.may_write
        ]

    def directory(self, uow: UnitOfWork, community: Community) -> Directory:
        """The members of a community with their keys, and the hub's own keys."""
        orgs = self.orgs(uow)
        keys: dict[int, list[MemberKey]] = {}
        for row in store.keys(uow):
            keys.setdefault(row.organisation_id, []).append(records.member_key(records.author_key(row)))
        members = []
        for part in store.memberships(uow, community_id=community.id):
            org = orgs[part.organisation_id]
            view = {
                "issuer": org.issuer,
                "member_class": org.member_class,
                "control_group": org.group,
                "state": org.state,
                "since": rfc3339(org.state_since),
                "activated": org.activated,
                "may_write": part.may_write,
                "keys": keys.get(org.id, []),
            }
            members.append(DirectoryMember.model_validate(view))
        return Directory(
            community=community.slug,
            audience=self.audience(community.slug),
            hub=self.hub,
            members=members,
            hub_keys=hub_keys.event_keys(uow) or [self._hub_key],
        )

    def audience(self, slug: str) -> str:
        """The `aud` of signals to a community."""
        return f"{self.hub}/communities/{slug}"

    @cached_property
    def _hub_key(self) -> MemberKey:
        """The key of the hub's own events; it has no end of its own."""
        public = keys.load(self._settings).events.public
        return MemberKey(jwk=public.jwk(), not_before=rfc3339(0), not_after=rfc3339(LATEST))

    # --- steps of the use cases

    def _demand_sandbox(self) -> None:
        if not self._settings.sandbox:
            raise Refused("decision-required", "", "only the board's decisions change this")

    def _move(self, issuer: str, action: str) -> Org:
        self._demand_sandbox()
        with self._database.transaction() as uow:
            org = self._org(uow, issuer)
            state = rules.next_state(org.state, action)
            store.set_organisation(uow, org.id, state=state, state_since=uow.now)
            self._tell(uow, "member.state_changed", org.id, state)
            return self._org(uow, issuer)

    def _tell(self, uow: UnitOfWork, kind: EventType, org_id: int, status: str | None = None) -> None:
        """Tell the members of each of its communities; what the operator of a sandbox does is in no log."""
        rows = store.memberships(uow, organisation_id=org_id)
        told = [Happening(kind, row.community_id, None, None, status=status, about_id=org_id) for row in rows]
        outbox.publish(uow, told)

    def _org(self, uow: UnitOfWork, issuer: str) -> Org:
        org = self.by_issuer(uow, issuer)
        if org is None:
            raise Refused("not-found", "issuer", "no such member")
        return org

    def _community(self, uow: UnitOfWork, slug: str) -> Community:
        community = self.communities(uow).get(slug)
        if community is None:
            raise Refused("not-found", "community", "no such community")
        return community

    def _register(self, uow: UnitOfWork, org: Org, key: NewKey) -> AuthorKey:
        not_before = uow.now if key.not_before is None else key.not_before
        not_after = not_before + key.life
        rules.check_life(not_before, not_after, uow.now)
        values = {
            "kid": key.public.kid,
            "organisation_id": org.id,
            "alg": key.public.alg,
            "public": key.public.raw,
            "not_before": not_before,
            "not_after": not_after,
        }
        if not store.add_key(uow, values):
            raise Refused("conflict", "key", "this key is registered already; make a new one")
        return AuthorKey(key.public, org.issuer, not_before, not_after)

    def _new_client(self, uow: UnitOfWork, org: Org, scopes: Iterable[str] | None) -> ClientView:
        allowed = rules.check_scopes(scopes, org.member_class)
        client_id = f"cl_{uow.now:09x}{secrets.token_hex(12)}"
        store.add_client(uow, client_id, org.id, " ".join(sorted(allowed)))
        return ClientView(client_id, org.issuer, allowed, revoked=False)

    def _grant(self, uow: UnitOfWork, org: Org, slug: str, *, may_read: bool, may_write: bool) -> None:
        community = self._community(uow, slug)
        store.set_membership(uow, community.id, org.id, may_write=may_write, may_read=may_read)

    def _views(self, uow: UnitOfWork, orgs: list[Org]) -> list[MemberView]:
        keys, clients, memberships = store.keys(uow), store.clients(uow), store.memberships(uow)
        return [
            MemberView(
                org=org,
                keys=tuple(records.author_key(row) for row in keys if row.organisation_id == org.id),
                clients=tuple(records.client_view(row) for row in clients if row.organisation_id == org.id),
                communities=tuple(
                    (row.slug, row.may_read, row.may_write)
                    for row in memberships
                    if row.organisation_id == org.id
                ),
            )
            for org in orgs
        ]

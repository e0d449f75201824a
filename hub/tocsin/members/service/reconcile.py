"""The rows of members made to say what the board's chain says: the one way they change in a hub that has a board.

- `reconcile` is called in the transaction that appends a record, at every start, and now and then between: whatever
  differs by then was changed by another hand.
- A difference names a table, the row and the column, and never a value.
- Rows are never deleted where something may have been signed under them: a member that the chain does not know is
  expelled and loses its rights, a key is revoked, a community is left without members.
- A row whose name was changed is found again: a member by its keys, a community by the second it was opened in. What
  was recorded under it stays with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tocsin.db import UnitOfWork
from tocsin.members import store
from tocsin.members.store import hub_keys
from tocsin.members.store.hub_keys import HubKey
from tocsin_schemas.hub_acts import HubPublic
from tocsin_schemas.jwk import PublicKey
from tocsin_schemas.vocabulary import HubKeyName, MemberClass, MemberState

ROW: Final = "row"
"""The column named where a whole row is missing or unknown."""
UNKNOWN: Final[MemberState] = "expelled"
"""The state of a member that the chain does not know."""
Rights = tuple[bool, bool]
"""(may_read, may_write)."""


class Difference(NamedTuple):
    """A row that said something else than the chain: its table, what names it there, and the column."""

    table: str
    key: str
    column: str


@dataclass(frozen=True, slots=True)
class WantedKey:
    """A member's key, and when it is in force (Unix seconds)."""

    public: PublicKey
    not_before: int
    not_after: int
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class WantedHubKey:
    """A key of the hub itself that was changed, or has taken the place of one."""

    name: HubKeyName
    public: HubPublic
    not_before: int
    not_after: int


@dataclass(frozen=True, slots=True)
class WantedMember:
    """A member as the chain has it; `group` is the opaque id of its owner, `rights` goes by community.

    `trial_since` is since when it has been a member, as long as it was never active. One that is not `present` is no
    member now: it has a row only if it was one before.
    """

    issuer: str
    member_class: MemberClass
    group: str
    state: MemberState
    since: int
    keys: tuple[WantedKey, ...] = ()
    rights: Mapping[str, Rights] = field(default_factory=dict)
    trial_since: int | None = None
    present: bool = True


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that the chain says of members, of each community with when it was opened, and of the hub's own keys."""

    members: tuple[WantedMember, ...] = ()
    communities: Mapping[str, int] = field(default_factory=dict)
    hub_keys: tuple[WantedHubKey, ...] = ()


def reconcile(uow: UnitOfWork, wanted: Wanted, *, repair: bool = True) -> list[Difference]:
    """Make the rows say `wanted`; what was different. Without `repair`, only look."""
    return _Reconciling(uow, repair).run(wanted)


class _Reconciling:
    """One run: what was found, and changes made as they are found."""

    def __init__(self, uow: UnitOfWork, repair: bool) -> None:
        self._uow = uow
        self._repair = repair
        self._found: list[Difference] = []

    def run(self, wanted: Wanted) -> list[Difference]:
        communities = self._communities(wanted)
        ids = self._members(wanted)
        self._keys(wanted, ids)
        self._rights(wanted, ids, communities)
        self._hub_keys(wanted)
        return self._found

    def _note(self, table: str, key: str, column: str) -> bool:
        """Remember a difference; whether to repair it."""
        self._found.append(Difference(table, key, column))
        return self._repair

    def _communities(self, wanted: Wanted) -> dict[str, int]:
        """Slug to id, of the communities there are; one that was renamed by its true name."""
        rows = {row.slug: row for row in store.community_rows(self._uow)}
        unknown = [row for slug, row in rows.items() if slug not in wanted.communities]
        renamed: dict[int, str] = {}
        for slug, opened_at in wanted.communities.items():
            if slug in rows:
                if rows[slug].created_at != opened_at and self._note("community", slug, "created_at"):
                    store.set_community(self._uow, rows[slug].id, created_at=opened_at)
                continue
            row = next((row for row in unknown if row.created_at == opened_at), None)
            if row is not None:
                unknown.remove(row)
                renamed[row.id] = slug
                if self._note("community", slug, "slug"):
                    store.set_community(self._uow, row.id, slug=slug)
            elif self._note("community", slug, ROW):
                store.add_community(self._uow, slug, opened_at)
        peopled = {part.community_id for part in store.memberships(self._uow)}
        for row in unknown:
            if row.id not in peopled and self._note("community", row.slug, ROW):
                store.delete_community(self._uow, row.id)
        return {renamed.get(row.id, row.slug): row.id for row in store.community_rows(self._uow)}

    def _members(self, wanted: Wanted) -> dict[str, int]:
        """Issuer to id, of the members there are; one that was renamed by its true name."""
        rows = {row.issuer: row for row in store.organisations(self._uow)}
        known = {member.issuer for member in wanted.members}
        unknown = {row.id: row for issuer, row in rows.items() if issuer not in known}
        owners = {key.kid: key.organisation_id for key in store.keys(self._uow)}
        renamed: dict[int, str] = {}
        for member in wanted.members:
            row = rows.get(member.issuer)
            if row is None:
                mine = {owners[key.public.kid] for key in member.keys if key.public.kid in owners}
                row = unknown.pop(min(mine & unknown.keys(), default=-1), None)
                if row is not None:
                    renamed[row.id] = member.issuer
                    if self._note("organisation", member.issuer, "issuer"):
                        store.set_organisation(self._uow, row.id, issuer=member.issuer)
            if row is None and member.present:
                self._add(member)
            elif row is not None:
                self._set(member.issuer, row, _columns(member))
        for row in unknown.values():
            self._set(row.issuer, row, {"state": UNKNOWN})
        return {renamed.get(row.id, row.issuer): row.id for row in store.organisations(self._uow)}

    def _add(self, member: WantedMember) -> None:
        if self._note("organisation", member.issuer, ROW):
            store.add_control_group(self._uow, member.group)
            values = {"issuer": member.issuer, **_columns(member)}
            store.add_organisation(self._uow, values)

    def _set(self, issuer: str, row: store.Organisation, values: Mapping[str, str | int | None]) -> None:
        wrong = {name: value for name, value in values.items() if getattr(row, name) != value}
        for name in wrong:
            self._note("organisation", issuer, name)
        if wrong and self._repair:
            if "control_group_id" in wrong:
                store.add_control_group(self._uow, str(wrong["control_group_id"]))
            store.set_organisation(self._uow, row.id, **wrong)

    def _keys(self, wanted: Wanted, ids: Mapping[str, int]) -> None:
        rows = {row.kid: row for row in store.keys(self._uow)}
        for member in wanted.members:
            owner = ids.get(member.issuer)
            for key in member.keys if owner is not None else ():
                kid = key.public.kid
                values = {
                    "organisation_id": owner,
                    "alg": key.public.alg,
                    "public": key.public.raw,
                    "not_before": key.not_before,
                    "not_after": key.not_after,
                    "revoked_at": key.revoked_at,
                }
                row = rows.pop(kid, None)
                if row is None:
                    if self._note("member_key", kid, ROW):
                        store.add_key(self._uow, {"kid": kid, **values})
                    continue
                wrong = {name: value for name, value in values.items() if getattr(row, name) != value}
                for name in wrong:
                    self._note("member_key", kid, name)
                if wrong and self._repair:
                    store.set_key(self._uow, kid, wrong)
        for kid, row in rows.items():
            if row.revoked_at is None and self._note("member_key", kid, ROW):
                store.revoke_key(self._uow, kid)

    def _hub_keys(self, wanted: Wanted) -> None:
        rows = {row.kid: row for row in hub_keys.hub_keys(self._uow)}
        for key in wanted.hub_keys:
            public = key.public
            due = HubKey(public.kid, key.name, public.alg, public.raw, key.not_before, key.not_after)
            row = rows.pop(public.kid, None)
            if row is None:
                if self._note("hub_key", public.kid, ROW):
                    hub_keys.add_hub_key(self._uow, due)
                continue
            wrong = {name: value for name, value in due._asdict().items() if getattr(row, name) != value}
            for name in wrong:
                self._note("hub_key", public.kid, name)
            if wrong and self._repair:
                hub_keys.set_hub_key(self._uow, public.kid, wrong)
        for kid in rows:
            if self._note("hub_key", kid, ROW):
                hub_keys.delete_hub_key(self._uow, kid)

    def _rights(self, wanted: Wanted, ids: Mapping[str, int], communities: Mapping[str, int]) -> None:
        slugs = {number: slug for slug, number in communities.items()}
        held = {
            (slugs[row.community_id], row.organisation_id): (row.may_read, row.may_write)
            for row in store.memberships(self._uow)
        }
        names = {number: issuer for issuer, number in ids.items()}
        due = {
            (slug, ids[member.issuer]): rights
            for member in wanted.members
            if member.issuer in ids
            for slug, rights in member.rights.items()
            if slug in communities
        }
        none = (False, False)
        for where in sorted(held.keys() | due.keys()):
            slug, number = where
            rights = due.get(where, none)
            if held.get(where) == rights or (where not in due and held[where] == none):
                continue
            if self._note("community_member", f"{slug} {names[number]}", "rights"):
                store.set_membership(
                    self._uow, communities[slug], number, may_read=rights[0], may_write=rights[1]
                )


def _columns(member: WantedMember) -> dict[str, str | int | None]:
    return {
        "member_class": member.member_class,
        "control_group_id": member.group,
        "state": member.state,
        "state_since": member.since,
        "trial_since": member.trial_since,
        "signals_per_hour": None,
    }

"""The hub's own keys as members see them: those that hold, and those that held when something was signed."""

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from tocsin.db import Database, UnitOfWork, View
from tocsin.errors import Misconfigured, Refused
from tocsin.keys import HubKeys
from tocsin.members.store import hub_keys as store
from tocsin.members.store.hub_keys import HubKey
from tocsin_schemas.envelope import AuthorKey
from tocsin_schemas.feed import MemberKey
from tocsin_schemas.hub_acts import HubPublic
from tocsin_schemas.jwk import PublicKey
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.rsa import rsa_of
from tocsin_schemas.signals import LATEST
from tocsin_schemas.vocabulary import HUB_KEY_NAMES, HubKeyName

DERIVING: Final[frozenset[HubKeyName]] = frozenset({"delivery"})
"""Keys from which others are derived: both halves of the one before are needed for as long as it holds."""


class Succession(NamedTuple):
    """One key has taken the place of another: their thumbprints, when (Unix seconds), and until when that one holds."""

    kid: str
    before: str
    since: int
    until: int


def event_keys(uow: UnitOfWork) -> list[MemberKey]:
    """Every key of the hub's own events, if it was ever changed: what an old one signed is verified for years."""
    return [
        MemberKey(
            jwk=_public(row).jwk(), not_before=rfc3339(row.not_before), not_after=rfc3339(row.not_after)
        )
        for row in _named(uow, "events")
    ]


def token_keys(view: View, issuer: str) -> dict[str, AuthorKey]:
    """The keys of access tokens that hold now, if it was ever changed: kid to key."""
    return {
        row.kid: AuthorKey(PublicKey(row.alg, row.public, row.kid), issuer, row.not_before, row.not_after)
        for row in _named(view, "token")
        if row.alg != "RS256" and _holds(row, view.now)
    }


def published(uow: UnitOfWork, names: Collection[HubKeyName], held: Iterable[HubPublic]) -> list[HubPublic]:
    """What signatures of these keys are verified with: those in hand, and whatever else of that name holds now.

    So a key is published as soon as its change is recorded, before any process has it in hand.
    """
    rows = [row for row in store.hub_keys(uow) if row.purpose in names and _holds(row, uow.now)]
    known = {key.kid: key for key in held}
    return list((known | {row.kid: _public(row) for row in rows if row.kid not in known}).values())


def succession(uow: UnitOfWork, name: HubKeyName) -> Succession | None:
    """The last change of a key; None when it was never changed."""
    rows = _named(uow, name)
    if len(rows) < 2:
        return None
    before, newest = rows[-2:]
    return Succession(newest.kid, before.kid, newest.not_before, before.not_after)


def lives(uow: UnitOfWork, name: HubKeyName) -> list[tuple[int, int]]:
    """Since when and until when (Unix seconds) each key of a name holds, the oldest first; none if it is the first."""
    return [(row.not_before, row.not_after) for row in _named(uow, name)]


def change(uow: UnitOfWork, name: HubKeyName, going: HubPublic, coming: HubPublic, retires_at: int) -> None:
    """Let `coming` take the place of `going`, which holds until `retires_at`: for a sandbox, which has no chain.

    Raises:
        Refused: `key-in-use` when the new key was used before.
    """
    held = {row.kid for row in store.hub_keys(uow)}
    if coming.kid in held | {going.kid}:
        raise Refused("key-in-use", "key", "a key is used once")
    if going.kid not in held:
        store.add_hub_key(uow, HubKey(going.kid, name, going.alg, going.raw, 0, retires_at))
    store.set_hub_key(uow, going.kid, {"not_after": retires_at})
    store.add_hub_key(uow, HubKey(coming.kid, name, coming.alg, coming.raw, uow.now, LATEST))


def demand_fit(database: Database, held: HubKeys) -> None:
    """See that each key in hand is one that holds, and that the one before is in hand where it is needed.

    Raises:
        Misconfigured: naming the one that does not.
    """
    with database.snapshot() as uow:
        rows = store.hub_keys(uow)
        last, now = succession(uow, "delivery"), uow.now
    for name in HUB_KEY_NAMES:
        mine = [row for row in rows if row.purpose == name]
        kid = getattr(held, name).public.kid
        if mine and not any(row.kid == kid and _holds(row, now) for row in mine):
            raise Misconfigured(
                f"the {name} key was changed, and the one in hand holds no longer",
                f"run `tocsin-hub hub-key rotate {name}` again if it was interrupted, or give the hub the new key",
            )
    before = None if held.delivery_before is None else held.delivery_before.key.public.kid
    if (
        last is not None
        and held.delivery.public.kid == last.kid
        and now < last.until
        and before != last.before
    ):
        raise Misconfigured(
            "the delivery key before the one in hand still holds, and is not there",
            "give it as TOCSIN_DELIVERY_BEFORE_KEY_FILE or TOCSIN_DELIVERY_BEFORE_KEY, or put delivery_before.jwk"
            " back where the hub keeps its keys",
        )


def _named(view: View, name: HubKeyName) -> list[HubKey]:
    return [row for row in store.hub_keys(view) if row.purpose == name]


def _holds(row: HubKey, now: int) -> bool:
    return row.not_before <= now < row.not_after


def _public(row: HubKey) -> HubPublic:
    return rsa_of(row.public) if row.alg == "RS256" else PublicKey(row.alg, row.public, row.kid)

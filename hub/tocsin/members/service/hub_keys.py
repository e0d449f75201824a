"""The hub's own keys as members see them: those that hold, and those that held when something was signed."""

from tocsin.db import Database, UnitOfWork
from tocsin.errors import Misconfigured, Refused
from tocsin.keys import HubKeys
from tocsin.members.store import hub_keys as store
from tocsin.members.store.hub_keys import HubKey
from tocsin_schemas.envelope import AuthorKey
from tocsin_schemas.feed import MemberKey
from tocsin_schemas.jwk import PublicKey
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.signals import LATEST
from tocsin_schemas.vocabulary import HUB_KEY_NAMES, HubKeyName


def event_keys(uow: UnitOfWork) -> list[MemberKey]:
    """Every key of the hub's own events, if it was ever changed: what an old one signed is verified for years."""
    return [
        MemberKey(
            jwk=_public(row).jwk(), not_before=rfc3339(row.not_before), not_after=rfc3339(row.not_after)
        )
        for row in store.hub_keys(uow)
        if row.purpose == "events"
    ]


def token_keys(uow: UnitOfWork, issuer: str) -> dict[str, AuthorKey]:
    """The keys of access tokens that hold now, if it was ever changed: kid to key."""
    return {
        row.kid: AuthorKey(_public(row), issuer, row.not_before, row.not_after)
        for row in store.hub_keys(uow)
        if row.purpose == "token" and _holds(row, uow.now)
    }


def change(uow: UnitOfWork, name: HubKeyName, going: PublicKey, coming: PublicKey, retires_at: int) -> None:
    """Let `coming` take the place of `going`, which holds until `retires_at`: for a sandbox, which has no chain.

    Raises:
        Refused: `key-in-use` when the new key was used before.
    """
    held = {row.kid for row in store.hub_keys(uow)}
    if coming.kid in held:
        raise Refused("key-in-use", "key", "a key is used once")
    if going.kid not in held:
        store.add_hub_key(uow, HubKey(going.kid, name, going.alg, going.raw, 0, retires_at))
    store.set_hub_key(uow, going.kid, {"not_after": retires_at})
    store.add_hub_key(uow, HubKey(coming.kid, name, coming.alg, coming.raw, uow.now, LATEST))


def demand_fit(database: Database, held: HubKeys) -> None:
    """See that each key in hand is one that holds.

    Raises:
        Misconfigured: naming the one that does not.
    """
    with database.snapshot() as uow:
        rows = store.hub_keys(uow)
        now = uow.now
    for name in HUB_KEY_NAMES:
        mine = [row for row in rows if row.purpose == name]
        kid = getattr(held, name).public.kid
        if mine and not any(row.kid == kid and _holds(row, now) for row in mine):
            raise Misconfigured(
                f"the {name} key was changed, and the one in hand holds no longer",
                f"run `tocsin-hub hub-key rotate {name}` again if it was interrupted, or give the hub the new key",
            )


def _holds(row: HubKey, now: int) -> bool:
    return row.not_before <= now < row.not_after


def _public(row: HubKey) -> PublicKey:
    return PublicKey(row.alg, row.public, row.kid)

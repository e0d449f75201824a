"""The hub's own keys, as far as any was ever changed."""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import select

from tocsin.db import UnitOfWork, View
from tocsin.members.store.tables import hub_key
from tocsin_schemas.jwk import KeyAlg

HubKeyAlg = KeyAlg | Literal["RS256"]


class HubKey(NamedTuple):
    """A key of the hub, by what it is for and when it is in force; `public` is its `raw`."""

    kid: str
    purpose: str
    alg: HubKeyAlg
    public: bytes
    not_before: int
    not_after: int


_ALL: Final = select(*(hub_key.c[name] for name in HubKey._fields)).order_by(
    hub_key.c.not_before, hub_key.c.not_after, hub_key.c.kid
)


def hub_keys(view: View) -> list[HubKey]:
    """Every one, the oldest first."""
    return [HubKey(*row) for row in view.ask(_ALL)]


def add_hub_key(uow: UnitOfWork, key: HubKey) -> None:
    """Add one."""
    uow.conn.execute(hub_key.insert().values(**key._asdict()))


def set_hub_key(uow: UnitOfWork, kid: str, values: Mapping[str, Any]) -> None:
    """Change columns of one."""
    uow.conn.execute(hub_key.update().where(hub_key.c.kid == kid).values(**values))


def delete_hub_key(uow: UnitOfWork, kid: str) -> None:
    """Delete one."""
    uow.conn.execute(hub_key.delete().where(hub_key.c.kid == kid))

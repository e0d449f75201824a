"""The hub's own keys, as far as any was ever changed."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from tocsin.db import UnitOfWork
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


def hub_keys(uow: UnitOfWork) -> list[HubKey]:
    """Every one, the oldest first."""
    c = hub_key.c
    rows = uow.conn.execute(hub_key.select().order_by(c.not_before, c.not_after, c.kid))
    return [HubKey(*(getattr(row, name) for name in HubKey._fields)) for row in rows]


def add_hub_key(uow: UnitOfWork, key: HubKey) -> None:
    """Add one."""
    uow.conn.execute(hub_key.insert().values(**key._asdict()))


def set_hub_key(uow: UnitOfWork, kid: str, values: Mapping[str, Any]) -> None:
    """Change columns of one."""
    uow.conn.execute(hub_key.update().where(hub_key.c.kid == kid).values(**values))


def delete_hub_key(uow: UnitOfWork, kid: str) -> None:
    """Delete one."""
    uow.conn.execute(hub_key.delete().where(hub_key.c.kid == kid))

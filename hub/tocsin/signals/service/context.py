"""What every use case of signals is given."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from tocsin.config import Settings
from tocsin.db import Clock, Database, UnitOfWork, system_clock
from tocsin.members.service import Community, Members
from tocsin.objects import Objects, open_objects
from tocsin_schemas.policy import Policy
from tocsin_schemas.problems import Refused


@dataclass(frozen=True, slots=True)
class Context:
    """The database, the members, the policy in force, the hub's own base URL, and where derived objects lie that only
    members may read.
    """

    database: Database
    members: Members
    policy: Policy
    issuer: str
    feed_store: Objects


def open_context(
    settings: Settings, clock: Clock = system_clock, turn: AbstractContextManager[Any] | None = None
) -> Context:
    """A context on the database of `settings`; `clock` and `turn` as for `Database`."""
    database = Database(settings.database(), clock=clock, read_only=settings.read_only, turn=turn)
    feed_store = open_objects(settings, settings.feed_location())
    return Context(database, Members(database, settings), Policy(), settings.issuer, feed_store)


def readable(context: Context, uow: UnitOfWork, reader_id: int, slug: str) -> Community:
    """The community with this slug.

    Raises:
        Refused: `not-found` when there is none, or when the member may not read it.
    """
    community = context.members.communities(uow).get(slug)
    if community is None or not context.members.grants(uow, reader_id).get(community.id, (False, False))[1]:
        raise Refused("not-found", "", "no such community that you may read")
    return community


def inactive(context: Context, uow: UnitOfWork) -> frozenset[int]:
    """The members whose signals are withheld now."""
    return frozenset(org.id for org in context.members.orgs(uow).values() if org.state != "active")

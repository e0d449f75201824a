"""What every use case of signals is given."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from tocsin.config import Settings
from tocsin.db import Clock, Database, UnitOfWork, system_clock
from tocsin.governance.service.chain import Chain, open_chain
from tocsin.members.service import Community, Members
from tocsin.objects import Objects, open_objects
from tocsin_schemas.policy import Policy
from tocsin_schemas.problems import Refused


@dataclass(frozen=True, slots=True)
class Context:
    """The database, the members, the board, the hub's own base URL, and where derived objects lie that only members may
    read.
    """

    database: Database
    members: Members
    board: Chain
    issuer: str
    feed_store: Objects

    def policy(self, uow: UnitOfWork) -> Policy:
        """The policy in force, as this transaction sees it."""
        return self.board.policy_in_force(uow)


def open_context(
    settings: Settings, clock: Clock = system_clock, turn: AbstractContextManager[Any] | None = None
) -> Context:
    """A context on the database of `settings`; `clock` and `turn` as for `Database`."""
    database = Database(settings.database(), clock=clock, read_only=settings.read_only, turn=turn)
    feed_store = open_objects(settings, settings.feed_location())
    members = Members(database, settings)
    return Context(database, members, open_chain(members, settings), settings.issuer, feed_store)


def readable(context: Context, uow: UnitOfWork, reader_id: int, slug: str) -> Community:
    """The community with this slug.

    Raises:
        Refused: `not-found` when there is none, or when the member may not read it.
    """
    community = context.members.readable(uow, reader_id, slug)
    if community is None:
        raise not_readable()
    return community


def not_readable() -> Refused:
    """There is no such community, or the member may not read it: whoever may not is not told which."""
    return Refused("not-found", "", "no such community that you may read")

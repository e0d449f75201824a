"""What every use case of signals is given."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from tocsin.config import Settings
from tocsin.db import Clock, Database, system_clock
from tocsin.members.service import Members
from tocsin_schemas.policy import Policy


@dataclass(frozen=True, slots=True)
class Context:
    """The database, the members, the policy in force, and the hub's own base URL."""

    database: Database
    members: Members
    policy: Policy
    issuer: str


def open_context(
    settings: Settings, clock: Clock = system_clock, turn: AbstractContextManager[Any] | None = None
) -> Context:
    """A context on the database of `settings`; `clock` and `turn` as for `Database`."""
    database = Database(settings.database(), clock=clock, read_only=settings.read_only, turn=turn)
    return Context(database, Members(database, settings), Policy(), settings.issuer)

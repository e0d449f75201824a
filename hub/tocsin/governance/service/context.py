"""What every use case of the board's proceedings is given."""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tocsin.db import Database, UnitOfWork
from tocsin.governance.service.chain import Chain

_ID: Final = re.compile(r"[a-z]{2}_[0-9a-f]{32}")
Reach = Callable[[UnitOfWork, str], Mapping[str, int]]
"""How far a member's signals reach now: counts by name, for the preview of a suspension."""


@dataclass(frozen=True, slots=True)
class Chamber:
    """The database, the chain of what was decided, the hub's own base URL, and how to count a member's signals."""

    database: Database
    chain: Chain
    issuer: str
    reach: Reach | None = None


def open_chamber(database: Database, chain: Chain, issuer: str, reach: Reach | None = None) -> Chamber:
    """The proceedings of the hub at `issuer`."""
    return Chamber(database, chain, issuer, reach)


def is_id(text: str) -> bool:
    """Whether this is spelled like an id of ours, and safe to ask a database for."""
    return _ID.fullmatch(text) is not None


def new_id(uow: UnitOfWork, prefix: str) -> str:
    """A prefixed id that sorts by time and cannot be guessed: 24 random hexadecimal digits behind the second."""
    return f"{prefix}_{uow.now:08x}{secrets.token_hex(12)}"

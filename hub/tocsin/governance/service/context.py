"""What every use case of the board's proceedings is given."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tocsin.db import Database, UnitOfWork
from tocsin.governance.service.chain import Chain
from tocsin.ledger.service import Ledger

Reach = Callable[[UnitOfWork, str], Mapping[str, int]]
"""How far a member's signals reach now: counts by name, for the preview of a suspension."""


@dataclass(frozen=True, slots=True)
class Chamber:
    """The database, the chain of what was decided, the hub's own base URL, the log that proves what was sealed, and how
    to count a member's signals.
    """

    database: Database
    chain: Chain
    issuer: str
    log: Ledger
    reach: Reach | None = None


def open_chamber(
    database: Database, chain: Chain, issuer: str, log: Ledger, reach: Reach | None = None
) -> Chamber:
    """The proceedings of the hub at `issuer`."""
    return Chamber(database, chain, issuer, log, reach)


def new_id(now: int, prefix: str) -> str:
    """A prefixed id that sorts by time and cannot be guessed: 24 random hexadecimal digits behind the second."""
    return f"{prefix}_{now:08x}{secrets.token_hex(12)}"

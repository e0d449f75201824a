"""What every use case of the log is given."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tocsin.config import Settings
from tocsin.db import Database
from tocsin.keys import HubKeys
from tocsin.ledger.service.feeding import Alarm, open_witnesses
from tocsin.ledger.service.nonces import nonce_key
from tocsin.objects import Objects, open_objects
from tocsin_schemas.checkpoint import Checkpoint, log_origin
from tocsin_schemas.merkle import TileTree
from tocsin_schemas.notes import ED25519, NoteSigner
from tocsin_schemas.tlog_policy import LogPolicy


class Witnesses(Protocol):
    """Those who cosign the log's checkpoints; see tocsin.ledger.service.feeding."""

    @property
    def policy(self) -> LogPolicy:
        """Who they are, and how many of them are enough."""
        ...

    def collect(
        self, checkpoint: Checkpoint, note: bytes, tree: TileTree, *, everyone: bool = False
    ) -> list[str]:
        """Ask for cosignatures, for a bounded time; the signature lines that came.

        With `everyone`, those that are given up for the moment are asked as well.
        """
        ...

    def due(self, note: bytes, now: int) -> bool:
        """Whether to ask: one is missing below the note or old, and that witness is not given up for the moment."""
        ...

    def halted(self) -> bool:
        """Whether there are alarms; cheap, and a second late at the most."""
        ...

    def alarms(self) -> Sequence[Alarm]:
        """What forbids to sign anything new."""
        ...


@dataclass(frozen=True, slots=True)
class Ledger:
    """The log: its rows, its objects, the name it signs under, its key, its witnesses, and a secret (`nonces`)."""

    database: Database
    objects: Objects
    origin: str
    signer: NoteSigner
    witnesses: Witnesses
    nonce_key: bytes = field(repr=False)


def open_ledger(settings: Settings, database: Database, keys: HubKeys) -> Ledger:
    """The log of the hub that the settings describe.

    Raises:
        Misconfigured: when the place of its objects is not one, or the witness policy does not fit.
    """
    origin = log_origin(settings.issuer, sandbox=settings.sandbox)
    signer = NoteSigner(origin, ED25519, keys.log)
    witnesses = open_witnesses(settings, database, signer.verifier)
    objects = open_objects(settings, settings.log_location())
    return Ledger(database, objects, origin, signer, witnesses, nonce_key(keys.log))

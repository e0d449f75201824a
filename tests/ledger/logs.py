"""Logs without members: entries of no meaning, written straight into the log, and somebody who watches it."""

import hashlib
from pathlib import Path

from tests.support.published import Onlooker
from tocsin.db import Database
from tocsin.ledger import service
from tocsin.ledger.service import Ledger
from tocsin.objects import Objects
from tocsin.objects.files import FileObjects
from tocsin_schemas.checkpoint import Checkpoint, cosign, open_checkpoint
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.ledger import Entry
from tocsin_schemas.merkle import TileTree
from tocsin_schemas.notes import ED25519, ED25519_COSIGNER, NoteSigner
from tocsin_schemas.tlog_policy import LogPolicy

ORIGIN = "hub.example/sandbox/log"
KEY = SigningKey.from_jwk(
    {
        "kty": "OKP",
        "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }
)
"""The key of RFC 8037 §A.1: processes of one test sign with the same."""


def open_log(database: Database, folder: Path, objects: Objects | None = None) -> Ledger:
    """A log in a folder."""
    stored = FileObjects(folder) if objects is None else objects
    return Ledger(database, stored, ORIGIN, NoteSigner(ORIGIN, ED25519, KEY), Nobody(), bytes(32))


def watching(folder: Path) -> Onlooker:
    """The world, looking at that folder."""
    return Onlooker(FileObjects(folder), ORIGIN, KEY.public.raw)


def append(database: Database, count: int) -> int:
    """Append entries; the size of the log then."""
    with database.transaction() as uow:
        first = service.locked_size(uow)
        made = [
            Entry("child-safety", "report", uow.now, hashlib.sha256(str(first + at).encode()).digest())
            for at in range(count)
        ]
        service.append(uow, first, made)
    return first + count


class Nobody:
    """No witness at all."""

    policy = LogPolicy()

    def collect(
        self, checkpoint: Checkpoint, note: bytes, tree: TileTree, *, everyone: bool = False
    ) -> list[str]:
        return []

    def due(self, note: bytes, now: int) -> bool:
        return False

    def alarms(self) -> list[service.Alarm]:
        return []

    def halted(self) -> bool:
        return bool(self.alarms())


class Notary(Nobody):
    """A witness in this process: cosigns whatever it is shown, until that is `FRESH` seconds old."""

    FRESH = 1200

    def __init__(self, database: Database) -> None:
        self.signer = NoteSigner("witness.example", ED25519_COSIGNER, SigningKey.generate())
        self.clock = database.clock
        self.seen: list[service.Alarm] = []

    def collect(
        self, checkpoint: Checkpoint, note: bytes, tree: TileTree, *, everyone: bool = False
    ) -> list[str]:
        assert tree.root_at(checkpoint.size) == checkpoint.root
        return [cosign(checkpoint, self.signer, self.clock())]

    def due(self, note: bytes, now: int) -> bool:
        log = NoteSigner(ORIGIN, ED25519, KEY).verifier
        made = open_checkpoint(note, log, [self.signer.verifier]).cosignatures
        return not made or made[0].time <= self.clock() - self.FRESH

    def alarms(self) -> list[service.Alarm]:
        return self.seen

    def halted(self) -> bool:
        return bool(self.alarms())

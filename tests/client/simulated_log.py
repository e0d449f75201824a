"""A hub's public log in memory, as C2SP tlog-tiles, that can be made to lie.

log.leaves              the entries; every reading shows all of them, or `shown` of them
log.forged[path]        other bytes (or None: nothing) at a path
log.checkpoint()        the signed note as it stands now
It is a `tocsin_client.log_source.LogSource`.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache

from tocsin_schemas import checkpoint as checkpoints
from tocsin_schemas import ledger, merkle
from tocsin_schemas.checkpoint import log_origin
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.merkle import Edge
from tocsin_schemas.notes import NoteSigner
from tocsin_schemas.tlog_policy import Log, LogPolicy, Witness


@lru_cache(maxsize=64)
def built(leaves: tuple[bytes, ...]) -> tuple[bytes, Mapping[str, bytes]]:
    """The root over `leaves`, and every tile and bundle by its path."""
    edge = Edge.empty()
    tiles = edge.extend(map(merkle.leaf_hash, leaves)) + edge.partial_tiles()
    objects = {tile.path: raw for tile, raw in tiles}
    for start in range(0, len(leaves), 256):
        bundle = list(leaves[start : start + 256])
        objects[ledger.bundle_path(start // 256, len(bundle))] = ledger.encode_bundle(bundle)
    return edge.root(), objects


class SimulatedLog:
    """The log of the hub whose address `hub` gives."""

    def __init__(self, hub: Callable[[], str], clock: Callable[[], int]) -> None:
        self._hub = hub
        self._clock = clock
        self.key = SigningKey.generate()
        self.witnesses: list[NoteSigner] = []
        self.quorum: str | None = None
        self.leaves: list[bytes] = []
        self.shown: int | None = None
        self.cosigned_at: int | None = None
        self.forged: dict[str, bytes | None] = {}
        self.asked: list[str] = []
        self.sizes: set[int] = set()

    @property
    def name(self) -> str:
        return self._hub()

    @property
    def signer(self) -> NoteSigner:
        return NoteSigner(log_origin(self._hub()), 0x01, self.key)

    @property
    def size(self) -> int:
        return len(self.leaves) if self.shown is None else self.shown

    def add_witness(self, name: str) -> NoteSigner:
        """A witness that cosigns from now on."""
        self.witnesses.append(NoteSigner(name, 0x04, SigningKey.generate()))
        return self.witnesses[-1]

    def policy(self) -> LogPolicy:
        witnesses = {
            f"w{number}": Witness(signer.verifier) for number, signer in enumerate(self.witnesses, 1)
        }
        return LogPolicy(logs=(Log(self.signer.verifier),), witnesses=witnesses, quorum=self.quorum)

    def checkpoint(self) -> bytes:
        self.sizes.add(self.size)
        root, _ = built(tuple(self.leaves[: self.size]))
        note = checkpoints.sign_checkpoint(self.signer.verifier.name, self.size, root, self.signer)
        head = checkpoints.Checkpoint(self.signer.verifier.name, self.size, root)
        at = self._clock() if self.cosigned_at is None else self.cosigned_at
        return note + b"".join(checkpoints.cosign(head, witness, at).encode() for witness in self.witnesses)

    def read(self, path: str) -> bytes | None:
        self.asked.append(path)
        if path in self.forged:
            return self.forged[path]
        if path == "checkpoint":
            return self.checkpoint()
        if path == "policy":
            return self.policy().render()
        # The tiles of every size that was ever shown stay.
        trees = (built(tuple(self.leaves[:size]))[1] for size in sorted(self.sizes, reverse=True))
        return next((tree[path] for tree in trees if path in tree), None)

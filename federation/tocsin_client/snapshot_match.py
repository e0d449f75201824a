"""Match hashes against snapshots, where their files lie: exact for every type, within a Hamming distance for PDQ.

A snapshot says that an indicator is reported, counted and not disputed, and no more: for who, why and since when, ask
the mirror or the hub.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tocsin_client.match import MAX_DISTANCE
from tocsin_client.pdq import PdqIndex
from tocsin_client.snapshot.keys import as_keys
from tocsin_client.snapshot.shard import Shard
from tocsin_client.snapshots import SnapshotStore
from tocsin_schemas.indicators import INDICATOR_TYPES, Indicator
from tocsin_schemas.snapshots import Manifest

ATTEMPTS: Final = 3
"""How often a set is opened again whose files are replaced in that moment."""


@dataclass(frozen=True, slots=True)
class Found:
    """An indicator of a snapshot that fits: `distance` in bits, and the version it is in."""

    indicator: Indicator
    distance: int
    version: int


class SnapshotMatcher:
    """Answers from the snapshots of one community as they lie on this machine.

    Raises (when first asked for a type):
        NotReady: when there is no snapshot of it.
        Refused: `snapshot-malformed` for a damaged file.
    """

    def __init__(self, data: Path, hub: str, community: str, *, distance: int = MAX_DISTANCE) -> None:
        if not 0 <= distance <= MAX_DISTANCE:
            raise ValueError(f"distance is 0 to {MAX_DISTANCE}")
        self._data = data
        self._hub = hub
        self._community = community
        self._distance = distance
        self._sets: dict[str, _Set] = {}

    def find(self, queries: Iterable[Indicator]) -> list[Found]:
        """What fits any of one thing's hashes, nearest first, each indicator once."""
        nearest: dict[Indicator, Found] = {}
        for query in queries:
            held = self.held(query.type)
            for value, distance in held.near(query.value, self._distance):
                found = Found(Indicator(query.type, value), distance, held.manifest.version)
                if (known := nearest.get(found.indicator)) is None or distance < known.distance:
                    nearest[found.indicator] = found
        return sorted(nearest.values(), key=lambda found: (found.distance, found.indicator))

    def kinds(self) -> list[str]:
        """The types of which there is a snapshot here."""
        return [
            kind
            for kind in INDICATOR_TYPES
            if SnapshotStore.of(self._data, self._hub, self._community, kind).kept() is not None
        ]

    def held(self, kind: str) -> "_Set":
        """The set of one type."""
        if kind not in self._sets:
            self._sets[kind] = _Set(SnapshotStore.of(self._data, self._hub, self._community, kind))
        return self._sets[kind]


class _Set:
    """One live set, its shards mapped into memory."""

    def __init__(self, store: SnapshotStore) -> None:
        self.manifest, self._shards = _opened(store)
        self._firsts = [shard.first for shard in self._shards]
        self._pdq = store.kind == "pdq"

    def near(self, value: bytes, distance: int) -> list[tuple[bytes, int]]:
        """(value, distance) of what fits."""
        if self._pdq and distance:
            return [
                (keys[at].tobytes(), bits)
                for shard in self._shards
                for keys in (shard.keys(),)
                for at, bits in PdqIndex(keys).within(value, distance)
            ]
        at = bisect_right(self._firsts, value) - 1
        wanted = as_keys([value], len(value))
        return [(value, 0)] if at >= 0 and bool(np.any(self._shards[at].find(wanted))) else []


def _opened(store: SnapshotStore) -> tuple[Manifest, Sequence[Shard]]:
    for _ in range(ATTEMPTS - 1):
        manifest = store.demand().manifest
        try:
            return manifest, [store.open(file) for file in manifest.shards]
        except FileNotFoundError:
            # A newer version has just taken its place.
            continue
    manifest = store.demand().manifest
    return manifest, [store.open(file) for file in manifest.shards]

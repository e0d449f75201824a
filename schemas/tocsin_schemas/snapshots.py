"""The manifest of a snapshot: what one version of the live set of a type is made of.

A manifest names files by their SHA-256 and has no value in it. Its own digest is in a `snapshot` event that the hub
signs and logs (`tocsin_schemas.hub_events`), so whoever has the event can check every file. The files are PROTOCOL
§10.
"""

import hashlib
import json
from typing import Annotated

from pydantic import Field

from tocsin_schemas.feed import Answer, Hex32, Seq, Timestamp
from tocsin_schemas.indicators import IndicatorType

Count = Annotated[int, Field(ge=0)]
Version = Annotated[int, Field(ge=1)]


class ShardFile(Answer):
    """One shard: how many keys it has, and its file."""

    count: Annotated[int, Field(ge=1)]
    bytes: Annotated[int, Field(ge=1)]
    sha256: Hex32


class DeltaFile(Answer):
    """What leads from version `since` to this one: how many keys go and how many come, and its file."""

    since: Version
    removed: Count
    added: Count
    bytes: Annotated[int, Field(ge=1)]
    sha256: Hex32


class Manifest(Answer):
    """One version of the live set of a type in a community, as it was at `at`, in a log of `log_size` entries.

    Each of its `count` keys is the value of an indicator, `width` bytes; `keys` is the SHA-256 of all of them in
    ascending order. The shards follow each other in that order.
    """

    community: str
    type: IndicatorType
    version: Version
    at: Timestamp
    log_size: Count
    width: Annotated[int, Field(ge=4)]
    count: Count
    keys: Hex32
    shards: list[ShardFile]
    deltas: list[DeltaFile]

    def canonical(self) -> bytes:
        """Its canonical form (RFC 8785): members sorted, no white space; all of it is ASCII and whole numbers."""
        return json.dumps(self.model_dump(), sort_keys=True, separators=(",", ":")).encode()

    def digest(self) -> str:
        """SHA-256 of the canonical form: what the event says."""
        return hashlib.sha256(self.canonical()).hexdigest()


class SnapshotView(Answer):
    """The newest snapshot: its manifest, and the hub's event about it with its place in the log.

    `jws` is the event, byte for byte; `r` opens the commitment of log entry `seq` to it.
    """

    seq: Seq
    r: Hex32
    jws: str
    manifest: Manifest

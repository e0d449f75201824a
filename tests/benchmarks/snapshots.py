"""The size of a snapshot, against the fewest bytes there can be and against what compresses a list by itself."""

import gzip
import math
from collections.abc import Iterator

import numpy as np
from backports import zstd

from tests.benchmarks.figures import Figure
from tocsin_client.snapshot.keys import Keys, split, words
from tocsin_client.snapshot.shard import encode_shard
from tocsin_schemas.snapshots import Manifest, ShardFile

COUNTS = (1_000_000, 10_000_000)
WIDTHS = {"md5": 16, "pdq": 32}
PRESSED = 1_000_000
"""Keys of the list that the compressors are given: they take as much for each key whatever the number."""
GZIP_LEVEL, ZSTD_LEVEL = 6, 19
DIGEST = "0" * 64


def snapshot_size() -> Iterator[Figure]:
    """Bytes a key, manifest included; the floor is log2 C(2^bits, n) bits. Then gzip and zstd of the sorted list."""
    for count in COUNTS:
        for kind, width in WIDTHS.items():
            size = _stored(kind, _uniform(count, width)) / count
            floor = _fewest_bits(8 * width, count) / 8 / count
            yield Figure(f"snapshot-size-{kind}", size, "bytes/key", floor, size / floor, count)
    for kind, width in WIDTHS.items():
        keys = _uniform(PRESSED, width)
        raw, size = keys.tobytes(), _stored(kind, keys) / PRESSED
        for name, pressed in (
            ("gzip", gzip.compress(raw, GZIP_LEVEL)),
            ("zstd", zstd.compress(raw, ZSTD_LEVEL)),
        ):
            other = len(pressed) / PRESSED
            yield Figure(f"snapshot-size-{kind}-{name}", size, "bytes/key", other, size / other, PRESSED)


def _stored(kind: str, keys: Keys) -> int:
    """The bytes of every shard and of the manifest that names them."""
    shards = []
    for part in split([keys]):
        size = len(encode_shard(kind, part))
        shards.append(ShardFile(count=len(part), bytes=size, sha256=DIGEST))
    manifest = Manifest.model_validate(
        {
            "community": "child-safety", "type": kind, "version": 1, "at": "2026-11-22T12:00:00Z",
            "log_size": len(keys), "width": keys.shape[1], "count": len(keys), "keys": DIGEST,
            "shards": shards, "deltas": [],
        }
    )  # fmt: skip
    return sum(file.bytes for file in shards) + len(manifest.canonical())


def _fewest_bits(bits: int, count: int) -> float:
    """log2 C(2^bits, count): `bits` - log2(count) + log2(e) for each, less what Stirling's series leaves of it."""
    return count * (bits + math.log2(math.e)) - (
        count * math.log2(count) + math.log2(2 * math.pi * count) / 2
    )


def _uniform(count: int, width: int) -> Keys:
    """Distinct random keys, sorted."""
    drawn = np.random.default_rng(count + width).integers(0, 256, (count, width), dtype=np.uint8)
    column = words(drawn)
    column.sort()
    sorted_keys = column.view(np.uint8).reshape(count, width)
    if not (column[1:] > column[:-1]).all():
        raise RuntimeError("a key was drawn twice")
    return sorted_keys

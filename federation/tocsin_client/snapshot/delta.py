"""What leads from one version of a set to a later one: which places go, which keys come.

`Changes` names places alone: those removed, in the old set, and those added, in the new one. Two of them that follow
each other are composed without any key at hand, so nobody needs to keep a key that is gone. As a file, a delta has
the places removed and the keys added (PROTOCOL §10.3).
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from tocsin_client.snapshot import rice
from tocsin_client.snapshot.keys import (
    Indexes,
    Keys,
    abreast,
    joined,
    position,
    positions,
    present,
    split,
    words,
)
from tocsin_client.snapshot.shard import KIND_BYTES, Shard, encode_shard
from tocsin_schemas.problems import Refused

MAGIC: Final = b"TSD1"
_HEADER: Final = struct.Struct(f">4s{KIND_BYTES}sHBxIIIII")
"""Magic, type, width, k, keys before, keys after, keys removed, bytes of the plane of quotients, shards of added keys.
"""
_LENGTH: Final = struct.Struct(">I")


class Changes(NamedTuple):
    """What leads from a set of `before` keys to one of `after`: places `removed` from the one, `added` in the other.

    Both are ascending; a key that is in both sets may have been removed and added all the same.
    """

    before: int
    after: int
    removed: Indexes
    added: Indexes

    @property
    def size(self) -> int:
        """How many places change."""
        return len(self.removed) + len(self.added)


class Delta(NamedTuple):
    """A delta as it travels: the places removed from `before` keys, and shards of the keys added, giving `after`."""

    kind: str
    width: int
    before: int
    after: int
    removed: Indexes
    shards: tuple[Shard, ...]

    def additions(self) -> Iterator[Keys]:
        """The keys added, ascending."""
        return (keys for shard in self.shards for keys in shard.blocks())


def compare(old: Iterable[Keys], new: Iterable[Keys], width: int) -> Changes:
    """What leads from the one stream of keys to the other."""
    before = after = 0
    removed: list[Indexes] = []
    added: list[Indexes] = []
    for left, right in abreast(old, new, width):
        removed.append(np.flatnonzero(~present(right, left)) + before)
        added.append(np.flatnonzero(~present(left, right)) + after)
        before += len(left)
        after += len(right)
    return Changes(before, after, _joined(removed), _joined(added))


def compose(first: Changes, second: Changes) -> Changes:
    """What leads from the old set of the first to the new set of the second, which begins where the first ends.

    Raises:
        ValueError: when the second does not begin with as many keys as the first ends with.
    """
    if first.after != second.before:
        raise ValueError("the changes do not follow each other")
    # Of what the second removes, the old set never knew what the first had added.
    came_and_went = np.isin(second.removed, first.added, assume_unique=True)
    old = second.removed[~came_and_went]
    old_removed = _nth_left(old - np.searchsorted(first.added, old), first.removed)
    kept = first.added[~np.isin(first.added, second.removed, assume_unique=True)]
    moved = _nth_left(kept - np.searchsorted(second.removed, kept), second.added)
    return Changes(
        first.before,
        second.after,
        np.sort(np.concatenate((first.removed, old_removed))),
        np.sort(np.concatenate((moved, second.added))),
    )


def apply(delta: Delta, old: Iterable[Keys]) -> Iterator[Keys]:
    """The new set from the old one.

    Raises:
        Refused: `snapshot-mismatch` when the old set has not the number of keys that the delta begins with, or has a
        key
            that the delta adds.
    """
    added = 0
    for left, right in abreast(_without(delta, old), delta.additions(), delta.width):
        added += len(left) + len(right)
        if present(left, right).any():
            raise Refused("snapshot-mismatch", "delta", "adds a key that the old version has")
        merged = np.concatenate((left, right))
        yield merged[np.argsort(words(merged), kind="stable")] if len(left) and len(right) else merged
    if added != delta.after:
        raise Refused("snapshot-mismatch", "delta", "leads to another number of keys than it says")


def encode_delta(kind: str, width: int, changes: Changes, additions: Iterable[Keys]) -> bytes:
    """A delta as a file; `additions` are the keys at the places added."""
    gaps = np.diff(changes.removed, prepend=-1) - 1
    planes = rice.encode(gaps)
    shards = [encode_shard(kind, keys) for keys in split(additions)]
    header = _HEADER.pack(
        MAGIC, kind.encode(), width, planes.k, changes.before, changes.after, len(gaps), len(planes.quotients),
        len(shards),
    )  # fmt: skip
    framed = [part for shard in shards for part in (_LENGTH.pack(len(shard)), shard)]
    return b"".join((header, planes.quotients, planes.remainders, *framed))


def decode_delta(raw: bytes, kind: str, width: int) -> Delta:
    """Read a delta for keys of a type and width, and check all of it but what only the old set can tell.

    Raises:
        Refused: `snapshot-malformed` for the first thing that is wrong.
    """
    if len(raw) < _HEADER.size:
        raise Refused("snapshot-malformed", "delta", "shorter than a header")
    magic, *named, k, before, after, count, quotients, parts = _HEADER.unpack_from(raw)
    remainders = rice.remainder_bytes(count, k)
    if named != [kind.encode().ljust(KIND_BYTES, b"\0"), width]:
        raise Refused("snapshot-malformed", "delta", "of another type or width")
    if magic != MAGIC or k > rice.MAX_K or count > before or len(raw) < _HEADER.size + quotients + remainders:
        raise Refused("snapshot-malformed", "delta", "not a delta of this version")
    body = np.frombuffer(raw, dtype=np.uint8)[_HEADER.size :]
    planes = body[:quotients], body[quotients : quotients + remainders]
    removed = np.cumsum(rice.decode(*planes, count, k) + 1) - 1
    if count and int(removed[-1]) >= before:
        raise Refused("snapshot-malformed", "delta", "removes a key beyond the end of the old version")
    shards = tuple(_shards(raw, _HEADER.size + quotients + remainders, parts, kind, width))
    if before - count + sum(shard.count for shard in shards) != after:
        raise Refused("snapshot-malformed", "delta", "its numbers do not add up")
    delta = Delta(kind, width, before, after, removed, shards)
    changes = Changes(before, after, removed, removed[:0])
    if encode_delta(kind, width, changes, delta.additions()) != raw:
        raise Refused("snapshot-malformed", "delta", "not the one encoding of what it says")
    return delta


def places(stream: Iterable[Keys], wanted: Sequence[Keys]) -> list[Indexes]:
    """Where in a set the keys of each of some subsets stand."""
    found: list[list[Indexes]] = [[] for _ in wanted]
    seen = 0
    for keys in stream:
        first, last = keys[0].tobytes(), keys[-1].tobytes()
        for subset, parts in zip(wanted, found, strict=True):
            here = subset[position(subset, first) : position(subset, last, after=True)]
            parts.append(positions(keys, here) + seen)
        seen += len(keys)
    return [_joined(parts) for parts in found]


def taken(stream: Iterable[Keys], wanted: Sequence[Indexes], width: int) -> list[Keys]:
    """The keys of a set at each of some lists of places."""
    found: list[list[Keys]] = [[] for _ in wanted]
    seen = 0
    for keys in stream:
        for indexes, parts in zip(wanted, found, strict=True):
            first, last = np.searchsorted(indexes, (seen, seen + len(keys)))
            parts.append(keys[indexes[first:last] - seen])
        seen += len(keys)
    return [joined(parts, width) for parts in found]


def _shards(raw: bytes, at: int, count: int, kind: str, width: int) -> Iterator[Shard]:
    for _ in range(count):
        begin = at + _LENGTH.size
        if begin > len(raw):
            raise Refused("snapshot-malformed", "delta", "cut off")
        at = begin + _LENGTH.unpack_from(raw, at)[0]
        yield Shard.checked(raw[begin:at], kind, width)
    if at != len(raw):
        raise Refused("snapshot-malformed", "delta", "something stands behind its end")


def _without(delta: Delta, old: Iterable[Keys]) -> Iterator[Keys]:
    """The old keys that stay."""
    seen = 0
    for keys in old:
        first, last = np.searchsorted(delta.removed, (seen, seen + len(keys)))
        stays = np.ones(len(keys), dtype=bool)
        stays[delta.removed[first:last] - seen] = False
        seen += len(keys)
        yield keys[stays]
    if seen != delta.before:
        raise Refused("snapshot-mismatch", "delta", "begins with another number of keys than there are")


def _nth_left(ranks: Indexes, taken: Indexes) -> Indexes:
    """The places that come to stand at `ranks` once the places `taken` are taken out."""
    return ranks + np.searchsorted(taken - np.arange(len(taken)), ranks, "right")


def _joined(parts: list[Indexes]) -> Indexes:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

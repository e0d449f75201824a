"""Sorted, unique keys of one width, as arrays and as streams of arrays.

A key is 4 to 512 bytes; `Keys` has one a row and is sorted bytewise, no row twice. A stream is `Keys` after `Keys`,
each above the one before, so that a set of any size passes through a bounded amount of memory.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint8]
Indexes = NDArray[np.int64]

SHARD_KEYS: Final = 65_536
"""The most keys of one shard."""
MIN_WIDTH: Final = 4
MAX_WIDTH: Final = 512


def as_keys(values: Sequence[bytes], width: int) -> Keys:
    """Values of `width` bytes each, one a row, in the order given."""
    return np.frombuffer(b"".join(values), dtype=np.uint8).reshape(len(values), width)


def words(keys: Keys) -> NDArray[np.bytes_]:
    """The keys as one column that compares bytewise, sharing the keys' memory where it can."""
    rows, width = keys.shape
    return np.ascontiguousarray(keys).view(f"S{width}").reshape(rows)


def ascending(keys: Keys) -> bool:
    """Whether the keys are sorted and none is there twice."""
    column = words(keys)
    return bool((column[1:] > column[:-1]).all())


def shared_bits(one: bytes, other: bytes) -> int:
    """How many leading bits two keys of one width have in common."""
    differing = int.from_bytes(one) ^ int.from_bytes(other)
    return 8 * len(one) - differing.bit_length()


class Digest:
    """SHA-256 over all keys of a set in ascending order, each as its bytes: what names a set whatever its encoding."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.count = 0

    def through(self, stream: Iterable[Keys]) -> Iterator[Keys]:
        """The stream as it is, counted and hashed on its way."""
        for keys in stream:
            self._hash.update(np.ascontiguousarray(keys).data)
            self.count += len(keys)
            yield keys

    def hex(self) -> str:
        """The digest of what has passed."""
        return self._hash.hexdigest()


def split(stream: Iterable[Keys]) -> Iterator[Keys]:
    """The parts of a set that are a shard each (PROTOCOL §10.1): the whole of it, or else the parts of its two halves.

    The halves of the keys that begin with the same bits are told apart by the next bit; empty ones are left out.
    Where a key goes depends on the set alone, and a change in one part leaves the others as they are.
    """
    held: Keys | None = None
    before = b""
    incoming = iter(stream)
    while True:
        held = _fill(held, incoming)
        if held is None or not len(held):
            return
        first = held[0].tobytes()
        # The part is all keys that share `bits` bits with the first: the fewest that leave out the parts before it, and
        # what is more than a shard.
        bits = shared_bits(before, first) + 1 if before else 0
        if len(held) > SHARD_KEYS:
            bits = max(bits, shared_bits(first, held[SHARD_KEYS].tobytes()) + 1)
        count = _sharing(held, first, bits)
        yield held[:count]
        before = held[count - 1].tobytes()
        held = held[count:]


def _fill(held: Keys | None, incoming: Iterator[Keys]) -> Keys | None:
    """What is held, and as much more as it takes to see beyond one shard."""
    parts = [] if held is None else [held]
    count = sum(map(len, parts))
    while count <= SHARD_KEYS and (keys := next(incoming, None)) is not None:
        parts.append(keys)
        count += len(keys)
    return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else None


def _sharing(keys: Keys, first: bytes, bits: int) -> int:
    """How many keys from the first on share their first `bits` bits with it."""
    below = (1 << (8 * len(first) - bits)) - 1
    last = (int.from_bytes(first) | below).to_bytes(len(first))
    return position(keys, last, after=True)


def joined(stream: Iterable[Keys], width: int) -> Keys:
    """All keys of a stream."""
    return np.concatenate((np.empty((0, width), dtype=np.uint8), *stream))


def position(keys: Keys, key: bytes, *, after: bool = False) -> int:
    """How many of the keys are below `key`; `after` counts the key itself too."""
    found: Any = np.searchsorted(words(keys), np.void(key).view(f"S{len(key)}"), "right" if after else "left")
    return int(found)


def positions(keys: Keys, wanted: Keys) -> Indexes:
    """Of each wanted key, how many of the keys are below it."""
    return np.searchsorted(words(keys), words(wanted)).astype(np.int64)


def present(keys: Keys, wanted: Keys) -> NDArray[np.bool_]:
    """Of each wanted key, whether it is among the keys."""
    if not len(keys):
        return np.zeros(len(wanted), dtype=bool)
    column = words(keys)
    places = np.minimum(positions(keys, wanted), len(keys) - 1)
    return np.asarray(column[places] == words(wanted))


def abreast(left: Iterable[Keys], right: Iterable[Keys], width: int) -> Iterator[tuple[Keys, Keys]]:
    """Two streams cut at the same keys: each pair covers one range, and one of a pair may be empty."""
    sources = (iter(left), iter(right))
    held = [np.empty((0, width), dtype=np.uint8) for _ in sources]
    ended = [False, False]
    while True:
        for side, source in enumerate(sources):
            while not len(held[side]) and not ended[side]:
                keys = next(source, None)
                ended[side] = keys is None
                held[side] = held[side] if keys is None else keys
        if not len(held[0]) or not len(held[1]):
            break
        # Up to the lower of the two last keys, both sides are known in full.
        last = min(part[-1].tobytes() for part in held)
        cuts = [position(part, last, after=True) for part in held]
        yield held[0][: cuts[0]], held[1][: cuts[1]]
        held = [part[cut:] for part, cut in zip(held, cuts, strict=True)]
    nothing = np.empty((0, width), dtype=np.uint8)
    if len(held[0]):
        yield held[0], nothing
        yield from ((keys, nothing) for keys in sources[0])
    if len(held[1]):
        yield nothing, held[1]
        yield from ((nothing, keys) for keys in sources[1])

"""A shard: at most 65,536 sorted keys in one file, which can be searched where it lies.

Four leading bytes of each key, behind those that all keys share, are coded as differences; the rest follows as it is.
An index has the state of the code at every 4,096th key, so that one key is looked up by reading one such block.

Layout (PROTOCOL §10.2), numbers big-endian: the header, the shared bytes, the index, the planes of the code, the
column of suffixes.
"""

import struct
from collections.abc import Iterator
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from tocsin_client.snapshot import rice
from tocsin_client.snapshot.keys import MAX_WIDTH, MIN_WIDTH, SHARD_KEYS, Keys, ascending, present
from tocsin_schemas.problems import Refused

MAGIC: Final = b"TSS1"
BLOCK_KEYS: Final = 4096
HEAD_BYTES: Final = 4
KIND_BYTES: Final = 16
_HEADER: Final = struct.Struct(f">4s{KIND_BYTES}sHBBII")
"""Magic, type (ASCII, zero-padded), width, shared bytes, k, keys, bytes of the plane of quotients."""
_INDEX_ENTRY: Final = 8


def encode_shard(kind: str, keys: Keys) -> bytes:
    """The one encoding of 1 to 65,536 sorted keys of an indicator type.

    Raises:
        ValueError: when the keys are not sorted, or not of a number and width that a shard can have.
    """
    count, width = keys.shape
    if not 1 <= count <= SHARD_KEYS or not MIN_WIDTH <= width <= MAX_WIDTH or not ascending(keys):
        raise ValueError("a shard is of 1 to 65,536 sorted keys of 4 to 512 bytes")
    shared = _shared_bytes(keys)
    heads = np.ascontiguousarray(keys[:, shared : shared + HEAD_BYTES]).view(">u4").reshape(count)
    places = heads.astype(np.int64)
    gaps = np.zeros(count, dtype=np.int64)
    gaps[1:] = places[1:] - places[:-1]
    # A block's first head is in the index.
    gaps[::BLOCK_KEYS] = 0
    planes = rice.encode(gaps)
    index = np.empty((-(-count // BLOCK_KEYS), 2), dtype=">u4")
    index[:, 0] = heads[::BLOCK_KEYS]
    index[0, 1] = 0
    index[1:, 1] = planes.ends[BLOCK_KEYS - 1 : count - 1 : BLOCK_KEYS]
    header = _HEADER.pack(MAGIC, kind.encode(), width, shared, planes.k, count, len(planes.quotients))
    return b"".join(
        (
            header,
            keys[0, :shared].tobytes(),
            index.tobytes(),
            planes.quotients,
            planes.remainders,
            keys[:, shared + HEAD_BYTES :].tobytes(),
        )
    )


class Shard:
    """An encoded shard, opened over bytes or a memory-mapped file; nothing is decoded before it is asked for.

    Raises:
        Refused: `snapshot-malformed` when header and length do not fit each other.
    """

    def __init__(self, raw: bytes | memoryview) -> None:
        data = np.frombuffer(raw, dtype=np.uint8)
        if len(data) < _HEADER.size:
            raise Refused("snapshot-malformed", "shard", "shorter than a header")
        magic, kind, self.width, self._shared, self._k, self.count, quotients = _HEADER.unpack_from(raw)
        name = kind.rstrip(b"\0")
        if magic != MAGIC or not name.isascii() or b"\0" in name:
            raise Refused("snapshot-malformed", "shard", "not a shard of this version")
        self.kind = name.decode()
        self._suffix = self.width - self._shared - HEAD_BYTES
        if (
            not 1 <= self.count <= SHARD_KEYS
            or not MIN_WIDTH <= self.width <= MAX_WIDTH
            or self._suffix < 0
            or self._k > rice.MAX_K
        ):
            raise Refused("snapshot-malformed", "shard", "a number of the header is out of range")
        blocks = -(-self.count // BLOCK_KEYS)
        remainders = rice.remainder_bytes(self.count, self._k)
        sizes = (
            _HEADER.size, self._shared, blocks * _INDEX_ENTRY, quotients, remainders, self.count * self._suffix,
        )  # fmt: skip
        if len(data) != sum(sizes):
            raise Refused("snapshot-malformed", "shard", "another length than its header says")
        _, shared, index, self._quotients, self._remainders, suffixes = np.split(data, np.cumsum(sizes)[:-1])
        self.prefix = shared.tobytes()
        self._index = index.view(">u4").reshape(blocks, 2)
        self._suffixes = suffixes.reshape(self.count, self._suffix)

    @classmethod
    def checked(cls, raw: bytes | memoryview, kind: str, width: int) -> Self:
        """Open a shard, and check all of it: the type and width expected, every code, and that the keys are sorted.

        Raises:
            Refused: `snapshot-malformed` for the first thing that is wrong.
        """
        shard = cls(raw)
        if (shard.kind, shard.width) != (kind, width):
            raise Refused("snapshot-malformed", "shard", "of another type or width")
        keys = shard.keys()
        if not ascending(keys) or encode_shard(kind, keys) != bytes(raw):
            raise Refused("snapshot-malformed", "shard", "not the one encoding of sorted keys")
        return shard

    @property
    def first(self) -> bytes:
        """The lowest key, without decoding anything."""
        return self.prefix + int(self._index[0, 0]).to_bytes(HEAD_BYTES) + bytes(self._suffixes[0].tobytes())

    def keys(self) -> Keys:
        """Every key.

        Raises:
            Refused: `snapshot-malformed` when the codes do not decode.
        """
        return np.concatenate(list(self.blocks()))

    def blocks(self) -> Iterator[Keys]:
        """Every key, in blocks of at most 4,096."""
        return (self._block(at) for at in range(len(self._index)))

    def find(self, wanted: Keys) -> NDArray[np.bool_]:
        """Of each wanted key (sorted or not), whether it is in the shard; reads only the blocks it may be in.

        Raises:
            Refused: `snapshot-malformed` when the codes of such a block do not decode.
        """
        found = np.zeros(len(wanted), dtype=bool)
        begin, end = self._shared, self._shared + HEAD_BYTES
        here = np.flatnonzero((wanted[:, :begin] == np.frombuffer(self.prefix, dtype=np.uint8)).all(axis=1))
        heads = np.ascontiguousarray(wanted[here, begin:end]).view(">u4").reshape(len(here)).astype(np.int64)
        firsts = self._index[:, 0].astype(np.int64)
        # Equal heads may run over the edge of a block, so a head can be in the blocks from `low` to `high`.
        low = np.maximum(np.searchsorted(firsts, heads, "left") - 1, 0)
        high = np.searchsorted(firsts, heads, "right") - 1
        for block in range(len(firsts)):
            asked = here[(low <= block) & (block <= high)]
            if len(asked):
                found[asked] |= present(self._block(block), wanted[asked])
        return found

    def _block(self, at: int) -> Keys:
        first, last = at * BLOCK_KEYS, min((at + 1) * BLOCK_KEYS, self.count)
        head, start = (int(number) for number in self._index[at])
        end = int(self._index[at + 1, 1]) if at + 1 < len(self._index) else 8 * len(self._quotients)
        if start > end or end > 8 * len(self._quotients):
            raise Refused("snapshot-malformed", "index", "a block that begins behind its end")
        quotients = self._quotients[start // 8 : -(-end // 8)]
        # A block has a multiple of eight codes, so its remainders begin with a byte.
        remainders = self._remainders[first * self._k // 8 :]
        gaps = rice.decode(quotients, remainders, last - first, self._k, start % 8)
        heads = head + np.cumsum(gaps)
        if int(heads[-1]) >> (8 * HEAD_BYTES):
            raise Refused("snapshot-malformed", "codes", "a head of more than 32 bits")
        keys = np.empty((last - first, self.width), dtype=np.uint8)
        keys[:, : self._shared] = np.frombuffer(self.prefix, dtype=np.uint8)
        keys[:, self._shared : self._shared + HEAD_BYTES] = (
            heads.astype(">u4").view(np.uint8).reshape(-1, HEAD_BYTES)
        )
        keys[:, self._shared + HEAD_BYTES :] = self._suffixes[first:last]
        return keys


def _shared_bytes(keys: Keys) -> int:
    """How many leading bytes all of the sorted keys share, as far as a head is left behind them."""
    differing = np.flatnonzero(keys[0] != keys[-1])
    most: int = keys.shape[1] - HEAD_BYTES
    return min(int(differing[0]), most) if len(differing) else most

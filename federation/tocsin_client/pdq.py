"""PDQ hashes side by side: exact search within a Hamming distance (Facebook, "The TMK+PDQF Video-Hashing Algorithm and
the PDQ Image-Hashing Algorithm", 2019: pictures within 31 of 256 bits are taken for copies).

NumPy over the whole list: the distance of the first 128 bits is a lower bound of the whole, and rules out nearly all.
This module needs the extra `tocsin[hash]`.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_DISTANCE: Final = 31
PDQ_WORDS: Final = 4
_HEAD_WORDS: Final = 2


class PdqIndex:
    """A fixed list of 32-byte PDQ values to search, or an array with one a row; results name positions in it."""

    def __init__(self, values: Sequence[bytes] | NDArray[np.uint8]) -> None:
        packed = values if isinstance(values, np.ndarray) else np.frombuffer(b"".join(values), dtype=np.uint8)
        words = np.ascontiguousarray(packed).view(np.uint64).reshape(-1, PDQ_WORDS)
        self._head = np.ascontiguousarray(words[:, :_HEAD_WORDS])
        self._tail = np.ascontiguousarray(words[:, _HEAD_WORDS:])

    def __len__(self) -> int:
        return len(self._head)

    def within(self, value: bytes, distance: int = MAX_DISTANCE) -> list[tuple[int, int]]:
        """(position, distance) of every value at most `distance` bits away, nearest first."""
        query = np.frombuffer(value, dtype=np.uint64)
        heads = np.bitwise_count(self._head ^ query[:_HEAD_WORDS]).sum(axis=1, dtype=np.uint16)
        near = np.flatnonzero(heads <= distance)
        tails = np.bitwise_count(self._tail[near] ^ query[_HEAD_WORDS:]).sum(axis=1, dtype=np.uint16)
        whole = heads[near] + tails
        hits = np.flatnonzero(whole <= distance)
        order = hits[np.argsort(whole[hits], kind="stable")]
        return [(int(near[at]), int(whole[at])) for at in order]

"""Stored pieces of the feed that join to one answer as they are, in each content coding (RFC 9110 §8.4).

Zstandard frames stand behind each other (RFC 8878 §3). Many readers of gzip stop at the end of the first member, so
what is stored for gzip is no member but a piece of one: deflate blocks up to a byte's boundary, and the CRC-32 of what
they hold. Any run of pieces becomes one member by a header in front and a trailer behind (RFC 1952 §2.3).
"""

import sys
import zlib
from collections.abc import Iterable
from typing import Final, NamedTuple

from isal import isal_zlib

from tocsin.web.coding import GZIP_LEVEL, ZSTD_LEVEL

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_RAW_DEFLATE: Final = -15
# No name, no time, no flags, unknown system.
GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
# An empty last block.
_LAST_BLOCK: Final = b"\x03\x00"
GZIP_FRAME_BYTES: Final = len(GZIP_HEADER) + len(_LAST_BLOCK) + 8


class Pressed(NamedTuple):
    """One piece of a feed in every form it is stored in, and what joins it to others."""

    zstd: bytes
    deflate: bytes
    crc: int


class Part(NamedTuple):
    """What a gzip trailer needs to know of a piece: the CRC-32 of what it holds, and how many bytes that is."""

    crc: int
    size: int


def press(content: bytes) -> Pressed:
    """Compress one piece."""
    deflate = isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, _RAW_DEFLATE)
    pieces = deflate.compress(content) + deflate.flush(isal_zlib.Z_SYNC_FLUSH)
    return Pressed(zstd.compress(content, ZSTD_LEVEL), pieces, zlib.crc32(content))


def gzip_trailer(parts: Iterable[Part]) -> bytes:
    """What ends a gzip member that holds `parts`."""
    crc = size = 0
    for part in parts:
        crc = isal_zlib.crc32_combine(crc, part.crc, part.size)
        size += part.size
    return _LAST_BLOCK + crc.to_bytes(4, "little") + (size % 2**32).to_bytes(4, "little")


def decode(piece: bytes | memoryview) -> bytes:
    """What a stored Zstandard piece holds."""
    return zstd.decompress(piece)

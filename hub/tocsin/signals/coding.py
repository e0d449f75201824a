"""Content codings of the feed (RFC 9110 §8.4): choosing one, and stored pieces that join to one answer as they are.

Zstandard frames stand behind each other (RFC 8878 §3). Many readers of gzip stop at the end of the first member, so
what is stored for gzip is no member but a piece of one: deflate blocks up to a byte's boundary, and the CRC-32 of what
they hold. Any run of pieces becomes one member by a header in front and a trailer behind (RFC 1952 §2.3).
"""

import re
import sys
import zlib
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, get_args

from isal import isal_zlib

from tocsin_schemas.problems import Refused

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Coding = Literal["zstd", "gzip", "identity"]
CODINGS: Final[tuple[Coding, ...]] = get_args(Coding)
"""In the order of our preference."""
ZSTD_LEVEL: Final = 1
GZIP_LEVEL: Final = 2
WORTHWHILE: Final = 1024
"""Bytes below which an answer is sent as it is."""

_QVALUE: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_RAW_DEFLATE: Final = -15
_GZIP: Final = 31
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


def encode(content: bytes, coding: Coding) -> bytes:
    """A whole answer in one coding."""
    if coding == "zstd":
        return zstd.compress(content, ZSTD_LEVEL)
    return isal_zlib.compress(content, GZIP_LEVEL, _GZIP) if coding == "gzip" else content


def decode(piece: bytes | memoryview) -> bytes:
    """What a stored Zstandard piece holds."""
    return zstd.decompress(piece)


def negotiate(accepted: str | None) -> Coding:
    """The coding for a caller that sends this `Accept-Encoding` (RFC 9110 §12.5.3), or none at all.

    Raises:
        Refused: `not-acceptable` when it rules out every one.
    """
    if accepted is None:
        return "identity"
    weights: dict[str, float] = {}
    for item in accepted.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        weights["gzip" if name == "x-gzip" else name] = weight(parameters)
    anything = weights.get("*")
    given = {coding: weights.get(coding, anything) for coding in CODINGS}
    if given["identity"] is None:
        # Always acceptable unless it is ruled out, but behind what was asked for by name.
        given["identity"] = min((weight for weight in weights.values() if weight > 0), default=1.0) / 2
    offered = [(weight, -place, coding) for place, (coding, weight) in enumerate(given.items()) if weight]
    if not offered:
        raise Refused("not-acceptable", "accept-encoding", "the feed comes as zstd, gzip or identity")
    return max(offered)[2]


def weight(parameters: list[str]) -> float:
    """The quality value of one item; one that cannot be read rules the item out."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return float(value) if _QVALUE.fullmatch(value.strip()) else 0.0
    return 1.0

"""Content codings of an answer (RFC 9110 §8.4): choosing one, and applying it to a whole answer."""

import re
import sys
from collections.abc import Sequence
from typing import Final, Literal, get_args

from isal import isal_zlib

from tocsin.errors import Refused

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
_GZIP: Final = 31
"""zlib's number for a gzip member."""


def encode(content: bytes, coding: Coding) -> bytes:
    """A whole answer in one coding."""
    if coding == "zstd":
        return zstd.compress(content, ZSTD_LEVEL)
    return isal_zlib.compress(content, GZIP_LEVEL, _GZIP) if coding == "gzip" else content


def negotiate(accepted: str | None, offered: Sequence[Coding] = CODINGS) -> Coding:
    """The one of `offered`, best first, for a caller that sends this `Accept-Encoding` (RFC 9110 §12.5.3), or none.

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
    given = {coding: weights.get(coding, anything) for coding in offered}
    if given["identity"] is None:
        # Always acceptable unless it is ruled out, but behind what was asked for by name.
        given["identity"] = min((weight for weight in weights.values() if weight > 0), default=1.0) / 2
    possible = [(weight, -place, coding) for place, (coding, weight) in enumerate(given.items()) if weight]
    if not possible:
        raise Refused("not-acceptable", "accept-encoding", f"the answer comes as {' or '.join(offered)}")
    return max(possible)[2]


def weight(parameters: list[str]) -> float:
    """The quality value of one item; one that cannot be read rules the item out."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return float(value) if _QVALUE.fullmatch(value.strip()) else 0.0
    return 1.0

"""How C2SP tlog-tiles spells the index and the width of a tile or an entry bundle in a path."""

import re
from typing import Final

from tocsin_schemas.problems import Refused

TILE_WIDTH: Final = 256
"""Hashes of a full tile, and entries of a full bundle."""

# Groups of three digits, all but the last prefixed with x; .p/<W> behind a partial one. Fifteen digits are more than
# any log has, and the indexes of the leaves below still fit in 63 bits.
_INDEX: Final = re.compile(r"((?:x[0-9]{3}/){0,4}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


def index_path(index: int, width: int) -> str:
    """How tlog-tiles spells the index and the width of a tile or an entry bundle: `x001/234.p/8`."""
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03d}")
    path = "/".join(groups)
    return path if width == TILE_WIDTH else f"{path}.p/{width}"


def parse_index_path(text: str) -> tuple[int, int]:
    """(index, width) of a tile or an entry bundle.

    Raises:
        Refused: `not-found` for anything but the one spelling.
    """
    match = _INDEX.fullmatch(text)
    if match is not None and int(match[2] or 1) < TILE_WIDTH:
        index = int(match[1].replace("x", "").replace("/", ""))
        width = int(match[2] or TILE_WIDTH)
        if index_path(index, width) == text:
            return index, width
    raise Refused("not-found", "path", "not the one spelling of a tile's index")

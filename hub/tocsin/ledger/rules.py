"""Pure decisions of publishing: how what was shown stands to what is known, what may go, what a note gains."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from tocsin_schemas.ledger import bundle_path
from tocsin_schemas.merkle import EMPTY_ROOT, Tile
from tocsin_schemas.notes import parse_note, parse_signatures
from tocsin_schemas.tile_paths import TILE_WIDTH

Standing = Literal["current", "behind", "ahead", "other"]


ConflictKind = Literal["ahead", "other", "claimed"]


class Conflict(NamedTuple):
    """A witness has seen another log of ours: `size` entries of it, and the note under our key that proves it."""

    kind: ConflictKind
    size: int
    shown: bytes | None = None


class Tree(NamedTuple):
    """A tree by its number of leaves and its root."""

    size: int
    root: bytes


EMPTY = Tree(0, EMPTY_ROOT)


def compare(shown: Tree, ours: Tree) -> Standing:
    """How the tree that was shown to the world stands to the one of the database.

    `behind`: the database has signed a newer one, as a crash leaves it. `ahead`: the world has seen entries that the
    database does not know. `other`: two trees of one size, a fork.
    """
    if shown.size != ours.size:
        return "behind" if shown.size < ours.size else "ahead"
    return "current" if shown.root == ours.root else "other"


def superseded(before: int, after: int) -> Iterator[str]:
    """The folders of partial tiles and bundles of a tree of `before` leaves that are full ones in one of `after`.

    A log may delete them (tlog-tiles, "Partial Tiles"): whoever still wants one takes the full one's beginning.
    """
    level, width = 0, before
    while width:
        index = width // TILE_WIDTH
        if width % TILE_WIDTH and after // TILE_WIDTH ** (level + 1) > index:
            yield f"{Tile(level, index).path}.p"
            if level == 0:
                yield f"{bundle_path(index)}.p"
        level, width = level + 1, index


def merge(note: bytes, lines: Sequence[str]) -> bytes:
    """A note with more signature lines below it; a key that has signed already is heard once, with its newer one."""
    if not lines:
        return note
    parsed = parse_note(note)
    newer = {(line.name, line.key_id): line for line in parse_signatures("".join(lines))}
    kept = [line for line in parsed.signatures if (line.name, line.key_id) not in newer]
    return parsed._replace(signatures=(*kept, *newer.values())).render()

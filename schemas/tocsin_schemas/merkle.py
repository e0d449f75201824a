"""The log's Merkle tree: hashes and proofs of RFC 6962 §2.1, kept and read as the tiles of C2SP tlog-tiles.

Nothing here fetches or stores. `Edge` is all that a log needs to grow: it holds less than 256 hashes a level.
`TileTree` reads a tree of known size and root through tiles that somebody else hands over, and uses none of them
before it has been traced to the root. Sizes and indexes count leaves; hashes are 32 bytes of SHA-256.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

from tocsin_schemas.problems import Refused
from tocsin_schemas.tile_paths import TILE_WIDTH, index_path, parse_index_path

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256().digest()

_HEIGHT: Final = 8
"""Levels of the binary tree that one tile spans."""
_TILE_BYTES: Final = TILE_WIDTH * HASH_BYTES
_KEPT: Final = 64
"""Verified tiles that a `TileTree` keeps, of about 16 KiB each with the nodes inside."""
_LEVEL: Final = re.compile(r"tile/(0|[1-9][0-9]?)/(.*)", re.ASCII)


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one leaf (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """The Merkle tree hash of RFC 6962 §2.1 over `leaves`, the entries themselves; the empty tree has `EMPTY_ROOT`."""
    return tree_root([leaf_hash(leaf) for leaf in leaves])


def tree_root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The same over leaves that are hashed already; also the hash of a tile over the hashes it holds."""
    return _folded(b"".join(leaf_hashes)) or EMPTY_ROOT


def verify_inclusion(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether `path` proves the leaf at `index` in the tree of `size` leaves with `root` (RFC 9162 §2.1.3.2).

    `path` starts with the leaf's sibling. Never raises: whatever was sent, it proves or it does not.
    """
    if not 0 <= index < size or not _hashes([leaf_hash, *path]):
        return False
    steps = _climb(index, size - 1, path)
    found = leaf_hash
    for left, sibling in steps or ():
        found = node_hash(sibling, found) if left else node_hash(found, sibling)
    return steps is not None and found == root


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether `proof` shows the old tree to be a prefix of the new one (RFC 9162 §2.1.4.2).

    The empty tree is a prefix of every tree; it, and a tree of the same size, need an empty proof. Never raises.
    """
    if not 0 <= old_size <= new_size or not _hashes([old_root, new_root, *proof]):
        return False
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT and (new_size > 0 or new_root == EMPTY_ROOT)
    if old_size == new_size:
        return not proof and old_root == new_root
    # A proof leaves out the old tree's own root where that is a node of the new tree.
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not path:
        return False
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    steps = _climb(node, last, path[1:])
    old = new = path[0]
    for left, sibling in steps or ():
        old = node_hash(sibling, old) if left else old
        new = node_hash(sibling, new) if left else node_hash(new, sibling)
    return steps is not None and old == old_root and new == new_root


@dataclass(frozen=True, order=True, slots=True)
class Tile:
    """The address of a tile: `level` 0 holds leaf hashes, each level above the hashes of full tiles below it.

    `width` is the number of hashes, below 256 for a partial tile.
    """

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """Its path below the log's prefix."""
        return f"tile/{self.level}/{index_path(self.index, self.width)}"


def parse_tile_path(text: str) -> Tile:
    """The tile that a path below the log's prefix names, `tile/0/x001/067.p/8`.

    Raises:
        Refused: `not-found` for anything but the one spelling.
    """
    match = _LEVEL.fullmatch(text)
    if match is None or int(match[1]) > 63:
        raise Refused("not-found", "path", "not the path of a tile")
    return Tile(int(match[1]), *parse_index_path(match[2]))


class Edge:
    """The right edge of a tree: for every level the hashes that do not fill a tile yet.

    It grows by leaf hashes, and is all that is needed to know the root and to make the next tiles. Not for two threads.
    """

    def __init__(self, size: int, levels: list[bytes]) -> None:
        self.size = size
        self._levels = levels

    @classmethod
    def empty(cls) -> Self:
        """The edge of the empty tree."""
        return cls(0, [])

    @classmethod
    def decode(cls, size: int, raw: bytes) -> Self:
        """Read what `encode` wrote for a tree of `size` leaves; it is the partial tiles, level 0 first.

        Raises:
            ValueError: when `raw` is not as long as that size demands.
        """
        levels, at = [], 0
        for _, width in _widths(size):
            levels.append(raw[at : at + width * HASH_BYTES])
            at += width * HASH_BYTES
        if at != len(raw):
            raise ValueError("the edge is not as long as its size demands")
        return cls(size, levels)

    def encode(self) -> bytes:
        """The partial tiles, level 0 first."""
        return b"".join(self._levels)

    def extend(self, leaf_hashes: Iterable[bytes]) -> list[tuple[Tile, bytes]]:
        """Append leaves. The full tiles this completes, level by level, each level in ascending order."""
        full: list[tuple[Tile, bytes]] = []
        added = b"".join(leaf_hashes)
        before = self.size
        self.size += len(added) // HASH_BYTES
        level = 0
        while added:
            if level == len(self._levels):
                self._levels.append(b"")
            row = self._levels[level] + added
            first = before >> _HEIGHT * (level + 1)
            cut = len(row) - len(row) % _TILE_BYTES
            tiles = _cut(row[:cut], _TILE_BYTES)
            full += [(Tile(level, first + at), tile) for at, tile in enumerate(tiles)]
            self._levels[level] = row[cut:]
            added = b"".join(_pyramid(tile)[-1] for tile in tiles)
            level += 1
        return full

    def partial_tiles(self) -> list[tuple[Tile, bytes]]:
        """The partial tiles of a tree of this size, level 0 first; none of them is empty."""
        return [
            (Tile(level, self.size >> _HEIGHT * (level + 1), width), self._levels[level])
            for level, width in _widths(self.size)
            if width
        ]

    def root(self) -> bytes:
        """The root of the tree."""
        above = b""
        for row in self._levels:
            # What is left of the levels below is the last, incomplete node of this one.
            above = _folded(row + above)
        return above or EMPTY_ROOT


class TileTree:
    """A tree of known `size` and `root`, read through tiles. For one thread.

    `fetch` hands over the bytes of a tile: a full one where the tree is big enough for it, else the partial tile that
    this size implies. It may answer with a wider tile than the partial one asked for (tlog-tiles lets a log delete
    partial tiles that a full one has replaced); what is too much is cut off. What it raises goes through.

    Every method raises `Refused` with `log-tile-mismatch`, naming the tile, where a tile does not belong to this tree,
    and ValueError where it is asked for what the tree does not have.
    """

    def __init__(self, size: int, root: bytes, fetch: Callable[[Tile], bytes]) -> None:
        self.size = size
        self.root = root
        self._fetch = fetch
        self._edge: dict[int, list[bytes]] | None = None
        self._full: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()

    def inclusion(self, index: int) -> list[bytes]:
        """The audit path of the leaf at `index`, its sibling first (RFC 6962 §2.1.1)."""
        self._within(0, index, self.size - 1)
        path, first, end = [], 0, self.size
        while end - first > 1:
            middle = first + _split(end - first)
            if index < middle:
                path.append(self._range(middle, end))
                end = middle
            else:
                path.append(self._range(first, middle))
                first = middle
        return path[::-1]

    def consistency(self, old_size: int) -> list[bytes]:
        """The proof that the tree of `old_size` leaves is a prefix of this one (RFC 6962 §2.1.2).

        It is empty where `old_size` is 0 or this tree's size.
        """
        self._within(0, old_size, self.size)
        if old_size == 0:
            return []
        proof, first, end = [], 0, self.size
        while old_size != end:
            middle = first + _split(end - first)
            if old_size <= middle:
                proof.append(self._range(middle, end))
                end = middle
            else:
                proof.append(self._range(first, middle))
                first = middle
        if first:
            # The last piece of the old tree; from the very first leaf on it is the old root, which is known.
            proof.append(self._range(first, end))
        return proof[::-1]

    def root_at(self, size: int) -> bytes:
        """The root this tree had when it had `size` leaves."""
        self._within(0, size, self.size)
        return self._range(0, size) if size else EMPTY_ROOT

    def hashes(self, first: int, last: int) -> list[bytes]:
        """The hashes of the leaves `first` up to but without `last`."""
        self._within(0, first, last)
        self._within(0, last, self.size)
        found: list[bytes] = []
        if first == last:
            return found
        for tile in range(first // TILE_WIDTH, (last - 1) // TILE_WIDTH + 1):
            row, start = self._tile(0, tile)[0], tile * TILE_WIDTH
            found += _cut(row, HASH_BYTES)[max(first - start, 0) : last - start]
        return found

    def bundle_root(self, index: int) -> bytes:
        """The hash of the full tile `index` of level 0: what a full entry bundle must hash to."""
        self._within(0, index, self.size // TILE_WIDTH - 1)
        return self._node(_HEIGHT, index)

    def _within(self, low: int, asked: int, high: int) -> None:
        if not low <= asked <= high:
            raise ValueError("not a part of this tree")

    def _range(self, first: int, end: int) -> bytes:
        """MTH(D[first:end]) of a range that RFC 6962's splitting produces: `first` is a multiple of its first piece."""
        pieces = []
        while first < end:
            height = (end - first).bit_length() - 1
            pieces.append(self._node(height, first >> height))
            first += 1 << height
        found = pieces.pop()
        while pieces:
            found = node_hash(pieces.pop(), found)
        return found

    def _node(self, height: int, index: int) -> bytes:
        """The hash of the complete subtree over the leaves [index · 2^height, (index + 1) · 2^height)."""
        level, inside = divmod(height, _HEIGHT)
        tile, at = divmod(index << inside, TILE_WIDTH)
        row = self._tile(level, tile)[inside]
        at >>= inside
        return row[at * HASH_BYTES : (at + 1) * HASH_BYTES]

    def _tile(self, level: int, index: int) -> list[bytes]:
        """The nodes inside a verified tile, by height: row 0 is the tile itself."""
        if index == self.size >> _HEIGHT * (level + 1):
            return self._verified_edge()[level]
        found = self._full.get((level, index))
        if found is None:
            tile = Tile(level, index)
            found = _pyramid(self._read(tile))
            # The level above holds the hash of this tile, and is traced to the root in the same way.
            if found[-1] != self._node(_HEIGHT * (level + 1), index):
                raise Refused("log-tile-mismatch", tile.path, "not the tile that this tree has there")
            self._full[level, index] = found
            if len(self._full) > _KEPT:
                self._full.popitem(last=False)
        else:
            self._full.move_to_end((level, index))
        return found

    def _verified_edge(self) -> dict[int, list[bytes]]:
        """The partial tiles by level. They make the root together, so that none can be verified without the others."""
        if self._edge is None:
            read = {
                level: self._read(Tile(level, self.size >> _HEIGHT * (level + 1), width)) if width else b""
                for level, width in _widths(self.size)
            }
            edge = Edge(self.size, list(read.values()))
            if edge.root() != self.root:
                paths = ", ".join(tile.path for tile, _ in edge.partial_tiles())
                raise Refused("log-tile-mismatch", paths, "together they do not make the root of this tree")
            self._edge = {level: _pyramid(row) for level, row in read.items()}
        return self._edge

    def _read(self, tile: Tile) -> bytes:
        raw = self._fetch(tile)[: tile.width * HASH_BYTES]
        if len(raw) != tile.width * HASH_BYTES:
            raise Refused("log-tile-mismatch", tile.path, "too short")
        return raw


def _climb(node: int, last: int, path: Sequence[bytes]) -> list[tuple[bool, bytes]] | None:
    """Whether each sibling stands on the left, on the way up from `node`; None if the path is not as long."""
    steps = []
    for sibling in path:
        if last == 0:
            return None
        left = bool(node & 1) or node == last
        while left and node and not node & 1:
            node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
        steps.append((left, sibling))
    return steps if last == 0 else None


def _split(size: int) -> int:
    """The largest power of two below `size`, which is at least 2."""
    return 1 << (size - 1).bit_length() - 1


def _widths(size: int) -> Iterator[tuple[int, int]]:
    """(level, width of its partial tile), for each level that a tree of `size` leaves has."""
    for level in range((size.bit_length() + _HEIGHT - 1) // _HEIGHT):
        yield level, size >> _HEIGHT * level & 0xFF


def _hashes(found: Sequence[bytes]) -> bool:
    return all(len(one) == HASH_BYTES for one in found)


def _cut(row: bytes, width: int) -> list[bytes]:
    return [row[at : at + width] for at in range(0, len(row), width)]


def _folded(row: bytes) -> bytes:
    """The root over the nodes in `row`; nothing over none."""
    while len(row) > HASH_BYTES:
        # An odd last node moves up as it is, which is the same tree as splitting at the largest power of two.
        row = _paired(row) + row[len(row) - len(row) % (2 * HASH_BYTES) :]
    return row


def _paired(row: bytes) -> bytes:
    """The parents of the nodes in `row`; an odd last one has none."""
    sha256, end = hashlib.sha256, len(row) - 2 * HASH_BYTES + 1
    return b"".join([sha256(b"\x01" + row[at : at + 64]).digest() for at in range(0, end, 2 * HASH_BYTES)])


def _pyramid(tile: bytes) -> list[bytes]:
    """The complete nodes of a tile by height, the tile itself first."""
    rows = [tile]
    while len(rows[-1]) > HASH_BYTES:
        rows.append(_paired(rows[-1]))
    return rows

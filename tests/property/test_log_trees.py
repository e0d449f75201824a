"""Laws of the log's tree: what its tiles prove is what RFC 6962 defines, and no proof survives a change."""

import hashlib
from functools import cache
from typing import NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.support.vectors import trees
from tocsin_schemas.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    Edge,
    Tile,
    TileTree,
    leaf_hash,
    merkle_root,
    parse_tile_path,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from tocsin_schemas.problems import Refused

settings.register_profile("trees", max_examples=150, deadline=None)
profile = settings.get_profile("trees")

MOST = 600
LEAVES = [at.to_bytes(2) for at in range(MOST)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
SIZES = st.integers(1, MOST)
SPANS = st.tuples(SIZES, SIZES).map(sorted)


class Published(NamedTuple):
    """A log of the first `size` leaves as it is published: its tiles by path, and its root."""

    root: bytes
    tiles: dict[str, bytes]

    def tree(self, size: int) -> TileTree:
        return TileTree(size, self.root, lambda tile: self.tiles[tile.path])


@cache
def published(size: int) -> Published:
    edge = Edge.empty()
    tiles = edge.extend(HASHES[:size]) + edge.partial_tiles()
    return Published(edge.root(), {tile.path: data for tile, data in tiles})


@cache
def defined_root(first: int, end: int) -> bytes:
    """MTH(D[first:end]) of RFC 6962 §2.1, remembered."""
    if end - first == 1:
        return HASHES[first]
    middle = first + trees.split(end - first)
    return hashlib.sha256(b"\x01" + defined_root(first, middle) + defined_root(middle, end)).digest()


def defined_path(index: int, first: int, end: int) -> list[bytes]:
    """PATH of RFC 6962 §2.1.1 over remembered roots."""
    if end - first == 1:
        return []
    middle = first + trees.split(end - first)
    if index < middle:
        return [*defined_path(index, first, middle), defined_root(middle, end)]
    return [*defined_path(index, middle, end), defined_root(first, middle)]


@pytest.mark.parametrize("first", range(1, MOST + 1, 60))
def test_every_entry_of_every_tree_is_proved_in_it(first: int) -> None:
    for size in range(first, first + 60):
        root, _ = published(size)
        assert root == defined_root(0, size)
        tree = published(size).tree(size)
        for index in range(size):
            assert verify_inclusion(HASHES[index], index, size, tree.inclusion(index), root)


@pytest.mark.parametrize("first", range(1, MOST + 1, 60))
def test_every_tree_continues_the_smaller_ones(first: int) -> None:
    """Every seventh smaller one: with each size other ones, and near the sizes of tiles all of them."""
    for size in range(first, first + 60):
        root, _ = published(size)
        tree = published(size).tree(size)
        step = 1 if size % 256 <= 2 else 7
        for old in range(size % step + 1, size + 1, step):
            assert verify_consistency(old, defined_root(0, old), size, root, tree.consistency(old))


@given(SPANS)
@settings(profile)
def test_proofs_are_the_ones_of_the_definition(span: list[int]) -> None:
    old, new = span
    tree = published(new).tree(new)
    assert tree.root_at(old) == defined_root(0, old)
    assert tree.inclusion(old - 1) == defined_path(old - 1, 0, new)
    assert tree.consistency(old) == trees.proof(old, LEAVES[:new])


def edited(hashes: list[bytes], at: int, bit: int) -> list[bytes]:
    """`hashes` with one bit turned in the hash at `at`."""
    turned = bytearray(hashes[at])
    turned[bit // 8] ^= 1 << bit % 8
    return [*hashes[:at], bytes(turned), *hashes[at + 1 :]]


@given(SIZES, st.data())
@settings(profile)
def test_no_change_of_an_audit_path_is_accepted(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root, _ = published(size)
    path = published(size).tree(size).inclusion(index)
    changed = data.draw(
        st.sampled_from(["index", "leaf", "root", "shorter", "longer", "bit", "swap", "width"])
    )
    leaf, at, bit = HASHES[index], index, data.draw(st.integers(0, 255))
    if changed == "index":
        at = data.draw(st.integers(-2, MOST + 2).filter(lambda other: other != index))
    elif changed == "leaf":
        (leaf,) = edited([leaf], 0, bit)
    elif changed == "root":
        (root,) = edited([root], 0, bit)
    elif changed == "longer":
        path.insert(
            data.draw(st.integers(0, len(path))), data.draw(st.sampled_from([leaf, root, EMPTY_ROOT]))
        )
    else:
        assume(path)
        which = data.draw(st.integers(0, len(path) - 1))
        if changed == "shorter":
            path.pop(which)
        elif changed == "bit":
            path = edited(path, which, bit)
        elif changed == "width":
            path[which] = path[which][:-1]
        else:
            other = data.draw(st.integers(0, len(path) - 1))
            assume(other != which)
            path[which], path[other] = path[other], path[which]
    assert not verify_inclusion(leaf, at, size, path, root)


@given(SPANS, st.data())
@settings(profile)
def test_no_change_of_a_consistency_proof_is_accepted(span: list[int], data: st.DataObject) -> None:
    old, new = span
    assume(old < new)
    old_root, new_root = defined_root(0, old), defined_root(0, new)
    proof = published(new).tree(new).consistency(old)
    changed = data.draw(st.sampled_from(["old", "new", "both", "shorter", "longer", "bit", "swap", "width"]))
    bit, which = data.draw(st.integers(0, 255)), data.draw(st.integers(0, len(proof) - 1))
    if changed in ("old", "both"):
        (old_root,) = edited([old_root], 0, bit)
    if changed in ("new", "both"):
        (new_root,) = edited([new_root], 0, bit)
    if changed == "shorter":
        proof.pop(which)
    elif changed == "longer":
        proof.insert(which, data.draw(st.sampled_from([old_root, new_root, EMPTY_ROOT])))
    elif changed == "bit":
        proof = edited(proof, which, bit)
    elif changed == "width":
        proof[which] += b"\0"
    elif changed == "swap":
        other = data.draw(st.integers(0, len(proof) - 1))
        assume(other != which)
        proof[which], proof[other] = proof[other], proof[which]
    assert not verify_consistency(old, old_root, new, new_root, proof)


HASH = st.binary(min_size=30, max_size=34)
NUMBER = st.one_of(st.integers(-3, 20), st.integers())


@given(HASH, NUMBER, NUMBER, st.lists(HASH, max_size=8), HASH)
@settings(profile)
def test_junk_proves_nothing_and_breaks_nothing(
    one: bytes, first: int, second: int, hashes: list[bytes], other: bytes
) -> None:
    assert not verify_inclusion(one, first, second, hashes, other) or (second == 1 and one == other)
    assert not verify_consistency(first, one, second, other, hashes) or one == other


@given(st.lists(st.integers(0, MOST), max_size=6))
@settings(profile)
def test_an_edge_does_not_care_how_it_grew(cuts: list[int]) -> None:
    edge, tiles = Edge.empty(), []
    for first, end in zip([0, *sorted(cuts)], [*sorted(cuts), MOST], strict=True):
        tiles += edge.extend(HASHES[first:end])
        edge = Edge.decode(edge.size, edge.encode())
        assert edge.root() == tree_root(HASHES[:end])
    assert {tile.path: data for tile, data in tiles + edge.partial_tiles()} == published(MOST).tiles


@given(st.integers(0, 63), st.integers(0, 10**15 - 1), st.integers(1, 256))
@settings(profile)
def test_the_path_of_a_tile_reads_back(level: int, index: int, width: int) -> None:
    assert parse_tile_path(Tile(level, index, width).path) == Tile(level, index, width)


@given(st.text("x0123456789/.pP ", max_size=24).map("tile/{}".format))
@settings(profile)
def test_what_reads_as_a_path_is_written_the_same(text: str) -> None:
    try:
        written = parse_tile_path(text).path
    except Refused:
        return
    assert written == text


@given(st.lists(st.binary(max_size=4), max_size=70))
@settings(profile)
def test_the_root_is_the_one_of_the_definition(leaves: list[bytes]) -> None:
    assert merkle_root(leaves) == trees.root(leaves)
    assert tree_root([leaf_hash(leaf) for leaf in leaves]) == trees.root(leaves)


@given(SIZES, st.data())
@settings(profile)
def test_one_turned_bit_in_a_tile_is_seen(size: int, data: st.DataObject) -> None:
    """Every way of reading a leaf goes through its tile, so a changed tile is refused whatever is asked."""
    root, tiles = published(size)
    path = data.draw(st.sampled_from(sorted(tiles)))
    at = data.draw(st.integers(0, len(tiles[path]) - 1))
    bad = bytearray(tiles[path])
    bad[at] ^= 1 << data.draw(st.integers(0, 7))
    tree = TileTree(size, root, lambda tile: bytes(bad) if tile.path == path else tiles[tile.path])
    with pytest.raises(Refused, match="log-tile-mismatch") as refused:
        tree.hashes(0, size)
    assert path in refused.value.field


@given(SPANS)
@settings(profile)
def test_leaf_hashes_are_read_as_they_are(span: list[int]) -> None:
    first, last = span
    tree = published(MOST).tree(MOST)
    assert tree.hashes(first, last) == HASHES[first:last]
    bundle = first // 256
    assume(bundle < MOST // 256)
    assert tree.bundle_root(bundle) == tree_root(HASHES[bundle * 256 : (bundle + 1) * 256])


def test_hashes_have_the_size_they_are_said_to_have() -> None:
    assert {len(one) for one in (*HASHES, EMPTY_ROOT)} == {HASH_BYTES}

"""Reading a tree through its tiles: what is asked for, how often, and what is not believed."""

import pytest

from tocsin_schemas.ledger import bundle_path, parse_bundle_path
from tocsin_schemas.merkle import (
    Edge,
    Tile,
    TileTree,
    leaf_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from tocsin_schemas.problems import Refused
from tocsin_schemas.tile_paths import TILE_WIDTH, index_path, parse_index_path

SIZE = 70_000
HASHES = [leaf_hash(at.to_bytes(8)) for at in range(SIZE)]
EDGE = Edge.empty()
TILES = {tile.path: data for tile, data in EDGE.extend(HASHES) + EDGE.partial_tiles()}
ROOT = EDGE.root()


class Store:
    """Tiles by path, and the paths that were asked for."""

    def __init__(self, **instead: bytes) -> None:
        self.tiles = TILES | instead
        self.asked: list[str] = []

    def __call__(self, tile: Tile) -> bytes:
        self.asked.append(tile.path)
        return self.tiles[tile.path]

    def tree(self) -> TileTree:
        return TileTree(SIZE, ROOT, self)


EDGE_TILES = ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]


def turned(path: str, at: int = 0) -> bytes:
    """A tile with one bit turned."""
    return TILES[path][:at] + bytes([TILES[path][at] ^ 1]) + TILES[path][at + 1 :]


def test_a_proof_asks_for_the_edge_and_the_tiles_on_its_way_once() -> None:
    store = Store()
    tree = store.tree()
    assert verify_inclusion(HASHES[1000], 1000, SIZE, tree.inclusion(1000), ROOT)
    assert sorted(store.asked) == sorted(["tile/0/003", "tile/1/000", *EDGE_TILES])
    tree.inclusion(1001)
    tree.hashes(900, 1000)
    assert len(store.asked) == 5


def test_what_lies_on_the_edge_asks_for_the_edge_alone() -> None:
    store = Store()
    tree = store.tree()
    assert tree.hashes(69_900, SIZE) == HASHES[69_900:]
    tree.inclusion(SIZE - 1)
    assert store.asked == EDGE_TILES


def test_a_full_tile_is_asked_for_where_there_is_one() -> None:
    store = Store()
    assert store.tree().root_at(300) == tree_root(HASHES[:300])
    assert not [path for path in store.asked if ".p/" in path and path not in EDGE_TILES]


def test_a_log_may_answer_with_the_full_tile_that_replaced_a_partial_one() -> None:
    size = 300
    edge = Edge.empty()
    tiles = {tile.path: data for tile, data in edge.extend(HASHES[:size]) + edge.partial_tiles()}
    tiles["tile/0/001.p/44"] = TILES["tile/0/001"]
    tree = TileTree(size, edge.root(), lambda tile: tiles[tile.path])
    assert tree.hashes(0, size) == HASHES[:size]
    assert verify_inclusion(HASHES[299], 299, size, tree.inclusion(299), edge.root())


def test_only_so_many_tiles_are_kept() -> None:
    store = Store()
    tree = store.tree()
    tree.hashes(0, 256 * 63)
    store.asked.clear()
    tree.hashes(0, 256)
    assert store.asked == []
    tree.hashes(256 * 63, 256 * 65)
    store.asked.clear()
    tree.hashes(0, 256)
    tree.hashes(256, 512)
    assert store.asked == ["tile/0/001"]


@pytest.mark.parametrize("path", ["tile/0/003", "tile/1/000"])
def test_a_changed_full_tile_is_refused_by_name(path: str) -> None:
    tree = Store(**{path: turned(path)}).tree()
    with pytest.raises(Refused) as refused:
        tree.inclusion(1000)
    assert (refused.value.code, refused.value.field) == ("log-tile-mismatch", path)


def test_a_tile_that_changed_far_from_the_entry_is_refused_too() -> None:
    tree = Store(**{"tile/0/003": turned("tile/0/003", 8191)}).tree()
    with pytest.raises(Refused, match="tile/0/003"):
        tree.hashes(768, 769)


def test_swapped_tiles_are_refused() -> None:
    tree = Store(**{"tile/0/003": TILES["tile/0/004"], "tile/0/004": TILES["tile/0/003"]}).tree()
    with pytest.raises(Refused, match="tile/0/004"):
        tree.hashes(1024, 1025)


@pytest.mark.parametrize("path", EDGE_TILES)
def test_a_changed_partial_tile_refuses_the_edge_naming_its_tiles(path: str) -> None:
    tree = Store(**{path: turned(path)}).tree()
    with pytest.raises(Refused) as refused:
        tree.hashes(0, 1)
    assert refused.value.code == "log-tile-mismatch"
    assert refused.value.field.split(", ") == EDGE_TILES


@pytest.mark.parametrize("path", ["tile/0/003", "tile/0/273.p/112"])
def test_a_tile_that_is_cut_off_is_refused_by_name(path: str) -> None:
    tree = Store(**{path: TILES[path][:-1]}).tree()
    with pytest.raises(Refused) as refused:
        tree.inclusion(1000)
    assert (refused.value.code, refused.value.field) == ("log-tile-mismatch", path)


def test_nothing_that_was_refused_is_kept() -> None:
    store = Store(**{"tile/0/003": turned("tile/0/003")})
    tree = store.tree()
    with pytest.raises(Refused):
        tree.hashes(768, 769)
    store.tiles = TILES
    assert tree.hashes(768, 769) == HASHES[768:769]


def test_what_fetching_raises_goes_through() -> None:
    store = Store()
    store.tiles = {}
    with pytest.raises(KeyError):
        store.tree().inclusion(0)


def test_what_the_tree_does_not_have_is_not_asked_for() -> None:
    store = Store()
    tree = store.tree()
    for asked in (
        lambda: tree.inclusion(SIZE),
        lambda: tree.inclusion(-1),
        lambda: tree.consistency(SIZE + 1),
        lambda: tree.consistency(-1),
        lambda: tree.root_at(SIZE + 1),
        lambda: tree.hashes(5, 4),
        lambda: tree.hashes(-1, 4),
        lambda: tree.hashes(0, SIZE + 1),
        lambda: tree.bundle_root(273),
        lambda: tree.bundle_root(-1),
    ):
        with pytest.raises(ValueError, match="not a part of this tree"):
            asked()
    assert store.asked == []


def test_nothing_is_fetched_where_nothing_is_to_prove() -> None:
    store = Store()
    tree = store.tree()
    assert tree.consistency(0) == tree.consistency(SIZE) == tree.hashes(7, 7) == []
    assert tree.root_at(0) == tree_root([])
    assert store.asked == []


def test_a_tree_of_one_entry_is_its_own_proof() -> None:
    tree = TileTree(1, HASHES[0], lambda _: HASHES[0])
    assert tree.inclusion(0) == []
    assert tree.hashes(0, 1) == [HASHES[0]]


def test_two_trees_far_apart_are_proved() -> None:
    tree = Store().tree()
    for old in (1, 255, 256, 257, 65_536, 65_537, SIZE - 1):
        assert verify_consistency(old, tree_root(HASHES[:old]), SIZE, ROOT, tree.consistency(old))


def test_a_full_bundle_hashes_to_what_the_tree_says() -> None:
    tree = Store().tree()
    assert tree.bundle_root(272) == tree_root(HASHES[272 * 256 : 273 * 256])


def test_an_edge_that_was_put_away_grows_on() -> None:
    edge = Edge.empty()
    tiles = edge.extend(HASHES[:65_500])
    edge = Edge.decode(edge.size, edge.encode())
    tiles += edge.extend(HASHES[65_500:])
    assert (edge.root(), edge.encode()) == (ROOT, EDGE.encode())
    assert {tile.path: data for tile, data in tiles + edge.partial_tiles()} == TILES
    assert len(tiles) == 274


def test_the_edge_is_its_partial_tiles() -> None:
    assert EDGE.encode() == b"".join(TILES[path] for path in EDGE_TILES)
    assert [tile.path for tile, _ in EDGE.partial_tiles()] == EDGE_TILES


@pytest.mark.parametrize(("size", "length"), [(0, 32), (1, 0), (256, 0), (255, 255 * 32 - 1), (257, 96)])
def test_an_edge_of_another_length_is_none(size: int, length: int) -> None:
    with pytest.raises(ValueError, match="not as long as its size demands"):
        Edge.decode(size, bytes(length))


@pytest.mark.parametrize(
    "path", ["tile/entries", "tile/entries/", "tile/0/000", "entries/000", "tile/entries/x000/001"]
)
def test_a_bundle_has_one_path(path: str) -> None:
    with pytest.raises(Refused, match="not-found"):
        parse_bundle_path(path)


@pytest.mark.parametrize(
    ("index", "width", "path"),
    [
        (0, 1, "000.p/1"),
        (999, TILE_WIDTH, "999"),
        (1067, 8, "x001/067.p/8"),
        (10**6, 255, "x001/x000/000.p/255"),
    ],
)
def test_an_index_is_spelled_in_groups_of_three(index: int, width: int, path: str) -> None:
    assert index_path(index, width) == path
    assert parse_index_path(path) == (index, width)


def test_the_path_of_a_bundle_reads_back() -> None:
    assert parse_bundle_path(bundle_path(1_234_067, 8)) == (1_234_067, 8)

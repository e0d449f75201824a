"""The log's Merkle tree: proofs, tiles and their paths, by the definitions of RFC 6962 §2.1 and C2SP tlog-tiles.

The leaves, and the proofs spelled out under `KNOWN`, are those of the test data of Certificate Transparency's reference
implementation; all else follows from the recursive definitions, which are far too slow for a log and easy to check.
"""

import hashlib
from typing import Any, Final

from tests.support.vectors.log import LEAVES, ROOTS

EIGHT: Final = [bytes.fromhex(leaf) for leaf in LEAVES[:8]]
KNOWN: Final = (
    (0, 1, ()),
    (
        0,
        8,
        (
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ),
    ),
    (
        5,
        8,
        (
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ),
    ),
    (2, 3, ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",)),
    (
        1,
        5,
        (
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ),
    ),
)
"""(index of the leaf, size of the tree, its audit path)."""


def split(size: int) -> int:
    """The largest power of two below `size`."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    at = split(len(leaves))
    return hashlib.sha256(b"\x01" + root(leaves[:at]) + root(leaves[at:])).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 §2.1.1."""
    if len(leaves) == 1:
        return []
    at = split(len(leaves))
    if index < at:
        return [*path(index, leaves[:at]), root(leaves[at:])]
    return [*path(index - at, leaves[at:]), root(leaves[:at])]


def proof(old: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """PROOF of RFC 6962 §2.1.2, and its SUBPROOF."""
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    at = split(len(leaves))
    if old <= at:
        return [*proof(old, leaves[:at], whole), root(leaves[at:])]
    return [*proof(old - at, leaves[at:], False), root(leaves[:at])]


def _hex(hashes: list[bytes]) -> list[str]:
    return [one.hex() for one in hashes]


def _inclusion() -> list[dict[str, Any]]:
    return [
        {
            "index": index,
            "size": size,
            "leaf": hashlib.sha256(b"\x00" + EIGHT[index]).hexdigest(),
            "path": _hex(path(index, EIGHT[:size])),
            "root": ROOTS[size],
        }
        for size in range(1, 9)
        for index in range(size)
    ]


def _consistency() -> list[dict[str, Any]]:
    return [
        {
            "old_size": old,
            "old_root": ROOTS[old],
            "new_size": new,
            "new_root": ROOTS[new],
            "proof": _hex(proof(old, EIGHT[:new])) if old else [],
        }
        for new in range(9)
        for old in range(new + 1)
    ]


def _refused_inclusion() -> list[dict[str, Any]]:
    good = next(one for one in _inclusion() if (one["index"], one["size"]) == (4, 7))
    first, second, *rest = good["path"]
    return [
        {"why": "another index", **good, "index": 5},
        {"why": "another size", **good, "size": 5},
        {"why": "an index outside the tree", **good, "index": 7},
        {"why": "the empty tree", **good, "index": 0, "size": 0, "root": ROOTS[0], "path": []},
        {"why": "another leaf", **good, "leaf": "00" * 32},
        {"why": "another root", **good, "root": ROOTS[6]},
        {"why": "too short", **good, "path": [first, second]},
        {"why": "too long", **good, "path": [*good["path"], ROOTS[0]]},
        {"why": "out of order", **good, "path": [second, first, *rest]},
        {"why": "an empty path", **good, "path": []},
        {
            "why": "an inner node for the leaf",
            **good,
            "leaf": root(EIGHT[4:6]).hex(),
            "path": [second, *rest],
        },
        {
            "why": "the index behind the only leaf",
            "index": 1,
            "size": 1,
            "leaf": ROOTS[1],
            "path": [],
            "root": ROOTS[1],
        },
        {
            "why": "a higher tree than the size has",
            "index": 0,
            "size": 1,
            "leaf": root(EIGHT[1:2]).hex(),
            "path": [root(EIGHT[:1]).hex()],
            "root": ROOTS[2],
        },
        {
            "why": "the same bytes, cut elsewhere",
            **good,
            "leaf": good["leaf"] + first[:2],
            "path": [first[2:], second, *rest],
        },
        {"why": "a hash cut short", **good, "path": [first[:-2], second, *rest]},
    ]


def _refused_consistency() -> list[dict[str, Any]]:
    good = next(one for one in _consistency() if (one["old_size"], one["new_size"]) == (3, 7))
    power = next(one for one in _consistency() if (one["old_size"], one["new_size"]) == (4, 8))
    first, *rest = good["proof"]
    empty = {"old_size": 0, "old_root": ROOTS[0], "proof": []}
    return [
        {"why": "another old root", **good, "old_root": ROOTS[4]},
        {"why": "another new root", **good, "new_root": ROOTS[8]},
        {"why": "another old size", **good, "old_size": 2},
        {"why": "another new size", **good, "new_size": 4},
        {"why": "the new tree is smaller", **good, "old_size": 7, "new_size": 3},
        {"why": "no proof", **good, "proof": []},
        {"why": "no proof of a power of two", **power, "proof": []},
        {"why": "too short", **good, "proof": good["proof"][:-1]},
        {"why": "too long", **good, "proof": [*good["proof"], ROOTS[0]]},
        {"why": "out of order", **good, "proof": [*rest, first]},
        {
            "why": "the same bytes, cut elsewhere",
            **power,
            "old_root": ROOTS[4] + power["proof"][0][:2],
            "proof": [power["proof"][0][2:]],
        },
        {
            "why": "a higher tree than the sizes have",
            "old_size": 1,
            "old_root": ROOTS[1],
            "new_size": 2,
            "new_root": ROOTS[4],
            "proof": [root(EIGHT[1:2]).hex(), root(EIGHT[2:4]).hex()],
        },
        {
            "why": "a lower tree than the sizes have",
            "old_size": 1,
            "old_root": ROOTS[1],
            "new_size": 4,
            "new_root": ROOTS[2],
            "proof": [root(EIGHT[1:2]).hex()],
        },
        {"why": "the old root in front of its own proof", **power, "proof": [ROOTS[4], *power["proof"]]},
        {"why": "same size, another root", **good, "new_size": 3, "proof": []},
        {"why": "same size, with a proof", **good, "new_size": 3, "new_root": ROOTS[3]},
        {"why": "a proof from the empty tree", **good, **empty, "proof": [ROOTS[3]]},
        {"why": "a root of the empty tree that is none", **good, **empty, "old_root": ROOTS[3]},
        {"why": "an empty tree with a root", **good, **empty, "new_size": 0},
    ]


def _tiles() -> list[dict[str, Any]]:
    """The tiles of trees whose leaf n is n as 8 bytes, big-endian; a tile is given by its SHA-256."""
    found = []
    for size in (0, 1, 255, 256, 257, 512, 70_000):
        level = [hashlib.sha256(b"\x00" + at.to_bytes(8)).digest() for at in range(size)]
        tiles: list[dict[str, str]] = []
        number = 0
        while level:
            for at in range(0, len(level), 256):
                held = level[at : at + 256]
                suffix = "" if len(held) == 256 else f".p/{len(held)}"
                tiles.append(
                    {
                        "path": f"tile/{number}/{at // 256:03d}{suffix}",
                        "sha256": hashlib.sha256(b"".join(held)).hexdigest(),
                    }
                )
            level = [_over(level[at : at + 256]) for at in range(0, len(level) - 255, 256)]
            number += 1
        shown = tiles if size < 1000 else [tile for tile in tiles if tile["path"] > "tile/0/270"]
        found.append({"size": size, "root": _over_leaves(size).hex(), "tiles": shown})
    return found


def _over(hashes: list[bytes]) -> bytes:
    """The hash over hashes, split as RFC 6962 §2.1 says."""
    if len(hashes) == 1:
        return hashes[0]
    at = split(len(hashes))
    return hashlib.sha256(b"\x01" + _over(hashes[:at]) + _over(hashes[at:])).digest()


def _over_leaves(size: int) -> bytes:
    return root([at.to_bytes(8) for at in range(size)])


def document() -> dict[str, Any]:
    return {
        "says": "Proofs by RFC 6962 §2.1.1 and §2.1.2; tiles and their paths by C2SP tlog-tiles.",
        "leaves_hex": list(LEAVES[:8]),
        "inclusion": _inclusion(),
        "refused_inclusion": _refused_inclusion(),
        "consistency": _consistency(),
        "refused_consistency": _refused_consistency(),
        "tiles": _tiles(),
        "paths": [
            {"level": level, "index": index, "width": width, "path": path}
            for level, index, width, path in (
                (0, 0, 256, "tile/0/000"),
                (0, 0, 1, "tile/0/000.p/1"),
                (1, 999, 255, "tile/1/999.p/255"),
                (0, 1000, 256, "tile/0/x001/000"),
                (2, 1234067, 256, "tile/2/x001/x234/067"),
                (63, 1234067, 8, "tile/63/x001/x234/067.p/8"),
                (0, 10**15 - 1, 256, "tile/0/x999/x999/x999/x999/999"),
            )
        ],
        "refused_paths": [
            {"why": why, "path": path}
            for why, path in (
                ("nothing", ""),
                ("no index", "tile/0/"),
                ("two digits", "tile/0/00"),
                ("four digits", "tile/0/0000"),
                ("a leading group of zeros", "tile/0/x000/001"),
                ("a group without x", "tile/0/001/067"),
                ("x in front of the last group", "tile/0/x001"),
                ("a capital X", "tile/0/X001/067"),
                ("level with a leading zero", "tile/00/000"),
                ("level 64", "tile/64/000"),
                ("a negative level", "tile/-1/000"),
                ("width 0", "tile/0/000.p/0"),
                ("width 256", "tile/0/000.p/256"),
                ("width 999", "tile/0/000.p/999"),
                ("width with a leading zero", "tile/0/000.p/01"),
                ("no width", "tile/0/000.p/"),
                ("a slash behind", "tile/0/000/"),
                ("a slash in front", "/tile/0/000"),
                ("a line feed behind", "tile/0/000\n"),
                ("digits of another script", "tile/0/\u0660\u0660\u0660"),
                ("an entry bundle", "tile/entries/000"),
                ("up and down again", "tile/0/../0/000"),
                ("eighteen digits", "tile/0/x001/x000/x000/x000/x000/000"),
            )
        ],
    }

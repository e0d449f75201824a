"""Snapshots: shards, deltas and the manifest, written out bit by bit after PROTOCOL §10."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

SHARD_KEYS: Final = 65_536
BLOCK_KEYS: Final = 4096


def derived(count: int, width: int, name: str) -> list[bytes]:
    """`count` keys: the first `width` bytes of SHA-256(name ‖ number as 4 bytes) for 0, 1, …, ascending."""
    found = [hashlib.sha256(name.encode() + number.to_bytes(4)).digest()[:width] for number in range(count)]
    return sorted(found)


def shard(kind: str, keys: Sequence[bytes]) -> bytes:
    width, count = len(keys[0]), len(keys)
    shared = 0
    while shared < width - 4 and len({key[: shared + 1] for key in (keys[0], keys[-1])}) == 1:
        shared += 1
    heads = [int.from_bytes(key[shared : shared + 4]) for key in keys]
    gaps = [0 if at % BLOCK_KEYS == 0 else heads[at] - heads[at - 1] for at in range(count)]
    k = _best_k(gaps)
    index = b""
    for at in range(0, count, BLOCK_KEYS):
        index += heads[at].to_bytes(4) + sum((gap >> k) + 1 for gap in gaps[:at]).to_bytes(4)
    quotients, remainders = _planes(gaps, k)
    header = b"TSS1" + _kind(kind) + width.to_bytes(2) + bytes([shared, k]) + count.to_bytes(4)
    suffixes = b"".join(key[shared + 4 :] for key in keys)
    body = keys[0][:shared] + index + quotients + remainders + suffixes
    return header + len(quotients).to_bytes(4) + body


def delta(kind: str, before: Sequence[bytes], after: Sequence[bytes]) -> bytes:
    removed = [at for at, key in enumerate(before) if key not in set(after)]
    added = [key for key in after if key not in set(before)]
    gaps = [at - previous - 1 for previous, at in zip([-1, *removed], removed, strict=False)]
    k = _best_k(gaps)
    quotients, remainders = _planes(gaps, k)
    shards = [shard(kind, part) for part in split(added, 0)]
    numbers = (len(before), len(after), len(removed), len(quotients), len(shards))
    header = b"TSD1" + _kind(kind) + len((*before, *after)[0]).to_bytes(2) + bytes([k, 0])
    framed = b"".join(len(part).to_bytes(4) + part for part in shards)
    return header + b"".join(number.to_bytes(4) for number in numbers) + quotients + remainders + framed


def split(keys: Sequence[bytes], bits: int) -> Iterator[Sequence[bytes]]:
    if len(keys) <= SHARD_KEYS:
        if keys:
            yield keys
        return
    for bit in "01":
        yield from split(
            [key for key in keys if f"{int.from_bytes(key):0{8 * len(key)}b}"[bits] == bit], bits + 1
        )


def _best_k(numbers: Sequence[int]) -> int:
    return min(range(32), key=lambda k: (sum((number >> k) + 1 + k for number in numbers), k))


def _planes(numbers: Sequence[int], k: int) -> tuple[bytes, bytes]:
    unary = "".join("0" * (number >> k) + "1" for number in numbers)
    low = "".join(f"{number % 2**k:0{k}b}" for number in numbers) if k else ""
    return _packed(unary), _packed(low)


def _packed(bits: str) -> bytes:
    padded = bits + "0" * (-len(bits) % 8)
    return bytes(int(padded[at : at + 8], 2) for at in range(0, len(padded), 8))


def _kind(kind: str) -> bytes:
    return kind.encode() + bytes(16 - len(kind))


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _listed(kind: str, keys: Sequence[bytes]) -> dict[str, Any]:
    return {"type": kind, "keys_hex": [key.hex() for key in keys], "shard_hex": shard(kind, keys).hex()}


def _token(name: str) -> bytes:
    return b"\x01" + (7).to_bytes(4) + hashlib.sha256(name.encode()).digest()


SMALL: Final = derived(5, 16, "small")
TOKENS: Final = sorted(_token(name) for name in ("a", "b", "c"))


def _refused() -> Iterator[dict[str, str]]:
    good = shard("md5", SMALL)

    def altered(why: str, at: int, value: int) -> dict[str, str]:
        raw = bytearray(good)
        assert raw[at] != value
        raw[at] = value
        return {"why": why, "shard_hex": raw.hex()}

    yield {"why": "nothing", "shard_hex": ""}
    yield {"why": "cut off", "shard_hex": good[:-1].hex()}
    yield {"why": "a byte behind the end", "shard_hex": (good + b"\0").hex()}
    yield {"why": "another type", "shard_hex": shard("sha1", SMALL).hex()}
    yield altered("another magic", 3, ord("2"))
    yield altered("a k of more than 31", 23, 32)
    yield altered("more keys than the codes hold", 27, 6)
    yield altered("no keys", 27, 0)
    yield altered("an index whose first block does not begin at bit 0", 32 + 7, 1)
    # The codes are of five numbers: bits are left in the last byte of the quotients.
    quotients = int.from_bytes(good[28:32])
    yield altered(
        "a stray bit behind the quotients", 32 + 8 + quotients - 1, good[32 + 8 + quotients - 1] | 1
    )
    yield {"why": "a key twice", "shard_hex": _doubled().hex()}


def _doubled() -> bytes:
    key = SMALL[0]
    # Two heads with a gap of 0 and equal suffixes: k is 0, the codes are two ones.
    header = b"TSS1" + _kind("md5") + (16).to_bytes(2) + bytes([12, 0]) + (2).to_bytes(4) + (1).to_bytes(4)
    return header + key[:12] + key[12:16] + bytes(4) + b"\xc0"


def _manifest() -> dict[str, Any]:
    raw, step = shard("md5", SMALL), delta("md5", SMALL[1:], SMALL)
    manifest = {
        "community": "child-safety",
        "type": "md5",
        "version": 2,
        "at": "2026-11-22T12:00:00Z",
        "log_size": 812,
        "width": 16,
        "count": len(SMALL),
        "keys": _digest(b"".join(SMALL)),
        "shards": [{"count": len(SMALL), "bytes": len(raw), "sha256": _digest(raw)}],
        "deltas": [{"since": 1, "removed": 0, "added": 1, "bytes": len(step), "sha256": _digest(step)}],
    }
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    return {"manifest": manifest, "canonical": canonical, "digest": _digest(canonical.encode())}


def document() -> dict[str, Any]:
    changed = sorted([*SMALL[1:4], *derived(2, 16, "more")])
    steps = [(SMALL, changed), (SMALL, SMALL[:2]), ([], SMALL), (SMALL, []), (SMALL, SMALL)]
    many = [(1000, 16, "md5"), (5000, 20, "sha1"), (9000, 32, "pdq")]
    return {
        "says": "Files of a snapshot, PROTOCOL §10. Derived keys: SHA-256(name, number as 4 bytes), cut, ascending.",
        "shards": [
            _listed("md5", SMALL),
            _listed("md5", SMALL[:1]),
            _listed("email", TOKENS),
            _listed("md5", sorted(bytes(12) + bytes([0, 0, number, 0]) for number in range(9))),
        ],
        "derived_shards": [
            {
                "type": kind,
                "count": count,
                "width": width,
                "name": "derived",
                "sha256": _digest(shard(kind, derived(count, width, "derived"))),
            }
            for count, width, kind in many
        ],
        "splits": [
            {"count": count, "width": 16, "name": "split", "parts": [len(part) for part in parts]}
            for count in (65_536, 65_537, 150_000)
            for parts in [list(split(derived(count, 16, "split"), 0))]
        ],
        "refused_shards": list(_refused()),
        "deltas": [
            {
                "type": "md5",
                "before_hex": [key.hex() for key in before],
                "after_hex": [key.hex() for key in after],
                "delta_hex": delta("md5", before, after).hex(),
            }
            for before, after in steps
        ],
        "manifests": [_manifest()],
    }

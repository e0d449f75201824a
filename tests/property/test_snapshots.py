"""Snapshots: what is encoded comes back, nothing else decodes, parts and changes are what plain sets say."""

import bisect
import random
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_client.snapshot import delta, keys, rice
from tocsin_client.snapshot.delta import Changes
from tocsin_client.snapshot.keys import Keys, as_keys
from tocsin_client.snapshot.shard import Shard, encode_shard
from tocsin_schemas.problems import Refused

WIDTH = 6
# Few distinct bytes, zeros among them, so that heads repeat, prefixes are shared and keys end in zeros.
BYTES = st.sampled_from([0, 1, 127, 128, 255])
VALUES = st.lists(BYTES, min_size=WIDTH, max_size=WIDTH).map(bytes)
SETS = st.sets(VALUES, min_size=1, max_size=60)


def rows(values: set[bytes] | list[bytes], width: int = WIDTH) -> Keys:
    return as_keys(sorted(values), width)


def listed(stream) -> list[bytes]:
    return [row.tobytes() for part in stream for row in part]


def drawn(count: int, width: int, seed: int, crowded: bool = False) -> Keys:
    """Distinct sorted random keys; where they are crowded, many share a head."""
    numbers = np.random.default_rng(seed)
    found = numbers.integers(0, 256, (2 * count, width), dtype=np.uint8)
    found[:, : min(5, width - 2) if crowded else 0] %= 2
    distinct = np.unique(keys.words(found))
    assert len(distinct) >= count
    chosen = np.sort(numbers.choice(distinct, count, replace=False))
    return chosen.view(np.uint8).reshape(count, width)


def cut(values: Keys, seed: int) -> list[Keys]:
    """The same keys as a stream of parts of any size, empty ones among them."""
    places = sorted(random.Random(seed).choices(range(len(values) + 1), k=4))
    return list(np.split(values, places))


@given(st.lists(st.integers(0, 2**32 - 1), max_size=200), st.integers(0, 7))
def test_numbers_come_back_from_their_codes(numbers: list[int], start: int) -> None:
    # Quotients of huge numbers would be long if k did not fit: it always does.
    planes = rice.encode(np.array(numbers, dtype=np.int64))
    shifted = np.packbits(np.concatenate((np.ones(start, np.uint8), np.unpackbits(_array(planes.quotients)))))
    decoded = rice.decode(shifted, _array(planes.remainders), len(numbers), planes.k, start)
    assert decoded.tolist() == numbers


@given(SETS)
def test_a_shard_gives_its_keys_and_finds_exactly_them(values: set[bytes]) -> None:
    shard = Shard.checked(encode_shard("md5", rows(values)), "md5", WIDTH)
    assert listed(shard.blocks()) == sorted(values)
    near = {value[:-1] + bytes([value[-1] ^ 1]) for value in values} | {bytes(WIDTH), b"\xff" * WIDTH}
    asked = sorted(values | near, key=lambda value: value[::-1])
    assert shard.find(as_keys(asked, WIDTH)).tolist() == [value in values for value in asked]


@pytest.mark.parametrize("width", [4, 16, 37, 144])
@pytest.mark.parametrize("count", [1, 4095, 4096, 4097, 8192, 12_289, 65_536])
@pytest.mark.parametrize("crowded", [False, True])
def test_a_shard_of_any_size(width: int, count: int, crowded: bool) -> None:
    values = drawn(count, width, seed=count + width, crowded=crowded)
    raw = encode_shard("sha256", values)
    shard = Shard.checked(raw, "sha256", width)
    assert (shard.count, shard.first) == (count, values[0].tobytes())
    assert (shard.keys() == values).all()
    assert shard.find(values[:: max(1, count // 50)]).all()
    others = values[:: max(1, count // 50)].copy()
    others[:, -1] ^= 0x55
    present = set(listed([values]))
    assert shard.find(others).tolist() == [row.tobytes() in present for row in others]


def test_keys_of_one_head_may_fill_several_blocks() -> None:
    numbers = np.arange(10_000, dtype=">u4").view(np.uint8).reshape(-1, 4)
    edge = np.zeros((10_000, 12), dtype=np.uint8)
    edge[:, 8:] = numbers
    # One key of another head, so that the first four bytes are not shared and all the others have one head.
    values = np.concatenate((edge, np.full((1, 12), 255, dtype=np.uint8)))
    shard = Shard.checked(encode_shard("md5", values), "md5", 12)
    assert shard.prefix == b""
    assert shard.find(values).all()
    assert not shard.find(np.flip(values, axis=1)[1:-1:7]).any()


@given(SETS, st.data())
def test_a_changed_byte_is_refused_or_gives_other_keys(values: set[bytes], data: st.DataObject) -> None:
    raw = bytearray(encode_shard("md5", rows(values)))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with suppress(Refused):
        assert listed(Shard.checked(bytes(raw), "md5", WIDTH).blocks()) != sorted(values)


@given(st.binary(max_size=400))
def test_junk_is_refused(raw: bytes) -> None:
    for lead in (b"", b"TSS1", b"TSD1"):
        with pytest.raises(Refused, match="snapshot-malformed"):
            Shard.checked(lead + raw, "md5", WIDTH)
        with pytest.raises(Refused, match="snapshot-malformed"):
            delta.decode_delta(lead + raw, "md5", WIDTH)


@given(SETS, st.integers(0, 400))
def test_a_shard_cut_short_is_refused(values: set[bytes], keep: int) -> None:
    raw = encode_shard("md5", rows(values))
    with pytest.raises(Refused, match="snapshot-malformed"):
        Shard(raw[: min(keep, len(raw) - 1)])
    with pytest.raises(Refused, match="snapshot-malformed"):
        Shard(raw + b"\0")


def test_only_sorted_keys_are_encoded() -> None:
    for wrong in ([b"\2" * 4, b"\1" * 4], [b"\1" * 4, b"\1" * 4], []):
        with pytest.raises(ValueError, match="sorted keys"):
            encode_shard("md5", as_keys(wrong, 4))
    with pytest.raises(ValueError, match="4 to 512 bytes"):
        encode_shard("md5", as_keys([b"\1\2\3"], 3))


@given(st.sets(VALUES, max_size=60), st.integers(1, 5), st.integers(0, 99))
def test_parts_are_those_of_the_halves(values: set[bytes], limit: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "SHARD_KEYS", limit)
        parts = [listed([part]) for part in keys.split(cut(rows(values), seed))]
    assert parts == list(_halves(sorted(values), 0, limit))


def test_a_change_in_one_part_leaves_the_others() -> None:
    values = drawn(200_000, 16, seed=3)
    less = np.delete(values, 100_000, axis=0)
    before = [encode_shard("md5", part) for part in keys.split([values])]
    after = [encode_shard("md5", part) for part in keys.split([less])]
    assert len(before) == len(after) > 3
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


@given(SETS, st.sets(VALUES, max_size=60), st.integers(0, 99))
def test_a_delta_leads_from_one_set_to_the_other(old: set[bytes], new: set[bytes], seed: int) -> None:
    changes = delta.compare(cut(rows(old), seed), cut(rows(new), seed + 1), WIDTH)
    assert changes.removed.tolist() == [at for at, key in enumerate(sorted(old)) if key not in new]
    assert changes.added.tolist() == [at for at, key in enumerate(sorted(new)) if key not in old]
    raw = delta.encode_delta("md5", WIDTH, changes, [rows(new)[changes.added]])
    read = delta.decode_delta(raw, "md5", WIDTH)
    assert listed(delta.apply(read, cut(rows(old), seed + 2))) == sorted(new)


@given(SETS, st.lists(st.sets(VALUES, max_size=60), min_size=2, max_size=5))
def test_deltas_compose_without_a_key(first: set[bytes], later: list[set[bytes]]) -> None:
    """Whatever came, went and came again between: the composed delta leads from the first set to the last."""
    versions = [first, *later]
    steps = [delta.compare([rows(one)], [rows(other)], WIDTH) for one, other in pairwise(versions)]
    whole = steps[0]
    for step in steps[1:]:
        whole = delta.compose(whole, step)
    last = rows(versions[-1])
    raw = delta.encode_delta("md5", WIDTH, whole, [last[whole.added]])
    assert listed(delta.apply(delta.decode_delta(raw, "md5", WIDTH), [rows(first)])) == sorted(versions[-1])


def test_changes_that_do_not_follow_are_not_composed() -> None:
    nothing = np.empty(0, dtype=np.int64)
    with pytest.raises(ValueError, match="do not follow"):
        delta.compose(Changes(1, 2, nothing, np.array([0])), Changes(1, 1, nothing, nothing))


@given(SETS, st.sets(VALUES, max_size=20), st.data())
def test_a_changed_delta_is_refused_or_says_other(
    old: set[bytes], new: set[bytes], data: st.DataObject
) -> None:
    changes = delta.compare([rows(old)], [rows(new)], WIDTH)
    raw = bytearray(delta.encode_delta("md5", WIDTH, changes, [rows(new)[changes.added]]))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with suppress(Refused):
        read = delta.decode_delta(bytes(raw), "md5", WIDTH)
        assert listed(delta.apply(read, [rows(old)])) != sorted(new)


def test_a_delta_fits_only_what_it_begins_with() -> None:
    old, new = {b"\1" * 6, b"\2" * 6}, {b"\2" * 6, b"\3" * 6}
    changes = delta.compare([rows(old)], [rows(new)], WIDTH)
    read = _read(changes, new)
    for other in ({b"\1" * 6}, {b"\1" * 6, b"\2" * 6, b"\4" * 6}, {b"\1" * 6, b"\3" * 6}):
        with pytest.raises(Refused, match="snapshot-mismatch"):
            listed(delta.apply(read, [rows(other)]))


@given(SETS, st.integers(0, 99))
def test_a_digest_names_a_set_however_it_is_cut(values: set[bytes], seed: int) -> None:
    one, other = keys.Digest(), keys.Digest()
    assert listed(one.through(cut(rows(values), seed))) == listed(other.through([rows(values)]))
    assert (one.hex(), one.count) == (other.hex(), len(values))


def _read(changes: Changes, new: set[bytes]) -> delta.Delta:
    raw = delta.encode_delta("md5", WIDTH, changes, [rows(new)[changes.added]])
    return delta.decode_delta(raw, "md5", WIDTH)


def _halves(values: list[bytes], bits: int, limit: int):
    """The rule of PROTOCOL §10.1 as it is written."""
    if len(values) <= limit:
        if values:
            yield values
        return
    shift = 8 * WIDTH - bits - 1
    middle = bisect.bisect_left(values, 1, key=lambda value: int.from_bytes(value) >> shift & 1)
    yield from _halves(values[:middle], bits + 1, limit)
    yield from _halves(values[middle:], bits + 1, limit)


def _array(raw: bytes):
    return np.frombuffer(raw, dtype=np.uint8)

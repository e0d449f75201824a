import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin_client.pdq import PdqIndex

VALUES = st.binary(min_size=32, max_size=32)


def brute_force(values: list[bytes], query: bytes, distance: int) -> set[tuple[int, int]]:
    apart = [(int.from_bytes(value) ^ int.from_bytes(query)).bit_count() for value in values]
    return {(at, bits) for at, bits in enumerate(apart) if bits <= distance}


@st.composite
def near(draw: st.DrawFn) -> tuple[list[bytes], bytes, int]:
    """A query, and values some of which are a few flipped bits away from it."""
    query = draw(VALUES)
    values = draw(st.lists(VALUES, max_size=8))
    for flips in draw(st.lists(st.sets(st.integers(0, 255), max_size=40), max_size=8)):
        value = int.from_bytes(query)
        for bit in flips:
            value ^= 1 << bit
        values.append(value.to_bytes(32))
    return draw(st.permutations(values)), query, draw(st.integers(0, 31))


@settings(max_examples=300)
@given(near())
def test_the_index_finds_what_brute_force_finds(case: tuple[list[bytes], bytes, int]) -> None:
    values, query, distance = case
    found = PdqIndex(values).within(query, distance)
    assert set(found) == brute_force(values, query, distance)
    assert [bits for _, bits in found] == sorted(bits for _, bits in found)


def test_a_large_list() -> None:
    rng = np.random.default_rng(1)
    values = [rng.bytes(32) for _ in range(20_000)]
    query = bytearray(values[12_345])
    query[0] ^= 0xFF
    query[31] ^= 0x0F
    assert PdqIndex(values).within(bytes(query)) == [(12_345, 12)]


def test_no_values_no_hits() -> None:
    index = PdqIndex([])
    assert len(index) == 0
    assert index.within(bytes(32)) == []


@pytest.mark.parametrize("distance", [0, 31])
def test_the_border_belongs_to_the_match(distance: int) -> None:
    value = ((1 << distance) - 1).to_bytes(32)
    assert PdqIndex([value]).within(bytes(32), distance) == [(0, distance)]
    assert distance == 0 or PdqIndex([value]).within(bytes(32), distance - 1) == []

"""Decisions of publishing: how the shown tree stands to ours, what may go, what a note gains."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.logs import KEY, ORIGIN
from tests.support.published import spell
from tocsin.ledger.rules import EMPTY, Standing, Tree, compare, merge, superseded
from tocsin_schemas.checkpoint import cosign, open_checkpoint, sign_checkpoint
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.notes import ED25519, ED25519_COSIGNER, NoteSigner

A, B = bytes(32), bytes([1]) * 32


@pytest.mark.parametrize(
    ("shown", "ours", "standing"),
    [
        (EMPTY, EMPTY, "current"),
        (Tree(5, A), Tree(5, A), "current"),
        (Tree(4, A), Tree(5, A), "behind"),
        (Tree(6, A), Tree(5, A), "ahead"),
        (Tree(5, A), Tree(5, B), "other"),
        (EMPTY, Tree(0, A), "other"),
    ],
)
def test_how_a_shown_tree_stands_to_ours(shown: Tree, ours: Tree, standing: Standing) -> None:
    assert compare(shown, ours) == standing


def partials(size: int) -> dict[str, int]:
    """The folder of each partial tile and bundle of a log of this size, and how far the whole of it reaches."""
    found, level = {}, 0
    while size >> 8 * level:
        count = size >> 8 * level
        if count % 256:
            end = (count // 256 + 1) << 8 * (level + 1)
            for kind in (str(level), "entries") if level == 0 else (str(level),):
                found[f"tile/{kind}/{spell(count // 256)}.p"] = end
        level += 1
    return found


@given(st.integers(0, 2**34), st.integers(0, 2**20))
def test_a_partial_tile_may_go_when_the_full_one_is_there(before: int, added: int) -> None:
    after = before + added
    gone = {folder for folder, end in partials(before).items() if end <= after}
    assert set(superseded(before, after)) == gone


def test_a_key_is_heard_once_with_its_newer_word() -> None:
    log = NoteSigner(ORIGIN, ED25519, KEY)
    one, two = (
        NoteSigner(f"{name}.example", ED25519_COSIGNER, SigningKey.generate()) for name in ("one", "two")
    )
    note = sign_checkpoint(ORIGIN, 3, A, log)
    checkpoint = open_checkpoint(note, log.verifier).checkpoint
    assert merge(note, []) == note
    both = merge(note, [cosign(checkpoint, one, 10), cosign(checkpoint, two, 11)])
    assert both.startswith(note)
    newer = merge(both, [cosign(checkpoint, one, 20)])
    opened = open_checkpoint(newer, log.verifier, [one.verifier, two.verifier])
    assert {made.name: made.time for made in opened.cosignatures} == {"one.example": 20, "two.example": 11}
    assert newer.startswith(note)

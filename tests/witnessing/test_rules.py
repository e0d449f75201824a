"""What a witness decides, before and without any database."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.witnessing.logs import Log, proof, request, signer, stranger_line
from tocsin.witnessing.rules import (
    Behind,
    Cosign,
    Head,
    Refusal,
    decide,
    signed,
)
from tocsin_schemas.checkpoint import sign_checkpoint
from tocsin_schemas.merkle import EMPTY_ROOT
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_witness import parse_submission

LOG = Log()
NOTE = LOG.note(9)


def test_the_signature_of_the_log_is_all_that_is_kept() -> None:
    stranger = stranger_line(LOG.head(9))
    note = signed(parse_submission(request(0, [], NOTE + stranger)), [LOG.key]).note
    assert note.render() == NOTE
    twice = NOTE + NOTE.partition(b"\n\n")[2]
    assert signed(parse_submission(request(0, [], twice)), [LOG.key]).note.render() == NOTE


def test_of_several_keys_one_is_enough_and_each_is_kept() -> None:
    second = signer(LOG.origin)
    both = NOTE + sign_checkpoint(*LOG.head(9)[:3], second).partition(b"\n\n")[2]
    keys = [LOG.key, second.verifier]
    assert signed(parse_submission(request(0, [], NOTE)), keys).note.render() == NOTE
    assert signed(parse_submission(request(0, [], both)), keys).note.render() == both
    assert signed(parse_submission(request(0, [], both)), keys[:1]).note.render() == NOTE


def broken(note: bytes) -> bytes:
    """The note with another bit in its last signature."""
    head, _, line = note.rpartition(b" ")
    return head + b" " + line[:20] + (b"A" if line[20:21] != b"A" else b"B") + line[21:]


@pytest.mark.parametrize(
    "note",
    [
        sign_checkpoint(*LOG.head(9)[:3], signer(LOG.origin)),
        sign_checkpoint(*LOG.head(9)[:3], signer("other.example/log")),
        broken(NOTE),
        NOTE + broken(NOTE).partition(b"\n\n")[2],
        NOTE.replace(b"\n9\n", b"\n8\n"),
    ],
    ids=["another key", "another name", "broken", "good and broken", "another text"],
)
def test_what_the_log_did_not_sign_is_refused(note: bytes) -> None:
    with pytest.raises(Refused) as caught:
        signed(parse_submission(request(0, [], note)), [LOG.key])
    assert caught.value.code == "log-unsigned"


def test_every_step_forward_is_cosigned() -> None:
    for old in range(40):
        for size in range(old, 41):
            last = Head(old, LOG.root(old))
            assert decide(parse_submission(LOG.request(old, size)), last) == Cosign(), (old, size)


def test_the_first_checkpoint_may_have_any_size() -> None:
    assert decide(parse_submission(LOG.request(0, 0)), Head()) == Cosign()
    assert decide(parse_submission(LOG.request(0, 9)), Head()) == Cosign()


def code_of(decision: object) -> tuple[str, str, str | None]:
    assert isinstance(decision, Refusal)
    return decision.code, decision.field, decision.evidence


def test_the_steps_are_taken_in_the_order_of_the_specification() -> None:
    last = Head(7, LOG.root(7))
    other = LOG.forked(3)
    # 4. the old size is above the new one, before it is compared with what we have
    assert code_of(decide(parse_submission(request(10, [], NOTE)), last)) == (
        "submission-malformed",
        "old",
        None,
    )
    # 5. the old size is not ours: 409, whatever the proof; with evidence where the checkpoint cannot be honest
    assert decide(parse_submission(request(8, [b"x" * 32], NOTE)), last) == Behind(7)
    assert decide(parse_submission(request(0, [], LOG.note(5))), last) == Behind(7)
    assert decide(parse_submission(request(0, [], other.note(5))), last) == Behind(7)
    assert decide(parse_submission(request(0, [], other.note(7))), last) == Behind(7, "fork")
    # 6. the empty tree has one root
    empty = sign_checkpoint(LOG.origin, 0, b"x" * 32, LOG.signer)
    assert code_of(decide(parse_submission(request(0, [], empty)), Head())) == (
        "consistency-invalid",
        "checkpoint.root",
        "fork",
    )
    assert decide(parse_submission(request(0, [], empty)), last) == Behind(7, "fork")
    # 7. so has every other
    assert code_of(decide(parse_submission(request(7, [], other.note(7))), last)) == (
        "consistency-invalid",
        "checkpoint.root",
        "fork",
    )
    # 8. the proof
    assert code_of(decide(parse_submission(request(7, [], NOTE)), last)) == (
        "consistency-invalid",
        "proof",
        "unproven",
    )
    assert code_of(decide(parse_submission(other.request(7, 9)), last)) == (
        "consistency-invalid",
        "proof",
        "unproven",
    )
    # Here the sender alone can be at fault: everything continues the empty tree, and what is cosigned is proved.
    assert code_of(decide(parse_submission(request(0, [b"x" * 32], NOTE)), Head())) == (
        "consistency-invalid",
        "proof",
        None,
    )
    same = request(7, [b"x" * 32], LOG.note(7))
    assert code_of(decide(parse_submission(same), last)) == ("consistency-invalid", "proof", None)


@settings(deadline=None)
@given(st.data())
def test_a_proof_that_is_changed_anywhere_proves_nothing(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 60))
    old = data.draw(st.integers(1, size - 1))
    path = proof(old, LOG.leaves[:size])
    place = data.draw(st.integers(0, len(path) - 1))
    change = data.draw(st.sampled_from(["flip", "drop", "repeat", "more"]))
    if change == "flip":
        bit = data.draw(st.integers(0, 255))
        path[place] = (int.from_bytes(path[place]) ^ (1 << bit)).to_bytes(32)
    elif change == "drop":
        del path[place]
    elif change == "repeat":
        path.insert(place, path[place])
    else:
        path.append(EMPTY_ROOT)
    decision = decide(parse_submission(request(old, path, LOG.note(size))), Head(old, LOG.root(old)))
    assert isinstance(decision, Refusal)
    assert decision.evidence == "unproven"

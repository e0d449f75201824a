"""Signing and reading notes, checkpoints, policies and proofs, as far as the vectors do not say it."""

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from tests.schemas.directory import vectors
from tests.support.vectors import heads, quorums
from tests.support.vectors.keys import base64url
from tocsin_schemas.checkpoint import (
    MAX_SIZE,
    Checkpoint,
    cosign,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.merkle import EMPTY_ROOT, leaf_hash
from tocsin_schemas.notes import (
    ED25519,
    ED25519_COSIGNER,
    MAX_NOTE_BYTES,
    ML_DSA_44_COSIGNER,
    Kind,
    Note,
    NoteSigner,
    NoteVerifier,
    Signature,
    parse_note,
    parse_signatures,
    sign_note,
    verify_note,
)
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_policy import CLOCK_SKEW, MAX_POLICY_BYTES, Log, LogPolicy, Witness, parse_policy
from tocsin_schemas.tlog_proof import MAX_PROOF_BYTES, Proof

ROOT = bytes.fromhex(heads.ROOTS[8])


def signer(key: heads.Key) -> NoteSigner:
    """The signer of a fixed key of the vectors."""
    if key.kind == ML_DSA_44_COSIGNER:
        return NoteSigner(key.name, ML_DSA_44_COSIGNER, MLDSA44PrivateKey.from_seed_bytes(key.fixed.seed))
    kind: Kind = ED25519 if key.kind == ED25519 else ED25519_COSIGNER
    return NoteSigner(key.name, kind, SigningKey.from_jwk(key.fixed.private_jwk()))


LOG, W1, W2, W3 = map(signer, (heads.LOG, heads.W1, heads.W2, heads.W3))
WITNESSES = [W1.verifier, W2.verifier, W3.verifier]
POLICY = parse_policy(quorums.POLICY.encode())


def refusal(code: str) -> "pytest.RaisesExc[Refused]":
    return pytest.raises(Refused, match=f"^{code}:")


def test_a_signer_signs_under_the_key_its_verifier_publishes() -> None:
    for made, fixed in zip((LOG, W1, W2, W3), (heads.LOG, heads.W1, heads.W2, heads.W3), strict=True):
        assert made.verifier.vkey == fixed.vkey


def test_a_checkpoint_is_signed_byte_for_byte_as_in_the_vectors() -> None:
    note = sign_checkpoint(heads.ORIGIN, 8, ROOT, LOG)
    assert note.decode() == heads.note(heads.EIGHT, heads.signed(heads.EIGHT))
    checkpoint = open_checkpoint(note, LOG.verifier).checkpoint
    assert cosign(checkpoint, W1, heads.AT) == heads.cosigned(heads.EIGHT, heads.W1)
    assert cosign(checkpoint, W2, 0) == heads.cosigned(heads.EIGHT, heads.W2, 0)


def test_an_ml_dsa_44_cosignature_opens() -> None:
    note = sign_checkpoint(heads.ORIGIN, 8, ROOT, LOG)
    line = cosign(parse_checkpoint(heads.EIGHT), W3, MAX_SIZE)
    opened = open_checkpoint(note + line.encode(), LOG.verifier, WITNESSES)
    assert [cosigned.time for cosigned in opened.cosignatures] == [MAX_SIZE]
    (signature,) = parse_signatures(line)
    assert W3.verifier.verify(heads.subtree_message(8, MAX_SIZE), signature.raw[8:])
    assert len(signature.raw) == 8 + 2420


def test_cosignatures_of_an_ml_dsa_44_key_differ_and_all_hold() -> None:
    checkpoint = parse_checkpoint(heads.EIGHT)
    lines = {cosign(checkpoint, W3, heads.AT) for _ in range(3)}
    assert len(lines) == 3
    note = heads.note(heads.EIGHT, heads.signed(heads.EIGHT), *lines).encode()
    assert len(open_checkpoint(note, LOG.verifier, WITNESSES).cosignatures) == 3


def test_a_name_too_long_for_the_signed_message_is_refused() -> None:
    checkpoint = Checkpoint("o" * 256, 8, ROOT)
    with refusal("checkpoint-malformed"):
        cosign(checkpoint, W3, heads.AT)
    long = NoteSigner("w" * 256, ML_DSA_44_COSIGNER, MLDSA44PrivateKey.generate())
    with refusal("checkpoint-malformed"):
        cosign(parse_checkpoint(heads.EIGHT), long, heads.AT)
    # A name is counted in bytes.
    most = NoteSigner("ü" * 127, ML_DSA_44_COSIGNER, MLDSA44PrivateKey.generate())
    assert cosign(Checkpoint("o" * 255, 8, ROOT), most, heads.AT)


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [
        ("", 8, ROOT),
        ("a\nb", 8, ROOT),
        (heads.ORIGIN, -1, ROOT),
        (heads.ORIGIN, MAX_SIZE + 1, ROOT),
        ("a", 8, ROOT[:-1]),
    ],
)
def test_nothing_is_signed_that_nobody_could_read(origin: str, size: int, root: bytes) -> None:
    with refusal("checkpoint-malformed"):
        sign_checkpoint(origin, size, root, LOG)


def test_the_empty_log_has_a_checkpoint() -> None:
    assert open_checkpoint(
        sign_checkpoint(heads.ORIGIN, 0, EMPTY_ROOT, LOG), LOG.verifier
    ).checkpoint == Checkpoint(heads.ORIGIN, 0, EMPTY_ROOT)


def test_a_log_key_that_is_among_the_witnesses_is_no_witness() -> None:
    opened = open_checkpoint(heads.COSIGNED.encode(), [LOG.verifier], [LOG.verifier, W1.verifier])
    assert [cosigned.name for cosigned in opened.cosignatures] == [heads.W1.name]


def test_a_cosigner_key_verifies_no_plain_note() -> None:
    with pytest.raises(ValueError, match="verifies checkpoints"):
        verify_note(heads.COSIGNED.encode(), [W1.verifier])


def test_a_log_may_sign_as_a_cosigner_does() -> None:
    log = NoteSigner(heads.ORIGIN, ML_DSA_44_COSIGNER, MLDSA44PrivateKey.generate())
    note = heads.note(heads.EIGHT, cosign(parse_checkpoint(heads.EIGHT), log, 0)).encode()
    assert LogPolicy(logs=(Log(log.verifier),)).open(note, 0).cosignatures == ()


def test_a_note_that_is_not_utf_8_is_refused() -> None:
    with refusal("note-malformed"):
        parse_note(heads.EXAMPLE.encode().replace(b"example message", b"\xff"))


def test_a_note_has_a_largest_size() -> None:
    line = heads.signed("\n").encode()
    fill = b"a" * (MAX_NOTE_BYTES - len(line) - 2) + b"\n"
    assert parse_note(fill + b"\n" + line).text == fill.decode()
    with refusal("note-malformed"):
        parse_note(b"a" + fill + b"\n" + line)


def test_a_note_of_32_post_quantum_signatures_reads() -> None:
    raw = bytes(8 + 2420)
    lines = tuple(Signature(f"witness-{number}.example", number, raw) for number in range(32))
    note = Note(heads.EIGHT, lines)
    assert parse_note(note.render()) == note


def test_signature_lines_read_as_a_witness_answers_them() -> None:
    first, second = parse_signatures(heads.cosigned(heads.EIGHT, heads.W1) + heads.W3_LINE)
    assert (first.name, second.name) == (heads.W1.name, heads.W3.name)
    assert second.line == heads.W3_LINE
    for bad in ("", "\n", heads.W3_LINE + "\n", "\n" + heads.W3_LINE, heads.W3_LINE.replace("\n", " \n")):
        with refusal("note-malformed"):
            parse_signatures(bad)


def test_a_note_signed_here_is_verified_by_its_key() -> None:
    note = sign_note("Any text.\n", LOG)
    assert [key for key, _ in verify_note(note, [W1.verifier, LOG.verifier]).by] == [LOG.verifier]


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\x1fb", "a\ud800b"])
def test_a_key_has_a_name(name: str) -> None:
    with refusal("note-malformed"):
        NoteSigner(name, ED25519, SigningKey.generate())


def test_a_key_of_another_algorithm_signs_no_notes() -> None:
    with refusal("note-malformed"):
        NoteSigner("a", ED25519, SigningKey.generate("ES256"))
    with refusal("note-malformed"):
        NoteSigner("a", ML_DSA_44_COSIGNER, SigningKey.generate())


def test_a_public_key_is_not_shown_where_a_verifier_is() -> None:
    assert base64url(heads.LOG.public) not in repr(LOG.verifier)
    assert repr(heads.LOG.public) not in repr(LOG.verifier)


def test_no_refusal_repeats_what_was_sent() -> None:
    """A value pasted into a policy, a key or a proof does not come back in the message."""
    secret = "5f4dcc3b5aa765d61d8327deb882cf99"
    for read in (
        lambda: NoteVerifier.parse(f"{secret}+{secret}+{secret}"),
        lambda: NoteVerifier.parse(heads.LOG.vkey.replace("hub", secret)),
        lambda: parse_note(f"{secret}\n\n— {secret} {secret}!\n".encode()),
        lambda: parse_checkpoint(f"a\n{secret}\n{secret}\n"),
        lambda: parse_policy(f"{secret} {secret}\n".encode()),
        lambda: parse_policy(f"log {secret}\n".encode()),
        lambda: parse_policy(f"quorum {secret}\n".encode()),
        lambda: Proof.decode(f"c2sp.org/tlog-proof@v1\nextra {secret}!\nindex 0\n\n".encode()),
        lambda: Proof.decode(f"c2sp.org/tlog-proof@v1\nindex {secret}\n\n".encode()),
        lambda: Proof.decode(f"c2sp.org/tlog-proof@v1\nindex 0\n{secret}\n\n".encode()),
    ):
        with pytest.raises(Refused) as refused:
            read()
        assert secret not in str(refused.value)


def cosigned_at(*times: int) -> bytes:
    lines = [
        heads.cosigned(heads.EIGHT, key, at) for key, at in zip((heads.W1, heads.W2), times, strict=False)
    ]
    return heads.note(heads.EIGHT, heads.signed(heads.EIGHT), *lines).encode()


def test_a_policy_can_demand_fresh_cosignatures() -> None:
    now, hour = heads.AT + 3600, 3600
    assert POLICY.open(cosigned_at(heads.AT, now), now, hour).checkpoint.size == 8
    with refusal("checkpoint-stale"):
        POLICY.open(cosigned_at(heads.AT - 1, now), now, hour)
    assert POLICY.open(cosigned_at(0, 0), now)
    with refusal("quorum-missing"):
        POLICY.open(cosigned_at(now), now, hour)


def test_an_old_cosignature_beside_a_fresh_one_does_no_harm() -> None:
    now = heads.AT + 3600
    old = heads.cosigned(heads.EIGHT, heads.W1, heads.AT - 1).encode()
    assert POLICY.open(cosigned_at(now, now) + old, now, 3600)


def test_a_cosignature_may_be_a_little_ahead_of_the_clock() -> None:
    ahead = heads.AT + CLOCK_SKEW
    assert POLICY.open(cosigned_at(ahead, ahead), heads.AT, 60)
    with refusal("quorum-missing"):
        POLICY.open(cosigned_at(ahead, ahead + 1), heads.AT, 60)


def test_without_a_quorum_no_age_is_demanded() -> None:
    policy = LogPolicy(logs=(Log(LOG.verifier),))
    assert policy.open(cosigned_at(), heads.AT, 1).cosignatures == ()
    with refusal("checkpoint-unsigned"):
        LogPolicy().open(cosigned_at(), heads.AT)


def test_a_policy_made_of_parts_reads_back() -> None:
    policy = LogPolicy(
        logs=(Log(LOG.verifier, "https://hub.example/log/"),),
        witnesses={"w": Witness(W1.verifier, "https://witness.example/"), "pq": Witness(W3.verifier)},
        quorum="w",
    )
    assert parse_policy(policy.render()) == policy
    assert parse_policy(LogPolicy().render()) == LogPolicy()
    assert LogPolicy().render() == b"quorum none\n"


def test_names_in_a_policy_are_octets() -> None:
    raw = b"# \xff\nwitness \xe2\x84\xaa\xff " + heads.W1.vkey.encode() + b" \xfe\nquorum \xe2\x84\xaa\xff\n"
    policy = parse_policy(raw)
    assert parse_policy(policy.render()) == policy
    assert policy.render() == raw.partition(b"\n")[2]
    with refusal("policy-malformed"):
        parse_policy(raw.replace(b"quorum \xe2\x84\xaa\xff", b"quorum K\xff"))


def test_a_policy_has_a_largest_size() -> None:
    rule = b"quorum none\n"
    assert parse_policy(b"#" * (MAX_POLICY_BYTES - len(rule) - 1) + b"\n" + rule) == LogPolicy()
    with refusal("policy-malformed"):
        parse_policy(b"#" * (MAX_POLICY_BYTES - len(rule)) + b"\n" + rule)


def test_32_logs_witnesses_and_groups_are_read() -> None:
    keys = [NoteSigner("k", ML_DSA_44_COSIGNER, MLDSA44PrivateKey.generate()).verifier for _ in range(64)]
    lines = [
        f"log {key.vkey}\nwitness w{at} {keys[32 + at].vkey}\ngroup g{at} all w{at}\n"
        for at, key in enumerate(keys[:32])
    ]
    policy = parse_policy(("".join(lines) + "quorum g31\n").encode())
    assert (len(policy.logs), len(policy.witnesses), len(policy.groups)) == (32, 32, 32)
    assert policy.satisfied(["w31"])
    assert not policy.satisfied([f"w{at}" for at in range(31)])


def test_a_proof_has_a_largest_size() -> None:
    vector = vectors("log-proofs")["proofs"][0]["proof"].encode()
    fill = MAX_PROOF_BYTES - len(vector)
    assert Proof.decode(vector + b"a" * fill).index == 4
    with refusal("proof-malformed"):
        Proof.decode(vector + b"a" * (fill + 1))


def test_a_proof_in_ascii_carries_a_checkpoint_that_is_not() -> None:
    proof = Proof(4, (), heads.COSIGNED.encode(), b"\xff")
    assert Proof.decode(proof.encode()) == proof
    with refusal("proof-malformed"):
        Proof.decode(proof.encode().replace(b"extra /w==", b"extra \xff"))


def test_a_proof_is_not_believed_without_its_policy() -> None:
    vector = vectors("log-proofs")["proofs"][0]
    proof = Proof.decode(vector["proof"].encode())
    leaf = leaf_hash(bytes.fromhex(vector["leaf_hex"]))
    other = NoteVerifier.parse(heads.OTHER_LOG.vkey)
    with refusal("checkpoint-unsigned"):
        proof.verify(leaf, LogPolicy(logs=(Log(other),)), heads.AT)
    assert proof.verify(leaf, LogPolicy(logs=(Log(LOG.verifier),)), heads.AT).checkpoint.root == ROOT

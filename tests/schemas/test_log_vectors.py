"""The vectors of the log come out as they say: trees, notes, checkpoints, policies, proofs.

What others have published is read too: the examples of the C2SP specifications, the note of Go's documentation, and a
checkpoint that another implementation signed with ML-DSA-44.
"""

import hashlib
from itertools import chain, combinations
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from tests.schemas.directory import vectors
from tests.support.vectors import trees
from tocsin_schemas.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from tocsin_schemas.merkle import (
    EMPTY_ROOT,
    Edge,
    Tile,
    leaf_hash,
    merkle_root,
    parse_tile_path,
    verify_consistency,
    verify_inclusion,
)
from tocsin_schemas.notes import NoteVerifier, parse_note, verify_note
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_policy import parse_policy
from tocsin_schemas.tlog_proof import Proof

TREES = vectors("trees")
NOTES = vectors("notes")
CHECKPOINTS = vectors("checkpoints")
POLICIES = vectors("log-policies")
PROOFS = vectors("log-proofs")
KEYS = {name: NoteVerifier.parse(vkey) for name, vkey in CHECKPOINTS["keys"].items()}
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
BEHIND_THE_SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def why(vector: dict[str, Any]) -> str:
    return str(vector["why"]).replace(" ", "-")


def raw(hashes: list[str]) -> list[bytes]:
    return [bytes.fromhex(one) for one in hashes]


def includes(vector: dict[str, Any]) -> bool:
    leaf, root = raw([vector["leaf"], vector["root"]])
    return verify_inclusion(leaf, vector["index"], vector["size"], raw(vector["path"]), root)


def continues(vector: dict[str, Any]) -> bool:
    old_root, new_root = raw([vector["old_root"], vector["new_root"]])
    return verify_consistency(
        vector["old_size"], old_root, vector["new_size"], new_root, raw(vector["proof"])
    )


@pytest.mark.parametrize(("index", "size", "path"), trees.KNOWN)
def test_the_audit_paths_are_those_of_certificate_transparency(
    index: int, size: int, path: tuple[str, ...]
) -> None:
    leaves = trees.EIGHT[:size]
    assert [one.hex() for one in trees.path(index, leaves)] == list(path)
    assert verify_inclusion(leaf_hash(leaves[index]), index, size, raw(list(path)), merkle_root(leaves))


def test_every_published_proof_holds() -> None:
    assert [vector for vector in TREES["inclusion"] if not includes(vector)] == []
    assert [vector for vector in TREES["consistency"] if not continues(vector)] == []
    assert (len(TREES["inclusion"]), len(TREES["consistency"])) == (36, 45)


@pytest.mark.parametrize("vector", TREES["refused_inclusion"], ids=why)
def test_a_bad_audit_path_shows_nothing(vector: dict[str, Any]) -> None:
    assert not includes(vector)


@pytest.mark.parametrize("vector", TREES["refused_consistency"], ids=why)
def test_a_bad_consistency_proof_shows_nothing(vector: dict[str, Any]) -> None:
    assert not continues(vector)


@pytest.mark.parametrize("vector", TREES["tiles"], ids=lambda vector: str(vector["size"]))
def test_the_tiles_of_a_tree(vector: dict[str, Any]) -> None:
    edge = Edge.empty()
    full = edge.extend(leaf_hash(at.to_bytes(8)) for at in range(vector["size"]))
    made = {tile.path: hashlib.sha256(data).hexdigest() for tile, data in full + edge.partial_tiles()}
    shown = {tile["path"]: tile["sha256"] for tile in vector["tiles"]}
    assert edge.root().hex() == vector["root"]
    assert {path: made.get(path) for path in shown} == shown
    assert made.keys() == shown.keys() or (vector["size"] == 70_000 and len(made) == 277)


@pytest.mark.parametrize("vector", TREES["paths"], ids=lambda vector: vector["path"])
def test_the_path_of_a_tile(vector: dict[str, Any]) -> None:
    tile = Tile(vector["level"], vector["index"], vector["width"])
    assert tile.path == vector["path"]
    assert parse_tile_path(vector["path"]) == tile


@pytest.mark.parametrize("vector", TREES["refused_paths"], ids=why)
def test_a_path_has_one_spelling(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="not-found"):
        parse_tile_path(vector["path"])


@pytest.mark.parametrize("vector", NOTES["verifier_keys"], ids=lambda vector: vector["name"])
def test_a_verifier_key_says_what_its_vector_says(vector: dict[str, Any]) -> None:
    key = NoteVerifier.parse(vector["vkey"])
    assert (key.name, f"{key.key_id:08x}", key.kind) == (vector["name"], vector["key_id"], vector["type"])
    assert key.vkey == vector["vkey"]


@pytest.mark.parametrize("vector", NOTES["refused_verifier_keys"], ids=why)
def test_a_bad_verifier_key_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        NoteVerifier.parse(vector["vkey"])
    assert refused.value.code == vector["code"]


@pytest.mark.parametrize("vector", NOTES["notes"], ids=lambda vector: vector["vkeys"][0].partition("+")[0])
def test_a_note_is_verified_by_the_keys_its_vector_names(vector: dict[str, Any]) -> None:
    content = vector["note"].encode()
    found = verify_note(content, [NoteVerifier.parse(vkey) for vkey in vector["vkeys"]])
    assert found.note.text == vector["text"]
    assert [key.vkey for key, _ in found.by] == vector["by"]
    assert found.note.render() == content


@pytest.mark.parametrize("vector", NOTES["refused_notes"], ids=why)
def test_a_bad_note_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        verify_note(vector["note"].encode(), [NoteVerifier.parse(vkey) for vkey in vector["vkeys"]])
    assert refused.value.code == vector["code"]


@pytest.mark.parametrize("vector", CHECKPOINTS["texts"], ids=lambda vector: vector["origin"])
def test_the_text_of_a_checkpoint(vector: dict[str, Any]) -> None:
    found = parse_checkpoint(vector["text"])
    root, extensions = bytes.fromhex(vector["root"]), tuple(vector["extensions"])
    assert found == Checkpoint(vector["origin"], vector["size"], root, extensions)
    assert found.text == vector["text"]


@pytest.mark.parametrize("vector", CHECKPOINTS["refused_texts"], ids=why)
def test_a_bad_text_is_no_checkpoint(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        parse_checkpoint(vector["text"])
    assert refused.value.code == vector["code"]


@pytest.mark.parametrize("vector", CHECKPOINTS["opened"], ids=lambda vector: str(len(vector["cosignatures"])))
def test_a_checkpoint_opens_to_what_its_vector_says(vector: dict[str, Any]) -> None:
    content = vector["note"].encode()
    found = open_checkpoint(
        content, [KEYS[name] for name in vector["logs"]], [KEYS[name] for name in vector["witnesses"]]
    )
    assert found.checkpoint.size == vector["size"]
    assert [[cosigned.name, cosigned.time] for cosigned in found.cosignatures] == vector["cosignatures"]
    assert [KEYS[cosigned.name].key_id for cosigned in found.cosignatures] == [
        cosigned.key_id for cosigned in found.cosignatures
    ]
    assert found.raw == content


@pytest.mark.parametrize("vector", CHECKPOINTS["refused"], ids=why)
def test_a_bad_checkpoint_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        open_checkpoint(
            vector["note"].encode(),
            [KEYS[name] for name in vector["logs"]],
            [KEYS[name] for name in vector["witnesses"]],
        )
    assert refused.value.code == vector["code"]


@pytest.mark.parametrize("vector", CHECKPOINTS["signed_messages"], ids=lambda vector: vector["key"])
def test_the_message_of_a_cosigner_is_signed(vector: dict[str, Any]) -> None:
    key = MLDSA44PublicKey.from_public_bytes(KEYS[vector["key"]].public)
    key.verify(bytes.fromhex(vector["signature_hex"]), bytes.fromhex(vector["message_hex"]))


def test_the_note_of_go_verifies() -> None:
    key = NoteVerifier.parse(NEUMANN)
    assert [by for by, _ in verify_note(NEUMANN_NOTE.encode(), [key]).by] == [key]


def test_the_example_of_a_cosigned_checkpoint_reads() -> None:
    note = parse_note(BEHIND_THE_SOFA.encode())
    assert parse_checkpoint(note.text).size == 20852163
    assert [signature.name for signature in note.signatures] == [
        "example.com/behind-the-sofa",
        "witness.example.com/w1",
    ]
    assert int.from_bytes(note.signatures[1].raw[:8]) == 1679315147
    assert len(note.signatures[1].raw) == 8 + 64


@pytest.mark.parametrize("vector", POLICIES["policies"], ids=lambda vector: str(len(vector["witnesses"])))
def test_a_policy_says_what_its_vector_says(vector: dict[str, Any]) -> None:
    policy = parse_policy(vector["policy"].encode())
    assert [[key.name, url] for key, url in policy.logs] == vector["logs"]
    assert [[name, key.name, url] for name, (key, url) in policy.witnesses.items()] == vector["witnesses"]
    assert parse_policy(policy.render()) == policy
    names = list(policy.witnesses)
    if vector["enough"] is None:
        assert policy.satisfied(names)
        assert not policy.satisfied([])
        return
    every = chain.from_iterable(combinations(names, size) for size in range(len(names) + 1))
    assert [list(chosen) for chosen in every if policy.satisfied(chosen)] == vector["enough"]


@pytest.mark.parametrize("vector", POLICIES["refused"], ids=why)
def test_a_bad_policy_is_refused_with_its_line(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        parse_policy(vector["policy"].encode())
    assert (refused.value.code, refused.value.field) == (vector["code"], vector["field"])


@pytest.mark.parametrize("vector", PROOFS["proofs"], ids=lambda vector: f"{vector['index']}-{vector['size']}")
def test_a_proof_shows_what_its_vector_says(vector: dict[str, Any]) -> None:
    proof = Proof.decode(vector["proof"].encode())
    extra = None if vector["extra_hex"] is None else bytes.fromhex(vector["extra_hex"])
    leaf = leaf_hash(bytes.fromhex(vector["leaf_hex"]))
    opened = proof.verify(leaf, parse_policy(PROOFS["policy"].encode()), PROOFS["now"])
    assert (proof.index, proof.extra, opened.checkpoint.size) == (vector["index"], extra, vector["size"])
    assert proof.encode() == vector["proof"].encode()


@pytest.mark.parametrize("vector", PROOFS["refused"], ids=why)
def test_a_bad_proof_is_refused(vector: dict[str, Any]) -> None:
    policy = parse_policy(PROOFS["policy"].encode())
    with pytest.raises(Refused) as refused:
        Proof.decode(vector["proof"].encode()).verify(
            leaf_hash(bytes.fromhex(vector["leaf_hex"])), policy, PROOFS["now"]
        )
    assert refused.value.code == vector["code"]


def test_the_empty_tree_has_the_root_of_the_definition() -> None:
    assert merkle_root([]) == EMPTY_ROOT == hashlib.sha256().digest()
    assert Edge.empty().root() == EMPTY_ROOT

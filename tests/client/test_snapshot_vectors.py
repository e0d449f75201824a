"""The codec against the published vectors, which are written out bit by bit by other code."""

import hashlib
from typing import Any

import pytest

from tests.schemas.directory import vectors
from tests.support.vectors.snapshots import derived
from tocsin_client.snapshot import delta
from tocsin_client.snapshot.keys import as_keys, split
from tocsin_client.snapshot.shard import Shard, encode_shard
from tocsin_schemas.problems import Refused
from tocsin_schemas.snapshots import Manifest

SNAPSHOT = vectors("snapshot")


def why(vector: dict[str, Any]) -> str:
    return str(vector["why"])


@pytest.mark.parametrize("vector", SNAPSHOT["shards"])
def test_a_shard_is_encoded_and_decoded(vector: dict[str, Any]) -> None:
    values = [bytes.fromhex(text) for text in vector["keys_hex"]]
    keys = as_keys(values, len(values[0]))
    raw = bytes.fromhex(vector["shard_hex"])
    assert encode_shard(vector["type"], keys) == raw
    shard = Shard.checked(raw, vector["type"], len(values[0]))
    assert b"".join(part.tobytes() for part in shard.blocks()) == b"".join(values)


@pytest.mark.parametrize("vector", SNAPSHOT["derived_shards"])
def test_a_larger_shard(vector: dict[str, Any]) -> None:
    values = derived(vector["count"], vector["width"], vector["name"])
    raw = encode_shard(vector["type"], as_keys(values, vector["width"]))
    assert hashlib.sha256(raw).hexdigest() == vector["sha256"]
    shard = Shard.checked(raw, vector["type"], vector["width"])
    assert b"".join(part.tobytes() for part in shard.blocks()) == b"".join(values)


@pytest.mark.parametrize("vector", SNAPSHOT["refused_shards"], ids=why)
def test_what_is_no_shard_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="snapshot-malformed"):
        Shard.checked(bytes.fromhex(vector["shard_hex"]), "md5", 16)


@pytest.mark.parametrize("vector", SNAPSHOT["splits"])
def test_a_set_is_split(vector: dict[str, Any]) -> None:
    keys = as_keys(derived(vector["count"], vector["width"], vector["name"]), vector["width"])
    assert [len(part) for part in split([keys])] == vector["parts"]


@pytest.mark.parametrize("vector", SNAPSHOT["deltas"])
def test_a_delta_is_encoded_and_applied(vector: dict[str, Any]) -> None:
    before, after = (
        as_keys([bytes.fromhex(text) for text in vector[name]], 16) for name in ("before_hex", "after_hex")
    )
    changes = delta.compare([before], [after], 16)
    raw = delta.encode_delta(vector["type"], 16, changes, [after[changes.added]])
    assert raw == bytes.fromhex(vector["delta_hex"])
    found = list(delta.apply(delta.decode_delta(raw, vector["type"], 16), [before]))
    assert b"".join(keys.tobytes() for keys in found) == after.tobytes()


@pytest.mark.parametrize("vector", SNAPSHOT["manifests"])
def test_a_manifest_has_one_canonical_form(vector: dict[str, Any]) -> None:
    manifest = Manifest.model_validate(vector["manifest"])
    assert manifest.canonical().decode() == vector["canonical"]
    assert manifest.digest() == vector["digest"]

"""What must be true of a hub's snapshots whenever no one is making one, looked at with SQL and files alone."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text

from tocsin.config import Settings
from tocsin.db import Database
from tocsin_client.snapshot import delta
from tocsin_client.snapshot.keys import Digest, Keys
from tocsin_client.snapshot.shard import Shard
from tocsin_schemas import envelope, hub_events, signals
from tocsin_schemas.indicators import VALUE_BYTES
from tocsin_schemas.ledger import commit
from tocsin_schemas.snapshots import Manifest


def folder(settings: Settings, community: str, kind: str) -> Path:
    """Where a hub that stores files keeps a live set."""
    return Path(settings.feed_location()) / "snapshots" / community / kind


def check_snapshots(database: Database, settings: Settings) -> dict[tuple[str, str], Manifest]:
    """Assert that every snapshot is whole, signed and logged, and that nothing lies beside it; the manifests."""
    found = {}
    with database.snapshot() as uow:
        rows = uow.conn.execute(
            text(
                "SELECT c.slug, s.*, t.jws, t.nonce, t.kind, e.commitment FROM snapshot s"
                " JOIN community c ON c.id = s.community_id"
                " LEFT JOIN statement t ON t.seq = s.seq LEFT JOIN entry e ON e.seq = s.seq"
            )
        ).all()
    for row in rows:
        home = folder(settings, row.slug, row.type)
        files = {path.name: path.read_bytes() for path in home.iterdir()} if home.exists() else {}
        assert row.swept, f"{row.type}: left unswept"
        assert all(hashlib.sha256(raw).hexdigest() == name for name, raw in files.items())
        if row.version == 0:
            assert files == {}
            continue
        manifest = Manifest.model_validate_json(files[bytes(row.manifest).hex()])
        assert (manifest.community, manifest.type, manifest.version) == (row.slug, row.type, row.version)
        assert files.keys() == {
            manifest.digest(),
            *(file.sha256 for file in manifest.shards),
            *(file.sha256 for file in manifest.deltas),
        }, f"{row.type}: other objects than its manifest names"
        assert row.kind == "snapshot"
        assert commit(bytes(row.nonce), bytes(row.jws)) == bytes(row.commitment)
        payload = signals.load_object(envelope.payload_of(bytes(row.jws)), "payload")
        said = hub_events.HubClaims.model_validate(payload).event
        assert said == hub_events.Snapshot(
            type=manifest.type,
            version=manifest.version,
            count=manifest.count,
            log_size=manifest.log_size,
            manifest=manifest.digest(),
        )
        digest = Digest()
        assert sum(map(len, digest.through(_keys(manifest, files)))) == manifest.count
        assert digest.hex() == manifest.keys
        for file in manifest.deltas:
            one = delta.decode_delta(files[file.sha256], manifest.type, manifest.width)
            assert (len(one.removed), file.bytes) == (file.removed, len(files[file.sha256]))
        found[row.slug, row.type] = manifest
    return found


def values(settings: Settings, manifest: Manifest) -> list[bytes]:
    """The values that a stored snapshot holds."""
    home = folder(settings, manifest.community, manifest.type)
    files = {file.sha256: (home / file.sha256).read_bytes() for file in manifest.shards}
    return [row.tobytes() for keys in _keys(manifest, files) for row in keys]


def _keys(manifest: Manifest, files: dict[str, bytes]) -> Iterator[Keys]:
    for file in manifest.shards:
        assert len(files[file.sha256]) == file.bytes
        shard = Shard.checked(files[file.sha256], manifest.type, VALUE_BYTES[manifest.type])
        assert shard.count == file.count
        yield shard.keys()

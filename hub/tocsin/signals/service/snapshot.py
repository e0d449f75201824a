"""Making snapshots: the live set of each community and type in files that followers match against.

A version is made by these steps; what a crash leaves behind after each is in docs/signal-lifecycle.md:

 1. Claim it: from here on objects may lie about that no manifest names. 2. Read the live set from one state of the
 database; write its shards. 3. Compare with the newest version; lead every older one's delta on to the new set, and
 write the deltas and the manifest. 4. In one transaction sign the hub's event, enter it in the log, and make the
 version the newest. 5. Remove every object that the manifest does not name, so that a value that left the set is in
 none.

Objects are named by their SHA-256. A change in one shard leaves the others as they are, and nothing is ever
overwritten.
"""

import hashlib
from collections.abc import Iterator
from typing import Final, NamedTuple, cast

from tocsin.db import UnitOfWork
from tocsin.ledger import service as ledger
from tocsin.members.service import Community
from tocsin.objects import Object, Objects
from tocsin.signals.service.context import Context
from tocsin.signals.service.events import enter
from tocsin.signals.service.live_set import live_values
from tocsin.signals.service.sight import withheld
from tocsin.signals.store import snapshots
from tocsin.signals.store.snapshots import State
from tocsin_client.snapshot import delta
from tocsin_client.snapshot.delta import Changes
from tocsin_client.snapshot.keys import SHARD_KEYS, Digest, Keys, as_keys, joined, split
from tocsin_client.snapshot.shard import Shard, encode_shard
from tocsin_schemas import hub_events
from tocsin_schemas import ledger as log
from tocsin_schemas.indicators import INDICATOR_TYPES, VALUE_BYTES, IndicatorType
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.snapshots import DeltaFile, Manifest, ShardFile

DELTAS: Final = 8
"""From how many earlier versions a delta is kept."""
DELTA_BYTES: Final = 32 * 1024 * 1024
"""About the most that the added keys of a delta may take."""
MEDIA_TYPE: Final = "application/octet-stream"
WRITTEN_AT_ONCE: Final = 8
"""Shards held in memory until they are written together."""


class Place(NamedTuple):
    """One live set, and the folder of its objects."""

    community: Community
    kind: str

    @property
    def folder(self) -> str:
        """Where its objects lie."""
        return f"snapshots/{self.community.slug}/{self.kind}"

    @property
    def width(self) -> int:
        """The length of a key."""
        return VALUE_BYTES[self.kind]


def snapshot(context: Context, key: SigningKey) -> int:
    """Make a new version of every live set that has changed; how many. `key` is the hub's own, for its events."""
    with context.database.snapshot() as uow:
        communities = list(context.members.communities(uow).values())
    places = [Place(community, kind) for community in communities for kind in INDICATOR_TYPES]
    return sum(_renew(context, key, place) for place in places)


def folder_files(objects: Objects, place: Place) -> set[str]:
    """The names of the objects of a live set that are there."""
    return {path.rpartition("/")[2] for path in objects.list(place.folder)}


def read_manifest(objects: Objects, place: Place, digest: bytes) -> Manifest | None:
    """A manifest by its digest, if it is there."""
    raw = objects.read(f"{place.folder}/{digest.hex()}")
    return None if raw is None else Manifest.model_validate_json(raw)


def _renew(context: Context, key: SigningKey, place: Place) -> bool:
    with context.database.snapshot() as uow:
        known = snapshots.state(uow, place.community.id, place.kind)
        due = _due(context, uow, place, known)
    if due:
        # 1. Claim it.
        with context.database.transaction() as uow:
            claimed = snapshots.claim(uow, place.community.id, place.kind)
        return _make(context, key, place, claimed)
    if known is not None and not known.swept:
        _sweep(context, place, known)
    return False


def _due(context: Context, uow: UnitOfWork, place: Place, known: State | None) -> bool:
    """Whether the live set may be another than that of the newest version."""
    if known is None:
        return snapshots.any_of(uow, place.community.id, place.kind)
    if known.withheld != _uncounted(context, uow):
        return True
    return snapshots.changed(uow, place.community.id, place.kind, known)


def _make(context: Context, key: SigningKey, place: Place, known: State) -> bool:
    objects = context.feed_store
    there = folder_files(objects, place)
    old = None if known.manifest is None else read_manifest(objects, place, known.manifest)
    with context.database.snapshot() as uow:
        # 2. The live set from one state of the database.
        passed = Digest()
        shards = list(_write_shards(objects, place, there, passed.through(_keys(context, uow, place))))
        now, size, uncounted = uow.now, ledger.size(uow), _uncounted(context, uow)
    looked = known._replace(checked_at=now, checked_size=size, withheld=uncounted)
    whole = old is not None and {file.sha256 for file in old.shards} <= there
    if old is not None and whole and old.keys == passed.hex():
        with context.database.transaction() as uow:
            snapshots.finish(uow, place.community.id, place.kind, looked)
        _sweep(context, place, looked)
        return False
    # 3. Deltas, and the manifest.
    deltas = _lead_on(objects, place, old, shards) if old is not None and whole else []
    manifest = Manifest(
        community=place.community.slug,
        type=cast("IndicatorType", place.kind),
        version=known.version + 1,
        at=log.rfc3339(now),
        log_size=size,
        width=place.width,
        count=passed.count,
        keys=passed.hex(),
        shards=shards,
        deltas=[file for file, _ in deltas],
    )
    objects.write_many([_object(place, raw) for raw in (*(raw for _, raw in deltas), manifest.canonical())])
    # 4. The version is the newest.
    made = _enter(context, key, place, manifest, looked)
    if made is None:
        return False
    # 5. Nothing else is left.
    _sweep(context, place, made)
    return True


def _keys(context: Context, uow: UnitOfWork, place: Place) -> Iterator[Keys]:
    for page in live_values(context, uow, place.community.id, place.kind):
        yield as_keys(page, place.width)


def _write_shards(
    objects: Objects, place: Place, there: set[str], stream: Iterator[Keys]
) -> Iterator[ShardFile]:
    """Write the shards of a stream, except those that are there already."""
    waiting: list[Object] = []
    for keys in split(stream):
        raw = encode_shard(place.kind, keys)
        file = ShardFile(count=len(keys), bytes=len(raw), sha256=hashlib.sha256(raw).hexdigest())
        if file.sha256 not in there:
            waiting.append(_object(place, raw))
        if len(waiting) == WRITTEN_AT_ONCE:
            objects.write_many(waiting)
            waiting = []
        yield file
    objects.write_many(waiting)


def _lead_on(
    objects: Objects, place: Place, old: Manifest, shards: list[ShardFile]
) -> list[tuple[DeltaFile, bytes]]:
    """The deltas to the new set: from the version before it, and from those that a delta led to that one."""

    def before() -> Iterator[Keys]:
        return _stored(objects, place, old.shards)

    def after() -> Iterator[Keys]:
        return _stored(objects, place, shards)

    step = delta.compare(before(), after(), place.width)
    earlier = [(file, _read(objects, place, file.sha256)) for file in old.deltas[1 - DELTAS :]]
    found = [(file.since, delta.decode_delta(raw, place.kind, place.width)) for file, raw in earlier]
    added = delta.places(before(), [joined(one.additions(), place.width) for _, one in found])
    leads = [
        (since, delta.compose(Changes(one.before, one.after, one.removed, came), step))
        for (since, one), came in zip(found, added, strict=True)
    ]
    # Beyond that the whole set is the better way; and nobody holds a delta of any size in memory.
    worth = max(SHARD_KEYS, min(step.after // 4, DELTA_BYTES // place.width))
    kept = [(since, changes) for since, changes in (*leads, (old.version, step)) if changes.size <= worth]
    coming = delta.taken(after(), [changes.added for _, changes in kept], place.width)
    made = []
    for (since, changes), keys in zip(kept, coming, strict=True):
        raw = delta.encode_delta(place.kind, place.width, changes, [keys])
        file = DeltaFile(
            since=since,
            removed=len(changes.removed),
            added=len(keys),
            bytes=len(raw),
            sha256=hashlib.sha256(raw).hexdigest(),
        )
        made.append((file, raw))
    return made


def _enter(
    context: Context, key: SigningKey, place: Place, manifest: Manifest, looked: State
) -> State | None:
    """Sign and log the event and make the version the newest; None when somebody else has begun another."""
    said = hub_events.Snapshot(
        type=manifest.type,
        version=manifest.version,
        count=manifest.count,
        log_size=manifest.log_size,
        manifest=manifest.digest(),
    )
    with context.database.transaction() as uow:
        seq = ledger.locked_size(uow)
        payload = hub_events.compose_snapshot(
            iss=context.issuer,
            aud=context.members.audience(place.community.slug),
            iat=uow.now,
            snapshot=said,
        )
        made = looked._replace(version=manifest.version, seq=seq, manifest=bytes.fromhex(said.manifest))
        if not snapshots.finish(uow, place.community.id, place.kind, made):
            return None
        enter(uow, key, place.community, "snapshot", payload)
    return made


def _sweep(context: Context, place: Place, known: State) -> None:
    """Remove every object that the newest version does not name, unless somebody has begun another."""
    objects = context.feed_store
    with context.database.snapshot() as uow:
        now = snapshots.state(uow, place.community.id, place.kind)
    if now is None or now.claim != known.claim:
        return
    manifest = None if now.manifest is None else read_manifest(objects, place, now.manifest)
    named = set() if manifest is None else {manifest.digest()}
    if manifest is not None:
        named |= {file.sha256 for file in manifest.shards} | {file.sha256 for file in manifest.deltas}
    if stray := folder_files(objects, place) - named:
        objects.delete(f"{place.folder}/{name}" for name in stray)
    with context.database.transaction() as uow:
        snapshots.swept(uow, place.community.id, place.kind, known.claim)


def _stored(objects: Objects, place: Place, files: list[ShardFile]) -> Iterator[Keys]:
    return (Shard(_read(objects, place, file.sha256)).keys() for file in files)


def _read(objects: Objects, place: Place, name: str) -> bytes:
    raw = objects.read(f"{place.folder}/{name}")
    if raw is None:
        raise OSError("an object of a snapshot has gone while it was read")
    return raw


def _object(place: Place, raw: bytes) -> Object:
    return Object(f"{place.folder}/{hashlib.sha256(raw).hexdigest()}", raw, MEDIA_TYPE, "private")


def _uncounted(context: Context, uow: UnitOfWork) -> bytes:
    """A fingerprint of which members' signals do not count, and from when on."""
    found = sorted(withheld(context.members.orgs(uow).values()).items())
    return hashlib.sha256(repr(found).encode()).digest()

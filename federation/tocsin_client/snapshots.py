"""Snapshots of a hub on this machine: fetched, verified, and kept as files that are matched against where they lie.

The steps by which one is believed are those of `tocsin_client.snapshot_check`. A delta is only a shorter way to the
same shards: whoever holds the same keys makes the same files.
"""

import fcntl
import hashlib
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import ValidationError

from tocsin_client.client import Client
from tocsin_client.clock import Clock, system_clock
from tocsin_client.config import NotReady, host_of, private_folder
from tocsin_client.http import HubError
from tocsin_client.log import Log
from tocsin_client.snapshot import delta
from tocsin_client.snapshot.keys import Digest, Keys, joined, split
from tocsin_client.snapshot.shard import Shard, encode_shard
from tocsin_client.snapshot_check import Kept, SnapshotUnverified, check_logged, check_view, mismatch
from tocsin_client.trust import Trust
from tocsin_schemas.indicators import VALUE_BYTES
from tocsin_schemas.problems import Refused
from tocsin_schemas.snapshots import DeltaFile, Manifest, ShardFile
from tocsin_schemas.tlog_policy import LogPolicy

FOLDER: Final = "snapshots"
NEWEST: Final = "newest.json"
ATTEMPTS: Final = 20
"""How often a snapshot is asked for again that was superseded while it was fetched. What was fetched counts."""
Way = Literal["same", "delta", "whole"]
Advance = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What `get` did: the version held now, by which way, and how many bytes of files that took."""

    manifest: Manifest
    way: Way
    fetched: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What a newer version would change."""

    since: int
    manifest: Manifest
    removed: Keys
    added: Keys


class SnapshotStore:
    """The folder of one live set. Its files are shards under their SHA-256, and `newest.json` (`Kept`)."""

    def __init__(self, folder: Path, community: str, kind: str) -> None:
        self.folder = folder
        self.community = community
        self.kind = kind
        self.width = VALUE_BYTES[kind]

    @classmethod
    def of(cls, data: Path, hub: str, community: str, kind: str) -> Self:
        """The folder below a data folder."""
        return cls(data / FOLDER / host_of(hub) / community / kind, community, kind)

    def kept(self) -> Kept | None:
        """What is held; None before the first.

        Raises:
            NotReady: when the file is damaged.
        """
        try:
            return Kept.model_validate_json((self.folder / NEWEST).read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError:
            raise NotReady(
                f"{self.folder / NEWEST} is damaged", "Delete it and run `tocsin snapshot get` again."
            ) from None

    def demand(self) -> Kept:
        """What is held.

        Raises:
            NotReady: when nothing is, or it is damaged.
        """
        kept = self.kept()
        if kept is None:
            raise NotReady(
                f"There is no snapshot of {self.kind} on this machine",
                f"Run `tocsin snapshot get {self.kind}`.",
            )
        return kept

    def open(self, file: ShardFile) -> Shard:
        """A shard, where it lies.

        Raises:
            Refused: `snapshot-malformed`.
            OSError: when it is not there.
        """
        with (self.folder / file.sha256).open("rb") as opened:
            return Shard(memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)))

    def keys(self, manifest: Manifest) -> Iterator[Keys]:
        """All keys of a version that is held, a shard at a time."""
        return (self.open(file).keys() for file in manifest.shards)

    def holds(self, file: ShardFile) -> bool:
        """Whether a shard is there, whole."""
        try:
            return hashlib.sha256((self.folder / file.sha256).read_bytes()).hexdigest() == file.sha256
        except FileNotFoundError:
            return False

    def write(self, name: str, raw: bytes) -> None:
        """Write a file, whole or not at all."""
        private_folder(self.folder)
        fresh = self.folder / f"{name}.new"
        with fresh.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.folder / name)

    def keep(self, kept: Kept) -> None:
        """Let a version whose shards are all there take the place of the one before."""
        self.write(NEWEST, kept.model_dump_json().encode())
        named = {NEWEST, "lock", *(file.sha256 for file in kept.manifest.shards)}
        for path in self.folder.iterdir():
            if path.name not in named:
                path.unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from fetching into the same folder."""
        private_folder(self.folder)
        with (self.folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def get(
    client: Client,
    log: Log,
    store: SnapshotStore,
    *,
    whole: bool = False,
    on_bytes: Advance = lambda _: None,
) -> Fetched:
    """Fetch and verify the newest version, by a delta where that is shorter and not `whole` is asked for.

    Raises:
        SnapshotUnverified: when a step fails; what was held before stays.
        LogUnverified: as `Log.latest`.
        HubError: when the hub cannot be reached or refuses.
    """
    with store.locked():
        trust = Trust.of(client.directory(store.community))
        attempts = 0
        while True:
            attempts += 1
            held = store.kept()
            kept = _offered(client, log, store, trust, held)
            try:
                fetched = _fetch(client, store, held, kept, whole, on_bytes)
            except HubError as error:
                if error.code != "snapshot-superseded" or attempts == ATTEMPTS:
                    raise
                continue
            check_shards(store, kept.manifest)
            store.keep(kept)
            return fetched


def difference(client: Client, log: Log, store: SnapshotStore) -> Difference | None:
    """What fetching the newest version would change; None when no delta leads there from the version held.

    Raises:
        NotReady: when nothing is held.
        SnapshotUnverified, LogUnverified, HubError: as `get`.
    """
    held = store.demand()
    trust = Trust.of(client.directory(store.community))
    kept = _offered(client, log, store, trust, held)
    old, new = held.manifest, kept.manifest
    nothing = joined((), store.width)
    if new.version == old.version:
        return Difference(old.version, new, nothing, nothing)
    file = _delta_from(new, old.version)
    if file is None:
        return None
    raw = client.snapshot_delta(store.community, store.kind, new.version, file.since)
    with _decoding():
        step = _checked_delta(store, file, raw)
        removed = delta.taken(store.keys(old), [step.removed], store.width)[0]
    return Difference(old.version, new, removed, joined(step.additions(), store.width))


def check_shards(store: SnapshotStore, manifest: Manifest, on_keys: Advance = lambda _: None) -> None:
    """Steps 6 and 7 for what lies in a folder.

    Raises:
        SnapshotUnverified: for the first shard that is not what it should be, by its number.
    """
    digest, last = Digest(), b""
    for number, file in enumerate(manifest.shards):
        # 6. The file that is named, and it decodes.
        if not store.holds(file):
            raise mismatch(f"shard {number} is not the file that the manifest names")
        with _decoding(f"shard {number}"):
            raw = (store.folder / file.sha256).read_bytes()
            keys = Shard.checked(raw, store.kind, store.width).keys()
        if len(keys) != file.count or len(raw) != file.bytes or keys[0].tobytes() <= last:
            raise mismatch(f"shard {number} is not what the manifest says")
        last = keys[-1].tobytes()
        for passed in digest.through([keys]):
            on_keys(len(passed))
    # 7. All of them.
    if (digest.count, digest.hex()) != (manifest.count, manifest.keys):
        raise mismatch("the keys are not those that the manifest names")


def verify(
    store: SnapshotStore,
    trust: Trust,
    policy: LogPolicy,
    *,
    clock: Clock = system_clock,
    on_keys: Advance = lambda _: None,
) -> Manifest:
    """Every step again, offline, but 5: what is held is what the hub signed and logged.

    Raises:
        NotReady: when nothing is held.
        SnapshotUnverified: for the first step that fails.
    """
    kept = store.demand()
    check_view(kept.view, trust, store.kind)
    check_logged(kept, policy, clock())
    check_shards(store, kept.manifest, on_keys)
    return kept.manifest


def _offered(client: Client, log: Log, store: SnapshotStore, trust: Trust, held: Kept | None) -> Kept:
    """What the hub offers now: steps 1-5."""
    view = client.snapshot(store.community, store.kind)
    check_view(view, trust, store.kind)
    # 4. In the log.
    shown = log.latest(view.seq + 1)
    if view.seq >= shown.size:
        raise mismatch("the log does not cover the hub's event")
    ((_, entry),) = shown.entries(view.seq, view.seq)
    kept = Kept(
        view=view, entry=entry.decode("ascii", "replace"), proof=shown.proof(view.seq).encode().decode()
    )
    check_logged(kept, log.policy(), client.author.clock())
    # 5. Not older, and one of each version.
    if held is not None:
        old, new = held.manifest, view.manifest
        if new.version < old.version or (new.version == old.version and new != old):
            raise mismatch(f"the hub had shown another version {old.version}, and signed both")
    return kept


def _fetch(
    client: Client, store: SnapshotStore, held: Kept | None, kept: Kept, whole: bool, on_bytes: Advance
) -> Fetched:
    manifest = kept.manifest
    missing = [(number, file) for number, file in enumerate(manifest.shards) if not store.holds(file)]
    if not missing:
        return Fetched(manifest, "same", 0)
    step = None if held is None or whole else _delta_from(manifest, held.manifest.version)
    if held is not None and step is not None and step.bytes < sum(file.bytes for _, file in missing):
        raw = client.snapshot_delta(store.community, store.kind, manifest.version, step.since)
        on_bytes(len(raw))
        if _follow(store, held.manifest, manifest, step, raw):
            return Fetched(manifest, "delta", len(raw))
    fetched = 0
    for number, file in missing:
        raw = client.snapshot_shard(store.community, store.kind, manifest.version, number)
        if hashlib.sha256(raw).hexdigest() != file.sha256:
            raise mismatch(f"shard {number} is not the file that the manifest names")
        store.write(file.sha256, raw)
        on_bytes(len(raw))
        fetched += len(raw)
    return Fetched(manifest, "whole", fetched)


def _follow(store: SnapshotStore, old: Manifest, new: Manifest, step: DeltaFile, raw: bytes) -> bool:
    """Make the shards of the new version; False when they do not come out as its manifest says, for whatever reason."""
    try:
        made = []
        for keys in split(delta.apply(_checked_delta(store, step, raw), store.keys(old))):
            shard = encode_shard(store.kind, keys)
            file = ShardFile(count=len(keys), bytes=len(shard), sha256=hashlib.sha256(shard).hexdigest())
            made.append(file)
            if not store.holds(file):
                store.write(file.sha256, shard)
    except (Refused, SnapshotUnverified, OSError):
        # A damaged shard of the version held, say. The whole way remains, and has checks of its own.
        return False
    return made == new.shards


def _checked_delta(store: SnapshotStore, file: DeltaFile, raw: bytes) -> delta.Delta:
    if hashlib.sha256(raw).hexdigest() != file.sha256:
        raise mismatch("the delta is not the file that the manifest names")
    return delta.decode_delta(raw, store.kind, store.width)


def _delta_from(manifest: Manifest, since: int) -> DeltaFile | None:
    return next((file for file in manifest.deltas if file.since == since), None)


@contextmanager
def _decoding(what: str = "the delta") -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        raise SnapshotUnverified(refused.code, f"{what}: {refused.reason}") from None

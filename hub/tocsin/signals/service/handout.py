"""Handing snapshots out: the manifest with its signed event, its files, and the live set as lines for people.

Whatever is handed out counts as delivered up to the size that the log had, and is remembered before it leaves.
"""

from collections.abc import Callable, Iterator
from typing import Final

from tocsin.ledger import service as ledger
from tocsin.signals.service.context import Context, readable
from tocsin.signals.service.live_set import Listed, live_page
from tocsin.signals.service.sight import reads_freely
from tocsin.signals.service.snapshot import Place, read_manifest
from tocsin.signals.store import admission, reading, snapshots
from tocsin_schemas.indicators import VALUE_BYTES, Indicator
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.problems import Refused
from tocsin_schemas.snapshots import DeltaFile, Manifest, ShardFile, SnapshotView

Choice = Callable[[Manifest], ShardFile | DeltaFile | None]
CSV_HEADER: Final = b"indicator,status,expires_at\n"


def newest(context: Context, reader_id: int, slug: str, kind: str) -> SnapshotView:
    """The newest snapshot of a type in a community.

    Raises:
        Refused: `not-found` when the member may read no such community or it has no snapshot of that type,
        `unavailable`
            while its files are being made again, `member-restricted` for a member that may not read everything.
    """
    place = _whole(context, reader_id, slug, kind)
    with context.database.snapshot() as uow:
        state = snapshots.state(uow, place.community.id, kind)
        if state is None or state.seq is None or state.manifest is None:
            raise Refused("not-found", "", "no snapshot of that type in this community yet")
        event = snapshots.event(uow, state.seq)
    manifest = read_manifest(context.feed_store, place, state.manifest)
    if manifest is None:
        _lost(context, place)
        raise Refused("unavailable", "", "the snapshot is being made again", retry_after=60)
    _delivered(context, reader_id, place, manifest.log_size)
    return SnapshotView(seq=state.seq, r=event.nonce.hex(), jws=event.jws.decode(), manifest=manifest)


def shard(context: Context, reader_id: int, slug: str, kind: str, version: int, number: int) -> bytes:
    """Shard `number` (from 0) of a version.

    Raises:
        Refused: as `newest`; `snapshot-superseded` when it is not the newest version, `not-found` beyond its last
        shard.
    """
    return _file(
        context, reader_id, slug, kind, version,
        lambda manifest: manifest.shards[number] if number < len(manifest.shards) else None,
    )  # fmt: skip


def delta(context: Context, reader_id: int, slug: str, kind: str, version: int, since: int) -> bytes:
    """What leads from version `since` to this one.

    Raises:
        Refused: as `newest`; `snapshot-superseded` when it is not the newest version, `not-found` when there is no
        delta
            from there.
    """
    return _file(
        context, reader_id, slug, kind, version,
        lambda manifest: next((file for file in manifest.deltas if file.since == since), None),
    )  # fmt: skip


def lines(context: Context, reader_id: int, slug: str, kind: str) -> Iterator[bytes]:
    """The live set as it is now, as NDJSON, a bounded part at a time.

    Raises:
        Refused: `not-found` when the member may read no such community, before anything is given.
    """
    return _listed(context, reader_id, _place(context, reader_id, slug, kind), _as_json)


def rows(context: Context, reader_id: int, slug: str, kind: str) -> Iterator[bytes]:
    """The same as CSV with a header."""
    place = _place(context, reader_id, slug, kind)

    def parts() -> Iterator[bytes]:
        yield CSV_HEADER
        yield from _listed(context, reader_id, place, _as_csv)

    return parts()


def _listed(
    context: Context, reader_id: int, place: Place, spell: Callable[[str, Listed], bytes]
) -> Iterator[bytes]:
    # A state of the database for each part: whoever reads slowly keeps nobody waiting.
    after: bytes | None = b""
    while after is not None:
        with context.database.snapshot() as uow:
            size = ledger.size(uow)
            free = reads_freely(context.members.orgs(uow)[reader_id])
            page, after = live_page(context, uow, place.community.id, place.kind, after, free=free)
        _delivered(context, reader_id, place, size)
        yield b"".join(spell(place.kind, item) for item in page)


def _as_json(kind: str, item: Listed) -> bytes:
    # Types, values and words need no escaping.
    return b'{"indicator":"%s","status":"%s","expires_at":"%s"}\n' % _parts(kind, item)


def _as_csv(kind: str, item: Listed) -> bytes:
    return b"%s,%s,%s\n" % _parts(kind, item)


def _parts(kind: str, item: Listed) -> tuple[bytes, bytes, bytes]:
    indicator = Indicator(kind, item.value)
    return str(indicator).encode(), item.status.encode(), rfc3339(item.expires_at).encode()


def _file(context: Context, reader_id: int, slug: str, kind: str, version: int, choose: Choice) -> bytes:
    place = _whole(context, reader_id, slug, kind)
    with context.database.snapshot() as uow:
        state = snapshots.state(uow, place.community.id, kind)
    if state is None or version > state.version:
        raise Refused("not-found", "", "no such version")
    superseded = Refused("snapshot-superseded", "", "not the newest version")
    if version < state.version or state.manifest is None:
        raise superseded
    manifest = read_manifest(context.feed_store, place, state.manifest)
    chosen = None if manifest is None else choose(manifest)
    if manifest is not None and chosen is None:
        raise Refused("not-found", "", "no such file of that version")
    raw = None if chosen is None else context.feed_store.read(f"{place.folder}/{chosen.sha256}")
    if manifest is None or raw is None:
        # Superseded in this moment; if not, it is lost, and made again.
        _lost(context, place)
        raise superseded
    _delivered(context, reader_id, place, manifest.log_size)
    return raw


def _place(context: Context, reader_id: int, slug: str, kind: str) -> Place:
    if kind not in VALUE_BYTES:
        raise Refused("not-found", "", "no such type of indicator")
    with context.database.snapshot() as uow:
        return Place(readable(context, uow, reader_id, slug), kind)


def _whole(context: Context, reader_id: int, slug: str, kind: str) -> Place:
    """The same for a member that may have what is stored, which holds everything whatever its TLP."""
    place = _place(context, reader_id, slug, kind)
    with context.database.snapshot() as uow:
        if reads_freely(context.members.orgs(uow)[reader_id]):
            raise Refused("member-restricted", "", "a provisional member is given this as NDJSON or CSV")
    return place


def _lost(context: Context, place: Place) -> None:
    with context.database.transaction() as uow:
        snapshots.lose(uow, place.community.id, place.kind)


def _delivered(context: Context, reader_id: int, place: Place, size: int) -> None:
    """Remember that everything in the log below `size` may have been seen."""
    with context.database.snapshot() as uow:
        known = admission.delivered_up_to(uow, [reader_id], place.community.id)
    if size - 1 > known:
        with context.database.transaction() as uow:
            reading.mark_delivered(uow, reader_id, place.community.id, size - 1)

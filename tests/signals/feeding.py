"""A log with whole segments in little time: real signals where a test looks, tombstones everywhere else."""

import hashlib
import json
import secrets
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from backports import zstd
from sqlalchemy import text

from tests.signals.material import COMMUNITY, Voice
from tests.support.hub import Hub
from tocsin import outbox
from tocsin.ledger import service as ledger
from tocsin.objects import Object, Objects
from tocsin.signals.service.sight import Sight, withheld
from tocsin.signals.store import admission
from tocsin.signals.store.reading import FeedRow
from tocsin_schemas.feed import SEGMENT
from tocsin_schemas.ledger import Entry

GZIP = 31


def fill_up(hub: Hub, author: Voice, size: int, community: str = COMMUNITY) -> None:
    """Let the log grow to `size` entries by statements that were erased long ago."""
    with hub.database.transaction() as uow:
        first = ledger.locked_size(uow)
        author_id = next(i for i, org in hub.members.orgs(uow).items() if org.issuer == author.issuer)
        community_id = hub.members.communities(uow)[community].id
        now = uow.now
        entries = [
            Entry(community, "sighting", now, secrets.token_bytes(32)) for _ in range(max(0, size - first))
        ]
        rows: list[tuple[object, ...]] = [
            (
                seq, community_id, author_id, "sighting", None, None, None, None, None,
                now, now, now, now + 1, "candidate", None, None, "erased", now,
            )
            for seq in range(first, size)
        ]  # fmt: skip
        ledger.append(uow, first, entries)
        admission.record(uow, rows, [], [])
        if rows:
            outbox.publish(uow, [outbox.Happening("signal.recorded", community_id, first, size - 1)])


def store(hub: Hub) -> int:
    """Publish the log, and store the segments that are due; how many were stored."""
    hub.publish()
    built = hub.run_job("feed.build")
    assert built is not None
    return built


def objects(hub: Hub) -> dict[str, bytes]:
    """Everything that is stored of segments: path to bytes."""
    root = Path(hub.settings.feed_location())
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in (root / "segments").rglob("*")
        if path.is_file()
    }


def undone(path: str, data: bytes) -> bytes:
    """What an object of a segment holds, without its compression."""
    return zstd.decompress(data) if path.endswith(".zstd") else zlib.decompressobj(-15).decompress(data)


def check_segments(hub: Hub) -> None:
    """Every current segment says what the rows say now, in both forms; no other object is there."""
    stored = objects(hub)
    with hub.database.snapshot() as uow:
        segments = uow.conn.execute(text("SELECT * FROM feed_segment WHERE NOT stale")).all()
        hidden = withheld(hub.members.orgs(uow).values())
        for segment in segments:
            place = {"community": segment.community_id, "first": segment.number * SEGMENT}
            rows = uow.conn.execute(
                text(
                    "SELECT * FROM statement WHERE community_id = :community AND seq >= :first"
                    f" AND seq < :first + {SEGMENT} ORDER BY seq"
                ),
                place,
            ).all()
            said = {}
            for form in ("zstd", "deflate"):
                path = f"segments/{segment.community_id}/{segment.number}/{segment.generation}.{form}"
                content = undone(path, stored.pop(path))
                assert (len(content), zlib.crc32(content)) == (segment.size, segment.crc), path
                assert hashlib.sha256(content).digest() == bytes(segment.digest), path
                said[form] = [json.loads(line) for line in content.splitlines()]
            assert said["zstd"] == said["deflate"]
            assert len(said["zstd"]) == segment.records == len(rows)
            for record, row in zip(said["zstd"], rows, strict=True):
                assert record["seq"] == row.seq
                assert (record.get("gone") is not None) == (row.gone is not None or row.expires_at <= uow.now)
                if row.gone is None and "gone" not in record:
                    told = FeedRow(*(getattr(row, name) for name in FeedRow._fields))
                    absent = row.quarantine is not None or Sight(hidden).hides(told) is not None
                    assert ("withheld" in record) == absent
                    assert absent or record["jws"] == bytes(row.jws).decode()
    assert list(stored) == []


class Fetched(NamedTuple):
    """An answer of the feed: the bytes that were sent, and what they hold."""

    status: int
    headers: Mapping[str, str]
    raw: bytes
    lines: bytes

    @property
    def covered(self) -> int:
        """The log index that the next page begins behind."""
        return int(self.headers["link"].partition("after=")[2].partition("&")[0])


def fetch(
    voice: Voice,
    coding: str | None = "zstd",
    community: str = COMMUNITY,
    headers: Mapping[str, str] | None = None,
    **params: Any,
) -> Fetched:
    """Ask for a page; `coding` is the `Accept-Encoding`, and the answer is undone by other code than the hub's."""
    asked = {**voice.headers(), "Accept-Encoding": coding or "", **(headers or {})}
    path = f"/v1/communities/{community}/feed"
    with voice.hub.http.stream("GET", path, headers=asked, params=params) as answer:
        raw = b"".join(answer.iter_raw())
    return Fetched(answer.status_code, answer.headers, raw, _undone(raw, answer.headers))


def _undone(raw: bytes, headers: Mapping[str, str]) -> bytes:
    used = headers.get("content-encoding")
    if used == "zstd":
        return zstd.decompress(raw)
    if used == "gzip":
        # Like the many readers that know of one member only.
        member = zlib.decompressobj(GZIP)
        found = member.decompress(raw)
        assert (member.eof, member.unused_data) == (True, b"")
        return found
    assert used is None
    return raw


class Broken(Exception):
    """What a test lets a store raise."""


class Passing:
    """A store that does what the one inside it does."""

    def __init__(self, inner: Objects) -> None:
        self.inner = inner
        self.counted = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Failing(Passing):
    """Raises at call number `at` of those that change something, before or after it was done."""

    def __init__(self, inner: Objects, at: int, *, done: bool) -> None:
        super().__init__(inner)
        self.at = at
        self.done = done

    def write_many(self, items: Iterable[Object]) -> None:
        self._call(lambda: self.inner.write_many(items))

    def delete(self, paths: Iterable[str]) -> None:
        self._call(lambda: self.inner.delete(paths))

    def delete_under(self, folder: str) -> None:
        self._call(lambda: self.inner.delete_under(folder))

    def _call(self, work: Any) -> None:
        self.counted += 1
        if self.counted == self.at and not self.done:
            raise Broken
        work()
        if self.counted == self.at:
            raise Broken

"""Stored segments: the same feed as from rows, in fewer and larger answers, and never what was erased."""

import json
import shutil
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from tests.signals.feeding import (
    Broken,
    Failing,
    Fetched,
    Passing,
    check_segments,
    fetch,
    fill_up,
    objects,
    store,
    undone,
)
from tests.signals.material import COMMUNITY, RETRACTION, Voice, assert_refused, md5
from tests.support.hub import Hub
from tests.support.invariants import check_hub
from tocsin.ledger import service as ledger
from tocsin.objects import Object
from tocsin.signals.service import segments
from tocsin.signals.store import admission
from tocsin_schemas.feed import MAX_PAGE, SEGMENT
from tocsin_schemas.policy import DAY

BOTH = {COMMUNITY: "rw", "ncii": "rw"}


def seqs(fetched: Fetched) -> list[int]:
    return [json.loads(line)["seq"] for line in fetched.lines.splitlines()]


def home(hub: Hub) -> str:
    """Where the community's segments lie."""
    (community_id,) = {item.id for item in hub.members.list_communities() if item.slug == COMMUNITY}
    return f"segments/{community_id}"


def rendered(voice: Voice, first: int, last: int, community: str = COMMUNITY) -> bytes:
    """Records of a feed from rows: pages too small for a segment."""
    lines, after = b"", first - 1
    while after < last:
        params: dict[str, Any] = {} if after < 0 else {"after": after}
        page = fetch(voice, None, community, limit=min(last - after, SEGMENT - 1), **params)
        assert "etag" not in page.headers
        lines, after = lines + page.lines, page.covered
    return lines


@pytest.fixture
def pixel(hub: Hub) -> Voice:
    return Voice(hub, "pixel", communities=BOTH)


@pytest.fixture
def frame(hub: Hub) -> Voice:
    return Voice(hub, "frame", communities=BOTH)


@pytest.fixture
def grown(hub: Hub, pixel: Voice) -> dict[str, Any]:
    """Two and a half segments, a live signal of pixel's at the beginning of each; the receipt of the first."""
    receipt = pixel.post(pixel.report(md5(0))).json()
    fill_up(hub, pixel, SEGMENT)
    pixel.post(pixel.report(md5(1)))
    fill_up(hub, pixel, 2 * SEGMENT)
    pixel.post(pixel.report(md5(2)))
    fill_up(hub, pixel, 2 * SEGMENT + 100)
    assert store(hub) == 2
    return receipt


class TestServing:
    @pytest.mark.parametrize("coding", ["zstd", "gzip", None])
    def test_whole_segments_go_out_as_stored(
        self, hub: Hub, grown: object, frame: Voice, coding: str | None
    ) -> None:
        page = fetch(frame, coding, limit=MAX_PAGE)
        assert page.status == 200
        assert page.headers.get("content-encoding") == coding
        assert int(page.headers["content-length"]) == len(page.raw)
        assert page.covered == 2 * SEGMENT - 1
        assert page.lines == rendered(frame, 0, 2 * SEGMENT - 1)
        assert (page.headers["vary"], page.headers["accept-ranges"]) == ("Accept-Encoding", "seq")
        assert page.headers["cache-control"] == "private, no-store"
        stored = objects(hub)
        if coding == "zstd":
            assert page.raw == stored[f"{home(hub)}/0/1.zstd"] + stored[f"{home(hub)}/1/1.zstd"]
        if coding == "gzip":
            pieces = stored[f"{home(hub)}/0/1.deflate"] + stored[f"{home(hub)}/1/1.deflate"]
            assert page.raw[10 : 10 + len(pieces)] == pieces
        tail = fetch(frame, coding, limit=MAX_PAGE, after=page.covered)
        assert seqs(tail) == list(range(2 * SEGMENT, 2 * SEGMENT + 100))
        assert "etag" not in tail.headers
        check_hub(hub.database, hub.settings)
        check_segments(hub)

    def test_pages_of_every_size_join_without_gap_or_repetition(self, grown: object, frame: Voice) -> None:
        for limit in (999, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, MAX_PAGE):
            found: list[int] = []
            page = fetch(frame, limit=limit)
            while page.lines:
                found += seqs(page)
                page = fetch(frame, limit=limit, after=page.covered)
            assert found == list(range(2 * SEGMENT + 100))

    def test_a_follower_that_joins_in_the_middle_comes_to_the_next_segment(
        self, grown: object, frame: Voice
    ) -> None:
        page = fetch(frame, limit=MAX_PAGE, after=5)
        assert (seqs(page)[0], page.covered, "etag" in page.headers) == (6, SEGMENT - 1, False)
        assert "etag" in fetch(frame, limit=MAX_PAGE, after=page.covered).headers

    def test_empty_ranges_are_skipped(self, hub: Hub, pixel: Voice, frame: Voice) -> None:
        fill_up(hub, pixel, 10, "ncii")
        pixel.post(pixel.report(md5(1), community="ncii"))
        fill_up(hub, pixel, 3 * SEGMENT + 4)
        pixel.post(pixel.report(md5(2), community="ncii"))
        fill_up(hub, pixel, 5 * SEGMENT + 7)
        store(hub)
        page = fetch(frame, community="ncii", limit=MAX_PAGE)
        assert (seqs(page), page.covered) == ([*range(11), 3 * SEGMENT + 4], 5 * SEGMENT - 1)
        first = fetch(frame, community="ncii", limit=11)
        assert (seqs(first), first.covered) == ([*range(11)], 3 * SEGMENT - 1)
        last = fetch(frame, community="ncii", limit=11, after=page.covered)
        assert (last.lines, last.covered) == (b"", 5 * SEGMENT + 6)

    def test_the_same_segments_need_not_be_sent_twice(self, grown: object, frame: Voice) -> None:
        page = fetch(frame, limit=MAX_PAGE)
        tag = page.headers["etag"]
        assert tag.startswith('"')
        for known in (tag, f'"other", W/{tag}', "*"):
            again = fetch(frame, limit=MAX_PAGE, headers={"If-None-Match": known})
            assert (again.status, again.raw, again.headers["etag"]) == (304, b"", tag)
            assert again.headers["link"] == page.headers["link"]
        assert fetch(frame, limit=MAX_PAGE, headers={"If-None-Match": '"other"'}).status == 200
        # Of another coding, and of other segments, it is another.
        assert fetch(frame, "gzip", limit=MAX_PAGE).headers["etag"] != tag
        assert fetch(frame, limit=SEGMENT).headers["etag"] != tag

    def test_what_was_sent_counts_as_delivered(
        self, hub: Hub, grown: object, pixel: Voice, frame: Voice
    ) -> None:
        harbor = Voice(hub, "harbor")
        with hub.database.snapshot() as uow:
            ids = {org.issuer: number for number, org in hub.members.orgs(uow).items()}
        fetch(frame, limit=MAX_PAGE)
        with hub.database.snapshot() as uow:
            rows = uow.conn.execute(text("SELECT organisation_id, seq FROM delivery"))
            marks = {row.organisation_id: row.seq for row in rows}
        assert marks == {ids[frame.issuer]: 2 * SEGMENT - 1}
        # So frame only repeats what it was told, and harbor does not.
        said = [voice.post(voice.report(md5(1))).json() for voice in (frame, harbor)]
        assert [json.loads(receipt["entry"])["kind"] for receipt in said] == ["sighting", "report"]

    def test_a_small_answer_is_sent_as_it_is(self, pixel: Voice, frame: Voice) -> None:
        pixel.post(pixel.report(md5(1)))
        assert len(fetch(frame).raw) < 1024
        assert "content-encoding" not in fetch(frame).headers

    def test_no_acceptable_coding_is_refused(self, hub: Hub, frame: Voice) -> None:
        asked = {**frame.headers(), "Accept-Encoding": "br, *;q=0"}
        answer = hub.http.get(f"/v1/communities/{COMMUNITY}/feed", headers=asked)
        assert_refused(answer, "not-acceptable")


class TestErasure:
    def test_a_retraction_rewrites_one_segment(
        self, hub: Hub, pixel: Voice, frame: Voice, grown: dict[str, Any]
    ) -> None:
        before, kept = fetch(frame, limit=MAX_PAGE), objects(hub)
        record = json.loads(before.lines.splitlines()[0])
        pixel.say(RETRACTION, bytes.fromhex(grown["statement"]))
        # From the commit on, the range comes from rows; the other segment is where it was.
        page = fetch(frame, limit=MAX_PAGE)
        assert json.loads(page.lines.splitlines()[0]) == {"seq": 0, "gone": "retracted"}
        assert ("etag" in page.headers, page.covered) == (False, SEGMENT - 1)
        assert "etag" in fetch(frame, limit=MAX_PAGE, after=page.covered).headers
        assert store(hub) == 1
        now = objects(hub)
        changed = {path for path in kept.keys() | now.keys() if kept.get(path) != now.get(path)}
        assert {path.rpartition("/")[0] for path in changed} == {f"{home(hub)}/0"}
        page = fetch(frame, limit=MAX_PAGE)
        assert page.covered == 2 * SEGMENT - 1
        assert page.headers["etag"] != before.headers["etag"]
        for needle in (record["r"].encode(), record["jws"].encode()):
            assert all(needle not in undone(path, data) for path, data in now.items())
        check_hub(hub.database, hub.settings)
        check_segments(hub)

    def test_expiry_is_not_served_for_a_second(self, hub: Hub, frame: Voice, grown: object) -> None:
        hub.clock.advance(30 * DAY)
        page = fetch(frame, limit=MAX_PAGE)
        # No job has run yet.
        assert (seqs(page)[-1], "etag" in page.headers) == (SEGMENT - 1, False)
        assert json.loads(page.lines.splitlines()[0]) == {"seq": 0, "gone": "expired"}
        hub.run_job("signals.expire")
        assert store(hub) == 2
        check_segments(hub)
        assert b"jws" not in fetch(frame, limit=MAX_PAGE).lines
        assert all(b"jws" not in undone(path, data) for path, data in objects(hub).items())

    def test_a_suspension_withholds_at_once_and_a_return_restores(
        self, hub: Hub, pixel: Voice, frame: Voice, grown: object
    ) -> None:
        before = fetch(frame, limit=MAX_PAGE).lines
        hub.members.suspend(pixel.issuer)
        withheld = {"seq": 0, "withheld": "state"}
        page = fetch(frame, limit=MAX_PAGE)
        assert (json.loads(page.lines.splitlines()[0]), "etag" in page.headers) == (withheld, False)
        assert store(hub) == 2
        page = fetch(frame, limit=MAX_PAGE)
        assert (json.loads(page.lines.splitlines()[0]), "etag" in page.headers) == (withheld, True)
        assert store(hub) == 0
        hub.members.reinstate(pixel.issuer)
        assert fetch(frame, limit=MAX_PAGE).lines == before[: before.index(b'{"seq":%d,' % SEGMENT)]
        assert store(hub) == 2
        assert fetch(frame, limit=MAX_PAGE).lines == before
        check_segments(hub)

    def test_a_segment_erased_in_while_it_is_built_is_not_served(
        self, hub: Hub, pixel: Voice, frame: Voice, grown: dict[str, Any]
    ) -> None:
        hub.members.suspend("https://frame.example")
        hub.members.reinstate("https://frame.example")
        with hub.database.transaction() as uow:
            uow.conn.exec_driver_sql("UPDATE feed_segment SET stale = true")

        class Meanwhile(Passing):
            def write_many(self, items: Iterable[Object]) -> None:
                if not self.counted:
                    pixel.say(RETRACTION, bytes.fromhex(grown["statement"]))
                self.counted += 1
                self.inner.write_many(items)

        context = replace(hub.means.context, feed_store=Meanwhile(hub.means.context.feed_store))
        assert segments.build(context) == 1
        assert {path for path in objects(hub) if path.startswith(f"{home(hub)}/0/")} == set()
        assert json.loads(fetch(frame, limit=MAX_PAGE).lines.splitlines()[0])["gone"] == "retracted"
        assert store(hub) == 1
        assert fetch(frame, limit=MAX_PAGE).covered == 2 * SEGMENT - 1
        check_segments(hub)

    def test_an_erasure_that_is_under_way_when_a_range_is_entered_is_seen(
        self, hub: Hub, pixel: Voice, frame: Voice
    ) -> None:
        pixel.post(pixel.report(md5(0)))
        fill_up(hub, pixel, SEGMENT)
        hub.publish()
        erased = threading.Event()

        def erase() -> None:
            with hub.database.transaction() as uow:
                ledger.locked_size(uow)
                admission.forget(uow, [0], "recalled", uow.now)
                erased.set()
                time.sleep(0.5)

        thread = threading.Thread(target=erase)
        thread.start()
        assert erased.wait(60)
        # It has found no segment to make stale, and has not ended yet.
        assert hub.run_job("feed.build") == 1
        thread.join()
        check_segments(hub)
        assert json.loads(fetch(frame, limit=MAX_PAGE).lines.splitlines()[0])["gone"] == "recalled"


class TestFaults:
    @pytest.mark.parametrize("done", [False, True], ids=["undone", "done"])
    def test_a_build_that_dies_leaves_nothing_that_is_served_or_stays(
        self, hub: Hub, pixel: Voice, frame: Voice, done: bool
    ) -> None:
        receipt = pixel.post(pixel.report(md5(0))).json()
        fill_up(hub, pixel, SEGMENT + 5)
        hub.publish()
        healthy = hub.means.context
        for at in (1, 2):
            broken = replace(healthy, feed_store=Failing(healthy.feed_store, at, done=done))
            with pytest.raises(Broken):
                segments.build(broken)
            assert "etag" not in fetch(frame, limit=MAX_PAGE).headers
        # What the last attempt wrote holds a signal that is now erased; only its row says that it is not current.
        pixel.say(RETRACTION, bytes.fromhex(receipt["statement"]))
        assert store(hub) == 1
        (generation,) = {path.rpartition("/")[2].partition(".")[0] for path in objects(hub)}
        assert set(objects(hub)) == {
            f"{home(hub)}/0/{generation}.zstd",
            f"{home(hub)}/0/{generation}.deflate",
        }
        assert json.loads(fetch(frame, limit=MAX_PAGE).lines.splitlines()[0])["gone"] == "retracted"
        assert "etag" in fetch(frame, limit=MAX_PAGE).headers

    def test_what_an_overtaken_builder_left_is_swept(self, hub: Hub, grown: object, frame: Voice) -> None:
        kept = objects(hub)
        strays = [
            f"{home(hub)}/0/7.zstd",
            f"{home(hub)}/99/1.deflate",
            "segments/999/0/1.zstd",
            "segments/else",
        ]
        hub.means.context.feed_store.write_many(
            [Object(path, b"left", "application/octet-stream", "private") for path in strays]
        )
        assert hub.run_job("feed.sweep") == len(strays)
        assert objects(hub) == kept
        assert hub.run_job("feed.sweep") == 0
        assert "etag" in fetch(frame, limit=MAX_PAGE).headers

    def test_a_store_that_was_lost_is_filled_again(self, hub: Hub, grown: object, frame: Voice) -> None:
        before = fetch(frame, limit=MAX_PAGE).lines
        shutil.rmtree(hub.settings.feed_location())
        page = fetch(frame, limit=MAX_PAGE)
        assert (page.lines, "etag" in page.headers) == (
            before[: before.index(b'{"seq":%d,' % SEGMENT)],
            False,
        )
        fetch(frame, limit=MAX_PAGE, after=page.covered)
        assert store(hub) == 2
        assert fetch(frame, limit=MAX_PAGE).lines == before
        check_segments(hub)

    def test_a_store_that_does_not_answer_costs_speed_alone(
        self, hub: Hub, grown: object, frame: Voice, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def down(path: str) -> memoryview | None:
            raise OSError

        before = fetch(frame, limit=MAX_PAGE).lines
        with monkeypatch.context() as patched:
            patched.setattr(hub.means.context.feed_store, "aview", down)
            page = fetch(frame, limit=MAX_PAGE)
            assert page.lines == before[: before.index(b'{"seq":%d,' % SEGMENT)]
        assert store(hub) == 0
        assert fetch(frame, limit=MAX_PAGE).lines == before

    def test_an_answer_breaks_off_when_a_segment_is_replaced_under_it(
        self, hub: Hub, pixel: Voice, frame: Voice, grown: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inner = hub.means.context.feed_store.aview
        asked: list[str] = []

        async def once(path: str) -> memoryview | None:
            asked.append(path)
            return await inner(path) if len(asked) == 1 else None

        monkeypatch.setattr(hub.means.context.feed_store, "aview", once)
        asked_for = {**frame.headers(), "Accept-Encoding": "identity"}
        answer = hub.http.get(
            f"/v1/communities/{COMMUNITY}/feed", params={"limit": MAX_PAGE}, headers=asked_for
        )
        assert [json.loads(line)["seq"] for line in answer.content.splitlines()] == list(range(SEGMENT))
        # The test client has no connection that could break: a real one ends before what was announced.
        assert int(answer.headers["content-length"]) > len(answer.content)
        monkeypatch.undo()
        # It was taken for lost.
        assert store(hub) == 1
        assert fetch(frame, limit=MAX_PAGE).covered == 2 * SEGMENT - 1
        check_segments(hub)


def test_a_range_is_stored_once_the_published_log_has_passed_it(hub: Hub, pixel: Voice, frame: Voice) -> None:
    fill_up(hub, pixel, SEGMENT - 1)
    assert store(hub) == 0
    pixel.post(pixel.report(md5(1)))
    assert hub.run_job("feed.build") == 0
    assert store(hub) == 1
    assert store(hub) == 0
    assert seqs(fetch(frame, limit=MAX_PAGE)) == list(range(SEGMENT))

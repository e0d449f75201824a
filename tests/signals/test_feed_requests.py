"""Ranges of the log, and waiting for a record."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.signals.feeding import fetch, fill_up, store
from tests.signals.material import COMMUNITY, Voice, assert_refused, md5
from tests.signals.test_segments import seqs
from tests.support.hub import Hub, LiveHub
from tests.support.invariants import unchanged
from tocsin_client.http import HubError
from tocsin_schemas.feed import MAX_PAGE, SEGMENT

BOTH = {COMMUNITY: "rw", "ncii": "rw"}
SOON = 15.0


@pytest.fixture
def pixel(hub: Hub) -> Voice:
    return Voice(hub, "pixel", communities=BOTH)


@pytest.fixture
def frame(hub: Hub) -> Voice:
    return Voice(hub, "frame", communities=BOTH)


class TestRanges:
    @pytest.mark.parametrize(
        ("asked", "found", "said"),
        [
            ("seq=0-4", [0, 2, 4], "seq 0-4/*"),
            ("seq=1-1", [], "seq 1-1/*"),
            ("SEQ=3-", [4, 6, 8], "seq 3-8/*"),
            ("seq=2-400", [2, 4, 6, 8], "seq 2-8/*"),
            ("seq= 8 - 8 ", [8], "seq 8-8/*"),
        ],
    )
    def test_a_range_is_the_records_between_two_log_indexes(
        self, pixel: Voice, frame: Voice, asked: str, found: list[int], said: str
    ) -> None:
        pixel.batch([pixel.report(md5(n), community="ncii" if n % 2 else COMMUNITY) for n in range(9)])
        page = fetch(frame, headers={"Range": asked})
        assert (page.status, seqs(page), page.headers["content-range"]) == (206, found, said)
        assert page.headers["accept-ranges"] == "seq"
        assert "link" not in page.headers
        assert "etag" not in page.headers

    def test_a_range_may_be_answered_in_part(self, pixel: Voice, frame: Voice) -> None:
        pixel.batch([pixel.report(md5(n)) for n in range(9)])
        page = fetch(frame, headers={"Range": "seq=2-8"}, limit=3)
        assert (seqs(page), page.headers["content-range"]) == ([2, 3, 4], "seq 2-4/*")

    def test_a_range_of_whole_segments_is_served_as_stored(
        self, hub: Hub, pixel: Voice, frame: Voice
    ) -> None:
        fill_up(hub, pixel, 3 * SEGMENT)
        store(hub)
        whole = fetch(frame, limit=MAX_PAGE, after=SEGMENT - 1)
        page = fetch(frame, limit=MAX_PAGE, headers={"Range": f"seq={SEGMENT}-{3 * SEGMENT - 1}"})
        assert (page.status, page.raw) == (206, whole.raw)
        assert page.headers["content-range"] == f"seq {SEGMENT}-{3 * SEGMENT - 1}/*"
        # A segment that the range does not hold whole is cut from rows.
        page = fetch(frame, limit=MAX_PAGE, headers={"Range": f"seq={SEGMENT}-{2 * SEGMENT}"})
        assert seqs(page) == list(range(SEGMENT, 2 * SEGMENT))
        page = fetch(frame, limit=MAX_PAGE, headers={"Range": f"seq={2 * SEGMENT}-{2 * SEGMENT + 1}"})
        assert seqs(page) == [2 * SEGMENT, 2 * SEGMENT + 1]

    def test_beyond_the_log_is_not_satisfiable(self, hub: Hub, pixel: Voice, frame: Voice) -> None:
        pixel.batch([pixel.report(md5(n)) for n in range(3)])
        asked = {**frame.headers(), "Range": "seq=3-9"}
        answer = hub.http.get(f"/v1/communities/{COMMUNITY}/feed", headers=asked)
        assert_refused(answer, "range-not-satisfiable")
        assert answer.headers["content-range"] == "seq */3"

    @pytest.mark.parametrize("asked", ["seq=", "seq=-5", "seq=5-4", "seq=0-1,3-4", "seq=a-b", "seq=1-2;3"])
    def test_what_is_no_range_is_refused(self, hub: Hub, pixel: Voice, frame: Voice, asked: str) -> None:
        pixel.post(pixel.report(md5(1)))
        headers = {**frame.headers(), "Range": asked}
        with unchanged(hub.database):
            answer = hub.http.get(f"/v1/communities/{COMMUNITY}/feed", headers=headers)
        assert assert_refused(answer, "request-invalid")["field"] == "range"

    def test_a_range_and_a_cursor_do_not_go_together(self, hub: Hub, frame: Voice) -> None:
        asked = {**frame.headers(), "Range": "seq=0-1"}
        answer = hub.http.get(f"/v1/communities/{COMMUNITY}/feed?after=0", headers=asked)
        assert_refused(answer, "request-invalid")

    @pytest.mark.parametrize(
        "headers", [{"Range": "bytes=0-10"}, {"Range": "seq=1-1", "If-Range": '"tag"'}, {"Range": "nonsense"}]
    )
    def test_what_does_not_apply_is_ignored(
        self, pixel: Voice, frame: Voice, headers: dict[str, str]
    ) -> None:
        pixel.batch([pixel.report(md5(n)) for n in range(3)])
        page = fetch(frame, headers=headers)
        assert (page.status, seqs(page)) == (200, [0, 1, 2])


class TestAtTheEnd:
    """Who asks behind the last entry is answered by one statement, which tells everything that may be asked there."""

    @pytest.mark.parametrize("entries", [0, 3])
    def test_nothing_is_behind_the_end(self, hub: Hub, pixel: Voice, frame: Voice, entries: int) -> None:
        if entries:
            pixel.batch([pixel.report(md5(n)) for n in range(entries)])
        with unchanged(hub.database):
            page = fetch(frame, after=entries - 1) if entries else fetch(frame)
        assert (page.status, page.lines) == (200, b"")

    @pytest.mark.parametrize("community", [COMMUNITY, "nowhere"])
    def test_who_may_not_read_is_told_as_of_one_that_is_not_there(self, hub: Hub, community: str) -> None:
        writer = Voice(hub, "writer", communities={COMMUNITY: "w"})
        stranger = Voice(hub, "stranger", communities={"ncii": "rw"})
        for voice in (writer, stranger):
            page = fetch(voice, community=community)
            assert (page.status, b"not-found" in page.lines) == (404, True)

    def test_who_is_suspended_gets_nothing(self, hub: Hub, frame: Voice) -> None:
        frame.headers()
        hub.members.suspend(frame.issuer)
        page = fetch(frame)
        assert (page.status, b"member-suspended" in page.lines) == (403, True)

    def test_who_has_no_leave_to_read_gets_nothing(self, hub: Hub) -> None:
        voice = Voice(hub, "writer", communities=BOTH, scopes=("signals:submit",))
        page = fetch(voice)
        assert (page.status, b"forbidden" in page.lines) == (403, True)


class TestWaiting:
    def test_a_record_that_is_there_is_not_waited_for(self, pixel: Voice, frame: Voice) -> None:
        pixel.post(pixel.report(md5(1)))
        with at_most(SOON):
            page = fetch(frame, headers={"Prefer": "respond-async, wait=20; x=y, wait=1"})
        assert (seqs(page), page.headers["preference-applied"]) == ([0], "wait=20")

    def test_the_wait_ends_with_nothing(self, hub: Hub, frame: Voice) -> None:
        begun = time.monotonic()
        with unchanged(hub.database):
            page = fetch(frame, headers={"Prefer": "wait=1"})
        assert 0.9 < time.monotonic() - begun < SOON
        assert (page.status, page.lines, page.headers["preference-applied"]) == (200, b"", "wait=1")

    @pytest.mark.parametrize("said", ["wait=0", "wait", "wait=-1", "wait=soon", "handling=lenient", ""])
    def test_what_is_no_wait_is_ignored(self, frame: Voice, said: str) -> None:
        with at_most(SOON):
            page = fetch(frame, headers={"Prefer": said})
        assert "preference-applied" not in page.headers

    def test_a_wait_is_bounded(self, hub: Hub, pixel: Voice, frame: Voice) -> None:
        pixel.post(pixel.report(md5(1)))
        assert fetch(frame, headers={"Prefer": "wait=600"}).headers["preference-applied"] == "wait=25"

    def test_a_record_ends_the_wait_and_another_communitys_does_not(
        self, hub: Hub, pixel: Voice, frame: Voice
    ) -> None:
        frame.headers()
        with asking(frame, {"Prefer": "wait=20"}) as answers:
            pixel.post(pixel.report(md5(1), community="ncii"))
            time.sleep(0.5)
            assert answers == []
            assert pixel.post(pixel.report(md5(2))).status_code == 201
        (page,) = answers
        assert (seqs(page), page.covered) == ([1], 1)

    def test_a_member_suspended_while_it_waits_gets_nothing(
        self, hub: Hub, pixel: Voice, frame: Voice
    ) -> None:
        frame.headers()
        with asking(frame, {"Prefer": "wait=20"}) as answers:
            hub.members.suspend(frame.issuer)
            pixel.post(pixel.report(md5(1)))
        (page,) = answers
        assert (page.status, b"member-suspended" in page.lines, b"jws" in page.lines) == (403, True, False)

    def test_many_wait_and_the_hub_still_answers(self, hub: Hub, pixel: Voice, frame: Voice) -> None:
        """More than there are threads or connections to wait in."""
        frame.headers()
        waiting = 60
        with asking(frame, {"Prefer": "wait=20"}, count=waiting) as answers:
            with at_most(SOON):
                assert pixel.get("/v1/me").status_code == 200
            assert answers == []
            pixel.post(pixel.report(md5(1)))
        assert [seqs(page) for page in answers] == [[0]] * waiting

    def test_the_client_waits(self, hub: Hub, pixel: Voice) -> None:
        sdk = hub.party("reader").sdk()
        assert sdk.await_record(COMMUNITY, None, 0.2) is False
        pixel.post(pixel.report(md5(1)))
        assert sdk.await_record(COMMUNITY, None, 20) is True
        assert sdk.await_record(COMMUNITY, 0, 0.2) is False


def test_a_waiting_caller_does_not_hold_up_the_end_of_a_server(live_hub: LiveHub) -> None:
    sdk = live_hub.party("reader").sdk()
    ended: list[Any] = []

    def wait() -> None:
        try:
            ended.append(sdk.await_record(COMMUNITY, None, 25))
        except HubError as error:
            ended.append(error.code)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(1)
    assert ended == []
    with at_most(10):
        assert live_hub.stop() == 0
        thread.join()
    assert ended in ([False], ["hub-unreachable"])


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


@contextmanager
def asking(voice: Voice, headers: dict[str, str], *, count: int = 1) -> Iterator[list[Any]]:
    """Ask in threads of the test's own; the answers are all there when the block has ended."""
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(fetch(voice, headers=headers))) for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    yield answers
    for thread in threads:
        thread.join()

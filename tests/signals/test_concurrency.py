"""Many writers and many followers at once, against a real server: nobody misses a record, nobody sees one twice."""

import threading
import time
from collections.abc import Callable, Sequence
from itertools import chain

import pytest
from sqlalchemy import text

from tests.signals.material import COMMUNITY, Voice, md5
from tests.support.hub import LiveHub
from tests.support.invariants import check_hub
from tocsin_schemas.feed import Receipt, parse_record

WRITERS = 8
FOLLOWERS = 4
ROUNDS = 4
SIZES = (150, 20, 1)
"""Lines of the batches in a round: for the worker processes, for the serving process, and a single signal."""
LIMITS = (50, 100, 1000, 10_000)
ENOUGH = 90

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unmeasured")]


class Follower(threading.Thread):
    """Follows one community with the SDK until it is told that nothing more comes, and keeps what it saw."""

    def __init__(self, voice: Voice, community: str, limit: int, over: threading.Event) -> None:
        super().__init__()
        self.sdk = voice.party.sdk(retries=4)
        self.community = community
        self.limit = limit
        self.over = over
        self.seen: list[int] = []
        self.covered: int | None = None
        self.pages_meanwhile = 0
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            pause = threading.Event()
            while True:
                last_time = self.over.is_set()
                answer = self.sdk.page(self.community, self.covered, self.limit)
                page = [parse_record(raw).seq for raw in answer.lines]
                self.seen += page
                # Of what an answer says it covers, nothing may come later.
                self.covered = self.covered if answer.covered is None else answer.covered
                self.pages_meanwhile += bool(page) and not last_time
                if not page:
                    if last_time:
                        return
                    pause.wait(0.02)
        except Exception as failure:
            self.failure = failure
            raise


class Writer(threading.Thread):
    """Submits what was signed before with the SDK, in batches of the sizes given; keeps the receipts."""

    def __init__(self, voice: Voice, batches: list[list[bytes]]) -> None:
        super().__init__()
        self.sdk = voice.party.sdk(retries=4)
        self.batches = batches
        self.receipts: list[Receipt] = []

    def run(self) -> None:
        for batch in self.batches:
            results = [self.sdk.send(batch[0])] if len(batch) == 1 else list(self.sdk.submit(batch))
            self.receipts += [result for result in results if isinstance(result, Receipt)]


def batches_of(voice: Voice, serial: int) -> list[list[bytes]]:
    """Batches that mix two communities and hashes of one's own with some that everybody reports."""
    made = []
    for turn in range(ROUNDS):
        for size in SIZES:
            batch = []
            for n in range(size):
                shared = turn * 1000 + size * 2 + n
                number = shared if n % 3 else serial * 100_000 + shared
                batch.append(voice.report(md5(number), community=COMMUNITY if (serial + n) % 2 else "ncii"))
            made.append(batch)
    return made


def test_no_follower_misses_or_sees_twice_a_record(working_hub: LiveHub) -> None:
    both = {COMMUNITY: "rw", "ncii": "rw"}
    voices = [Voice(working_hub, f"writer{n}", communities=both) for n in range(WRITERS)]
    writers = [Writer(voice, batches_of(voice, serial)) for serial, voice in enumerate(voices, 1)]
    over = threading.Event()
    followers = [
        Follower(Voice(working_hub, f"follower{n}", communities=both), community, LIMITS[n], over)
        for n, community in enumerate([COMMUNITY, "ncii"] * (FOLLOWERS // 2))
    ]
    begun = time.monotonic()
    run_all([*followers, *writers], lambda: _finish(writers, over))
    took = time.monotonic() - begun
    sent = sum(len(batch) for writer in writers for batch in writer.batches)
    receipts = list(chain.from_iterable(writer.receipts for writer in writers))
    assert len(receipts) == sent
    assert sorted(receipt.seq for receipt in receipts) == list(range(sent))
    with working_hub.database.snapshot() as uow:
        query = (
            "SELECT c.slug, s.seq FROM statement s JOIN community c ON c.id = s.community_id ORDER BY s.seq"
        )
        rows = uow.conn.execute(text(query)).all()
    for follower in followers:
        assert follower.failure is None
        assert follower.seen == [seq for slug, seq in rows if slug == follower.community]
        assert follower.pages_meanwhile, "it followed while others wrote"
    assert check_hub(working_hub.database, working_hub.settings) == sent
    pages = [follower.pages_meanwhile for follower in followers]
    print(f"{working_hub.database.dialect}: {sent} signals in {took:.1f} s, pages pulled meanwhile: {pages}")
    assert took < ENOUGH


def run_all(threads: Sequence[threading.Thread], meanwhile: Callable[[], None]) -> None:
    for thread in threads:
        thread.start()
    meanwhile()
    for thread in threads:
        thread.join()


def _finish(writers: list[Writer], over: threading.Event) -> None:
    for writer in writers:
        writer.join()
    over.set()


def test_the_same_batch_from_many_sides_is_recorded_once(working_hub: LiveHub) -> None:
    """A client that lost patience and sends again, while the first request is still being worked on."""
    pixel = Voice(working_hub, "pixel")
    tokens = [pixel.report(md5(n)) for n in range(200)]
    pixel.headers()
    answers: list[bytes] = []
    senders = [
        threading.Thread(target=lambda: answers.append(pixel.post_lines(tokens).content)) for _ in range(4)
    ]
    run_all(senders, lambda: None)
    assert len(answers) == 4
    assert len(set(answers)) == 1
    assert check_hub(working_hub.database, working_hub.settings) == 200


def test_many_members_that_report_one_hash_at_once_corroborate_it(live_hub: LiveHub) -> None:
    voices = [Voice(live_hub, f"member{n}") for n in range(6)]
    tokens = [voice.report(md5(1)) for voice in voices]
    for voice in voices:
        voice.headers()
    statuses: list[str] = []
    senders = [
        threading.Thread(target=lambda v=voice, t=token: statuses.append(v.post(t).json()["status"]))
        for voice, token in zip(voices, tokens, strict=True)
    ]
    run_all(senders, lambda: None)
    assert sorted(statuses) == ["candidate"] + ["human_confirmed"] * 5
    view = voices[0].view(md5(1)).json()
    assert (view["status"], view["reporters"], len(view["statements"])) == ("human_confirmed", "6+", 6)
    check_hub(live_hub.database, live_hub.settings)

"""kill -9 in the middle of a batch: what was acknowledged is there, every batch is whole or absent, a retry heals."""

import hashlib
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from tests.signals.material import Voice, md5, sha256
from tests.support.hub import LiveHub, in_own_process
from tests.support.invariants import check_hub
from tocsin_schemas import signals
from tocsin_schemas.envelope import payload_of

ENV = "TOCSIN_TEST_KILLS"
KILLS = int(os.environ.get(ENV, "50")) // 2
"""How often each of the two databases sees its server killed."""
LINES = 400
PATIENCE = 120
CAP = 10_000_000

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unmeasured")]


@contextmanager
def sturdy(database_url: str, folder: Path) -> Iterator[LiveHub]:
    """A hub with one ingest process, so that it is soon back."""
    folder.mkdir(mode=0o700)
    with in_own_process(database_url, folder, ingest_processes="1", run_jobs="false") as hub:
        yield hub


class Sender(threading.Thread):
    """Posts one batch, once; keeps the answer, if one came whole."""

    def __init__(self, voice: Voice, tokens: list[bytes]) -> None:
        super().__init__()
        self.voice = voice
        self.tokens = tokens
        self.status = 0
        self.answer: list[dict[str, Any]] | None = None

    def run(self) -> None:
        try:
            answer = self.voice.post_lines(self.tokens)
        except httpx2.HTTPError:
            return
        self.status = answer.status_code
        if answer.status_code == 200:
            self.answer = parsed(answer)


def parsed(answer: httpx2.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.content.splitlines()]


def new_batch(voice: Voice, number: int) -> list[bytes]:
    first = number * LINES
    return [voice.report([md5(first + n), sha256(first + n)]) for n in range(LINES)]


def children(pid: int) -> list[int]:
    """The processes that any thread of a process has started."""
    listed = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for found in listed for child in found]


def wait_for_end(pids: list[int]) -> None:
    """Until the processes are gone: a killed server's workers end by themselves."""
    give_up = time.monotonic() + PATIENCE
    pause = threading.Event()
    while any(Path(f"/proc/{pid}").exists() and _alive(pid) for pid in pids):
        assert time.monotonic() < give_up, "a worker outlived its server"
        pause.wait(0.01)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def recorded(hub: LiveHub, tokens: list[bytes]) -> int:
    """How many of a batch's signals the database holds."""
    wanted = {signals.parse(payload_of(token)).jti for token in tokens}
    with hub.database.snapshot() as uow:
        newest = "SELECT jti FROM statement ORDER BY seq DESC LIMIT :many"
        rows = uow.conn.execute(text(newest), {"many": 2 * LINES}).scalars()
        return len(wanted & {bytes(jti) for jti in rows})


def retry(voice: Voice, tokens: list[bytes], acknowledged: list[dict[str, Any]] | None) -> None:
    """The same tokens again: every one has a receipt of its own, the one that was given before."""
    answer = voice.post_lines(tokens)
    if answer.status_code == 503:
        assert answer.headers["retry-after"] == "1", (
            "it was a worker that had died: the next one is on its way"
        )
        answer = voice.post_lines(tokens)
    assert answer.status_code == 200, answer.text
    receipts = parsed(answer)
    assert [receipt["jws_digest"] for receipt in receipts] == [hashlib.sha256(t).hexdigest() for t in tokens]
    seqs = [receipt["seq"] for receipt in receipts]
    assert seqs == list(range(seqs[0], seqs[0] + LINES))
    assert acknowledged is None or acknowledged == receipts


def test_killed_in_mid_batch_again_and_again(database_url: str, tmp_path: Path) -> None:
    with sturdy(database_url, tmp_path / "live") as hub:
        print(kill_and_heal(hub))


def kill_and_heal(hub: LiveHub) -> str:
    """Kill the server again and again in the middle of a batch; how that went."""
    seeded = random.Random(KILLS)
    pixel = Voice(hub, "pixel", signals_per_hour=CAP)
    warm, coming = new_batch(pixel, 0), new_batch(pixel, 1)
    pixel.post_lines(warm[:100])
    begun = time.monotonic()
    retry(pixel, warm, None)
    usual = time.monotonic() - begun
    size, fates = LINES, Counter[str]()
    for number in range(1, KILLS + 1):
        sender = Sender(pixel, coming)
        assert hub.process is not None
        workers = children(hub.process.pid)
        sender.start()
        threading.Event().wait(seeded.uniform(0, 1.5 * usual))
        hub.kill()
        sender.join(PATIENCE)
        wait_for_end(workers)
        found = recorded(hub, sender.tokens)
        assert found in {0, LINES}, "a batch is whole or absent"
        assert sender.answer is None or found == LINES, "what was acknowledged is there"
        fates["acknowledged" if sender.answer else "stored" if found else "absent"] += 1
        start = threading.Thread(target=hub.start)
        start.start()
        assert check_hub(hub.database, hub.settings, since=size) == size + found
        coming = new_batch(pixel, number + 1)
        start.join()
        retry(pixel, sender.tokens, sender.answer)
        size += LINES
    assert check_hub(hub.database, hub.settings) == size
    assert KILLS < 20 or {"absent"} < fates.keys(), "the kills were all too early or all too late"
    return f"{hub.database.dialect}: {dict(fates)}, a batch takes {usual:.2f} s"


def test_a_killed_worker_costs_a_retry_and_nothing_else(database_url: str, tmp_path: Path) -> None:
    with sturdy(database_url, tmp_path / "live") as hub:
        lose_workers(hub)


def lose_workers(hub: LiveHub) -> None:
    """Kill the ingest process in the middle of a batch; the hub goes on with a new one."""
    pixel = Voice(hub, "pixel", signals_per_hour=CAP)
    assert hub.process is not None
    retry(pixel, new_batch(pixel, 0), None)
    statuses = set()
    for number in range(1, 5):
        sender = Sender(pixel, new_batch(pixel, number))
        victims = [pid for pid in children(hub.process.pid) if b"spawn_main" in cmdline(pid)]
        assert victims
        sender.start()
        threading.Event().wait(0.025 * number)
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        sender.join(PATIENCE)
        statuses.add(sender.status)
        assert sender.status in {200, 503}
        assert recorded(hub, sender.tokens) in {0, LINES}
        for _ in range(2):
            retry(pixel, sender.tokens, sender.answer)
    assert 503 in statuses
    assert check_hub(hub.database, hub.settings) == 5 * LINES


def cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()

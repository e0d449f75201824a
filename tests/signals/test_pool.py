"""The worker processes of ingest: what a caller hears when they cannot take a batch."""

import re

import pytest

from tests.signals.material import Voice, md5
from tests.support.clock import MovableClock
from tests.support.hub import Hub, in_process
from tests.support.invariants import unchanged
from tocsin.config import Settings
from tocsin.db import system_clock
from tocsin.signals import pool
from tocsin.signals.pool import INLINE_LINES


def test_a_batch_beyond_what_may_wait_is_put_off(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "WAITING_PER_PROCESS", 0)
    clock = MovableClock(system_clock())
    with in_process(settings.model_copy(update={"ingest_processes": 1}), clock) as hub:
        pixel = Voice(hub, "pixel")
        tokens = [pixel.report(md5(n)) for n in range(INLINE_LINES + 1)]
        with unchanged(hub.database):
            answer = pixel.post_lines(tokens)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"] == "1"
        assert len(pixel.batch(tokens[:INLINE_LINES])) == INLINE_LINES, "small batches do not wait for them"


def test_what_became_of_signals_is_counted(settings: Settings) -> None:
    """In this process and in a worker alike, by the words of the metric."""
    clock = MovableClock(system_clock())
    with in_process(settings.model_copy(update={"ingest_processes": 1}), clock) as hub:
        pixel = Voice(hub, "pixel")
        before = counted(hub)
        tokens = [pixel.report(md5(n)) for n in range(INLINE_LINES + 1)]
        pixel.batch([*tokens, b"x.y.z"])
        pixel.batch(tokens[:2])
        pixel.post(tokens[0], dry_run="true")
        after = counted(hub)
    risen = {end: after[end] - before.get(end, 0) for end in after if after[end] != before.get(end, 0)}
    assert risen == {"recorded": INLINE_LINES + 1, "base64-not-canonical": 1, "again": 2, "dry-run": 1}


def counted(hub: Hub) -> dict[str, int]:
    found = re.findall(
        r'^tocsin_signals_total\{result="([a-z0-9-]+)"\} (\d+)', hub.http.get("/metrics").text, re.MULTILINE
    )
    return {end: int(times) for end, times in found}

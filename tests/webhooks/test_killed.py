"""kill -9 at every moment of webhooks.fanout, and amid what the real sender does: all is told, once each."""

import multiprocessing
import os
import signal
from collections import Counter

import pytest
from sqlalchemy import event, text

from tests.client.webserver import Answer, Asked
from tests.signals.material import Voice, md5, report
from tests.support.hub import Hub
from tests.support.invariants import check_deliveries
from tests.support.told import check_messages
from tests.webhooks.hearing import Ear, deliver, ears
from tests.webhooks.receiving import good
from tocsin import keys, outbox
from tocsin.cli.means import open_means
from tocsin.config import Settings
from tocsin.delivery.service.turn import LEASE_SECONDS
from tocsin.jobs.service import run
from tocsin_schemas.policy import DAY

PATIENCE = 30
LATER = 1800
"""Seconds after which what was killed some times, and then refused, is tried again."""
MOMENTS = range(1, 60)
"""More than a fan-out has."""
SENDING = (4, 9, 14, 19)
"""Moments of delivery.send: looking for what is due, taking, composing, recording."""


def work(settings: Settings, now: int, job: str, moment: int) -> None:
    """A worker that runs a job once, and is killed before its so-manieth statement or commit."""
    means, reached = open_means(settings, keys.load(settings), lambda: now), Counter[str]()

    def reach(*_: object) -> None:
        reached["moments"] += 1
        if reached["moments"] == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    engine = means.context.database.engine
    event.listen(engine, "before_cursor_execute", reach)
    event.listen(engine, "commit", reach)
    run(means, job)


def killed(hub: Hub, job: str, moment: int) -> bool:
    """Whether a worker died of it, and did not come to its end before."""
    # A server of forks has everything imported: most of the time would be a process's own start.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    child = context.Process(target=work, args=(hub.settings, hub.clock(), job, moment))
    child.start()
    child.join(PATIENCE)
    assert child.exitcode in (0, -signal.SIGKILL)
    with hub.database.snapshot() as uow:
        check_messages(uow)
        check_deliveries(uow)
    hub.clock.advance(LEASE_SECONDS)
    return child.exitcode != 0


class Wavering:
    """A receiver that refuses each message once."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def __call__(self, asked: Asked) -> Answer:
        message = asked.headers["webhook-id"]
        if message in self.seen:
            return good(asked)
        self.seen.add(message)
        return Answer(500)


def pending(hub: Hub) -> bool:
    """Whether anything waits to be taken, or to be sent."""
    with hub.database.snapshot() as uow:
        left = "SELECT EXISTS (SELECT 1 FROM delivery_item WHERE state = 'pending')"
        return outbox.waiting(uow, "webhooks") or bool(uow.conn.execute(text(left)).scalar_one())


def once_each(ear: Ear) -> list[tuple[str, int, str]]:
    """(subject, number, type) of what was told, however often, and that each has one id and each number one message."""
    told = [(one["data"]["subject"], one["data"]["seq"], one["type"]) for one in ear.raw]
    ids = dict(zip(ear.ids(), told, strict=True))
    assert sorted(ids.values()) == sorted(set(told)), "one id a message"
    for subject in {subject for subject, *_ in told}:
        numbers = sorted({number for about, number, _ in told if about == subject})
        assert numbers == list(range(1, len(numbers) + 1)), "a gap"
    return sorted(set(told))


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_killed_at_every_moment(calling_hub: Hub) -> None:
    hub, kills = calling_hub, Counter[str]()
    recorded = 0
    pixel, frame, reader = (
        Voice(hub, name, communities={"killed": "rw"}) for name in ("one", "two", "three")
    )
    with ears(hub) as hear:
        thin, full = hear(reader), hear(reader, detail="full")
        wavering = hear(reader)
        wavering.receiver.script = Wavering()

        def happen() -> None:
            """Two reports of the same: what is recorded, and what is urgent."""
            nonlocal recorded
            recorded += 1
            for voice in (pixel, frame):
                voice.say(report(hub.clock() + 90 * DAY), md5(recorded), community="killed")

        for moment in MOMENTS:
            happen()
            if not killed(hub, "webhooks.fanout", moment):
                break
            kills["fan-out"] += 1
        for moment in SENDING:
            happen()
            hub.run_job("webhooks.fanout")
            kills["sending"] += killed(hub, "delivery.send", moment)
        while pending(hub):
            hub.clock.advance(LATER)
            deliver(hub)
        assert kills["fan-out"] >= 10
        assert kills["sending"] == len(SENDING)
        for ear in (thin, full, wavering):
            types = Counter(kind for *_, kind in once_each(ear))
            assert types == {"signal.recorded": 2 * recorded, "indicator.corroborated": recorded}
        print(f"{hub.database.dialect}: {dict(kills)}")

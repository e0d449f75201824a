"""Polling (RFC 8936): limits, acknowledgements, errors, and waiting for what comes."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.signals.material import assert_refused, md5
from tests.streams.receiving import Admit, Receiver, verified
from tests.support.hub import Hub
from tocsin.streams.rules.events import URIS
from tocsin.streams.service.looking import look
from tocsin.streams.watch import MOST_PER_STREAM, StreamWatch

RECORDED = [URIS["signal.recorded"]]


def path(stream: dict[str, Any]) -> str:
    return f"/ssf/poll/{stream['stream_id']}"


def said(hub: Hub, author: Receiver, community: str, numbers: range) -> None:
    author.batch([author.report(md5(number), community=community) for number in numbers])
    hub.run_job("streams.fanout")


def test_events_come_in_order_a_bounded_number_at_a_time(hub: Hub, member: Admit, community: str) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create(events_requested=RECORDED)
    said(hub, author, community, range(5))
    first = reader.poll(stream, maxEvents=2)
    assert first["moreAvailable"] is True
    assert len(first["sets"]) == 2
    seqs = []
    while True:
        answer = reader.poll(stream, maxEvents=2)
        seqs += [verified(hub, token, reader.issuer)[1]["event"]["seq"] for token in answer["sets"].values()]
        reader.poll(stream, ack=list(answer["sets"]), maxEvents=0)
        if "moreAvailable" not in answer:
            break
    assert len(seqs) == 5
    assert seqs == sorted(seqs)
    assert reader.poll(stream) == {"sets": {}}


def test_what_is_acknowledged_is_the_receivers_own(hub: Hub, member: Admit, community: str) -> None:
    author, reader, other = member("author"), member("reader"), member("other")
    mine, theirs = reader.create(events_requested=RECORDED), other.create(events_requested=RECORDED)
    said(hub, author, community, range(1))
    (jti,), (their_jti,) = reader.poll(mine)["sets"], other.poll(theirs)["sets"]
    # Each receiver has tokens of its own: nothing in them joins two of them.
    assert jti != their_jti
    reader.poll(mine, ack=[their_jti, "no such jti", 32 * "0"], maxEvents=0)
    assert list(reader.poll(mine)["sets"]) == [jti]
    assert list(other.poll(theirs)["sets"]) == [their_jti]


def test_a_token_that_could_not_be_used_is_not_sent_again(hub: Hub, member: Admit, community: str) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create(events_requested=RECORDED)
    said(hub, author, community, range(2))
    first, second = reader.poll(stream)["sets"]
    errors = {first: {"err": "invalid_key", "description": "words"}, second: {"err": "whatever"}}
    assert reader.poll(stream, setErrs=errors) == {"sets": {}}
    assert reader.poll(stream) == {"sets": {}}
    found = look(hub.app.state.transmitter, hub_org(hub, reader), stream["stream_id"])
    assert (found.stream.refused, found.stream.refusal, found.waiting) == (2, "other", 0)


def hub_org(hub: Hub, one: Receiver) -> int:
    with hub.database.snapshot() as uow:
        return next(org.id for org in hub.members.orgs(uow).values() if org.issuer == one.issuer)


@pytest.mark.parametrize(
    "body",
    [
        {"maxEvents": -1},
        {"maxEvents": True},
        {"maxEvents": "2"},
        {"returnImmediately": 1},
        {"ack": "jti"},
        {"ack": [1]},
        {"ack": ["x"] * 1001},
        {"setErrs": []},
        {"setErrs": {"x": "y"}},
        {"setErrs": {"x": {"err": 7}}},
        {"setErrs": {str(n): {"err": "other"} for n in range(1001)}},
    ],
)
def test_a_poll_that_is_out_of_form_takes_nothing_off(
    hub: Hub, member: Admit, community: str, body: dict[str, Any]
) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create(events_requested=RECORDED)
    said(hub, author, community, range(1))
    (jti,) = reader.poll(stream)["sets"]
    answer = reader.ask("POST", path(stream), {"ack": [jti], **body})
    assert_refused(answer, "request-invalid")
    assert list(reader.poll(stream)["sets"]) == [jti]


def test_a_poll_waits_for_what_comes(hub: Hub, member: Admit, community: str) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create(events_requested=RECORDED)
    reader.headers()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(reader.ask, "POST", path(stream), {})
        watch: StreamWatch = hub.app.state.stream_watch
        until = time.monotonic() + 10
        while not watch.waiting and time.monotonic() < until:
            time.sleep(0.01)
        assert watch.waiting == 1
        said(hub, author, community, range(1))
        assert len(answer.result(10).json()["sets"]) == 1
    assert watch.waiting == 0


def test_a_hub_that_ends_sends_home_who_waits(hub: Hub) -> None:
    async def run() -> list[bool]:
        watch = StreamWatch(hub.database)
        waiting = [asyncio.create_task(watch.arrived(-1, 60)) for _ in range(MOST_PER_STREAM)]
        await asyncio.sleep(0)
        # One more than may is not kept waiting.
        assert not await watch.arrived(-1, 60)
        assert not await watch.arrived(-2, 0.01)
        await watch.close()
        answers = await asyncio.gather(*waiting)
        return [*answers, await watch.arrived(-1, 60)]

    assert asyncio.run(run()) == [False] * (MOST_PER_STREAM + 1)

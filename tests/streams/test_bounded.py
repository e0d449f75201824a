"""How much one transaction does, and that nothing is lost by it: parts of large rows, parts of a backlog, outages."""

import time
from collections.abc import Callable

import pytest

from tests.signals.material import DISPUTE, md5, report
from tests.streams.receiving import PUSH, Receiver, Target, deliver
from tests.streams.test_holding import RECORDED, came, look, say
from tests.support.hub import Hub
from tocsin import outbox
from tocsin.db import UnitOfWork
from tocsin.streams.service import context, fanout, handing
from tocsin_schemas.policy import DAY

Admit = Callable[..., Receiver]


def test_a_large_row_is_told_in_parts_and_what_is_urgent_overtakes_it(
    hub: Hub, member: Admit, community: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.run_job("streams.fanout")
    author, other, reader = member("author"), member("other"), member("reader")
    streams = [reader.create() for _ in range(2)]
    author.batch([author.report(md5(300 + n), community=community) for n in range(20)])
    other.say(report(other.now + 30 * DAY), md5(300), community=community)
    monkeypatch.setattr(fanout, "TOKENS", 12)
    taken: list[list[int]] = []
    take = outbox.take

    def taking(*given: object) -> list[outbox.Event]:
        events = list(take(*given))  # type: ignore[arg-type]  # passed on as it came
        taken.append([event.id for event in events])
        return events

    monkeypatch.setattr(outbox, "take", taking)
    hub.run_job("streams.fanout")
    assert len(taken) > 3
    for stream in streams:
        found = reader.told(stream)
        # The corroboration, which was written last, comes first; and everything once, in order.
        assert [word for word, _ in found] == ["indicator.corroborated", *["signal.recorded"] * 21]
        seqs = [claims["event"]["seq"] for _, claims in found[1:]]
        assert seqs == sorted(set(seqs))


def test_a_backlog_is_handed_over_in_parts(
    hub: Hub, member: Admit, community: str, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create(target, events_requested=RECORDED)
    deliver(hub)
    reader.status(stream, "paused")
    say(author, community, *range(1, 8))
    hub.run_job("streams.fanout")
    target.take()
    monkeypatch.setattr(handing, "HANDED_OVER", 3)
    parts: list[int] = []
    hand_over = context.hand_over

    def part(uow: UnitOfWork, streams: list[object]) -> int:
        parts.append(hand_over(uow, streams, 3))  # type: ignore[arg-type]  # passed on as it came
        return parts[-1]

    monkeypatch.setattr(handing, "hand_over", part)
    monkeypatch.setattr("tocsin.streams.service.managing.hand_over", part)
    reader.status(stream, "enabled")
    assert parts == [3]
    deliver(hub)
    assert parts == [3, 3, 1]
    assert came(hub, target, reader.issuer) == [str(md5(n)) for n in range(1, 8)]


def test_to_ask_for_what_is_so_changes_nothing(
    hub: Hub, member: Admit, community: str, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    author, reader = member("author"), member("reader")
    polled = reader.create()
    stream = reader.create(target, events_requested=RECORDED)
    deliver(hub)
    say(author, community, 1)
    hub.run_job("streams.fanout")
    before = look(hub, reader, stream).stream
    hub.clock.advance(5)
    reader.headers()
    written: list[object] = []
    transaction = hub.database.transaction

    def counted() -> object:
        written.append(None)
        return transaction()

    monkeypatch.setattr(hub.database, "transaction", counted)
    for one in (stream, polled):
        assert reader.status(one, "enabled")["status"] == "enabled"
    assert written == []
    monkeypatch.undo()
    assert look(hub, reader, stream).stream == before


def test_what_was_given_up_in_an_outage_comes_when_it_is_over(
    hub: Hub, member: Admit, community: str, target: Target
) -> None:
    """After ten tries, 75 hours, delivery gives an event up; a stream is paused after five days only."""
    author, reader = member("author"), member("reader")
    stream = reader.create(target, events_requested=RECORDED)
    deliver(hub)
    target.take()
    target.status = 500
    say(author, community, 1)
    begun = hub.clock()
    deliver(hub)
    while hub.clock() < begun + 9 * DAY // 2:
        hub.clock.advance(3600)
        deliver(hub)
    assert len(target.take()) > 10
    target.status = 202
    say(author, community, 2)
    hub.clock.advance(DAY)
    for _ in range(2):
        deliver(hub)
    assert sorted(came(hub, target, reader.issuer)) == sorted([str(md5(1)), str(md5(2))])
    assert reader.status(stream)["status"] == "enabled"
    assert look(hub, reader, stream).waiting == 0


def test_another_spelling_of_the_same_target_keeps_its_authorization(
    hub: Hub, member: Admit, community: str, target: Target
) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create(
        target, delivery={"authorization_header": "Bearer kept"}, events_requested=RECORDED
    )
    deliver(hub)
    target.take()
    again = {"method": PUSH, "endpoint_url": target.url.replace("http://", "HTTP://")}
    answer = reader.ask("PATCH", "/ssf/stream", {"stream_id": stream["stream_id"], "delivery": again})
    assert answer.json()["delivery"]["endpoint_url"] == target.url
    say(author, community, 1)
    deliver(hub)
    assert [one.headers["authorization"] for one in target.take()] == ["Bearer kept"]


@pytest.mark.parametrize("answer", [200, 204])
def test_only_an_acknowledgement_verifies_a_target(
    hub: Hub, member: Admit, community: str, target: Target, answer: int
) -> None:
    author, reader = member("author"), member("reader")
    target.status = answer
    stream = reader.create(target, events_requested=RECORDED)
    say(author, community, 1)
    for _ in range(2):
        deliver(hub)
    assert came(hub, target, reader.issuer) == ["verification"]
    assert look(hub, reader, stream).stream.verified_at is None
    target.status = 202
    reader.ask("POST", "/ssf/verify", {"stream_id": stream["stream_id"]})
    for _ in range(2):
        deliver(hub)
    # From then on any success will do.
    assert came(hub, target, reader.issuer) == ["verification", str(md5(1))]


def test_max_events_may_be_spelled_either_way(hub: Hub, member: Admit, community: str) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create(events_requested=RECORDED)
    say(author, community, 1, 2, 3)
    hub.run_job("streams.fanout")
    assert len(reader.poll(stream, max_events=1)["sets"]) == 1
    assert len(reader.poll(stream, max_events=1, maxEvents=2)["sets"]) == 2
    assert reader.ask("POST", f"/ssf/poll/{stream['stream_id']}", {"max_events": "x"}).status_code == 400


def test_a_stopped_stream_with_a_backlog_keeps_a_poll_waiting(
    hub: Hub, member: Admit, community: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.streams.routes.polling.MAX_WAIT", 0.6)
    author, one, reader = member("author"), member("one"), member("reader")
    stream = reader.create(events_requested=RECORDED)
    reader.status(stream, "paused")
    say(author, community, 1)
    one.say(DISPUTE, md5(1), community=community)
    hub.run_job("streams.fanout")
    begun = time.monotonic()
    answer = reader.ask("POST", f"/ssf/poll/{stream['stream_id']}", {})
    assert answer.json() == {"sets": {}}
    assert time.monotonic() - begun >= 0.5

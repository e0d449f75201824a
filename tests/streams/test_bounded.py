"""How much one transaction does, and that nothing is lost by it: parts of large rows, parts of a backlog, outages."""

import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

import pytest
from sqlalchemy import text

from tests.signals.material import DISPUTE, md5, report
from tests.streams.receiving import PUSH, RECORDED, Admit, Receiver, Target, came, deliver, look, say
from tests.support.hub import Hub
from tocsin import outbox
from tocsin.db import UnitOfWork
from tocsin.streams.service import context, fanout, handing, managing, stopping, upkeep
from tocsin.streams.store import waiting
from tocsin_schemas.policy import DAY


class Backlogged(NamedTuple):
    """Who says something, who is told, on which stream, and its own id."""

    author: Receiver
    reader: Receiver
    stream: dict[str, Any]
    number: int


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


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each transaction deletes, three at most."""
    monkeypatch.setattr(managing, "HANDED_OVER", 3)
    deleted: list[int] = []
    clear = waiting.clear

    def counted(*given: Any) -> int:
        deleted.append(clear(*given))
        return deleted[-1]

    monkeypatch.setattr(waiting, "clear", counted)
    return deleted


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Lets whoever deletes die behind the first part, until it is called."""
    monkeypatch.setattr(managing, "HANDED_OVER", 3)
    clear, calls = waiting.clear, count()

    def once(*given: Any) -> int:
        if next(calls):
            raise LookupError("the process ends here")
        return clear(*given)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(waiting, "clear", once)
        yield patched.undo


def backlog(hub: Hub, member: Admit, community: str, target: Target | None = None) -> Backlogged:
    """A member with a stream on which eight events wait."""
    author, reader = member("author"), member("reader")
    stream = reader.create(target, events_requested=RECORDED)
    if target is not None:
        deliver(hub)
        target.take()
        reader.status(stream, "paused")
    say(author, community, *range(1, 9))
    hub.run_job("streams.fanout")
    found = look(hub, reader, stream)
    assert found.waiting == 8
    return Backlogged(author, reader, stream, found.stream.id)


def rows(hub: Hub, number: int) -> tuple[int, int]:
    """How many rows are left of a stream, and how many tokens wait on it."""
    with hub.database.snapshot() as uow:
        own, tokens = (
            uow.conn.execute(text(f"SELECT count(*) FROM {where} = :id"), {"id": number}).scalar_one()
            for where in ("stream WHERE id", "stream_waiting WHERE stream_id")
        )
        return own, tokens


@pytest.mark.parametrize("pushed", [False, True])
def test_a_stream_with_much_on_it_is_deleted_in_parts(
    hub: Hub, member: Admit, community: str, target: Target, parts: list[int], *, pushed: bool
) -> None:
    author, reader, stream, number = backlog(hub, member, community, target if pushed else None)
    named = {"stream_id": stream["stream_id"]}
    assert reader.ask("DELETE", "/ssf/stream", **named).status_code == 204
    assert parts == [3, 3, 2]
    assert rows(hub, number) == (0, 0)
    for method, path in (("GET", "/ssf/stream"), ("GET", "/ssf/status"), ("DELETE", "/ssf/stream")):
        assert reader.ask(method, path, **named).status_code == 404
    assert reader.ask("POST", f"/ssf/poll/{stream['stream_id']}", {}).status_code == 404
    say(author, community, 9)
    deliver(hub)
    assert target.take() == []
    assert rows(hub, number) == (0, 0)


@pytest.mark.parametrize("pushed", [False, True])
def test_a_deletion_that_breaks_off_leaves_a_stream_that_says_nothing_and_can_be_deleted(
    hub: Hub, member: Admit, community: str, target: Target, dies: Callable[[], None], *, pushed: bool
) -> None:
    author, reader, stream, number = backlog(hub, member, community, target if pushed else None)
    named = {"stream_id": stream["stream_id"]}
    with pytest.raises(LookupError):
        reader.ask("DELETE", "/ssf/stream", **named)
    assert rows(hub, number) == (1, 5)
    assert reader.status(stream)["status"] == "disabled"
    if not pushed:
        assert reader.poll(stream) == {"sets": {}}
    say(author, community, 9)
    deliver(hub)
    assert target.take() == []
    assert rows(hub, number) == (1, 5)
    dies()
    assert reader.ask("DELETE", "/ssf/stream", **named).status_code == 204
    assert rows(hub, number) == (0, 0)


def test_a_stopped_stream_whose_deletion_breaks_off_stays_stopped_by_whom_it_was(
    hub: Hub, member: Admit, community: str, dies: Callable[[], None]
) -> None:
    _, reader, stream, number = backlog(hub, member, community)
    stopping.stop(hub.database, stream["stream_id"])
    with pytest.raises(LookupError):
        reader.ask("DELETE", "/ssf/stream", stream_id=stream["stream_id"])
    dies()
    again = {"stream_id": stream["stream_id"], "status": "enabled"}
    assert reader.ask("POST", "/ssf/status", again).status_code == 403
    assert reader.ask("DELETE", "/ssf/stream", stream_id=stream["stream_id"]).status_code == 204
    assert rows(hub, number) == (0, 0)


def test_what_waits_on_a_disabled_stream_is_deleted_in_parts(
    hub: Hub, member: Admit, community: str, parts: list[int]
) -> None:
    author, reader, stream, number = backlog(hub, member, community)
    reader.status(stream, "disabled")
    assert parts == [3, 3, 2]
    assert rows(hub, number) == (1, 0)
    reader.status(stream, "enabled")
    say(author, community, 9)
    hub.run_job("streams.fanout")
    assert [claims["sub_id"]["id"] for _, claims in reader.told(stream)] == [str(md5(9))]


@pytest.mark.parametrize("by_itself", [False, True])
def test_what_is_left_where_disabling_broke_off_is_never_told(
    hub: Hub, member: Admit, community: str, dies: Callable[[], None], *, by_itself: bool
) -> None:
    author, reader, stream, number = backlog(hub, member, community)
    with pytest.raises(LookupError):
        reader.status(stream, "disabled")
    assert rows(hub, number) == (1, 5)
    dies()
    if by_itself:
        upkeep.tick(hub.app.state.transmitter)
        assert rows(hub, number) == (1, 0)
    reader.status(stream, "enabled")
    assert rows(hub, number) == (1, 0)
    say(author, community, 9)
    hub.run_job("streams.fanout")
    assert [claims["sub_id"]["id"] for _, claims in reader.told(stream)] == [str(md5(9))]

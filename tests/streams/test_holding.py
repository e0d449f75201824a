"""What is kept and what is not: paused and disabled streams, targets that do not answer or change, idle receivers."""

from typing import Any

import pytest

from tests.signals.material import md5
from tests.streams.receiving import PUSH, RECORDED, Admit, Target, came, deliver, look, say
from tests.support.hub import Hub
from tocsin.streams.rules import asking
from tocsin.streams.service import upkeep
from tocsin_schemas.policy import DAY


def test_a_paused_poll_stream_keeps_what_happens(hub: Hub, member: Admit, community: str) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create(events_requested=RECORDED)
    assert reader.status(stream, "paused") == {"stream_id": stream["stream_id"], "status": "paused"}
    assert reader.status(stream)["status"] == "paused"
    say(author, community, 1, 2)
    hub.run_job("streams.fanout")
    assert reader.told(stream) == []
    assert look(hub, reader, stream).waiting == 2
    reader.status(stream, "enabled")
    assert [claims["sub_id"]["id"] for _, claims in reader.told(stream)] == [str(md5(1)), str(md5(2))]


def test_a_disabled_poll_stream_keeps_nothing(hub: Hub, member: Admit, community: str) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create(events_requested=RECORDED)
    say(author, community, 1)
    hub.run_job("streams.fanout")
    reader.status(stream, "disabled")
    say(author, community, 2)
    hub.run_job("streams.fanout")
    assert look(hub, reader, stream).waiting == 0
    reader.status(stream, "enabled")
    say(author, community, 3)
    hub.run_job("streams.fanout")
    assert [claims["sub_id"]["id"] for _, claims in reader.told(stream)] == [str(md5(3))]


@pytest.mark.parametrize("body", [{}, {"status": "on"}, {"status": 7}, {"status": "paused", "reason": 7}])
def test_a_status_is_one_of_three(hub: Hub, member: Admit, body: dict[str, Any]) -> None:
    reader = member("reader")
    stream = reader.create()
    answer = reader.ask("POST", "/ssf/status", {"stream_id": stream["stream_id"], **body})
    assert answer.status_code == 400
    assert reader.status(stream)["status"] == "enabled"
    told = reader.ask(
        "POST", "/ssf/status", {"stream_id": stream["stream_id"], "status": "paused", "reason": "canary"}
    )
    assert told.status_code == 200
    assert "canary" not in told.text


def test_a_paused_push_stream_keeps_what_happens(
    hub: Hub, member: Admit, community: str, target: Target
) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create(target, events_requested=RECORDED)
    deliver(hub)
    assert came(hub, target, reader.issuer) == ["verification"]
    say(author, community, 1)
    hub.run_job("streams.fanout")
    # It is queued already; its turn passes.
    reader.status(stream, "paused")
    say(author, community, 2)
    deliver(hub)
    assert came(hub, target, reader.issuer) == []
    reader.status(stream, "enabled")
    deliver(hub)
    assert came(hub, target, reader.issuer) == [str(md5(1)), str(md5(2))]
    deliver(hub)
    assert came(hub, target, reader.issuer) == []
    assert look(hub, reader, stream).waiting == 0


def test_nothing_is_told_before_the_target_has_answered(
    hub: Hub, member: Admit, community: str, target: Target
) -> None:
    author, reader = member("author"), member("reader")
    target.status = 500
    stream = reader.create(target, events_requested=RECORDED)
    say(author, community, 1)
    deliver(hub)
    assert came(hub, target, reader.issuer) == ["verification"]
    hub.clock.advance(10)
    deliver(hub)
    assert came(hub, target, reader.issuer) == ["verification"]
    assert look(hub, reader, stream).stream.verified_at is None
    target.status = 202
    hub.clock.advance(600)
    deliver(hub)
    deliver(hub)
    assert came(hub, target, reader.issuer) == ["verification", str(md5(1))]
    assert look(hub, reader, stream).stream.verified_at == hub.clock()


def test_another_target_is_verified_anew_and_is_not_sent_the_old_authorization(
    hub: Hub, member: Admit, community: str, target: Target
) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create(
        target, delivery={"authorization_header": "Bearer first"}, events_requested=RECORDED
    )
    named = {"stream_id": stream["stream_id"]}
    deliver(hub)
    with Target().listening() as other:
        assert [one.headers["authorization"] for one in target.take()] == ["Bearer first"]
        # Its configuration comes back with the same target: the authorization stays.
        reader.ask("PATCH", "/ssf/stream", {**named, "delivery": stream["delivery"]})
        say(author, community, 1)
        deliver(hub)
        assert [one.headers["authorization"] for one in target.take()] == ["Bearer first"]
        other.status = 400
        moved = {"method": PUSH, "endpoint_url": other.url}
        answer = reader.ask("PATCH", "/ssf/stream", {**named, "delivery": moved})
        assert answer.json()["delivery"] == moved
        say(author, community, 2)
        deliver(hub)
        assert came(hub, target, reader.issuer) == []
        (checked,) = other.got
        assert "authorization" not in checked.headers
        assert came(hub, other, reader.issuer) == ["verification"]
        other.status = 202
        hub.clock.advance(600)
        deliver(hub)
        deliver(hub)
        assert came(hub, other, reader.issuer) == ["verification", str(md5(2))]
        # Another authorization for the same target, and none.
        renewed = {**moved, "authorization_header": "Bearer second"}
        reader.ask("PATCH", "/ssf/stream", {**named, "delivery": renewed})
        say(author, community, 3)
        deliver(hub)
        assert [one.headers["authorization"] for one in other.take()] == ["Bearer second"]
        reader.ask("PUT", "/ssf/stream", {**named, "delivery": moved, "events_requested": RECORDED})
        say(author, community, 4)
        deliver(hub)
        assert ["authorization" in one.headers for one in other.take()] == [False]


def test_what_an_old_target_answers_verifies_no_new_one(
    hub: Hub, member: Admit, community: str, target: Target
) -> None:
    """A member whose own server answers slowly moves the stream to somebody else's meanwhile."""
    author, reader = member("author"), member("reader")
    stream = reader.create(target, events_requested=RECORDED)
    with Target().listening() as other:
        other.status = 500
        moving = {"method": PUSH, "endpoint_url": other.url}
        sent = target.got

        class Slow(list[Any]):
            def append(self, item: Any) -> None:
                sent.append(item)
                reader.ask("PATCH", "/ssf/stream", {"stream_id": stream["stream_id"], "delivery": moving})

        target.got = Slow()
        reader.headers()
        say(author, community, 1)
        deliver(hub)
        assert len(sent) == 1
        assert look(hub, reader, stream).stream.verified_at is None
        deliver(hub)
        assert set(came(hub, other, reader.issuer)) == {"verification"}


def test_from_push_to_poll_and_back_nothing_is_lost(
    hub: Hub, member: Admit, community: str, target: Target
) -> None:
    author, reader = member("author"), member("reader")
    target.status = 503
    stream = reader.create(target, events_requested=RECORDED)
    named = {"stream_id": stream["stream_id"]}
    say(author, community, 1)
    deliver(hub)
    polled = reader.ask(
        "PATCH", "/ssf/stream", {**named, "delivery": {"method": asking.METHOD_URIS["poll"]}}
    ).json()
    assert [claims["sub_id"]["id"] for _, claims in reader.told(polled)] == [str(md5(1))]
    say(author, community, 2)
    hub.run_job("streams.fanout")
    target.status = 202
    target.take()
    back = {"method": PUSH, "endpoint_url": target.url}
    assert reader.ask("PATCH", "/ssf/stream", {**named, "delivery": back}).status_code == 200
    deliver(hub)
    deliver(hub)
    assert came(hub, target, reader.issuer) == ["verification", str(md5(2))]


def test_a_deleted_stream_is_sent_nothing_more(
    hub: Hub, member: Admit, community: str, target: Target
) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create(target)
    deliver(hub)
    target.take()
    say(author, community, 1)
    hub.run_job("streams.fanout")
    assert reader.ask("DELETE", "/ssf/stream", stream_id=stream["stream_id"]).status_code == 204
    hub.run_job("delivery.send")
    assert target.take() == []


def test_five_days_of_failure_pause_a_stream_and_nothing_is_lost(
    hub: Hub, member: Admit, community: str, target: Target
) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create(target, events_requested=RECORDED)
    deliver(hub)
    target.take()
    target.status = 500
    say(author, community, 1)
    for _ in range(12):
        deliver(hub)
        hub.clock.advance(DAY)
    say(author, community, 2)
    for _ in range(2):
        deliver(hub)
        hub.clock.advance(DAY // 2)
    assert reader.status(stream) == {
        "stream_id": stream["stream_id"],
        "status": "paused",
        "reason": "undeliverable",
    }
    assert look(hub, reader, stream).standing is not None
    # The target is told, as soon as it listens.
    target.take()
    target.status = 202
    hub.clock.advance(2 * DAY)
    deliver(hub)
    assert came(hub, target, reader.issuer) == ["stream-updated"]
    reader.status(stream, "enabled")
    deliver(hub)
    assert came(hub, target, reader.issuer) == [str(md5(1)), str(md5(2))]


def test_a_stream_that_nobody_polls_is_paused_and_says_so(
    hub: Hub, member: Admit, community: str, target: Target
) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create(events_requested=RECORDED)
    pushed = member("pushed").create(target)
    assert stream["inactivity_timeout"] == 30 * DAY
    hub.clock.advance(20 * DAY)
    reader.poll(stream)
    hub.clock.advance(20 * DAY)
    hub.run_job("streams.tick")
    assert look(hub, reader, stream).stream.status == "enabled"
    say(author, community, 1)
    hub.run_job("streams.fanout")
    hub.clock.advance(11 * DAY)
    hub.run_job("streams.tick")
    hub.run_job("streams.tick")
    # A push stream is silent as long as nothing happens.
    assert pushed["stream_id"]
    assert reader.status(stream)["reason"] == "inactivity"
    ((word, claims),) = reader.told(stream)
    assert word == "stream-updated"
    assert claims["sub_id"]["id"] == stream["stream_id"]
    assert claims["event"] == {"status": "paused", "reason": "inactivity"}
    reader.status(stream, "enabled")
    assert [claims["sub_id"]["id"] for _, claims in reader.told(stream)] == [str(md5(1))]


def test_events_wait_for_thirty_days_and_not_in_any_number(
    hub: Hub, member: Admit, community: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create(events_requested=RECORDED)
    reader.status(stream, "paused")
    say(author, community, *range(1, 6))
    hub.run_job("streams.fanout")
    monkeypatch.setattr(upkeep, "KEPT_EVENTS", 3)
    monkeypatch.setattr(upkeep, "BATCH", 1)
    hub.run_job("streams.tick")
    reader.status(stream, "enabled")
    kept = [claims["sub_id"]["id"] for _, claims in reader.told(stream)]
    assert kept == [str(md5(n)) for n in (3, 4, 5)]
    say(author, community, 6)
    hub.run_job("streams.fanout")
    hub.clock.advance(asking.KEPT_SECONDS + 1)
    hub.run_job("streams.tick")
    assert look(hub, reader, stream).waiting in (0, 1)  # that it was paused meanwhile
    assert str(md5(6)) not in [claims["sub_id"]["id"] for _, claims in reader.told(stream)]


def test_shut_accounts_whose_reports_are_gone_are_forgotten(hub: Hub, member: Admit, community: str) -> None:
    from tests.streams.test_telling import handle, rows, shut

    author, reader = member("author"), member("reader")
    stream = reader.create()
    author.say(shut(author), handle(99), community=community)
    hub.run_job("streams.fanout")
    assert rows(hub, "stream_disabled", community) == 1
    hub.run_job("streams.tick")
    assert rows(hub, "stream_disabled", community) == 1
    reader.ask("DELETE", "/ssf/stream", stream_id=stream["stream_id"])
    hub.clock.advance(91 * DAY)
    hub.run_job("signals.expire")
    hub.clock.advance(2 * DAY)
    hub.run_job("streams.tick")
    assert rows(hub, "stream_disabled", community) == 0


def test_the_number_of_a_token_is_never_anothers(hub: Hub, member: Admit) -> None:
    """Delivery knows tokens by their numbers, and may be told of one's end when it is long gone."""
    reader = member("reader")
    stream = reader.create()
    numbers: list[int] = []
    for _ in range(3):
        hub.clock.advance(asking.MIN_VERIFICATION_INTERVAL)
        reader.ask("POST", "/ssf/verify", {"stream_id": stream["stream_id"]})
        with hub.database.snapshot() as uow:
            numbers += uow.conn.exec_driver_sql("SELECT max(id) FROM stream_waiting").scalars().all()
        assert len(reader.told(stream)) == 1
    assert len(set(numbers)) == 3

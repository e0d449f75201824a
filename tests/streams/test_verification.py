"""Verification after OpenID's conformance modules: by poll, by acknowledgement, by push, with both algorithms."""

from typing import Any

import pytest

from tests.signals.material import assert_refused
from tests.streams.receiving import PUSH, Admit, Receiver, Target, deliver, verified
from tests.support.hub import Hub
from tocsin.streams.rules.asking import MAX_STATE_CHARS, MIN_VERIFICATION_INTERVAL


def verify(one: Receiver, stream: dict[str, Any], **more: Any) -> None:
    answer = one.ask("POST", "/ssf/verify", {"stream_id": stream["stream_id"], **more})
    assert (answer.status_code, answer.content) == (204, b"")


def next_time(hub: Hub) -> None:
    hub.clock.advance(MIN_VERIFICATION_INTERVAL)


@pytest.mark.parametrize("alg", ["ES256", "RS256"])
def test_by_poll(hub: Hub, member: Admit, alg: str) -> None:
    pixel = member("pixel")
    stream = pixel.create(set_signed_response_alg=alg)
    next_time(hub)
    verify(pixel, stream, state="VGhpcyBpcyBhbiBleGFtcGxl")
    answer = pixel.poll(stream, maxEvents=10)
    (jti,) = answer["sets"]
    word, claims = verified(hub, answer["sets"][jti], pixel.issuer, alg)
    assert word == "verification"
    assert claims["jti"] == jti
    assert claims["aud"] == stream["aud"]
    assert claims["iss"] == stream["iss"]
    assert claims["sub_id"] == {"format": "opaque", "id": stream["stream_id"]}
    assert claims["event"] == {"state": "VGhpcyBpcyBhbiBleGFtcGxl"}
    # Until it is acknowledged it comes again, and says the same.
    again = pixel.poll(stream)["sets"]
    assert verified(hub, again[jti], pixel.issuer, alg)[1] == claims
    # Acknowledge and poll at once.
    next_time(hub)
    verify(pixel, stream, state="second")
    answer = pixel.poll(stream, ack=[jti], maxEvents=10)
    (other,) = answer["sets"]
    assert verified(hub, answer["sets"][other], pixel.issuer, alg)[1]["event"] == {"state": "second"}
    # Acknowledge alone.
    assert pixel.poll(stream, ack=[other], maxEvents=0) == {"sets": {}}
    assert pixel.poll(stream) == {"sets": {}}


def test_without_a_state_there_is_none(hub: Hub, member: Admit) -> None:
    pixel = member("pixel")
    stream = pixel.create()
    verify(pixel, stream)
    assert [(word, claims["event"]) for word, claims in pixel.told(stream)] == [("verification", {})]


def test_a_state_is_kept_sealed_and_only_until_it_is_sent(hub: Hub, member: Admit) -> None:
    pixel = member("pixel")
    stream = pixel.create()
    secret = "canary-of-the-state"
    verify(pixel, stream, state=secret)
    assert not held(hub, secret)
    assert [claims["event"]["state"] for _, claims in pixel.told(stream)] == [secret]
    assert waiting(hub) == 0


@pytest.mark.parametrize("state", ["", "with space", "x" * (MAX_STATE_CHARS + 1), "na\u00efve", 7, None])
def test_a_state_is_one_word(hub: Hub, member: Admit, state: Any) -> None:
    pixel = member("pixel")
    stream = pixel.create()
    answer = pixel.ask("POST", "/ssf/verify", {"stream_id": stream["stream_id"], "state": state})
    assert_refused(answer, "request-invalid")
    assert pixel.told(stream) == []


def test_not_faster_than_announced(hub: Hub, member: Admit) -> None:
    pixel = member("pixel")
    stream = pixel.create()
    named = {"stream_id": stream["stream_id"]}
    verify(pixel, stream)
    hub.clock.advance(stream["min_verification_interval"] - 1)
    refused = pixel.ask("POST", "/ssf/verify", named)
    assert_refused(refused, "rate-limited")
    assert refused.headers["retry-after"] == str(MIN_VERIFICATION_INTERVAL)
    assert len(pixel.told(stream)) == 1
    hub.clock.advance(1)
    verify(pixel, stream)
    assert len(pixel.told(stream)) == 1


@pytest.mark.parametrize("alg", ["ES256", "RS256"])
def test_by_push_with_the_authorization_that_was_given(
    hub: Hub, member: Admit, target: Target, alg: str
) -> None:
    pixel = member("pixel")
    header = "Bearer canary-of-the-header"
    stream = pixel.create(target, delivery={"authorization_header": header}, set_signed_response_alg=alg)
    assert stream["delivery"] == {"method": PUSH, "endpoint_url": target.url}
    assert "inactivity_timeout" not in stream
    # The hub checks a new target by itself; that event has no state.
    deliver(hub)
    (first,) = target.take()
    word, claims = verified(hub, first.body.decode(), pixel.issuer, alg)
    assert (word, claims["event"]) == ("verification", {})
    next_time(hub)
    verify(pixel, stream, state="mine")
    deliver(hub)
    (second,) = target.take()
    assert second.headers["content-type"] == "application/secevent+jwt"
    assert second.headers["accept"] == "application/json"
    assert first.headers["authorization"] == second.headers["authorization"] == header
    word, claims = verified(hub, second.body.decode(), pixel.issuer, alg)
    assert claims["sub_id"] == {"format": "opaque", "id": stream["stream_id"]}
    assert claims["event"] == {"state": "mine"}
    # It is never shown, and nowhere in the database.
    assert header not in pixel.ask("GET", "/ssf/stream").text
    assert not held(hub, "canary-of-the-header")


def test_by_push_without_authorization(hub: Hub, member: Admit, target: Target) -> None:
    pixel = member("pixel")
    stream = pixel.create(target)
    deliver(hub)
    verify(pixel, stream, state="mine")
    deliver(hub)
    pushed = target.take()
    assert len(pushed) == 2
    assert not any("authorization" in one.headers for one in pushed)


def test_a_pushed_stream_cannot_be_polled(hub: Hub, member: Admit, target: Target) -> None:
    pixel = member("pixel")
    stream = pixel.create(target)
    answer = pixel.ask("POST", f"/ssf/poll/{stream['stream_id']}", {})
    assert_refused(answer, "conflict")


def test_a_disabled_stream_is_not_verified(hub: Hub, member: Admit) -> None:
    pixel = member("pixel")
    stream = pixel.create()
    pixel.status(stream, "disabled")
    assert_refused(pixel.ask("POST", "/ssf/verify", {"stream_id": stream["stream_id"]}), "request-invalid")
    assert pixel.told(stream) == []


def held(hub: Hub, text: str) -> bool:
    """Whether any column of any table of streams holds these bytes."""
    with hub.database.snapshot() as uow:
        tables = ("stream", "stream_waiting", "stream_removed", "stream_disabled", "delivery_item")
        rows = [
            value
            for table in tables
            for row in uow.conn.exec_driver_sql(f"SELECT * FROM {table}")
            for value in row
        ]
    return any(
        text.encode() in (value if isinstance(value, bytes) else str(value).encode()) for value in rows
    )


def waiting(hub: Hub) -> int:
    """How much waits on all streams."""
    with hub.database.snapshot() as uow:
        return int(uow.conn.exec_driver_sql("SELECT count(*) FROM stream_waiting").scalar_one())

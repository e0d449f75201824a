"""Requests of the framework, read: what they mean, what is passed over, what is refused."""

from typing import Any

import pytest

from tocsin.streams.rules import asking
from tocsin.streams.rules.asking import Poll, Wanted
from tocsin.streams.rules.events import SUPPORTED, URIS
from tocsin_schemas.problems import Refused

URL = "https://receiver.example/events"
POLL_URL = "https://hub.example/ssf/poll/st_1"
PUSH = {"method": "urn:ietf:rfc:8935", "endpoint_url": URL}
POLLED = Wanted("poll", None, None, (), "ES256")
PUSHED = Wanted("push", URL, None, (SUPPORTED[0],), "RS256")
INDICATOR = "md5:" + "0a" * 16


def refused(act: Any, *given: Any, **more: Any) -> str:
    with pytest.raises(Refused) as caught:
        act(*given, **more)
    assert caught.value.code == "request-invalid"
    return caught.value.field


def test_a_new_stream() -> None:
    assert asking.wanted({}) == POLLED
    assert asking.wanted({"delivery": {"method": "urn:ietf:rfc:8936"}, "description": None}) == POLLED
    # Where it is polled is not for a receiver to say; at its creation it is passed over.
    named = {"method": "urn:ietf:rfc:8936", "endpoint_url": "https://other.example"}
    assert asking.wanted({"delivery": named}) == POLLED
    whole = {
        "delivery": {**PUSH, "authorization_header": "Bearer x"},
        "events_requested": [URIS[SUPPORTED[1]], "urn:example:none", URIS[SUPPORTED[0]]],
        "set_signed_response_alg": "RS256",
        "description": "words",
        "unheard_of": 1,
    }
    assert asking.wanted(whole) == Wanted("push", URL, "Bearer x", SUPPORTED[:2], "RS256")
    assert asking.wanted({"delivery": {**PUSH, "authorization_header": ""}}).authorization is None
    assert asking.wanted({"delivery": {**PUSH, "authorization_header": None}}).authorization is None


def test_a_change_leaves_what_it_does_not_name() -> None:
    assert asking.changed({}, PUSHED, POLL_URL) == PUSHED._replace(keeps=True)
    one = asking.changed({"events_requested": []}, PUSHED, POLL_URL)
    assert one == PUSHED._replace(events=(), keeps=True)
    assert asking.changed({"set_signed_response_alg": "ES256"}, PUSHED, POLL_URL).alg == "ES256"
    # Whether the target is the same is seen once it is spelled as it is kept.
    assert asking.changed({"delivery": PUSH}, PUSHED, POLL_URL).keeps
    named = asking.changed({"delivery": {**PUSH, "authorization_header": None}}, PUSHED, POLL_URL)
    assert (named.keeps, named.authorization) == (False, None)
    polled = asking.changed({"delivery": {"method": "urn:ietf:rfc:8936"}}, PUSHED, POLL_URL)
    assert (polled.method, polled.target) == ("poll", None)


def test_where_an_existing_stream_is_polled_may_come_back() -> None:
    delivery = {"method": "urn:ietf:rfc:8936", "endpoint_url": POLL_URL}
    assert asking.changed({"delivery": delivery}, POLLED, POLL_URL).method == "poll"
    assert asking.wanted({"delivery": delivery}, POLLED, POLL_URL) == POLLED
    moved = {**delivery, "endpoint_url": "https://other.example"}
    assert refused(asking.changed, {"delivery": moved}, POLLED, POLL_URL) == "delivery.endpoint_url"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"delivery": None}, "delivery"),
        ({"delivery": {}}, "method"),
        ({"delivery": {"method": "push"}}, "delivery.method"),
        ({"delivery": {"method": PUSH["method"]}}, "endpoint_url"),
        ({"delivery": {**PUSH, "endpoint_url": "x" * 2001}}, "delivery.endpoint_url"),
        ({"delivery": {**PUSH, "authorization_header": 1}}, "delivery.authorization_header"),
        ({"events_requested": None}, "events_requested"),
        ({"set_signed_response_alg": "none"}, "set_signed_response_alg"),
        ({"description": []}, "description"),
    ],
)
def test_a_stream_out_of_form_is_refused(body: dict[str, Any], field: str) -> None:
    assert refused(asking.wanted, body) == field
    assert refused(asking.changed, body, POLLED, POLL_URL) == field


def test_what_the_transmitter_supplies_is_as_it_is() -> None:
    shown: dict[str, Any] = {
        "iss": "a",
        "aud": "b",
        "events_supported": ["x", "y"],
        "events_delivered": ["x"],
    }
    shown["min_verification_interval"] = 30
    asking.check_supplied({}, shown)
    asking.check_supplied({**shown, "events_supported": ["y", "x"]}, shown)
    for name, wrong in (
        ("iss", "c"),
        ("aud", ["b"]),
        ("min_verification_interval", 31),
        ("inactivity_timeout", 30),
        ("events_supported", ["x"]),
        ("events_delivered", "x"),
    ):
        assert refused(asking.check_supplied, {name: wrong}, shown) == name
    assert refused(asking.check_supplied, {"iss": True}, {"iss": 1}) == "iss"


def test_streams_statuses_and_states() -> None:
    assert asking.stream_id({"stream_id": "st_1"}) == "st_1"
    for wrong in ({}, {"stream_id": 1}, {"stream_id": ""}):
        assert refused(asking.stream_id, wrong) == "stream_id"
    assert asking.status({"status": "paused", "reason": "words"}) == "paused"
    assert refused(asking.status, {"status": "on"}) == "status"
    assert refused(asking.status, {"status": "paused", "reason": 1}) == "reason"
    assert asking.state({}) is None
    assert asking.state({"state": "x" * asking.MAX_STATE_CHARS}) == "x" * asking.MAX_STATE_CHARS
    for value in (None, "", "a b", "x" * (asking.MAX_STATE_CHARS + 1)):
        assert refused(asking.state, {"state": value}) == "state"


def test_subjects() -> None:
    assert asking.subject({"subject": {"format": "opaque", "id": INDICATOR}, "verified": False}) == INDICATOR
    for none in (
        {"format": "opaque", "id": "md5:x"},
        {"format": "opaque", "id": 7},
        {"format": "opaque"},
        {"format": "email", "email": "a@example.com"},
    ):
        assert asking.subject({"subject": none}) is None
    for wrong in ({}, {"subject": "x"}, {"subject": {"id": INDICATOR}}):
        assert refused(asking.subject, wrong) == "subject"
    assert refused(asking.subject, {"subject": {"format": "opaque"}, "verified": 1}) == "verified"


def test_polls() -> None:
    assert asking.poll({}) == Poll(asking.MAX_EVENTS, False, (), ())
    one, two = "0a" * 16, "0b" * 16
    asked = {
        "maxEvents": 10**9,
        "returnImmediately": True,
        "ack": [one, "none of ours"],
        "setErrs": {two: {"err": "invalid_key"}, one: {"err": "new"}, "none of ours": {"err": "new"}},
    }
    assert asking.poll(asked) == Poll(
        asking.MAX_EVENTS,
        True,
        (bytes.fromhex(one),),
        ((bytes.fromhex(two), "invalid_key"), (bytes.fromhex(one), "other")),
    )
    assert asking.poll({"maxEvents": 0}).limit == 0
    for field, wrong in (
        ("maxEvents", -1),
        ("maxEvents", 1.5),
        ("maxEvents", True),
        ("returnImmediately", "yes"),
        ("ack", {}),
        ("setErrs", []),
        ("setErrs", {one: {}}),
        ("setErrs", {one: "err"}),
    ):
        assert refused(asking.poll, {field: wrong}) == field

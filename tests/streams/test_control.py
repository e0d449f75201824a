"""Discovery and stream control, after the checks of OpenID's conformance modules for transmitters.

Written from the specification (SSF 1.0 §7 and §8.1): metadata, creating, reading, updating, replacing, deleting, each
with what must be refused and with which status.
"""

from typing import Any

import jwt
import pytest

from tests.signals.material import assert_refused
from tests.streams.receiving import EVERYTHING, POLL, PUSH, Admit, Receiver, Target
from tests.support.hub import Hub
from tocsin.streams.rules.asking import STREAMS_PER_MEMBER
from tocsin.streams.rules.events import SUPPORTED, URIS
from tocsin.streams.service.pace import MOST_TARGETS

LISTED = [URIS[word] for word in SUPPORTED]


def test_the_configuration_says_where_everything_is(hub: Hub) -> None:
    answer = hub.http.get("/.well-known/ssf-configuration")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    found = answer.json()
    assert found["spec_version"] == "1_0"
    assert found["issuer"] == hub.issuer
    assert found["delivery_methods_supported"] == [PUSH, POLL]
    assert found["authorization_schemes"] == [{"spec_urn": "urn:ietf:rfc:6749"}]
    assert found["default_subjects"] == "ALL"
    assert [] not in found.values()
    places = [name for name in found if name.endswith(("_endpoint", "_uri"))]
    assert len(places) == 6
    assert all(found[name].startswith("https://") for name in places)


def test_the_keys_are_public_and_for_signing_alone(hub: Hub) -> None:
    answer = hub.http.get("/ssf/jwks.json")
    keys = answer.json()["keys"]
    assert [(key["alg"], key["use"]) for key in keys] == [("ES256", "sig"), ("RS256", "sig")]
    assert not {"d", "p", "q", "dp", "dq", "qi"} & set().union(*keys)
    assert len(jwt.PyJWKSet.from_dict(answer.json()).keys) == 2
    others = hub.http.get("/.well-known/jwks.json").json()["keys"]
    assert not {key["kid"] for key in keys} & {key["kid"] for key in others}


def test_a_stream_is_created_read_changed_replaced_and_deleted(hub: Hub, member: Admit) -> None:
    pixel = member("pixel")
    assert pixel.ask("GET", "/ssf/stream").json() == []
    answer = pixel.ask(
        "POST",
        "/ssf/stream",
        {
            "delivery": {"method": POLL},
            "events_requested": [LISTED[0], "urn:example:unknown"],
            "description": "words",
        },
    )
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    made = answer.json()
    assert made["iss"] == hub.http.get("/.well-known/ssf-configuration").json()["issuer"]
    assert made["aud"] == pixel.issuer
    assert made["events_supported"] == LISTED
    assert made["events_requested"] == made["events_delivered"] == [LISTED[0]]
    assert made["delivery"]["method"] == POLL
    assert made["delivery"]["endpoint_url"] == f"{hub.issuer}/ssf/poll/{made['stream_id']}"
    assert made["set_signed_response_alg"] == "ES256"
    assert "description" not in made
    assert pixel.ask("GET", "/ssf/stream", stream_id=made["stream_id"]).json() == made
    assert pixel.ask("GET", "/ssf/stream").json() == [made]

    named = {"stream_id": made["stream_id"]}
    patched = pixel.ask("PATCH", "/ssf/stream", {**named, "set_signed_response_alg": "RS256"})
    assert (patched.status_code, patched.json()) == (200, {**made, "set_signed_response_alg": "RS256"})
    # A receiver may read, change, and send everything back.
    again = pixel.ask("PUT", "/ssf/stream", {**patched.json(), "events_requested": [LISTED[1], LISTED[1]]})
    assert again.status_code == 200
    assert again.json()["events_delivered"] == [LISTED[1]]
    assert again.json()["set_signed_response_alg"] == "RS256"
    # What a replacement does not name is not wanted.
    bare = pixel.ask("PUT", "/ssf/stream", named).json()
    assert (bare["events_delivered"], bare["set_signed_response_alg"]) == ([], "ES256")

    gone = pixel.ask("DELETE", "/ssf/stream", **named)
    assert (gone.status_code, gone.content) == (204, b"")
    assert_refused(pixel.ask("GET", "/ssf/stream", **named), "not-found")
    assert pixel.ask("GET", "/ssf/stream").json() == []


def test_without_delivery_a_stream_is_polled(member: Admit) -> None:
    pixel = member("pixel")
    answer = pixel.ask("POST", "/ssf/stream", {})
    assert answer.status_code == 201
    assert answer.json()["delivery"]["method"] == POLL
    assert answer.json()["events_delivered"] == []


def test_a_member_has_several_streams_and_not_too_many(member: Admit) -> None:
    pixel = member("pixel")
    ids = [pixel.create()["stream_id"] for _ in range(STREAMS_PER_MEMBER)]
    assert len(set(ids)) == STREAMS_PER_MEMBER
    assert_refused(pixel.ask("POST", "/ssf/stream", {}), "conflict")
    assert [stream["stream_id"] for stream in pixel.ask("GET", "/ssf/stream").json()] == ids


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/ssf/stream"),
        ("GET", "/ssf/stream"),
        ("PATCH", "/ssf/stream"),
        ("PUT", "/ssf/stream"),
        ("DELETE", "/ssf/stream?stream_id=st_0"),
        ("GET", "/ssf/status?stream_id=st_0"),
        ("POST", "/ssf/status"),
        ("POST", "/ssf/subjects:add"),
        ("POST", "/ssf/subjects:remove"),
        ("POST", "/ssf/verify"),
        ("POST", "/ssf/poll/st_0"),
    ],
)
def test_a_token_is_needed_and_one_that_carries_the_scope(
    hub: Hub, one: Receiver, method: str, path: str
) -> None:
    body: dict[str, Any] | None = None if method in ("GET", "DELETE") else {}
    bare = hub.http.request(method, path, json=body)
    assert_refused(bare, "unauthenticated")
    assert bare.headers["www-authenticate"].startswith("Bearer ")
    wrong = hub.http.request(method, path, json=body, headers={"Authorization": "Bearer no-token"})
    assert wrong.status_code == 401
    reading = method == "GET" or path.startswith("/ssf/poll/")
    lesser = "signals:read webhooks:manage" if reading else "ssf.read signals:read"
    refused = hub.http.request(method, path, json=body, headers=one.party.bearer(lesser))
    assert_refused(refused, "forbidden")
    if reading:
        for enough in ("ssf.read", "ssf.manage"):
            told = hub.http.request(method, path, json=body, headers=one.party.bearer(enough))
            assert told.status_code in (200, 404)


BROKEN = [
    b"",
    b";{ broken",
    b"[]",
    b"null",
    b'{"delivery": NaN}',
    b'{"events_requested": [], "events_requested": []}',
    b"[" * 10_000,
    b"\xff\xfe",
]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/ssf/stream"),
        ("PATCH", "/ssf/stream"),
        ("PUT", "/ssf/stream"),
        ("POST", "/ssf/status"),
        ("POST", "/ssf/verify"),
    ],
)
def test_what_cannot_be_read_is_400_and_changes_nothing(
    hub: Hub, one: Receiver, method: str, path: str
) -> None:
    before = one.ask("GET", "/ssf/stream").json()
    headers = {**one.headers(), "Content-Type": "application/json"}
    for body in BROKEN:
        assert_refused(hub.http.request(method, path, content=body, headers=headers), "request-invalid")
    assert one.ask("GET", "/ssf/stream").json() == before


OUT_OF_FORM: list[tuple[dict[str, Any], str]] = [
    ({"iss": "https://other.example"}, "iss"),
    ({"aud": ["https://other.example"]}, "aud"),
    ({"events_delivered": EVERYTHING}, "events_delivered"),
    ({"events_supported": "all"}, "events_supported"),
    ({"min_verification_interval": 1}, "min_verification_interval"),
    ({"inactivity_timeout": True}, "inactivity_timeout"),
    ({"delivery": {"method": POLL, "endpoint_url": "https://other.example"}}, "delivery.endpoint_url"),
    ({"delivery": {"method": "urn:ietf:rfc:8937"}}, "delivery.method"),
    ({"delivery": []}, "delivery"),
    ({"delivery": None}, "delivery"),
    ({"delivery": {"method": PUSH}}, "endpoint_url"),
    ({"events_requested": "all"}, "events_requested"),
    ({"events_requested": [1]}, "events_requested"),
    ({"events_requested": [""] * 101}, "events_requested"),
    ({"set_signed_response_alg": "HS256"}, "set_signed_response_alg"),
    ({"set_signed_response_alg": None}, "set_signed_response_alg"),
    ({"description": 7}, "description"),
]


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_what_is_the_transmitters_or_out_of_form_is_refused(one: Receiver, method: str) -> None:
    before = one.ask("GET", "/ssf/stream").json()
    for change, field in OUT_OF_FORM:
        answer = one.ask(method, "/ssf/stream", {"stream_id": before[0]["stream_id"], **change})
        assert assert_refused(answer, "request-invalid")["field"] == field
    assert one.ask("GET", "/ssf/stream").json() == before


@pytest.fixture(scope="module")
def one(shared_hub: Hub) -> Receiver:
    """A member with one polled stream, which no test here changes."""
    found = Receiver(shared_hub, "steady", communities={})
    found.create(events_requested=[LISTED[0]])
    return found


@pytest.fixture(scope="module")
def other(shared_hub: Hub) -> Receiver:
    """Another member, which has none."""
    return Receiver(shared_hub, "other", communities={})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/ssf/stream", None),
        ("PATCH", "/ssf/stream", {}),
        ("PUT", "/ssf/stream", {}),
        ("DELETE", "/ssf/stream", None),
        ("GET", "/ssf/status", None),
        ("POST", "/ssf/status", {"status": "paused"}),
        ("POST", "/ssf/subjects:add", {"subject": {"format": "opaque", "id": "x"}}),
        ("POST", "/ssf/subjects:remove", {"subject": {"format": "opaque", "id": "x"}}),
        ("POST", "/ssf/verify", {}),
        ("POST", "/ssf/poll/{}", {}),
    ],
)
def test_anothers_stream_is_like_none(
    one: Receiver, other: Receiver, method: str, path: str, body: dict[str, Any] | None
) -> None:
    (there,) = one.ask("GET", "/ssf/stream").json()
    strange = "st_%00" if body is None or "{}" in path else "st_\ud800"
    for named in (there["stream_id"], "st_" + 32 * "0", "' OR 1=1", strange):
        if body is None:
            answer = other.ask(method, path, stream_id=named)
        elif "{}" in path:
            answer = other.ask(method, path.format(named), body)
        else:
            answer = other.ask(method, path, {**body, "stream_id": named})
        assert_refused(answer, "not-found")
    assert one.ask("GET", "/ssf/stream").json() == [there]
    assert one.status(there)["status"] == "enabled"


def test_a_partner_may_have_streams_and_an_observer_not(hub: Hub, member: Admit) -> None:
    assert member("partner", "r", member_class="partner").create()["stream_id"]
    observer = member("observer", "r", member_class="observer")
    assert_refused(observer.ask("POST", "/ssf/stream", {}), "forbidden")


NOT_TO_BE_CALLED = [
    "http://169.254.169.254/latest",
    "http://hub.example/events",
    "https://[::1]/events",
    "https://user:secret@receiver.example/events",
    "https://10.0.0.1/events",
    "https://receiver.example:22/events",
    "ftp://receiver.example/",
    "javascript:alert(1)",
    "https://receiver.example/\r\nX-Evil: 1",
    "/events",
    "https://a.example/" + 2000 * "a",
]


def test_a_target_that_may_not_be_called_is_refused(one: Receiver) -> None:
    before = one.ask("GET", "/ssf/stream").json()
    for url in NOT_TO_BE_CALLED:
        one.hub.clock.advance(10)
        answer = one.ask("POST", "/ssf/stream", {"delivery": {"method": PUSH, "endpoint_url": url}})
        assert assert_refused(answer, "request-invalid")["field"] == "delivery.endpoint_url"
        assert url not in answer.text
    assert one.ask("GET", "/ssf/stream").json() == before


@pytest.mark.parametrize(
    "header", ["Bearer x\r\nX-Evil: 1", "a\nb", "\x00", "na\u00efve", 4097 * "a", ["one", "two"], " x "]
)
def test_an_authorization_that_is_more_than_one_header_is_refused(
    one: Receiver, target: Target, header: Any
) -> None:
    one.hub.clock.advance(10)
    before = one.ask("GET", "/ssf/stream").json()
    delivery = {"method": PUSH, "endpoint_url": target.url, "authorization_header": header}
    answer = one.ask("POST", "/ssf/stream", {"delivery": delivery})
    assert assert_refused(answer, "request-invalid")["field"] == "delivery.authorization_header"
    assert str(header) not in answer.text
    assert one.ask("GET", "/ssf/stream").json() == before


def test_a_member_names_targets_at_a_measured_pace(hub: Hub, member: Admit, target: Target) -> None:
    """Or it could have the hub call others as often as it likes: each new target is sent a verification."""
    frame = member("frame")
    stream = frame.create(target)
    named = {"stream_id": stream["stream_id"]}
    for number in range(MOST_TARGETS - 1):
        moved = {"method": PUSH, "endpoint_url": f"{target.url}/{number}"}
        assert frame.ask("PATCH", "/ssf/stream", {**named, "delivery": moved}).status_code == 200
    before = frame.ask("GET", "/ssf/stream").json()
    one_more = {"method": PUSH, "endpoint_url": target.url}
    for method, body in (("PATCH", named), ("PUT", named), ("POST", {})):
        refused = frame.ask(method, "/ssf/stream", {**body, "delivery": one_more})
        assert_refused(refused, "rate-limited")
        assert refused.headers["retry-after"] == "60"
    assert frame.ask("GET", "/ssf/stream").json() == before
    hub.clock.advance(60)
    assert frame.ask("PATCH", "/ssf/stream", {**named, "delivery": one_more}).status_code == 200


def test_few_targets_of_one_member_are_looked_at_at_once(hub: Hub, one: Receiver, target: Target) -> None:
    """Each may keep a thread for as long as a silent name server likes, up to a limit."""
    hub.clock.advance(60)
    before = one.ask("GET", "/ssf/stream").json()
    calls = hub.app.state.transmitter.calls
    with hub.database.snapshot() as uow:
        org_id = next(org.id for org in hub.members.orgs(uow).values() if org.issuer == one.issuer)
    asked = {"delivery": {"method": PUSH, "endpoint_url": target.url}}
    with calls.one(org_id), calls.one(org_id):
        assert_refused(one.ask("POST", "/ssf/stream", asked), "rate-limited")
        named = {"stream_id": before[0]["stream_id"]}
        assert_refused(one.ask("PATCH", "/ssf/stream", {**named, **asked}), "rate-limited")
    assert one.ask("GET", "/ssf/stream").json() == before

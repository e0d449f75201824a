"""Whoever guesses an id that is somebody else's learns and changes nothing: the answer is that to an id of nobody's.

Every id that a protected operation takes, in its path, its query or its body, is tried by a stranger, whatever the
method; then by who may, so that a refusal is of the id and of nothing else in the request.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx2
import pytest

from tests.signals.material import COMMUNITY, Voice, md5, report
from tests.support.clock import MovableClock
from tests.support.hub import Hub, in_process
from tests.support.invariants import OF_A_REQUEST, unchanged
from tests.webhooks.hearing import Hear, ears
from tocsin.config import Settings
from tocsin.webhooks import rules
from tocsin_schemas.envelope import MEDIA_TYPE
from tocsin_schemas.policy import DAY

ROOT: Final = Path(__file__).parents[2]
DOCUMENT: Final[dict[str, Any]] = json.loads((ROOT / "schemas" / "openapi.json").read_text())
METHODS: Final = ("get", "put", "post", "delete", "patch")
PROTECTED: Final[dict[str, dict[str, Any]]] = {
    f"{method.upper()} {path}": item[method]
    for path, item in DOCUMENT["paths"].items()
    for method in METHODS
    if method in item and item[method].get("security")
}
IDS: Final = frozenset(
    {"community", "indicator", "kind", "version", "since", "number", "endpoint", "message", "before"}
    | {"first", "last", "stream_id", "communities", "seq"}
)
"""Parameters and members of bodies that name something which may be another's."""
OTHERS: Final = frozenset(
    {"after", "limit", "dry_run", "wait", "again", "state", "status", "url", "types", "detail", "labels"}
    | {"severity", "since_disabled", "delivery", "events_requested", "set_signed_response_alg", "subject"}
    | {"verified", "ack", "maxEvents", "returnImmediately", "setErrs"}
)
"""Those that do not. `ack` and `setErrs` name what waits on the stream of the path alone."""
PUBLIC: Final = {
    ("GET /v1/receipts/{seq}", "seq"): "a number of the public log, whose proofs are everybody's",
    ("GET /v1/webhooks/endpoints/{endpoint}/attempts", "before"): "a place in the endpoint's own list",
    ("POST /v1/webhooks/endpoints/{endpoint}/replay", "since"): "an instant",
}


class Ids(NamedTuple):
    """What a request names. Of each member: its community, indicator, endpoint, message and stream."""

    community: str
    indicator: str
    endpoint: str
    message: str
    stream_id: str


Request = tuple[str, dict[str, Any]]
Build = Callable[[Ids], Request]
CARRIERS: Final = "/v1/webhooks/endpoints"
SUBJECT: Final = {"format": "opaque", "id": "somebody"}


class Case(NamedTuple):
    """One operation and the ids it is tried with; `mixed`: of the owner's ids only these, the rest the stranger's."""

    operation: str
    ids: tuple[str, ...]
    build: Build
    mixed: tuple[str, ...] | None = None


def _place(path: str) -> Build:
    return lambda ids: (f"/v1/communities/{ids.community}{path.format(indicator=ids.indicator)}", {})


def _endpoint(path: str = "", **sent: Any) -> Build:
    return lambda ids: (f"{CARRIERS}/{ids.endpoint}{path}", sent)


def _stream(path: str, **body: Any) -> Build:
    return lambda ids: (path, {"json": {"stream_id": ids.stream_id, **body}})


def _asked(path: str) -> Build:
    return lambda ids: (path, {"params": {"stream_id": ids.stream_id}})


_OF_SNAPSHOT: Final = ("community", "kind", "version", "number")
_OF_MESSAGE: Final = ("message",)
CASES: Final = (
    Case("GET /v1/communities/{community}/feed", ("community",), _place("/feed")),
    Case(
        "GET /v1/communities/{community}/indicators/{indicator}",
        ("community", "indicator"),
        _place("/indicators/{indicator}"),
    ),
    Case("GET /v1/communities/{community}/members", ("community",), _place("/members")),
    Case("GET /v1/communities/{community}/snapshot/{kind}", ("community", "kind"), _place("/snapshot/md5")),
    Case(
        "GET /v1/communities/{community}/snapshot/{kind}/{version}/delta/{since}",
        ("community", "kind", "version", "since"),
        _place("/snapshot/md5/2/delta/1"),
    ),
    Case(
        "GET /v1/communities/{community}/snapshot/{kind}/{version}/shards/{number}",
        _OF_SNAPSHOT,
        _place("/snapshot/md5/2/shards/0"),
    ),
    Case("GET /v1/webhooks/endpoints/{endpoint}", ("endpoint",), _endpoint()),
    Case("PATCH /v1/webhooks/endpoints/{endpoint}", ("endpoint",), _endpoint(json={"detail": "full"})),
    Case("DELETE /v1/webhooks/endpoints/{endpoint}", ("endpoint",), _endpoint()),
    Case(
        "POST /v1/webhooks/endpoints",
        ("communities",),
        lambda ids: (CARRIERS, {"json": {"url": "https://9.9.9.9/", "communities": [ids.community]}}),
    ),
    Case(
        "PATCH /v1/webhooks/endpoints/{endpoint}",
        ("communities",),
        lambda ids: (f"{CARRIERS}/{ids.endpoint}", {"json": {"communities": [ids.community]}}),
        mixed=("community",),
    ),
    Case("POST /v1/webhooks/endpoints/{endpoint}/activation", ("endpoint",), _endpoint("/activation")),
    Case("POST /v1/webhooks/endpoints/{endpoint}/rotation", ("endpoint",), _endpoint("/rotation")),
    Case("POST /v1/webhooks/endpoints/{endpoint}/test", ("endpoint",), _endpoint("/test")),
    Case("GET /v1/webhooks/endpoints/{endpoint}/attempts", ("endpoint",), _endpoint("/attempts")),
    Case(
        "GET /v1/webhooks/endpoints/{endpoint}/attempts",
        _OF_MESSAGE,
        lambda ids: (f"{CARRIERS}/{ids.endpoint}/attempts", {"params": {"message": ids.message}}),
        mixed=_OF_MESSAGE,
    ),
    Case("GET /v1/webhooks/endpoints/{endpoint}/deliveries", ("endpoint",), _endpoint("/deliveries")),
    Case(
        "GET /v1/webhooks/endpoints/{endpoint}/deliveries",
        ("before",),
        lambda ids: (f"{CARRIERS}/{ids.endpoint}/deliveries", {"params": {"before": ids.message}}),
        mixed=_OF_MESSAGE,
    ),
    Case(
        "POST /v1/webhooks/endpoints/{endpoint}/replay",
        ("endpoint",),
        _endpoint("/replay", json={"since_disabled": True}),
    ),
    Case(
        "POST /v1/webhooks/endpoints/{endpoint}/replay",
        _OF_MESSAGE,
        lambda ids: (f"{CARRIERS}/{ids.endpoint}/replay", {"json": {"message": ids.message}}),
        mixed=_OF_MESSAGE,
    ),
    Case(
        "POST /v1/webhooks/endpoints/{endpoint}/replay",
        ("first", "last"),
        lambda ids: (
            f"{CARRIERS}/{ids.endpoint}/replay",
            {"json": {"first": ids.message, "last": ids.message}},
        ),
        mixed=_OF_MESSAGE,
    ),
    Case(
        "POST /ssf/poll/{stream_id}",
        ("stream_id",),
        lambda ids: (f"/ssf/poll/{ids.stream_id}", {"json": {"returnImmediately": True}}),
    ),
    Case("GET /ssf/status", ("stream_id",), _asked("/ssf/status")),
    Case("POST /ssf/status", ("stream_id",), _stream("/ssf/status", status="paused")),
    Case("GET /ssf/stream", ("stream_id",), _asked("/ssf/stream")),
    Case("PUT /ssf/stream", ("stream_id",), _stream("/ssf/stream", events_requested=[])),
    Case("PATCH /ssf/stream", ("stream_id",), _stream("/ssf/stream", events_requested=[])),
    Case("DELETE /ssf/stream", ("stream_id",), _asked("/ssf/stream")),
    Case("POST /ssf/subjects:add", ("stream_id",), _stream("/ssf/subjects:add", subject=SUBJECT)),
    Case("POST /ssf/subjects:remove", ("stream_id",), _stream("/ssf/subjects:remove", subject=SUBJECT)),
    Case("POST /ssf/verify", ("stream_id",), _stream("/ssf/verify", state="abc")),
)


class World:
    """Two members without a community in common, on a hub that the module shares."""

    def __init__(self, hub: Hub, hear: Hear) -> None:
        self.hub = hub
        self.hear = hear
        self.owner = Voice(hub, "pixel")
        self.stranger = Voice(hub, "frame", communities={"elsewhere": "rw"})
        self.numbers = count(1)
        for number in (1, 2):
            self.owner.batch([self.owner.report(md5(number))])
            hub.publish()
            hub.clock.advance(DAY)
            hub.run_job("feed.snapshot")

    @contextmanager
    def ids_of(self, voice: Voice, community: str) -> Iterator[Ids]:
        """What a member has, made new and taken away again."""
        ear = self.hear(voice)
        message = self.ask(voice, "POST", f"{CARRIERS}/{ear.id}/test", {}).json()["message"]
        self.hub.run_job("delivery.send")
        stream = self.ask(voice, "POST", "/ssf/stream", {"json": {"events_requested": []}})
        made = Ids(community, str(md5(1)), ear.id, message, stream.json()["stream_id"])
        yield made
        self.ask(voice, "DELETE", f"{CARRIERS}/{made.endpoint}", {})
        self.ask(voice, "DELETE", "/ssf/stream", {"params": {"stream_id": made.stream_id}})

    def ask(self, voice: Voice, method: str, path: str, sent: Mapping[str, Any]) -> httpx2.Response:
        return self.hub.http.request(method, path, headers=voice.headers(), **sent)


@pytest.fixture(scope="module")
def world(module_settings: Settings) -> Iterator[World]:
    settings = module_settings.model_copy(update={"sandbox": True, "egress_allow_subnets": "127.0.0.0/8"})
    with in_process(settings, MovableClock()) as hub, ears(hub) as hear:
        yield World(hub, hear)


def nobodys(ids: Ids) -> Ids:
    """The same in form, and of nobody."""
    return Ids("no-such-place", str(md5(99)), f"ep_{'0' * 32}", f"msg_{'0' * 32}", f"st_{'0' * 32}")._replace(
        indicator=ids.indicator
    )


def seen(answer: httpx2.Response) -> tuple[int, Any, frozenset[str]]:
    """What whoever asked can tell answers apart by."""
    body = answer.json() if answer.content else None
    if isinstance(body, dict):
        body.pop("instance", None)
    return answer.status_code, body, frozenset(answer.headers)


@pytest.mark.parametrize("case", CASES, ids=[f"{case.operation} {'+'.join(case.ids)}" for case in CASES])
def test_an_id_of_others_is_like_none(case: Case, world: World) -> None:
    method = case.operation.partition(" ")[0]
    hub = world.hub
    with world.ids_of(world.owner, COMMUNITY) as owned, world.ids_of(world.stranger, "elsewhere") as own:
        tried: tuple[Ids, ...] = (owned, nobodys(owned))
        if case.mixed is not None:
            tried = tuple(own._replace(**{name: getattr(ids, name) for name in case.mixed}) for ids in tried)
        hub.clock.advance(rules.PROBE_WINDOW)
        for voice in (world.owner, world.stranger):
            voice.headers()
        with unchanged(hub.database, OF_A_REQUEST | {"webhook_probe"}):
            answers = [seen(world.ask(world.stranger, method, *case.build(ids))) for ids in tried]
        assert answers[0] == answers[1]
        assert answers[0][0] in {400, 404}, answers
        if case.mixed is None:
            done = world.ask(world.owner, method, *case.build(owned))
        else:
            done = world.ask(world.stranger, method, *case.build(own))
        assert done.status_code < 300, done.text


def test_a_signal_for_a_community_of_others_is_like_for_none(world: World) -> None:
    """The one id that stands in what is signed."""
    until = world.hub.clock() + DAY
    sent = [
        world.stranger.sign(report(until), md5(7), community=community) for community in (COMMUNITY, "none")
    ]
    answers = []
    with unchanged(world.hub.database, OF_A_REQUEST):
        for token in sent:
            headers = {**world.stranger.headers(), "content-type": MEDIA_TYPE}
            answers.append(seen(world.hub.http.post("/v1/signals", content=token, headers=headers)))
    assert answers[0] == answers[1]
    assert answers[0][0] >= 400


def _names(operation: dict[str, Any]) -> set[str]:
    """Every parameter of path and query, and every member of the body."""
    found = {one["name"] for one in operation.get("parameters", []) if one["in"] in {"path", "query"}}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        while "$ref" in schema:
            schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        found |= schema.get("properties", {}).keys()
    return found


def test_every_id_of_a_protected_operation_is_tried() -> None:
    assert len(PROTECTED) > 30
    wanted: set[tuple[str, str]] = set()
    for name, operation in PROTECTED.items():
        names = _names(operation)
        assert names <= IDS | OTHERS, "an id, or not? say which"
        wanted |= {(name, one) for one in names & IDS}
    tried = {(case.operation, one) for case in CASES for one in case.ids}
    assert wanted == tried | PUBLIC.keys()

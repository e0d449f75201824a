"""What surrounds every answer: an id, headers, a log line and metrics. None of them carries what was sent."""

import json
import logging
import re
import time
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.support.hub import Hub
from tocsin import telemetry
from tocsin.web import problems
from tocsin.web.middleware import Edge, new_request_id

SECRET = "someone@pasted.example"


class Lines(logging.Handler):
    """What the hub would write to stderr."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(telemetry.JsonFormatter())
        self.written: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(self.format(record))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (json.loads(line) for line in self.written)


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The log at its most talkative, from every library."""
    handler = Lines()
    root = logging.getLogger()
    ours = logging.getLogger("tocsin")
    before = root.level, ours.level
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    ours.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before[0])
    ours.setLevel(before[1])


def test_every_answer_has_an_id_of_our_own(hub: Hub) -> None:
    answers = [
        hub.http.get(path, headers={"X-Request-Id": "mine"}) for path in ("/healthz", "/nowhere", "/v1/me")
    ]
    ids = [answer.headers["X-Request-Id"] for answer in answers]
    assert len(set(ids)) == 3
    assert all(re.fullmatch(r"req_[0-9a-f]{28}", found) for found in ids)


def test_ids_of_different_times_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for second in (1, 2, 1_795_348_800, 4_102_444_800):
        monkeypatch.setattr(time, "time", lambda second=second: float(second))
        found.append(new_request_id())
    assert found == sorted(found)


def test_every_answer_has_the_security_headers(hub: Hub) -> None:
    for path in ("/healthz", "/nowhere", "/v1/me", "/openapi.json"):
        headers = hub.http.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Strict-Transport-Security"].startswith("max-age=")
        assert "Server" not in headers
        assert "Access-Control-Allow-Origin" not in headers


def test_a_route_may_be_cacheable_and_says_so_itself(hub: Hub) -> None:
    assert hub.http.get("/.well-known/jwks.json").headers["Cache-Control"] == "public, max-age=300"


def test_plain_http_promises_no_transport_security() -> None:
    app = FastAPI()
    app.add_middleware(Edge, https=False)
    with TestClient(app) as web:
        assert "Strict-Transport-Security" not in web.get("/").headers


def test_the_access_log_names_templates_and_members(hub: Hub, lines: Lines) -> None:
    party = hub.party("pixel")
    bearer = party.bearer()
    lines.written.clear()
    hub.http.get(f"/v1/communities/{SECRET}/members?{SECRET}", headers=bearer)
    hub.http.get(f"/{SECRET}")
    hub.http.request(SECRET.split("@", maxsplit=1)[0].upper(), "/v1/me")
    seen = [
        (line["method"], line["route"], line["status"], line.get("actor"))
        for line in lines
        if line["logger"] == "tocsin.access"
    ]
    assert seen == [
        ("GET", "/v1/communities/{community}/members", 404, party.issuer),
        ("GET", "(unmatched)", 404, None),
        ("other", "/v1/me", 405, None),
    ]
    for line in lines:
        assert line.keys() == {
            "at",
            "level",
            "logger",
            "event",
            "request_id",
            "method",
            "route",
            "status",
            "ms",
        } | ({"actor"} if "actor" in line else set())
    assert SECRET not in "".join(lines.written)


def test_no_secret_and_no_value_is_ever_logged(hub: Hub, lines: Lines) -> None:
    """The whole life of a token, good and bad requests, everything at debug: then every line is searched."""
    party = hub.party("pixel")
    assertion = party.assertion()
    form = party.form(assertion, grant_type="client_credentials")
    token = hub.http.post("/oauth/token", data=form).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    planted = [SECRET, "+441632960961", "hunter2", "d41d8cd98f00b204e9800998ecf8427e"]
    hub.http.get("/v1/me", headers=bearer)
    hub.http.post("/oauth/introspect", data=party.form(token=token))
    hub.http.post("/oauth/token", data=form)
    hub.http.post(
        "/oauth/token", data={"grant_type": SECRET, "client_secret": "hunter2"}, auth=(SECRET, "hunter2")
    )
    hub.http.post("/oauth/revoke", data=party.form(token=token))
    hub.http.get("/v1/me", headers=bearer)
    for value in planted:
        hub.http.get(f"/v1/communities/{value}/members", params={"q": value}, headers=party.bearer())
        hub.http.post("/v1/signals", content=value, headers={**party.bearer(), "Content-Type": value})
        hub.http.post("/v1/signals", content=value, headers={"Authorization": f"Bearer {value}"})
    log = "\n".join(lines.written)
    assert log.count('"event":"request"') >= 18
    for value in (*planted, token, assertion, *token.split("."), *assertion.split(".")):
        assert value not in log
    for key in (party.key.jwk()["d"], hub.settings.data_dir.joinpath("keys/token.jwk").read_text()):
        assert key not in log


def test_an_unexpected_error_is_logged_once_with_its_id_and_without_its_words(lines: Lines) -> None:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(Edge, https=False)

    @app.get("/broken/{value}")
    def broken(value: str) -> None:
        try:
            raise KeyError(value)
        except KeyError as error:
            raise ValueError(value) from error

    with TestClient(app, raise_server_exceptions=False) as web:
        answer = web.get(f"/broken/{SECRET}")
    errors = [line for line in lines if line["level"] == "error"]
    assert len(errors) == 1
    assert errors[0]["event"] == "unexpected error"
    assert errors[0]["route"] == "/broken/{value}"
    assert errors[0]["request_id"] == answer.headers["X-Request-Id"]
    assert errors[0]["exception"][0] == "builtins.ValueError"
    assert "builtins.KeyError" in errors[0]["exception"]
    assert any(frame.endswith(" broken") for frame in errors[0]["exception"])
    assert SECRET not in "".join(lines.written)


def test_an_error_after_the_answer_began_is_raised_and_nothing_more_is_sent(lines: Lines) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError(SECRET)

    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        scope = {"type": "http", "method": "GET", "path": "/"}
        await Edge(app, https=False)(scope, None, send)  # type: ignore[arg-type]  # nothing is received

    with pytest.raises(ValueError, match=SECRET):
        anyio.run(run)
    assert [message["type"] for message in sent] == ["http.response.start"]
    assert [line["status"] for line in lines if line["event"] == "request"] == [200]


def test_a_caller_that_left_is_counted_as_such(lines: Lines) -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        """Says nothing."""

    async def run() -> None:
        scope = {"type": "http", "method": "GET", "path": "/"}
        await Edge(app, https=False)(scope, None, None)  # type: ignore[arg-type]  # nothing is received or sent

    anyio.run(run)
    assert [line["status"] for line in lines if line["event"] == "request"] == [499]


def value(name: str, **labels: str) -> float:
    return telemetry.REGISTRY.get_sample_value(name, labels) or 0.0


def test_metrics_count_by_template_and_code(hub: Hub) -> None:
    route = "/v1/communities/{community}/members"
    requests = {"method": "GET", "route": route, "status": "401"}
    before = (
        value("tocsin_http_requests_total", **requests),
        value("tocsin_refusals_total", code="unauthenticated"),
    )
    hub.http.get(f"/v1/communities/{SECRET}/members")
    assert value("tocsin_http_requests_total", **requests) == before[0] + 1
    assert value("tocsin_refusals_total", code="unauthenticated") == before[1] + 1
    assert value("tocsin_http_request_seconds_count", route=route) >= 1
    text = hub.http.get("/metrics").text
    assert f'route="{route}"' in text
    assert SECRET not in text

"""Receivers for tests: a member's software at the management API, and the server that events are pushed to.

Tokens are verified with PyJWT through the keys that the hub publishes: not the code under test.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import httpx2
import jwt

from tests.signals.material import Voice, md5, report
from tests.support.hub import Hub
from tocsin.streams.rules.events import URIS, Word
from tocsin.streams.service import looking
from tocsin_schemas.policy import DAY

PUSH, POLL = "urn:ietf:rfc:8935", "urn:ietf:rfc:8936"
EVERYTHING = list(URIS.values())
RECORDED = [URIS["signal.recorded"]]


class Pushed(NamedTuple):
    """One request that came."""

    headers: dict[str, str]
    body: bytes


class Target:
    """A server that takes what is pushed to it, and answers with `status`."""

    def __init__(self) -> None:
        self.status = 202
        self.got: list[Pushed] = []
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                headers = {name.lower(): value for name, value in self.headers.items()}
                target.got.append(Pushed(headers, self.rfile.read(length)))
                self.send_response(target.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_said: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/events"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @contextmanager
    def listening(self) -> Iterator["Target"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def take(self) -> list[Pushed]:
        """What came since, which is forgotten here."""
        got, self.got = self.got, []
        return got


class Receiver(Voice):
    """A member that speaks the framework, with a client that may do everything its class may."""

    def __init__(self, hub: Hub, name: str, **wanted: Any) -> None:
        super().__init__(hub, name, **wanted)
        self.hub: Hub = hub

    def ask(self, method: str, path: str, body: Any = None, **params: Any) -> httpx2.Response:
        """A request of the management API."""
        headers = {**self.headers(), "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)
        return self.hub.http.request(method, path, headers=headers, params=params, content=content)

    def create(self, target: Target | None = None, **more: Any) -> dict[str, Any]:
        """A stream of every event, polled or pushed."""
        body: dict[str, Any] = {"events_requested": EVERYTHING, **more}
        if target is not None:
            body["delivery"] = {"method": PUSH, "endpoint_url": target.url, **more.pop("delivery", {})}
        answer = self.ask("POST", "/ssf/stream", body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def status(self, stream: dict[str, Any], wanted: str | None = None) -> dict[str, Any]:
        """Where it stands, or is to stand."""
        named = {"stream_id": stream["stream_id"]}
        answer = (
            self.ask("GET", "/ssf/status", **named)
            if wanted is None
            else self.ask("POST", "/ssf/status", {**named, "status": wanted})
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def poll(self, stream: dict[str, Any], **body: Any) -> dict[str, Any]:
        """One poll; it does not wait."""
        path = stream["delivery"]["endpoint_url"].removeprefix(self.hub.issuer)
        answer = self.ask("POST", path, {"returnImmediately": True, **body})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def told(self, stream: dict[str, Any]) -> list[tuple[Word, dict[str, Any]]]:
        """What waits on a polled stream, verified: (word, claims) of each; it is acknowledged."""
        answer = self.poll(stream)
        assert "moreAvailable" not in answer
        found = [verified(self.hub, token, self.issuer) for token in answer["sets"].values()]
        assert [claims["jti"] for _, claims in found] == list(answer["sets"])
        self.poll(stream, ack=list(answer["sets"]), maxEvents=0)
        return found


def verified(hub: Hub, token: str, aud: str, alg: str = "ES256") -> tuple[Word, dict[str, Any]]:
    """A token's event and claims, verified as a receiver does: by type, algorithm, key, issuer and audience."""
    keys = jwt.PyJWKSet.from_dict(hub.http.get("/ssf/jwks.json").json())
    header = jwt.get_unverified_header(token)
    assert (header["typ"], header["alg"]) == ("secevent+jwt", alg)
    claims = jwt.decode(
        token,
        keys[header["kid"]],
        algorithms=[alg],
        audience=aud,
        issuer=hub.issuer,
        options={"require": ["iss", "aud", "iat", "jti"], "verify_iat": False},
    )
    # SSF 1.0 §4.1: never these; one event; the subject at the top.
    assert "sub" not in claims
    assert "exp" not in claims
    assert claims["iat"] <= hub.clock()
    assert claims["sub_id"]["format"] == "opaque"
    (uri,) = claims["events"]
    word = next(word for word, known in URIS.items() if known == uri)
    assert "subject" not in claims["events"][uri]
    return word, {**claims, "event": claims["events"][uri]}


def deliver(hub: Hub) -> None:
    """What the worker does every second: fan out, then send."""
    hub.run_job("streams.fanout")
    hub.run_job("delivery.send")


Admit = Callable[..., Receiver]
"""Admits a member, by its name."""


def say(one: Receiver, community: str, *numbers: int) -> None:
    """Report these, each by itself, for 90 days."""
    for number in numbers:
        one.say(report(one.now + 90 * DAY), md5(number), community=community)


def came(hub: Hub, target: Target, aud: str) -> list[str]:
    """What was pushed: the subject of each event, or its word where that is the stream."""
    found = []
    for pushed in target.take():
        word, claims = verified(hub, pushed.body.decode(), aud)
        own = word in ("verification", "stream-updated")
        found.append(word if own else claims["sub_id"]["id"])
    return found


def look(hub: Hub, one: Receiver, stream: dict[str, Any]) -> looking.Look:
    """How a stream stands, as its page says, and as every way to ask for it says."""
    with hub.database.snapshot() as uow:
        org_id = next(org.id for org in hub.members.orgs(uow).values() if org.issuer == one.issuer)
    transmitter = hub.app.state.transmitter
    (found,) = [
        item for item in looking.looks(transmitter, org_id) if item.stream.public_id == stream["stream_id"]
    ]
    assert looking.look(transmitter, org_id, stream["stream_id"]) == found
    stopped = looking.stopped(transmitter, org_id)
    assert (found.stream in stopped) == (found.stream.reason in ("inactivity", "undeliverable"))
    return found

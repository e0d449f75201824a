"""What a real hub really sends is taken by receivers that are not its own code, and once by the one that is.

The hub runs as operators run it, in a process of its own with its own clock and jobs; every request that the test looks
at came over a socket.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.client.programs import Program, free_port, installed_library, node_verdicts, running
from tests.client.simulator import DAY, report, sha256
from tests.support.databases import Databases
from tests.support.hub import LiveHub, in_own_process
from tests.support.parties import Party
from tests.webhooks.receiving import Receiver as Recorder
from tests.webhooks.receiving import receiving
from tocsin_client.snippets import SNIPPETS
from tocsin_client.webhooks import HANDLED, HANDLED_BEFORE, Event, Receiver
from tocsin_schemas.notifications import EventNotification

SLUG = "child-safety"
SECONDS = 120
Sent = tuple[dict[str, str], bytes]


class Desk:
    """A member's endpoints by API."""

    def __init__(self, hub: LiveHub, party: Party) -> None:
        self.hub = hub
        self.headers = party.bearer()

    def ask(self, method: str, path: str = "", **said: Any) -> Any:
        url = f"/v1/webhooks/endpoints{path}"
        answer: httpx2.Response = self.hub.http.request(method, url, headers=self.headers, **said)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def make(self, url: str, **wanted: Any) -> dict[str, Any]:
        return dict(self.ask("POST", json={"url": url, **wanted}))

    def activate(self, made: dict[str, Any]) -> None:
        assert self.ask("POST", f"/{made['id']}/activation")["state"] == "active"


@pytest.fixture
def hub(database_url: str, tmp_path: Path) -> Iterator[LiveHub]:
    (tmp_path / "live").mkdir()
    with in_own_process(database_url, tmp_path / "live", egress_allow_subnets="127.0.0.0/8") as hub:
        yield hub


@pytest.fixture
def small_hub(databases: Databases, tmp_path: Path) -> Iterator[LiveHub]:
    """The same on SQLite alone: where it is not the database that is looked at."""
    (tmp_path / "live").mkdir()
    with (
        databases.migrated("sqlite", tmp_path) as url,
        in_own_process(url, tmp_path / "live", egress_allow_subnets="127.0.0.0/8") as hub,
    ):
        yield hub


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline, "it did not arrive"
        time.sleep(0.05)


def kinds(recorder: Recorder) -> list[str]:
    return [str(body["type"]) for body in recorder.bodies()]


def sent(recorder: Recorder) -> list[Sent]:
    return [(one.headers, one.body) for one in recorder.asked]


def accepted_by_python(secret: str, requests: list[Sent]) -> list[bool]:
    def accepts(headers: dict[str, str], body: bytes) -> bool:
        try:
            Webhook(secret).verify(body, headers)
        except WebhookVerificationError:
            return False
        return True

    return [accepts(*one) for one in requests]


def test_independent_libraries_accept_every_request(hub: LiveHub, tmp_path: Path) -> None:
    pixel, brook, partner = hub.party("pixel"), hub.party("brook"), hub.party("reader")
    desk = Desk(hub, partner)
    with receiving() as thin, receiving() as full:
        made, opted = desk.make(thin.url), desk.make(full.url, detail="full")
        for one in (made, opted):
            desk.activate(one)
        # 1. One of each: recorded, corroborated, retracted, a test.
        valid = report(int(time.time()) + DAY)
        receipt = pixel.sdk().report(SLUG, [sha256("a")], valid)
        brook.sdk().report(SLUG, [sha256("a")], valid)
        until(lambda: "indicator.corroborated" in kinds(thin) and "indicator.corroborated" in kinds(full))
        pixel.sdk().retract(SLUG, receipt.statement, "outdated")
        desk.ask("POST", f"/{made['id']}/test")
        until(lambda: {"signal.retracted", "endpoint.test"} <= set(kinds(thin)))
        until(lambda: "signal.retracted" in kinds(full))
        before = len(thin.asked)
        # 2. While the secret changes, old and new sign; and a message is sent again under its id.
        rotated = desk.ask("POST", f"/{made['id']}/rotation")
        first = thin.asked[1].headers["webhook-id"]
        desk.ask("POST", f"/{made['id']}/replay", json={"message": first})
        until(lambda: len(thin.asked) > before)
    requests, changing = sent(thin)[:before], sent(thin)[before:]
    assert {headers["webhook-id"] for headers, _ in changing} == {first}
    # Python's library and Node's, with the secret that was shown.
    cases = [(made["secret"], requests), (opted["secret"], sent(full))]
    cases += [(made["secret"], changing), (rotated["secret"], changing)]
    (tmp_path / "library").mkdir()
    library = installed_library(tmp_path / "library")
    for secret, these in cases:
        assert these
        assert all(accepted_by_python(secret, these))
        assert set(node_verdicts(library, [(secret, one) for one in these])) == {"accepted"}
        tampered = [(headers, body.replace(b"type", b"tyqe", 1)) for headers, body in these]
        assert not any(accepted_by_python(secret, tampered))
        assert set(node_verdicts(library, [(secret, one) for one in tampered])) == {"refused"}
    assert not any(accepted_by_python(rotated["secret"], requests))
    # Ours, with the secret or the public key alone, in the order in which they came; each is an event once.
    for key in (made["secret"], made["public_key"]):
        once(Receiver(key), requests)
    once(Receiver(opted["secret"]), sent(full))
    # What is in them is what the wire says.
    for _, body in (*requests, *sent(full)):
        assert json.loads(body)["type"]
        assert len(body) <= 20_000


def once(receiver: Receiver, requests: list[Sent]) -> None:
    """Each is handled once, numbered without a hole; a tampered one, and one of long ago, are not handled at all."""
    handled: list[Event] = []
    for headers, body in requests:
        for cheat in (
            (headers, body + b" "),
            (headers | {"webhook-id": "msg_another"}, body),
            (headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 301)}, body),
        ):
            assert receiver.respond(*cheat, handled.append).status in {400, 401}
        first = receiver.respond(headers, body, handled.append)
        if json.loads(body)["type"] == "endpoint.verification":
            assert json.loads(first.body) == {"challenge": json.loads(body)["data"]["challenge"]}
            continue
        assert first == HANDLED
        assert receiver.respond(headers, body, handled.append) == HANDLED_BEFORE
    assert [found.id for found in handled] == [headers["webhook-id"] for headers, _ in requests[1:]]
    assert receiver.journal.gaps() == []
    assert any(isinstance(found.notification(), EventNotification) for found in handled)
    assert all(found.told is not None for found in handled)


def test_the_receivers_to_begin_with_are_activated_and_told(small_hub: LiveHub) -> None:
    desk = Desk(small_hub, small_hub.party("reader"))
    pixel = small_hub.party("pixel")
    with ExitStack() as programs:
        started: list[tuple[Program, dict[str, Any]]] = []
        for snippet in SNIPPETS:
            port = free_port()
            made = desk.make(f"http://127.0.0.1:{port}/hook")
            program = programs.enter_context(running(snippet, port, made["secret"]))
            desk.activate(made)
            started.append((program, made))
        pixel.sdk().report(SLUG, [sha256("a")], report(int(time.time()) + DAY))
        for program, made in started:
            assert program.line().startswith("signal.recorded msg_")
            message = desk.ask("POST", f"/{made['id']}/test")["message"]
            assert program.line() == f"endpoint.test {message}"

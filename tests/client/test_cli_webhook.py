"""`tocsin webhook …` against a hub that really sends."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client.terminal import Terminal, log_in
from tests.client.webserver import Answer
from tests.support.databases import Databases
from tests.support.hub import LiveHub, in_own_process
from tests.webhooks.receiving import Receiver, receiving
from tocsin_client.endpoints import Endpoints
from tocsin_schemas.problems import Refused

PATIENCE = 120


@pytest.fixture(scope="module")
def sending(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """A hub with its jobs that may call loopback."""
    folder = tmp_path_factory.mktemp("sending")
    with (
        databases.migrated("sqlite", folder) as url,
        in_own_process(url, folder, egress_allow_subnets="127.0.0.0/8") as hub,
    ):
        yield hub


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def at(sending: LiveHub, names: Iterator[str], slug: str, tmp_path: Path) -> Terminal:
    """A member at a terminal, logged in."""
    name = next(names)
    terminal = Terminal(tmp_path / name)
    log_in(terminal, sending.party(name, communities={slug: "rw"}), sending)
    return terminal


def until(done: Callable[[], bool]) -> None:
    """Wait for what the hub's jobs do every second."""
    for _ in range(PATIENCE * 10):
        if done():
            return
        threading.Event().wait(0.1)
    raise AssertionError("it did not come to pass")


def test_an_endpoint_from_its_first_day_to_its_last(at: Terminal, receiver: Receiver, slug: str) -> None:
    made = at.run(
        *("webhook", "add", receiver.url, "--type", "key.revoked", "--type", "signal.recorded"),
        *("--community", slug, "--severity", "info"),
    )
    one = made.stdout.split()[0]
    assert "whsec_" in made.stdout
    assert "whpk_" in made.stdout
    assert one in made.stderr
    assert "pending" in at.run("webhook", "list").stdout
    shown = at.row("webhook", "show", one)
    assert shown["types"] == ["key.revoked", "signal.recorded"]
    assert at.row("webhook", "activate", one)["state"] == "active"
    message = at.row("webhook", "test", one)["message"]
    until(lambda: [row["state"] for row in at.rows("webhook", "log", one)] == ["delivered"])
    assert receiver.asked[-1].headers["webhook-id"] == message
    assert "204" in at.run("webhook", "log", one).stdout
    (attempt,) = at.rows("webhook", "log", one, "--message", message)
    assert (attempt["number"], attempt["status"]) == (1, 204)
    assert "try 1" in at.run("webhook", "log", one, "--attempts").stdout
    assert at.rows("webhook", "dead", one) == []
    assert at.row("webhook", "replay", one, "--message", message) == {"queued": 1}
    until(lambda: len(receiver.asked) == 3)
    changed = at.row("webhook", "change", one, "--severity", "urgent", "--every", "types")
    assert (changed["severity"], changed["types"], changed["communities"]) == ("urgent", [], [slug])
    assert at.row("webhook", "pause", one)["state"] == "paused"
    assert "active" in at.run("webhook", "resume", one).stdout
    rotated = at.run("webhook", "rotate", one)
    assert "whsec_" in rotated.stdout
    assert at.error("webhook", "rotate", one, code=1)["error"] == "endpoint-rotating"
    assert at.row("webhook", "rotate", one, "--again")["secret"] not in rotated.stdout
    assert "Removed" in at.run("webhook", "remove", one).stdout
    assert "No endpoint yet" in at.run("webhook", "list").stderr


def test_an_endpoint_that_is_gone_is_told_of_everywhere(at: Terminal, receiver: Receiver) -> None:
    one = at.row("webhook", "add", receiver.url)["id"]
    at.row("webhook", "activate", one)
    receiver.script = lambda _: Answer(410)
    at.row("webhook", "test", one)
    until(lambda: at.row("webhook", "show", one)["state"] == "disabled")
    assert "disabled (gone)" in at.run("webhook", "list").stdout
    assert "replay --since-disabled" in at.run("webhook", "show", one).stderr
    assert one in at.run("hub").stdout
    assert at.row("hub")["disabled_endpoints"] == [one]
    # What it answered so to is kept for it, in case it comes back.
    (kept,) = [row for row in at.rows("webhook", "log", one) if row["status"] == 410]
    assert kept["state"] == "held"
    assert at.rows("webhook", "dead", one) == []
    receiver.script = None
    assert at.row("webhook", "activate", one)["state"] == "active"
    assert at.row("webhook", "replay", one, "--since-disabled") == {"queued": 1}
    assert at.row("hub")["disabled_endpoints"] == []


def test_what_is_refused_says_why(at: Terminal, receiver: Receiver) -> None:
    assert at.error("webhook", "add", "https://10.0.0.1/", code=1)["error"] == "egress-refused"
    one = at.row("webhook", "add", receiver.url)["id"]
    receiver.script = lambda _: Answer(500)
    refused = at.error("webhook", "activate", one, code=1)
    assert refused["error"] == "endpoint-unverified"
    assert "status 500" in refused["what"]
    assert at.error("webhook", "show", "ep_1", code=1)["error"] == "request-invalid"
    assert at.error("webhook", "show", f"ep_{'0' * 32}", code=3)["error"] == "not-found"
    assert at.error("webhook", "change", one, code=2)["error"] == "not-ready"
    assert at.error("webhook", "replay", one, code=1)["error"] == "request-invalid"
    assert at.error("webhook", "test", one, code=1)["error"] == "endpoint-inactive"


def test_pages_follow_each_other(at: Terminal, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    one = at.row("webhook", "add", receiver.url)["id"]
    at.row("webhook", "activate", one)
    sent = [at.row("webhook", "test", one)["message"] for _ in range(5)]
    until(lambda: len(at.rows("webhook", "log", one, "--state", "delivered")) == 5)
    monkeypatch.setattr("tocsin_client.endpoints.PAGE", 2)
    assert [row["message"] for row in at.rows("webhook", "log", one)] == sent[::-1]
    assert [row["message"] for row in at.rows("webhook", "log", one, "--limit", "3")] == sent[:1:-1]
    assert len(at.rows("webhook", "log", one, "--attempts")) == 5


def test_the_sdk_refuses_what_has_another_shape() -> None:
    def never(_fresh: bool) -> str:
        raise AssertionError("asked")

    endpoints = Endpoints(None, never)  # type: ignore[arg-type]  # nothing leaves this process
    for wanted, field in (({"types": ["nothing"]}, "types"), ({"more": 1}, "")):
        with pytest.raises(Refused, match="request-invalid") as caught:
            endpoints.add("https://pixel.example/", **wanted)
        assert caught.value.field == field
    with pytest.raises(Refused, match="request-invalid"):
        endpoints.show("../../oauth/token")

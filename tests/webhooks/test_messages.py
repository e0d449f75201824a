"""What an endpoint was sent, as its owner sees it and sends it again."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.client.webserver import Answer
from tests.support.hub import Hub
from tests.support.parties import Party
from tests.webhooks.receiving import Receiver, verifies
from tests.webhooks.test_endpoints import Desk
from tocsin.webhooks import rules
from tocsin_schemas.ledger import instant, rfc3339

Admit = Callable[..., Party]


@pytest.fixture
def desk(calling_hub: Hub, member: Admit) -> Desk:
    calling_hub.clock.advance(rules.PROBE_WINDOW)
    return Desk(calling_hub, member())


def send(desk: Desk) -> None:
    desk.hub.run_job("delivery.send")


def ping(desk: Desk, made: dict[str, Any]) -> str:
    queued = desk.ask("POST", f"/{made['id']}/test")
    assert queued.status_code == 202, queued.text
    return str(queued.json()["message"])


def deliveries(desk: Desk, made: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    answer = desk.ask("GET", f"/{made['id']}/deliveries{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["deliveries"])


def test_a_test_message_goes_its_way(desk: Desk, receiver: Receiver) -> None:
    made = desk.active(receiver.url)
    message = ping(desk, made)
    (waiting,) = deliveries(desk, made)
    assert (waiting["message"], waiting["state"], waiting["seq"]) == (message, "pending", 1)
    assert (waiting["type"], waiting["subject"]) == ("endpoint.test", f"endpoint:{made['id']}")
    assert desk.ask("GET", f"/{made['id']}").json()["backlog"] == 1
    send(desk)
    asked = receiver.asked[-1]
    assert asked.headers["webhook-id"] == message
    assert verifies(asked, desk.hub.clock(), secret=made["secret"], public_key=made["public_key"])
    assert json.loads(asked.body)["type"] == "endpoint.test"
    (done,) = deliveries(desk, made)
    assert (done["state"], done["status"], done["attempts"]) == ("delivered", 204, 1)
    (attempt,) = desk.ask("GET", f"/{made['id']}/attempts").json()["attempts"]
    assert (attempt["message"], attempt["number"], attempt["status"]) == (message, 1, 204)
    shown = desk.ask("GET", f"/{made['id']}").json()
    assert (shown["backlog"], shown["failures"]) == (0, 0)
    assert shown["p50_ms"] == shown["p99_ms"] == attempt["duration_ms"]


def test_failures_are_seen_and_dead_letters_sent_again(desk: Desk, receiver: Receiver) -> None:
    made = desk.active(receiver.url)
    message = ping(desk, made)
    receiver.script = lambda _: Answer(500, b"secret things")
    while (waiting := deliveries(desk, made)[0])["state"] == "pending":
        desk.hub.clock.advance(max(0, instant(waiting["next_at"]) - desk.hub.clock()))
        desk.headers = desk.party.bearer()
        send(desk)
    (dead,) = deliveries(desk, made, "?state=dead")
    assert (dead["message"], dead["status"], dead["attempts"]) == (message, 500, 10)
    assert deliveries(desk, made, "?state=delivered") == []
    tries = desk.ask("GET", f"/{made['id']}/attempts?message={message}")
    assert [one["number"] for one in tries.json()["attempts"]] == list(range(10, 0, -1))
    assert "secret things" not in tries.text
    page = desk.ask("GET", f"/{made['id']}/attempts?limit=4").json()
    after = desk.ask("GET", f"/{made['id']}/attempts?limit=4&before={page['before']}").json()
    assert [one["number"] for one in page["attempts"] + after["attempts"]] == list(range(10, 2, -1))
    shown = desk.ask("GET", f"/{made['id']}").json()
    assert (shown["state"], shown["failures"]) == ("active", 10)
    receiver.script = None
    # Whoever answers a challenge can be sent to again, at once.
    assert desk.ask("POST", f"/{made['id']}/activation").json()["failures"] == 0
    again = desk.ask("POST", f"/{made['id']}/replay", json={"message": message})
    assert (again.status_code, again.json()) == (202, {"queued": 1})
    send(desk)
    assert deliveries(desk, made)[0]["state"] == "delivered"
    assert receiver.asked[-1].headers["webhook-id"] == message


def test_what_came_while_it_was_paused_goes_out_when_it_goes_on(desk: Desk, receiver: Receiver) -> None:
    made = desk.active(receiver.url)
    ping(desk, made)
    path = f"/{made['id']}"
    assert desk.ask("PATCH", path, json={"state": "paused"}).json()["held"] == 1
    send(desk)
    assert len(receiver.asked) == 1
    assert desk.refused("POST", f"{path}/test")[1] == "endpoint-inactive"
    assert desk.ask("PATCH", path, json={"state": "active"}).json()["backlog"] == 1
    send(desk)
    assert receiver.bodies()[-1]["data"]["seq"] == 1


def test_what_waited_at_the_old_url_goes_to_the_new_one_once_it_is_proved(
    desk: Desk, receiver: Receiver
) -> None:
    made = desk.active(receiver.url)
    message = ping(desk, made)
    moved = desk.ask("PATCH", f"/{made['id']}", json={"url": f"{receiver.url}/2"}).json()
    assert (moved["state"], moved["backlog"], moved["held"]) == ("pending", 0, 1)
    send(desk)
    assert len(receiver.asked) == 1
    assert desk.ask("POST", f"/{made['id']}/activation").json()["backlog"] == 1
    send(desk)
    assert (receiver.asked[-1].path, receiver.asked[-1].headers["webhook-id"]) == ("/hook/2", message)


def test_a_gone_endpoint_is_disabled_and_what_it_missed_is_asked_for(desk: Desk, receiver: Receiver) -> None:
    made = desk.active(receiver.url)
    first = ping(desk, made)
    receiver.script = lambda _: Answer(410)
    send(desk)
    path = f"/{made['id']}"
    shown = desk.ask("GET", path).json()
    assert (shown["state"], shown["reason"]) == ("disabled", "gone")
    assert shown["disabled_at"]
    assert desk.refused("PATCH", path, json={"state": "active"})[1] == "endpoint-inactive"
    receiver.script = None
    desk.ask("POST", f"{path}/activation")
    second = ping(desk, made)
    send(desk)
    assert [one["state"] for one in deliveries(desk, made)] == ["delivered", "held"]
    assert receiver.asked[-1].headers["webhook-id"] == second
    for queued in (1, 0):
        assert desk.ask("POST", f"{path}/replay", json={"since_disabled": True}).json() == {"queued": queued}
        send(desk)
    assert receiver.asked[-1].headers["webhook-id"] == first
    assert desk.ask("POST", f"{path}/replay", json={"first": first}).json() == {"queued": 2}
    send(desk)
    assert [one["state"] for one in deliveries(desk, made)] == ["delivered"] * 2


def test_ranges_and_times(desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    made = desk.active(receiver.url)
    path = f"/{made['id']}/replay"
    sent = []
    for _ in range(4):
        sent.append(ping(desk, made))
        desk.hub.clock.advance(10)
    send(desk)
    now = desk.hub.clock()
    for said, count in (
        ({"message": sent[1]}, 1),
        ({"first": sent[1], "last": sent[2]}, 2),
        ({"first": sent[2]}, 2),
        ({"first": sent[2], "last": sent[1]}, 0),
        ({"since": rfc3339(now - 20)}, 2),
        ({"since": rfc3339(now)}, 0),
    ):
        before = len(receiver.asked)
        assert desk.ask("POST", path, json=said).json() == {"queued": count}
        send(desk)
        assert len(receiver.asked) == before + count
    monkeypatch.setattr(rules, "MOST_REPLAYED", 3)
    part = desk.ask("POST", path, json={"first": sent[0]}).json()
    assert part == {"queued": 3, "next": sent[3]}
    assert desk.refused("POST", path, json={"first": part["next"]})[:2] == (429, "rate-limited")
    send(desk)
    assert desk.ask("POST", path, json={"first": part["next"]}).json() == {"queued": 1}


def test_what_is_sent_again_belongs_to_the_endpoint(desk: Desk, member: Admit, receiver: Receiver) -> None:
    made, other = desk.active(receiver.url), desk.active(receiver.url)
    stranger = Desk(desk.hub, member())
    theirs = stranger.active(receiver.url)
    foreign = [ping(stranger, theirs), ping(desk, other)]
    for message in (*foreign, f"msg_{'0' * 32}"):
        path = f"/{made['id']}"
        for said in ({"message": message}, {"first": message}):
            (field,) = said
            assert desk.refused("POST", f"{path}/replay", json=said) == (404, "not-found", field)
        assert desk.refused("GET", f"{path}/deliveries?before={message}") == (404, "not-found", "before")
        assert desk.refused("GET", f"{path}/attempts?message={message}") == (404, "not-found", "message")


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"message": "msg_1"},
        {"since": "yesterday"},
        {"since": "2026-13-22T12:00:00Z"},
        {"since_disabled": False},
        {"last": f"msg_{'0' * 32}"},
        {"message": f"msg_{'0' * 32}", "since_disabled": True},
        {"since_disabled": True, "more": 1},
    ],
)
def test_a_replay_says_one_thing(said: dict[str, Any], desk: Desk, receiver: Receiver) -> None:
    made = desk.active(receiver.url)
    assert desk.refused("POST", f"/{made['id']}/replay", json=said)[:2] == (400, "request-invalid")


def test_only_an_active_endpoint_is_tested(desk: Desk, receiver: Receiver) -> None:
    made = desk.make(receiver.url)
    assert desk.refused("POST", f"/{made['id']}/test") == (409, "endpoint-inactive", "")
    assert (
        desk.refused("POST", f"/{made['id']}/replay", json={"since_disabled": True})[1] == "endpoint-inactive"
    )

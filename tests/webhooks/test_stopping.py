"""Stopping and going on: what an endpoint missed can be sent, in parts, and whoever comes back sees a gap."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from sqlalchemy import text

from tests.client.webserver import Answer
from tests.signals.material import Voice, md5, report
from tests.streams.receiving import Receiver as StreamReceiver
from tests.support.hub import Hub
from tests.support.invariants import unchanged
from tests.support.states import put
from tests.webhooks.hearing import ENDPOINTS, Ear, Hear, deliver, ears
from tocsin.db import UnitOfWork
from tocsin.delivery import rules as delivery
from tocsin.delivery.service import queueing
from tocsin.errors import Refused
from tocsin.streams.service import stopping as streams
from tocsin.webhooks import rules
from tocsin.webhooks.service import stopping
from tocsin_schemas.policy import DAY
from tocsin_schemas.vocabulary import MemberState

_NUMBERS = count(1)


@pytest.fixture
def hear(calling_hub: Hub) -> Iterator[Hear]:
    calling_hub.clock.advance(1)
    with ears(calling_hub) as found:
        yield found


class Pair:
    """An author, and a reader with an endpoint, in a community of their own."""

    def __init__(self, hub: Hub, hear: Hear) -> None:
        self.hub = hub
        self.community = f"stopping{next(_NUMBERS)}"
        self.author, self.reader = (self.member() for _ in range(2))
        self.ear: Ear = hear(self.reader)

    def member(self) -> Voice:
        return Voice(self.hub, f"stopping{next(_NUMBERS)}", communities={self.community: "rw"})

    def say(self, times: int = 1) -> None:
        for _ in range(times):
            self.hub.clock.advance(1)
            until = self.hub.clock() + 90 * DAY
            self.author.say(report(until), md5(next(_NUMBERS)), community=self.community)
            deliver(self.hub)

    def ask(self, method: str, path: str = "", **said: Any) -> Any:
        self.hub.clock.advance(1)
        return self.hub.http.request(
            method, f"{ENDPOINTS}/{self.ear.id}{path}", headers=self.reader.headers(), **said
        )

    def state(self, wanted: str) -> None:
        assert self.ask("PATCH", json={"state": wanted}).json()["state"] == wanted

    def replay(self) -> dict[str, Any]:
        answer = self.ask("POST", "/replay", json={"since_disabled": True})
        assert answer.status_code == 202, answer.text
        deliver(self.hub)
        return dict(answer.json())

    @property
    def seqs(self) -> list[int]:
        """The numbers of what was answered well, in the order it came."""
        told = self.ear.raw
        return [one["data"]["seq"] for one in told if one["type"] == "signal.recorded"]


@pytest.fixture
def pair(calling_hub: Hub, hear: Hear) -> Pair:
    return Pair(calling_hub, hear)


def test_what_was_answered_with_gone_is_replayed_too(pair: Pair) -> None:
    pair.say()
    pair.ear.receiver.script = lambda _: Answer(410)
    pair.say()
    pair.hub.clock.advance(60)
    pair.say()
    assert pair.ask("GET").json()["reason"] == "gone"
    pair.ear.receiver.script = None
    assert pair.ask("POST", "/activation").status_code == 200
    pair.say()
    assert pair.seqs == [1, 2, 4], "2 was refused"
    assert pair.replay() == {"queued": 2}
    assert pair.seqs == [1, 2, 4, 2, 3]


def test_what_was_given_up_in_the_five_days_is_replayed_too(pair: Pair) -> None:
    pair.ear.receiver.script = lambda _: Answer(500)
    pair.say()
    for _ in range(6 * 24):
        pair.hub.clock.advance(3600)
        deliver(pair.hub)
    pair.say()
    pair.hub.clock.advance(DAY)
    deliver(pair.hub)
    shown = pair.ask("GET").json()
    assert (shown["reason"], shown["held"]) == ("failing", 2), "the first one had been tried ten times"
    pair.ear.receiver.script = None
    pair.ear.receiver.asked.clear()
    assert pair.ask("POST", "/activation").status_code == 200
    assert pair.replay() == {"queued": 2}
    assert pair.seqs == [1, 2]


def test_a_replay_of_what_was_kept_is_bounded_and_says_where_to_go_on(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MOST_REPLAYED", 2)
    pair.ear.receiver.script = lambda _: Answer(410)
    pair.say(5)
    pair.ear.receiver.script = None
    pair.ask("POST", "/activation")
    first = pair.replay()
    assert first["queued"] == 2
    assert first["next"].startswith("msg_")
    assert pair.replay()["queued"] == 2
    assert pair.replay() == {"queued": 1}
    assert pair.seqs == [1, 1, 2, 3, 4, 5]


def test_a_replay_does_not_forget_that_an_endpoint_fails(pair: Pair) -> None:
    pair.ear.receiver.script = lambda _: Answer(500)
    pair.say(delivery.BREAKS_AFTER)
    for _ in range(delivery.BREAKS_AFTER):
        pair.hub.clock.advance(60)
        deliver(pair.hub)
    before = pair.ask("GET").json()
    assert before["failures"] >= delivery.BREAKS_AFTER
    assert pair.ask("POST", "/replay", json={"since_disabled": True}).json() == {"queued": 0}
    after = pair.ask("GET").json()
    assert (after["failures"], after["failing_since"]) == (before["failures"], before["failing_since"])


def test_a_state_is_changed_so_often_a_minute(pair: Pair) -> None:
    pair.hub.clock.advance(rules.PROBE_WINDOW)
    for _ in range(rules.MOST_PROBES):
        pair.state("active")
    for number in range(rules.MOST_PROBES):
        pair.state("active" if number % 2 else "paused")
    with unchanged(pair.hub.database, frozenset({"assertion", "quota"})):
        answer = pair.ask("PATCH", json={"state": "paused"})
    assert (answer.status_code, answer.json()["code"]) == (429, "rate-limited")


def test_going_on_releases_all_in_parts(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.state("paused")
    pair.say(5)
    assert pair.ask("GET").json()["held"] == 5
    parts = []
    real = queueing.release

    def release(uow: UnitOfWork, receiver_id: int) -> tuple[int, int | None]:
        parts.append(real(uow, receiver_id, 2))
        return parts[-1]

    monkeypatch.setattr("tocsin.delivery.service.release", release)
    pair.state("active")
    assert [done for done, _ in parts] == [2, 2, 1]
    deliver(pair.hub)
    assert pair.seqs == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("state", ["emergency_suspended", "suspended"])
def test_a_member_that_comes_back_sees_that_it_has_missed_something(pair: Pair, state: MemberState) -> None:
    pair.say()
    put(pair.hub, pair.reader.issuer, state)
    pair.say()
    put(pair.hub, pair.reader.issuer, "active")
    pair.say()
    assert pair.seqs == [1, 3]


def test_the_operator_stops_any_endpoint_and_its_owner_is_told(pair: Pair, hear: Hear) -> None:
    hub, other = pair.hub, hear(pair.reader)
    pair.say()
    stopping.stop(hub.database, pair.ear.id)
    pair.say()
    assert pair.seqs == [1]
    shown = pair.ask("GET").json()
    assert (shown["state"], shown["reason"], shown["held"]) == ("disabled", "operator", 1)
    (told,) = [one["data"] for one in other.raw if one["type"] == "endpoint.disabled"]
    assert (told["subject"], told["reason"]) == (f"endpoint:{pair.ear.id}", "operator")
    me = hub.http.get("/v1/me", headers=pair.reader.headers())
    assert me.json()["disabled_endpoints"] == [pair.ear.id]
    # Its owner alone cannot begin again, wherever it moves it.
    for moved in (None, f"{pair.ear.receiver.url}/2"):
        if moved is not None:
            assert pair.ask("PATCH", json={"url": moved}).json()["state"] == "pending"
        answer = pair.ask("POST", "/activation")
        assert (answer.status_code, answer.json()["code"]) == (409, "endpoint-inactive")
    with pytest.raises(Refused, match="conflict"):
        stopping.stop(hub.database, pair.ear.id)
    stopping.allow(hub.database, pair.ear.id)
    assert pair.ask("POST", "/activation").json()["state"] == "active"
    deliver(hub)
    assert pair.seqs == [1, 2], "what was kept goes out"
    for act in (stopping.stop, stopping.allow):
        with unchanged(hub.database), pytest.raises(Refused, match="not-found"):
            act(hub.database, f"ep_{'0' * 32}")
    with unchanged(hub.database), pytest.raises(Refused, match="conflict"):
        stopping.allow(hub.database, pair.ear.id)


def test_the_operator_stops_any_stream_and_its_receiver_is_told(calling_hub: Hub) -> None:
    name = f"stopping{next(_NUMBERS)}"
    reader = StreamReceiver(calling_hub, name, communities={name: "rw"})
    stream = reader.create()
    streams.stop(calling_hub.database, stream["stream_id"])
    assert reader.status(stream) == {
        "stream_id": stream["stream_id"],
        "status": "paused",
        "reason": "operator",
    }
    assert [word for word, _ in reader.told(stream)] == ["stream-updated"]
    for wanted in ("enabled", "paused", "disabled"):
        body = {"stream_id": stream["stream_id"], "status": wanted}
        with unchanged(calling_hub.database, frozenset({"assertion"})):
            answer = reader.ask("POST", "/ssf/status", body)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    with pytest.raises(Refused, match="conflict"):
        streams.stop(calling_hub.database, stream["stream_id"])
    streams.allow(calling_hub.database, stream["stream_id"])
    assert reader.status(stream, "enabled")["status"] == "enabled"
    for act in (streams.stop, streams.allow):
        with unchanged(calling_hub.database), pytest.raises(Refused, match="not-found"):
            act(calling_hub.database, "st_0")
    with calling_hub.database.snapshot() as uow:
        assert (
            uow.conn.execute(text("SELECT count(*) FROM stream WHERE reason = 'operator'")).scalar_one() == 0
        )

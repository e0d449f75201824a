"""The hub changes the key that the secrets of endpoints come from: no request goes out that somebody cannot verify."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from tests.client.webserver import Asked
from tests.governance.rotating import OVERLAP, change, record
from tests.support.board import governed
from tests.support.clock import MovableClock
from tests.support.hub import Hub, in_process
from tests.support.parties import Party
from tests.webhooks.receiving import Receiver, receiving
from tocsin import keys
from tocsin.config import Settings
from tocsin.errors import Refused
from tocsin_schemas.webhooks import MAX_BODY_BYTES, MAX_SIGNATURES, parse_key, parse_secret, verify

DAY = 86_400
ENDPOINTS = "/v1/webhooks/endpoints"


class Pair(NamedTuple):
    """What a member configures its receiver with."""

    secret: str
    public_key: str


class Desk:
    """A member's client, at whichever process of the hub."""

    def __init__(self, hub: Hub, party: Party) -> None:
        self.hub = hub
        self.party = party
        party.endpoint = hub

    def ask(self, method: str, path: str = "", status: int = 200, **said: Any) -> dict[str, Any]:
        answer = self.hub.http.request(method, f"{ENDPOINTS}{path}", headers=self.party.bearer(), **said)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    def test(self, endpoint: str, receiver: Receiver) -> Asked:
        """The request by which the endpoint gets a test message."""
        self.ask("POST", f"/{endpoint}/test", 202)
        before = len(receiver.asked)
        self.hub.run_job("delivery.send")
        (asked,) = receiver.asked[before:]
        return asked


def verifying(asked: Asked, now: int, **pairs: Pair) -> set[str]:
    """Which of these verify a request, each way by itself."""
    found = set()
    for name, pair in pairs.items():
        for kind, secrets, public_keys in (
            ("v1", [parse_secret(pair.secret)], []),
            ("v1a", [], [parse_key(pair.public_key)]),
        ):
            try:
                verify(asked.headers, asked.body, now=now, secrets=secrets, keys=public_keys)
            except Refused as error:
                if error.code != "webhook-signature-invalid":
                    raise
                continue
            found.add(f"{name}.{kind}")
    return found


def both(*names: str) -> set[str]:
    return {f"{name}.{kind}" for name in names for kind in ("v1", "v1a")}


def pair(made: dict[str, Any]) -> Pair:
    return Pair(made["secret"], made["public_key"])


@pytest.fixture
def calling(settings: Settings) -> Settings:
    return settings.model_copy(update={"egress_allow_subnets": "127.0.0.0/8"})


@contextmanager
def endpoint(hub: Hub, party: Party) -> Iterator[tuple[dict[str, Any], Receiver]]:
    """An active endpoint, and who listens there."""
    desk = Desk(hub, party)
    with receiving() as receiver:
        made = desk.ask("POST", "", 201, json={"url": receiver.url})
        desk.ask("POST", f"/{made['id']}/activation")
        yield made, receiver


def test_a_receiver_goes_on_with_the_old_key_and_moves_to_the_new_one(
    calling: Settings, clock: MovableClock
) -> None:
    with governed(calling, clock) as board:
        party = board.member("pixel")
        with endpoint(board.hub, party) as (made, receiver):
            desk, old = Desk(board.hub, party), pair(made)
            shown = desk.ask("GET", f"/{made['id']}")
            assert shown["public_keys"] == [old.public_key]
            assert "rotate_by" not in shown
            assert verifying(desk.test(made["id"], receiver), clock(), old=old) == both("old")
            done, _ = change(board.hub, "delivery", board.hub.settings)
            # A process that was not started again goes on as before, and shows nothing that would end soon.
            assert verifying(desk.test(made["id"], receiver), clock(), old=old) == both("old")
            refused = desk.ask("POST", f"/{made['id']}/rotation", 503)
            assert refused["code"] == "unavailable"
            with in_process(board.hub.settings, clock) as again:
                clock.advance(DAY)
                desk = Desk(again, party)
                # Whoever holds the old pair verifies; so does who takes the new public key from the document.
                shown = desk.ask("GET", f"/{made['id']}")
                assert len(shown["public_keys"]) == 2
                assert shown["public_keys"][1] == old.public_key
                published = Pair(old.secret, shown["public_keys"][0])
                asked = desk.test(made["id"], receiver)
                assert verifying(asked, clock(), old=old, new=published) == both("old", "new")
                # Whoever verifies with the secret has the endpoint rotated, and both verify until it ends.
                rotated = desk.ask("POST", f"/{made['id']}/rotation")
                new = pair(rotated)
                assert "rotate_by" not in rotated
                assert rotated["public_keys"][0] == new.public_key
                asked = desk.test(made["id"], receiver)
                assert verifying(asked, clock(), old=old, new=new, shown=published) == both(
                    "old", "new", "shown"
                )
                assert len(asked.headers["webhook-signature"].split(" ")) == 8 <= MAX_SIGNATURES
                # The day of the endpoint's own change is over; then the hub's.
                clock.advance(2 * DAY)
                asked = desk.test(made["id"], receiver)
                assert verifying(asked, clock(), old=old, new=new) == both("new")
                clock.advance(OVERLAP)
                asked = desk.test(made["id"], receiver)
                assert verifying(asked, clock(), old=old, new=new) == both("new")
                assert len(asked.headers["webhook-signature"].split(" ")) == 2
                assert desk.ask("GET", f"/{made['id']}")["public_keys"] == [new.public_key]
                assert done.retires_at < clock()


def test_who_does_nothing_is_told_when_its_secret_ends(calling: Settings, clock: MovableClock) -> None:
    with governed(calling, clock) as board:
        party = board.member("pixel")
        with endpoint(board.hub, party) as (made, receiver):
            old, until = pair(made), clock() + OVERLAP
            change(board.hub, "delivery", board.hub.settings)
            with in_process(board.hub.settings, clock) as again:
                desk = Desk(again, party)
                ends = desk.ask("GET", f"/{made['id']}")["rotate_by"]
                for at, names in ((until - 1, both("old")), (until, set[str]())):
                    clock.now = at
                    assert verifying(desk.test(made["id"], receiver), clock(), old=old) == names
                    assert desk.ask("GET", f"/{made['id']}")["rotate_by"] == ends
                # An endpoint of now has nothing to do with it.
                with endpoint(again, party) as (later, there):
                    assert "rotate_by" not in later
                    assert verifying(desk.test(later["id"], there), clock(), new=pair(later)) == both("new")


def test_members_are_told(calling: Settings, clock: MovableClock) -> None:
    with governed(calling, clock) as board:
        party = board.member("pixel")
        with endpoint(board.hub, party) as (_, receiver):
            done, _ = change(board.hub, "delivery", board.hub.settings)
            with in_process(board.hub.settings, clock) as again:
                again.run_job("webhooks.fanout")
                again.run_job("delivery.send")
                told = [json.loads(one.body) for one in receiver.asked]
                (rotating,) = [one for one in told if one["type"] == "key.rotating"]
                assert rotating["data"]["first"] == rotating["data"]["last"]
                assert done.record is not None


def test_the_old_key_is_kept_until_it_ends_and_then_deleted(calling: Settings, clock: MovableClock) -> None:
    with governed(calling, clock) as board:
        hub = board.hub
        file = hub.settings.data_dir / keys.DIRECTORY / "delivery_before.jwk"
        assert not file.exists()
        change(hub, "delivery", hub.settings)
        with in_process(hub.settings, clock) as again:
            assert again.run_job("streams.reseal") == 0
            assert file.stat().st_mode & 0o077 == 0
            clock.advance(OVERLAP)
            again.run_job("streams.reseal")
            assert not file.exists()
        with in_process(hub.settings, clock) as once_more:
            assert once_more.means.keys.delivery_before is None


def test_an_unfinished_change_signs_with_the_old_key_alone(calling: Settings, clock: MovableClock) -> None:
    with governed(calling, clock) as board:
        party = board.member("pixel")
        with endpoint(board.hub, party) as (made, receiver):
            record(board.hub, "delivery")
            with in_process(board.hub.settings, clock) as again:
                desk = Desk(again, party)
                asked = desk.test(made["id"], receiver)
                assert verifying(asked, clock(), old=pair(made)) == both("old")
                assert len(asked.body) < MAX_BODY_BYTES

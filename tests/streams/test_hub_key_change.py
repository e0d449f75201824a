"""The hub changes a key of its streams: tokens verify through the published keys all the while, by PyJWT."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt
import pytest

from tests.governance.rotating import OVERLAP, change, own_rsa, record
from tests.streams.receiving import Target, deliver, verified
from tests.support.board import governed
from tests.support.clock import MovableClock
from tests.support.hub import Hub, in_process
from tests.support.parties import Party
from tocsin.config import Settings
from tocsin.streams.rules.asking import MIN_VERIFICATION_INTERVAL
from tocsin_schemas.vocabulary import HubKeyName

ALGS: list[tuple[HubKeyName, str]] = [("ssf_es", "ES256"), ("ssf_rs", "RS256")]
HEADER = "Bearer canary-of-the-header"


class Desk:
    """A member's receiver, at whichever process of the hub."""

    def __init__(self, party: Party) -> None:
        self.party = party

    def at(self, hub: Hub) -> "Desk":
        self.hub = self.party.endpoint = hub
        return self

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.hub.http.post(path, json=body, headers=self.party.bearer())
        assert answer.is_success, answer.text
        return answer

    def create(self, **wanted: Any) -> dict[str, Any]:
        return dict(self.ask("/ssf/stream", wanted).json())

    def verification(self, stream: dict[str, Any], state: str = "mine") -> None:
        self.hub.clock.advance(MIN_VERIFICATION_INTERVAL)
        self.ask("/ssf/verify", {"stream_id": stream["stream_id"], "state": state})

    def polled(self, stream: dict[str, Any], state: str = "mine") -> str:
        """A token, which is acknowledged."""
        self.verification(stream, state)
        path = stream["delivery"]["endpoint_url"].removeprefix(self.hub.issuer)
        (found,) = self.ask(path, {"returnImmediately": True}).json()["sets"].items()
        self.ask(path, {"ack": [found[0]], "maxEvents": 0})
        return str(found[1])


def kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def published(hub: Hub) -> list[str]:
    return [key["kid"] for key in hub.http.get("/ssf/jwks.json").json()["keys"]]


@contextmanager
def member(settings: Settings, clock: MovableClock) -> Iterator[tuple[Hub, Desk]]:
    """A governed hub with one member that has streams."""
    calling = settings.model_copy(update={"egress_allow_subnets": "127.0.0.0/8"})
    with governed(calling, clock) as board:
        yield board.hub, Desk(board.member("pixel")).at(board.hub)


@pytest.mark.parametrize(("name", "alg"), ALGS)
def test_tokens_verify_before_during_and_after(
    settings: Settings, clock: MovableClock, name: HubKeyName, alg: str
) -> None:
    settings = own_rsa(settings) if name == "ssf_rs" else settings
    with member(settings, clock) as (hub, desk):
        stream = desk.create(set_signed_response_alg=alg)
        issuer = desk.party.issuer
        first = desk.polled(stream)
        assert verified(hub, first, issuer, alg)[1]["event"] == {"state": "mine"}
        alone = published(hub)
        assert len(alone) == 2
        done, _ = change(hub, name, hub.settings)
        # Published at once, before any process has it in hand; so whoever keeps the list for a while has it in time.
        assert published(hub) == [*alone, done.kid]
        assert kid(desk.polled(stream)) == done.before
        with in_process(hub.settings, clock) as again:
            desk.at(again)
            assert sorted(published(again)) == sorted([*alone, done.kid])
            token = desk.polled(stream)
            assert kid(token) == done.kid
            assert verified(again, token, issuer, alg)[0] == "verification"
            # What was signed before is read late; what is signed now is read with what the old process publishes.
            assert verified(again, first, issuer, alg)[0] == "verification"
            assert verified(hub, token, issuer, alg)[0] == "verification"
            clock.advance(OVERLAP)
            assert sorted(published(again)) == sorted({*alone, done.kid} - {done.before})
            assert verified(again, desk.polled(stream), issuer, alg)[0] == "verification"
            with pytest.raises(KeyError):
                verified(again, first, issuer, alg)


def test_a_change_that_is_not_finished_shows_both(settings: Settings, clock: MovableClock) -> None:
    with member(settings, clock) as (hub, desk):
        stream = desk.create()
        done = record(hub, "ssf_es")
        with in_process(hub.settings, clock) as again:
            assert {done.kid, done.before} <= set(published(again))
            assert kid(desk.at(again).polled(stream)) == done.before


def test_what_is_sealed_outlives_the_key_it_was_sealed_with(
    settings: Settings, clock: MovableClock, target: Target
) -> None:
    with member(settings, clock) as (hub, desk):
        push = {"method": "urn:ietf:rfc:8935", "endpoint_url": target.url, "authorization_header": HEADER}
        stream, polled = desk.create(delivery=push), desk.create()
        deliver(hub)
        change(hub, "delivery", hub.settings)
        before = credentials(hub)
        with in_process(hub.settings, clock) as again:
            desk.at(again).verification(stream, "sealed-with-the-new")
            deliver(again)
            clock.advance(OVERLAP)
            desk.at(hub).verification(polled, "sealed-with-the-old")
            assert credentials(again) == before
            assert again.run_job("streams.reseal") == 2
            assert credentials(again) != before
            assert again.run_job("streams.reseal") == 0
        assert [pushed.headers["authorization"] for pushed in target.take()] == [HEADER, HEADER]
        # Nobody has the old key now.
        with in_process(hub.settings, clock) as later:
            assert later.means.keys.delivery_before is None
            desk.at(later).verification(stream)
            deliver(later)
            (pushed,) = target.take()
            assert pushed.headers["authorization"] == HEADER
            path = polled["delivery"]["endpoint_url"].removeprefix(later.issuer)
            (token,) = desk.ask(path, {"returnImmediately": True}).json()["sets"].values()
            said = verified(later, token, desk.party.issuer)[1]["event"]
            assert said == {"state": "sealed-with-the-old"}


def credentials(hub: Hub) -> list[bytes]:
    with hub.database.snapshot() as uow:
        found = uow.conn.exec_driver_sql("SELECT credential FROM stream WHERE credential IS NOT NULL")
        return [bytes(row[0]) for row in found]

"""The hub's keys are changed in the chain, and both hold for a while: on both databases."""

from dataclasses import replace

import pytest

from tests.support.board import governed
from tests.support.clock import MovableClock
from tests.support.hub import Hub, in_process
from tocsin import keys
from tocsin.config import Settings
from tocsin.errors import Misconfigured, Refused
from tocsin.governance.service import startup
from tocsin.governance.service.hub_keys import Rotation, rotate
from tocsin.keys import HubKeys
from tocsin.members.service import hub_keys
from tocsin_client.trust import Trust
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.vocabulary import HubKeyName


def change(hub: Hub, name: HubKeyName, settings: Settings) -> tuple[Rotation, HubKeys]:
    """Change a key as the command does; also the keys that were in hand before."""
    before = keys.load(settings)
    coming = keys.coming(settings, name)
    done = rotate(hub.app.state.chamber.chain, hub.database, name, getattr(before, name), coming, 7 * DAY)
    keys.adopt(settings, name)
    return done, before


def size(hub: Hub) -> int:
    with hub.database.snapshot() as uow:
        return int(hub.app.state.chamber.chain.state(uow).size)


def test_what_the_old_event_key_signed_is_still_believed(settings: Settings, clock: MovableClock) -> None:
    with governed(settings, clock) as board:
        hub = board.hub
        board.decide("community.open", "child-safety")
        party = board.member("pixel")
        done, before = change(hub, "events", hub.settings)
        assert done.record is not None
        held = Trust.of(party.sdk().directory("child-safety")).hub_keys
        assert held[before.events.public.kid].not_after == done.retires_at
        assert held[done.kid].not_before == clock()
        assert keys.load(hub.settings).events.public.kid == done.kid


def test_a_token_made_before_is_good_until_the_old_key_ends(settings: Settings, clock: MovableClock) -> None:
    with governed(settings, clock) as board:
        board.decide("community.open", "child-safety")
        party = board.member("pixel")
        token = party.token()
        done, before = change(board.hub, "token", board.hub.settings)
        with in_process(board.hub.settings, clock) as again:
            served = {key["kid"] for key in again.http.get("/.well-known/jwks.json").json()["keys"]}
            assert served == {done.kid, before.token.public.kid}
            headers = {"Authorization": f"Bearer {token}"}
            assert again.http.get("/v1/me", headers=headers).status_code == 200
            clock.advance(7 * DAY)
            served = {key["kid"] for key in again.http.get("/.well-known/jwks.json").json()["keys"]}
            assert served == {done.kid}


def test_an_interrupted_change_goes_on(settings: Settings, clock: MovableClock) -> None:
    with governed(settings, clock) as board:
        hub, chain = board.hub, board.hub.app.state.chamber.chain
        before = keys.load(hub.settings)
        coming = keys.coming(hub.settings, "events")
        assert keys.coming(hub.settings, "events").public == coming.public
        first = rotate(chain, hub.database, "events", before.events, coming, DAY)
        recorded = size(hub)
        again = rotate(chain, hub.database, "events", before.events, coming, DAY)
        assert again == replace(first, record=None)
        assert size(hub) == recorded
        keys.adopt(hub.settings, "events")
        assert keys.load(hub.settings).events.public.kid == coming.public.kid


def test_a_hub_whose_key_has_ended_does_not_start(settings: Settings, clock: MovableClock) -> None:
    with governed(settings, clock) as board:
        _, before = change(board.hub, "events", board.hub.settings)
        hub_keys.demand_fit(board.hub.database, before)
        clock.advance(7 * DAY)
        with pytest.raises(Misconfigured, match="the events key was changed"):
            hub_keys.demand_fit(board.hub.database, before)
        hub_keys.demand_fit(board.hub.database, keys.load(board.hub.settings))


def test_a_row_edited_by_hand_is_named_and_put_right(settings: Settings, clock: MovableClock) -> None:
    with governed(settings, clock) as board:
        hub = board.hub
        done, _ = change(hub, "token", hub.settings)
        hub.publish()
        with hub.database.transaction() as uow:
            uow.conn.exec_driver_sql("UPDATE hub_key SET not_after = not_after + 1")
        chain = hub.app.state.chamber.chain
        assert len(startup.audit(chain, hub.ledger)) == 2
        assert startup.audit(chain, hub.ledger) == []
        with hub.database.snapshot() as uow:
            assert done.kid in hub_keys.token_keys(uow, hub.issuer)


@pytest.mark.parametrize("overlap", [3599, 30 * DAY + 1])
def test_an_overlap_out_of_bounds_is_refused(settings: Settings, clock: MovableClock, overlap: int) -> None:
    with governed(settings, clock) as board:
        before = size(board.hub)
        with pytest.raises(Refused) as caught:
            rotate(
                board.hub.app.state.chamber.chain,
                board.hub.database,
                "events",
                keys.load(board.hub.settings).events,
                SigningKey.generate(),
                overlap,
            )
        assert caught.value.code == "claim-invalid"
        assert size(board.hub) == before


def test_a_sandbox_changes_its_rows_at_once(hub: Hub) -> None:
    party = hub.party("pixel")
    done, before = change(hub, "events", hub.settings)
    assert done.record is None
    held = Trust.of(party.sdk().directory("child-safety")).hub_keys
    assert held.keys() == {before.events.public.kid, done.kid}
    with pytest.raises(Refused) as caught:
        rotate(hub.app.state.chamber.chain, hub.database, "events", before.events, before.events, DAY)
    assert caught.value.code == "key-in-use"

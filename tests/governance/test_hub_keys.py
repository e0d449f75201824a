"""The hub's keys are changed in the chain, and both hold for a while: on both databases."""

from dataclasses import replace

import pytest

from tests.governance.rotating import OVERLAP, change, own_rsa, record
from tests.support.board import governed
from tests.support.clock import MovableClock
from tests.support.hub import Hub, in_process
from tocsin import keys
from tocsin.config import Settings
from tocsin.errors import Misconfigured, Refused
from tocsin.governance.service import startup
from tocsin.governance.service.hub_keys import rotate
from tocsin.governance.store import records
from tocsin.members.service import hub_keys
from tocsin.members.store.hub_keys import hub_keys as hub_key_rows
from tocsin_client.trust import Trust
from tocsin_schemas.chain import apply
from tocsin_schemas.explained import explain
from tocsin_schemas.governance import parse_record
from tocsin_schemas.hub_acts import ALGS
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.vocabulary import HUB_KEY_NAMES, HubKeyName


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    return own_rsa(settings) if "ssf_rs" in request.node.name else settings


JWKS = ("/.well-known/jwks.json", "/ssf/jwks.json")


def held(hub: Hub, name: HubKeyName) -> str:
    """The thumbprint of the key that a process would have in hand if it began now."""
    return str(getattr(keys.load(hub.settings), name).public.kid)


def rows(hub: Hub) -> list[tuple[object, ...]]:
    with hub.database.snapshot() as uow:
        return [tuple(row) for row in hub_key_rows(uow)]


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
            for path in ("/v1/me", "/v1/communities/child-safety/feed"):
                assert again.http.get(path, headers=headers).status_code == 200
            clock.advance(7 * DAY)
            served = {key["kid"] for key in again.http.get("/.well-known/jwks.json").json()["keys"]}
            assert served == {done.kid}


@pytest.mark.parametrize("name", HUB_KEY_NAMES)
def test_an_interrupted_change_goes_on(settings: Settings, clock: MovableClock, name: HubKeyName) -> None:
    with governed(settings, clock) as board:
        hub = board.hub
        before = held(hub, name)
        first = record(hub, name)
        assert (first.before, held(hub, name)) == (before, before)
        # Whoever starts in between has a key that holds, and shows the one that comes.
        with in_process(hub.settings, clock) as again:
            shown = {key["kid"] for path in JWKS for key in again.http.get(path).json()["keys"]}
            assert ({before, first.kid} <= shown) == (name in {"token", "ssf_es", "ssf_rs"})
        recorded = size(hub)
        assert record(hub, name) == replace(first, record=None)
        assert size(hub) == recorded
        keys.adopt(hub.settings, name)
        assert held(hub, name) == first.kid


def test_a_change_that_stopped_between_two_files_goes_on(settings: Settings, clock: MovableClock) -> None:
    with governed(settings, clock) as board:
        hub = board.hub
        first = record(hub, "delivery")
        folder = hub.settings.data_dir / keys.DIRECTORY
        (folder / "delivery_before.jwk").hardlink_to(folder / "delivery.jwk")
        assert keys.load(hub.settings).delivery_before is None
        assert record(hub, "delivery") == replace(first, record=None)
        keys.adopt(hub.settings, "delivery")
        loaded = keys.load(hub.settings)
        assert loaded.delivery_before is not None
        assert loaded.delivery_before.key.public.kid == first.before
        assert loaded.delivery.public.kid == first.kid


@pytest.mark.parametrize("name", HUB_KEY_NAMES)
def test_a_key_is_used_once(settings: Settings, clock: MovableClock, name: HubKeyName) -> None:
    with governed(settings, clock) as board:
        hub = board.hub
        done, before = change(hub, name, hub.settings)
        clock.advance(OVERLAP)
        recorded = size(hub)
        for used in (getattr(before, name), getattr(keys.load(hub.settings), name)):
            going = getattr(keys.load(hub.settings), name)
            if used.public.kid == going.public.kid:
                assert rotate(board.chain, hub.database, name, going, used, DAY).kid == done.kid
                continue
            with pytest.raises(Refused) as caught:
                rotate(board.chain, hub.database, name, going, used, DAY)
            assert caught.value.code == "key-in-use"
        assert size(hub) == recorded


def test_what_is_recorded_replays_offline(settings: Settings, clock: MovableClock) -> None:
    with governed(own_rsa(settings), clock) as board:
        hub = board.hub
        done = [change(hub, name, hub.settings)[0] for name in HUB_KEY_NAMES]
        hub.publish()
        hub.run_job("governance.publish")
        with hub.database.snapshot() as uow:
            raws = [row.raw for row in records.kept(uow, 0)]
        state = None
        for raw in raws:
            state = apply(state, parse_record(raw), board.chain.verifier)
        assert state is not None
        for name, rotation in zip(HUB_KEY_NAMES, done, strict=True):
            first, second = state.hub_keys[name]
            assert (first.jwk["kid"], second.jwk["kid"]) == (rotation.before, rotation.kid)
            assert first.not_after == rotation.retires_at
            said = explain(parse_record(raws[rotation.record or 0]))
            assert said.startswith(f"The hub changes its {name} key at ")


def test_the_delivery_key_is_not_changed_while_the_one_before_holds(
    settings: Settings, clock: MovableClock
) -> None:
    with governed(settings, clock) as board:
        hub = board.hub
        change(hub, "delivery", hub.settings)
        recorded = size(hub)
        with pytest.raises(Refused) as caught:
            record(hub, "delivery")
        assert caught.value.code == "conflict"
        assert size(hub) == recorded
        clock.advance(OVERLAP)
        before = keys.load(hub.settings).delivery_before
        assert before is not None
        keys.let_go(before)
        change(hub, "delivery", hub.settings)
        assert size(hub) == recorded + 1


@pytest.mark.parametrize("name", HUB_KEY_NAMES)
def test_a_hub_whose_key_has_ended_does_not_start(
    settings: Settings, clock: MovableClock, name: HubKeyName
) -> None:
    with governed(settings, clock) as board:
        _, before = change(board.hub, name, board.hub.settings)
        hub_keys.demand_fit(board.hub.database, before)
        clock.advance(OVERLAP)
        with pytest.raises(Misconfigured, match=f"the {name} key was changed"):
            hub_keys.demand_fit(board.hub.database, before)
        hub_keys.demand_fit(board.hub.database, keys.load(board.hub.settings))


def test_a_hub_without_the_delivery_key_before_does_not_start(
    settings: Settings, clock: MovableClock
) -> None:
    with governed(settings, clock) as board:
        change(board.hub, "delivery", board.hub.settings)
        whole = keys.load(board.hub.settings)
        hub_keys.demand_fit(board.hub.database, whole)
        for other in (None, keys.Before(SigningKey.generate(), None)):
            with pytest.raises(Misconfigured, match="the delivery key before"):
                hub_keys.demand_fit(board.hub.database, replace(whole, delivery_before=other))
        clock.advance(OVERLAP)
        hub_keys.demand_fit(board.hub.database, replace(whole, delivery_before=None))


@pytest.mark.parametrize("name", HUB_KEY_NAMES)
def test_a_row_edited_by_hand_is_named_and_put_right(
    settings: Settings, clock: MovableClock, name: HubKeyName
) -> None:
    with governed(settings, clock) as board:
        hub = board.hub
        change(hub, name, hub.settings)
        hub.publish()
        before = rows(hub)
        with hub.database.transaction() as uow:
            # The key in hand would hold no longer, and the one before for ever.
            uow.conn.exec_driver_sql(f"UPDATE hub_key SET not_after = {clock() + 2} WHERE not_before > 0")
            uow.conn.exec_driver_sql("UPDATE hub_key SET not_after = not_after + 1 WHERE not_before = 0")
        clock.advance(10)
        with in_process(hub.settings, clock):
            assert rows(hub) == before
        with hub.database.transaction() as uow:
            uow.conn.exec_driver_sql("UPDATE hub_key SET not_after = not_after - 1")
        assert {(one.table, one.column) for one in startup.audit(board.chain, hub.ledger)} == {
            ("hub_key", "not_after")
        }
        assert rows(hub) == before


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


@pytest.mark.parametrize("name", HUB_KEY_NAMES)
def test_a_sandbox_goes_on_where_it_was_interrupted(hub: Hub, name: HubKeyName) -> None:
    first = record(hub, name)
    assert first.record is None
    assert record(hub, name) == first
    keys.adopt(hub.settings, name)
    assert held(hub, name) == first.kid
    hub_keys.demand_fit(hub.database, keys.load(hub.settings))


def test_each_of_these_keys_has_the_algorithm_that_records_demand() -> None:
    assert {name: keys.KEYS[name] for name in HUB_KEY_NAMES} == dict(ALGS)

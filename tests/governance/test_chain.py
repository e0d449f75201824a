"""The chain at a hub: what a record brings with it, that it never forks, and that only it changes members."""

import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.governance.played import FRAME, PIXEL, board, founded, governed, play, playing, state
from tests.schemas.boards import Hall
from tests.support.clock import MovableClock
from tests.support.hub import Hub, in_process
from tests.support.invariants import check_hub, unchanged
from tests.support.parties import admit
from tocsin import keys
from tocsin.app import create_app
from tocsin.config import Settings
from tocsin.db import Database, UnitOfWork
from tocsin.errors import Misconfigured, Refused
from tocsin.governance.service.chain import open_chain
from tocsin.members.service import Members
from tocsin_schemas.decisions import SetPolicy
from tocsin_schemas.governance import ClockBody, Genesis, record_bytes, record_digest
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.ledger import opens
from tocsin_schemas.policy import DAY, Policy


@pytest.fixture
def hall() -> Hall:
    return Hall()


@pytest.fixture
def hub(settings: Settings, clock: MovableClock, hall: Hall) -> Iterator[Hub]:
    with playing(settings, clock, hall) as found:
        yield found


def rows(hub: Hub, query: str) -> list[tuple[Any, ...]]:
    with hub.database.snapshot() as uow:
        return [tuple(row) for row in uow.conn.execute(text(query))]


def test_a_record_is_an_entry_of_the_log_that_its_nonce_opens(hub: Hub, hall: Hall) -> None:
    hall.decide("community.open", "child-safety")
    play(hub, hall)
    kept = rows(hub, "SELECT seq, log_seq, digest, raw, nonce FROM board_record ORDER BY seq")
    entries = rows(hub, "SELECT seq, community, kind, commitment FROM entry ORDER BY seq")
    assert [(row[0], row[2], row[3]) for row in kept] == [
        (record.seq, record_digest(record), record_bytes(record)) for record in hall.records
    ]
    assert [(row[0], row[1], row[2]) for row in entries] == [
        (0, "board", "decision"),
        (1, "board", "decision"),
    ]
    for (_, log_seq, _, raw, nonce), (seq, _, _, commitment) in zip(kept, entries, strict=True):
        assert log_seq == seq
        assert opens(bytes(commitment), bytes(nonce), bytes(raw))


def test_members_follow_from_the_records(hub: Hub, hall: Hall) -> None:
    hall.decide("community.open", "child-safety")
    hall.admit(PIXEL, "a", keys=2)
    play(hub, hall)
    (view,) = hub.members.list_members()
    assert (view.org.issuer, view.org.state, view.org.activated) == (PIXEL, "provisional", False)
    assert {key.public.kid for key in view.keys} == {key.public.kid for key in hall.keys[PIXEL]}
    assert view.communities == (("child-safety", True, True),)
    hall.wait(days=90)
    hall.tick()
    new = SigningKey.generate()
    hall.append(hall.signed(hall.adding(PIXEL, new), hall.keys[PIXEL][-1]))
    play(hub, hall)
    (view,) = hub.members.list_members()
    assert (view.org.state, view.org.activated, len(view.keys)) == ("active", True, 3)
    hall.decide("member.emergency_suspend", PIXEL)
    play(hub, hall)
    (view,) = hub.members.list_members()
    assert (view.org.state, view.org.state_since) == ("emergency_suspended", hall.now)
    assert all(key.revoked_at is None for key in view.keys), "what the state kills, reinstating brings back"


def test_an_applicant_that_has_not_proved_its_keys_is_no_member(hub: Hub, hall: Hall) -> None:
    hall.decide("member.admit", PIXEL, hall.admission("a"))
    play(hub, hall)
    assert state(hub).members[PIXEL].state == "approved_pending_keys"
    assert hub.members.list_members() == []


def test_the_policy_in_force_is_the_boards(hub: Hub, hall: Hall) -> None:
    def served() -> Policy:
        with hub.database.snapshot() as uow:
            return board(hub).policy_in_force(uow)

    assert served() == Policy()
    changed = Policy(version=2, signals_per_hour=7, corroborating_groups=3)
    hall.decide("policy.set", "policy", SetPolicy(policy=changed))
    play(hub, hall)
    assert served() == changed
    with hub.database.snapshot() as uow:
        assert hub.means.context.policy(uow) == changed


def test_what_does_not_follow_changes_nothing(hub: Hub, hall: Hall) -> None:
    hall.decide("community.open", "child-safety")
    play(hub, hall)
    stale = hall.records[-1].body
    for body in (stale, ClockBody(rule="provisional-complete", issuer=PIXEL, of=1), hall.records[0].body):
        with unchanged(hub.database), pytest.raises(Refused), hub.database.transaction() as uow:
            board(hub).append(uow, body)
    genesis = hall.records[0].body
    assert isinstance(genesis, Genesis)
    with unchanged(hub.database), pytest.raises(Refused) as caught, hub.database.transaction() as uow:
        board(hub).found(uow, genesis)
    assert caught.value.code == "conflict"


def test_a_record_that_is_rolled_back_was_never_there(hub: Hub, hall: Hall) -> None:
    hall.decide("community.open", "child-safety")
    hub.clock.now = hall.now
    with hub.database.engine.connect() as conn:
        uow = UnitOfWork(conn, hall.now)
        board(hub).append(uow, hall.records[-1].body)
        assert board(hub).state(uow).size == 2
        conn.rollback()
    assert state(hub).size == 1
    play(hub, hall)
    assert state(hub).tip == hall.state.tip


def test_the_operators_doors_are_closed(hub: Hub, hall: Hall) -> None:
    hall.decide("community.open", "child-safety")
    hall.admit(PIXEL, "a")
    play(hub, hall)
    members, kid = hub.members, hall.keys[PIXEL][0].public.kid
    doors = {
        "admit": lambda: admit(hub, members, "stranger", communities={}),
        "add a key": lambda: members.add_key(PIXEL, None),  # type: ignore[arg-type]  # refused before it is looked at
        "revoke a key": lambda: members.revoke_key(kid),
        "suspend": lambda: members.suspend(PIXEL),
        "reinstate": lambda: members.reinstate(PIXEL),
        "cap": lambda: members.set_cap(PIXEL, 5),
        "open a community": lambda: members.add_community("ncii"),
        "grant": lambda: members.grant(PIXEL, "child-safety", may_read=True, may_write=True),
    }
    for door, act in doors.items():
        with unchanged(hub.database), pytest.raises(Refused) as caught:
            act()
        assert caught.value.code == "decision-required", door
    assert members.add_client(PIXEL).issuer == PIXEL


def test_the_calendar_writes_its_records(hub: Hub, hall: Hall) -> None:
    hall.decide("community.open", "child-safety")
    hall.admit(PIXEL, "a")
    hall.admit(FRAME, "b")
    play(hub, hall)
    hub.clock.advance(90 * DAY - 1)
    assert hub.run_job("governance.tick") == 0
    hub.clock.advance(1)
    assert hub.run_job("governance.tick") == 2
    assert {view.org.state for view in hub.members.list_members()} == {"active"}
    assert hub.run_job("governance.tick") == 0
    hub.publish()
    check_hub(hub.database, hub.settings)


def test_a_sandbox_has_no_board(settings: Settings, clock: MovableClock, hall: Hall) -> None:
    with in_process(settings, clock) as hub:
        genesis = hall.records[0].body
        assert isinstance(genesis, Genesis)
        for act in (board(hub).state, lambda uow: board(hub).found(uow, genesis)):
            with unchanged(hub.database), pytest.raises(Refused) as caught, hub.database.transaction() as uow:
                act(uow)
            assert caught.value.code == "board-absent"
        assert [hub.run_job(f"governance.{job}") for job in ("tick", "audit", "publish")] == [0, 0, 0]


def test_a_hub_stays_of_its_kind(settings: Settings, clock: MovableClock, hall: Hall) -> None:
    with playing(settings, clock, hall):
        pass
    with pytest.raises(Misconfigured, match="cannot be a sandbox"), in_process(settings, clock):
        pass


def test_members_without_a_board_are_nobodys(settings: Settings, clock: MovableClock) -> None:
    with in_process(settings, clock) as hub:
        hub.party("pixel")
        with unchanged(hub.database), pytest.raises(Misconfigured, match="no board has admitted"):
            with in_process(governed(settings), clock):
                pass


def _append(
    settings: Settings, bodies: list[Genesis], at: int, start: object, done: "multiprocessing.Queue[str]"
) -> None:
    database = Database(settings.database(), clock=lambda: at)
    chain = open_chain(Members(database, settings), settings)
    start.wait()  # type: ignore[attr-defined]  # a barrier between processes
    for body in bodies:
        try:
            with database.transaction() as uow:
                chain.append(uow, body)
            done.put("appended")
        except Refused as refused:
            done.put(refused.code)
    database.dispose()


def test_two_processes_at_once_never_fork_the_chain(settings: Settings, clock: MovableClock) -> None:
    hall = Hall()
    for name in "abcdef":
        hall.decide("member.admit", f"https://{name}.example", hall.admission(name))
    openings = [hall.decision("community.open", f"c-{n}") for n in range(8)]
    bodies = [hall.body(opening, hall.votes(opening)) for opening in openings]
    with playing(settings, clock, hall) as hub:
        spawn = multiprocessing.get_context("spawn")
        start, done = spawn.Barrier(2), spawn.Queue()
        arguments = (hub.settings, bodies, hall.now, start, done)
        both = [spawn.Process(target=_append, args=arguments) for _ in range(2)]
        for process in both:
            process.start()
        said = [done.get(timeout=60) for _ in range(16)]
        for process in both:
            process.join(30)
        # Each decision once; the other process learns that it is recorded.
        assert sorted(said) == ["appended"] * 8 + ["decision-repeated"] * 8
        found = state(hub)
        assert (found.size, set(found.communities)) == (len(hall.records) + 8, {f"c-{n}" for n in range(8)})
        assert hub.run_job("governance.audit") == 0


def test_a_hub_starts_anew_on_what_it_has(settings: Settings, clock: MovableClock) -> None:
    hall = founded()
    with playing(settings, clock, hall) as hub:
        hub.publish()
        hub.run_job("governance.publish")
    with in_process(governed(settings), clock) as again:
        assert state(again).tip == hall.state.tip
        again.publish()
        check_hub(again.database, again.settings)


def test_an_unmigrated_hub_can_be_described(tmp_path: Path) -> None:
    settings = Settings(issuer="https://hub.example", data_dir=tmp_path, ingest_processes=0, run_jobs=False)
    keys.ensure(settings)
    app = create_app(settings)
    assert "/.well-known/tocsin/board/records" in app.openapi()["paths"]
    app.state.database.dispose()

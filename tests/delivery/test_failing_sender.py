"""A sender that fails in the hub itself: what it fails on is tried again, the rest is sent, nothing sticks."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tests.delivery.carrying import Carrier, Post, egress
from tests.support.clock import MovableClock
from tests.support.invariants import check_deliveries
from tests.support.sink import Sink
from tocsin import signing
from tocsin.db import Database, UnitOfWork
from tocsin.delivery import rules
from tocsin.delivery.service import Claim, Courier, Making, courier, turn


@dataclass
class Failing(Carrier):
    """A carrier that fails on some claims: in itself, or with a statement that the database does not take."""

    fails_on: Callable[[Claim], bool] = lambda _claim: False
    in_sql: bool = False
    calls: int = 0
    seen: set[int] = field(default_factory=set)

    def compose(self, uow: UnitOfWork, claims: Sequence[Claim]) -> Sequence[Making | None]:
        self.calls += 1
        uow.conn.execute(text("UPDATE delivery_minute SET delivered = delivered + 1 WHERE minute = 7"))
        if any(map(self.fails_on, claims)):
            if self.in_sql:
                uow.conn.execute(text("INSERT INTO delivery_minute (minute) VALUES (8)"))
            raise LookupError("told to nobody")
        return super().compose(uow, claims)


@dataclass
class Office:
    """A post office whose sender fails, with three receivers of two messages each."""

    post: Post
    sender: Failing
    receivers: list[int]

    def states(self, number: int) -> list[str]:
        return list(self.post.states(self.receivers[number]).values())


@pytest.fixture(params=[False, True], ids=["itself", "sql"])
def office(request: pytest.FixtureRequest, database: Database, there: Sink) -> Iterator[Office]:
    post = Post(database)
    sender = Failing(in_sql=request.param)
    post.carrier = sender
    post.courier = Courier(database, egress(), [sender])
    receivers = [post.receiver(there.url("ok", n)) for n in range(3)]
    for receiver_id in receivers:
        post.queue(receiver_id, [1, 2])
    yield Office(post, sender, receivers)
    # It knows the office, which would keep the door open until the collector comes by.
    sender.fails_on = lambda _claim: False


def test_one_receiver_it_fails_on(
    office: Office, clock: MovableClock, there: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    post, broken = office.post, office.receivers[1]
    office.sender.fails_on = lambda claim: claim.receiver_id == broken
    with caplog.at_level(logging.ERROR, logger="tocsin"):
        post.courier.send_due()
    assert office.states(0) == office.states(2) == ["delivered"] * 2
    assert "/ok/1" not in there.by_path()
    assert {record.getMessage() for record in caplog.records} == {"composing failed in the hub itself"}
    with post.database.snapshot() as uow:
        check_deliveries(uow)
    items = post.items(broken)
    assert {(item.state, item.attempts, item.failure) for item in items.values()} == {
        ("pending", 1, "unreachable")
    }
    assert all(item.next_at > clock() for item in items.values())
    assert post.attempts(broken) == [(1, 1, None, "unreachable"), (2, 1, None, "unreachable")]
    assert post.row("delivery_receiver", broken)["failures"] == 2
    office.sender.fails_on = lambda _claim: False
    clock.advance(rules.SCHEDULE[1] * 2)
    post.courier.send_due()
    assert office.states(1) == ["delivered"] * 2
    assert sorted(there.by_path()["/ok/1"]) == ["msg_1", "msg_2"]


def test_one_message_it_fails_on_stops_no_other_of_its_receiver(office: Office) -> None:
    office.sender.fails_on = lambda claim: claim.message_id == 1 and claim.receiver_id == office.receivers[0]
    office.post.courier.send_due()
    assert office.states(0) == ["pending", "delivered"]
    assert office.states(1) == office.states(2) == ["delivered"] * 2


def test_one_that_fails_on_everything_is_not_asked_for_ever(
    office: Office, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "MOST_FAILS", 4)
    office.sender.fails_on = lambda _claim: True
    made = 0
    for _ in range(200):
        made += office.post.courier.send_due()
        with office.post.database.snapshot() as uow:
            check_deliveries(uow)
        clock.advance(3600)
    assert made == 3 * 2 * rules.ATTEMPTS
    assert {state for n in range(3) for state in office.states(n)} == {"dead"}


def test_what_it_wrote_before_it_failed_is_undone(office: Office) -> None:
    with office.post.database.transaction() as uow:
        uow.conn.execute(text("INSERT INTO delivery_minute (minute, delivered, failed) VALUES (7, 0, 0)"))
    office.sender.fails_on = lambda claim: claim.receiver_id == office.receivers[1]
    office.post.courier.send_due()
    with office.post.database.snapshot() as uow:
        counted = uow.conn.execute(text("SELECT delivered FROM delivery_minute WHERE minute = 7"))
        assert 0 < counted.scalar_one() < office.sender.calls


def test_a_database_that_goes_away_fails_the_turn(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "RETRY_SECONDS", ())

    def away(_claim: Claim) -> bool:
        raise OperationalError("", {}, Exception())

    office.sender.fails_on = away
    with pytest.raises(OperationalError):
        office.post.courier.send_due()
    assert office.states(0) == ["pending"] * 2
    assert office.post.attempts(office.receivers[0]) == []


def test_much_is_signed_in_another_process_and_is_sent_all_the_same(
    database: Database, there: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is signed there, here while it starts, and here after it was killed: all of it is the same."""
    monkeypatch.setattr(signing, "RESTART_SECONDS", 0)
    post = Post(database)
    receivers = [post.receiver(there.url("ok", n)) for n in range(8)]
    first = 1
    for _ in range(6):
        for receiver_id in receivers:
            post.queue(receiver_id, range(first, first + 16))
        first += 16
        post.courier.send_due()
    assert len(there.received) == 8 * (first - 1)
    assert all(b'"signed":' in one.body for one in there.received)
    signed = post.courier._signing
    assert signed.runs
    post.courier.stop()
    assert not signed.runs

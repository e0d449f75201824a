"""A sender that fails in the hub itself: what it fails on is tried again, the rest is sent, nothing sticks."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tests.delivery.carrying import Carrier, Post, Written, egress
from tests.support.clock import MovableClock
from tests.support.invariants import check_deliveries
from tests.support.sink import Sink
from tocsin import signing
from tocsin.db import Database, UnitOfWork
from tocsin.delivery import rules
from tocsin.delivery.service import Claim, Courier, End, Making, close, courier, isolating
from tocsin.egress import Outbound
from tocsin_schemas.policy import DAY


@dataclass
class Failing(Carrier):
    """A carrier that fails on some claims: in itself, or with a statement that the database does not take.

    It fails on some of them when it makes their requests, on others when it is told how they ended.
    """

    fails_on: Callable[[Claim], bool] = lambda _claim: False
    fails_behind: Callable[[Claim], bool] = lambda _claim: False
    fails_to_end: set[int] = field(default_factory=set)
    """Receivers that have nothing but failed, and that it does not manage to stop."""
    in_sql: bool = False
    calls: int = 0

    def compose(self, uow: UnitOfWork, claims: Sequence[Claim]) -> Sequence[Making | None]:
        self.calls += 1
        self._write(uow)
        if any(map(self.fails_on, claims)):
            self._fail(uow)
        return super().compose(uow, claims)

    def settle(self, uow: UnitOfWork, ends: Sequence[End]) -> None:
        self._write(uow)
        if any(self.fails_behind(end.claim) for end in ends):
            self._fail(uow)
        super().settle(uow, ends)

    def exhausted(self, uow: UnitOfWork, receiver_ids: Sequence[int]) -> None:
        if self.fails_to_end & set(receiver_ids):
            self._fail(uow)
        super().exhausted(uow, receiver_ids)

    def _write(self, uow: UnitOfWork) -> None:
        uow.conn.execute(text("UPDATE delivery_minute SET delivered = delivered + 1 WHERE minute = 7"))

    def _fail(self, uow: UnitOfWork) -> None:
        if self.in_sql:
            uow.conn.execute(text("INSERT INTO delivery_minute (minute) VALUES (8)"))
        raise LookupError("told to nobody")


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
    # They know the office, which would keep the door open until the collector comes by.
    sender.fails_on = sender.fails_behind = lambda _claim: False


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
    monkeypatch.setattr(isolating, "MOST_FAILS", 4)
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


def test_an_end_that_it_fails_on_is_none_and_others_are_told_theirs(
    office: Office, clock: MovableClock, there: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    post, broken = office.post, office.receivers[1]
    office.sender.fails_behind = lambda claim: claim.receiver_id == broken and claim.message_id == 2
    with caplog.at_level(logging.ERROR, logger="tocsin"):
        post.courier.send_due()
    assert {record.getMessage() for record in caplog.records} == {"settling failed in the hub itself"}
    assert office.states(0) == office.states(2) == ["delivered"] * 2
    assert office.states(1) == ["delivered", "pending"]
    told = {(end.claim.receiver_id, end.claim.message_id) for end in office.sender.ends}
    assert told == {(one, message) for one in office.receivers for message in (1, 2)} - {(broken, 2)}
    with post.database.snapshot() as uow:
        check_deliveries(uow)
    # It was accepted for all that: its receiver is well, and is sent it again with the same id.
    assert post.attempts(broken) == [(1, 1, 204, None), (2, 1, 204, None)]
    assert post.row("delivery_receiver", broken)["failures"] == 0
    assert post.items(broken)[2].next_at > clock()
    office.sender.fails_behind = lambda _claim: False
    clock.advance(rules.SCHEDULE[1] * 2)
    post.courier.send_due()
    assert office.states(1) == ["delivered"] * 2
    assert there.by_path()["/ok/1"] == ["msg_1", "msg_2", "msg_2"]
    assert (broken, 2) in {(end.claim.receiver_id, end.claim.message_id) for end in office.sender.ends}


def test_what_it_wrote_before_it_failed_to_settle_is_undone(office: Office) -> None:
    with office.post.database.transaction() as uow:
        uow.conn.execute(text("INSERT INTO delivery_minute (minute, delivered, failed) VALUES (7, 0, 0)"))
    office.sender.fails_behind = lambda _claim: True
    office.post.courier.send_due()
    with office.post.database.snapshot() as uow:
        counted = uow.conn.execute(text("SELECT delivered FROM delivery_minute WHERE minute = 7"))
        assert counted.scalar_one() == office.sender.calls


def test_an_end_is_tried_again_until_it_is_settled_however_often_that_is(
    office: Office, clock: MovableClock
) -> None:
    """Beyond the last attempt, too: what is given up without its feature is stuck there."""
    office.sender.fails_behind = lambda _claim: True
    for _ in range(rules.ATTEMPTS + 2):
        office.post.courier.send_due()
        assert office.states(0) == ["pending"] * 2
        clock.advance(rules.LONGEST_WAIT)
    office.sender.fails_behind = lambda _claim: False
    office.post.courier.send_due()
    assert [office.states(number) for number in range(3)] == [["delivered"] * 2] * 3


def test_an_end_that_it_fails_on_is_held_where_its_receiver_was_closed_meanwhile(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, closed = office.post, office.receivers[1]
    request = Written.request

    def close_first(one: Written, signed: int) -> Outbound:
        if one.target.endswith("/1"):
            with post.database.transaction() as uow:
                close(uow, closed, keep=True)
        return request(one, signed)

    monkeypatch.setattr(Written, "request", close_first)
    office.sender.fails_behind = lambda claim: claim.receiver_id == closed
    post.courier.send_due()
    assert set(office.states(1)) == {"held"}
    with post.database.snapshot() as uow:
        check_deliveries(uow)


def test_a_receiver_that_it_fails_to_stop_keeps_no_other_from_it(
    office: Office, clock: MovableClock, there: Sink
) -> None:
    post = office.post
    for receiver_id in office.receivers:
        post.carrier.targets[receiver_id] = there.url("status", 500)
    office.sender.fails_to_end = {office.receivers[1]}
    for _ in range(30):
        post.courier.send_due()
        with post.database.snapshot() as uow:
            check_deliveries(uow)
        clock.advance(DAY // 4)
        for receiver_id in office.receivers:
            post.queue(receiver_id, [10 + clock()])
    assert set(office.sender.worn) == {office.receivers[0], office.receivers[2]}
    office.sender.fails_to_end = set()
    post.courier.send_due()
    assert set(office.sender.worn) == set(office.receivers)


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

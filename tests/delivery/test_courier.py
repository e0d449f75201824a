"""Sending what is due: every message arrives, whatever a receiver does, and what came of it is written down."""

import logging
import threading

import pytest
from sqlalchemy import text

from tests.delivery.carrying import Carrier, Post, egress
from tests.support.clock import MovableClock
from tests.support.sink import Sink
from tocsin.db import Database
from tocsin.delivery import rules
from tocsin.delivery.service import Courier, close, courier, release, reopen
from tocsin.delivery.service.turn import LEASE_SECONDS
from tocsin.egress import Answer, Egress, Outbound


def test_everything_due_is_sent_once_and_in_order(post: Post, there: Sink) -> None:
    receivers = [post.receiver(there.url("ok", n)) for n in range(20)]
    for receiver_id in receivers:
        post.queue(receiver_id, range(1, 41))
    assert post.courier.due()
    assert post.courier.send_due() == 800
    assert not post.courier.due()
    for n, receiver_id in enumerate(receivers):
        assert set(post.states(receiver_id).values()) == {"delivered"}
        assert there.by_path()[f"/ok/{n}"] == [f"msg_{m}" for m in range(1, 41)], "in order, each once"
        assert [row[2] for row in post.attempts(receiver_id)] == [204] * 40
    assert post.courier.send_due() == 0


def test_what_a_receiver_may_do(post: Post, there: Sink, clock: MovableClock) -> None:
    """The fault table: what it does, what becomes of the item, what is written of the attempt, when it is due again."""
    free_port = there.url("x").replace(str(there.port), "1")
    table = [
        (there.url("ok"), "pending", 404, None, None),
        (there.url("status", 200), "delivered", 200, None, None),
        (there.url("status", 299), "delivered", 299, None, None),
        (there.url("status", 301), "pending", 301, None, None),
        (there.url("status", 410), "dead", 410, None, None),
        (there.url("status", 500), "pending", 500, None, None),
        (there.url("busy", 503, 7), "pending", 503, None, (7, 7)),
        (there.url("busy", 429, 3600), "pending", 429, None, (10, 10)),
        (there.url("busy", 410, "Mon,%2001%20Jan%2099999999999%2000:00:00%20GMT"), "dead", 410, None, None),
        (there.url("busy", 429, "soon"), "pending", 429, None, None),
        (there.url("cut"), "pending", None, "unreachable", None),
        (free_port, "pending", None, "unreachable", None),
        ("http://10.0.0.1/", "pending", None, "refused", None),
    ]
    table[0] = (there.url("status", 404), *table[0][1:])
    receivers = [post.receiver(target) for target, *_ in table]
    for receiver_id in receivers:
        post.queue(receiver_id, [1])
    assert post.courier.send_due() == len(table)
    for receiver_id, (target, state, status, failure, wait) in zip(receivers, table, strict=True):
        item = post.items(receiver_id)[1]
        assert (item.state, item.status, item.failure) == (state, status, failure), target
        assert post.attempts(receiver_id) == [(1, 1, status, failure)], target
        assert (item.ended_at is None) == (state == "pending"), target
        low, high = wait or (4, 6)
        if state == "pending":
            assert low <= item.next_at - clock() <= high, target
        row = post.row("delivery_receiver", receiver_id)
        assert (row["failures"] == 0) == (state == "delivered"), target
        assert (row["succeeded_at"] is None) == (state != "delivered"), target
    assert post.courier.send_due() == 0, "nothing is tried again before its time"


def test_the_whole_schedule_and_then_given_up(post: Post, there: Sink, clock: MovableClock) -> None:
    receiver_id = post.receiver(there.url("status", 500))
    post.queue(receiver_id, [1])
    number = 0
    while (due_at := post.row("delivery_queue", receiver_id)["due_at"]) is not None:
        assert isinstance(due_at, int)
        clock.advance(due_at - clock())
        assert post.courier.send_due() == 1
        number += 1
        assert post.items(receiver_id)[1].attempts == number
    item = post.items(receiver_id)[1]
    assert (number, item.state, item.status) == (rules.ATTEMPTS, "dead", 500)
    assert [row[1] for row in post.attempts(receiver_id)] == list(range(1, 11))
    assert {one.verdict for one in post.carrier.ends} == {"retry", "dead"}
    assert len(there.received) == rules.ATTEMPTS


def test_the_same_message_id_at_every_try(post: Post, there: Sink, clock: MovableClock) -> None:
    receiver_id = post.receiver(there.url("once", 500))
    post.queue(receiver_id, [7])
    post.courier.send_due()
    clock.advance(6)
    post.courier.send_due()
    assert there.by_path() == {"/once/500": ["msg_7", "msg_7"]}
    assert post.states(receiver_id) == {7: "delivered"}
    row = post.row("delivery_receiver", receiver_id)
    assert (row["failures"], row["failing_since"]) == (0, None)


def test_a_dead_receiver_is_left_alone_and_then_tried_with_one(
    post: Post, there: Sink, clock: MovableClock
) -> None:
    receiver_id = post.receiver(there.url("status", 503))
    post.queue(receiver_id, range(1, 101))
    made = post.courier.send_due()
    assert made == rules.BREAKS_AFTER, "the first failure ends a run, and five open the breaker"
    row = post.row("delivery_receiver", receiver_id)
    assert row["breaker_until"] == clock() + rules.BREAK_SECONDS
    assert post.row("delivery_queue", receiver_id)["due_at"] == row["breaker_until"]
    untried = [item for item in post.items(receiver_id).values() if item.attempts == 0]
    assert len(untried) == 100 - made, "what was put back was not counted"
    for rest in (10, 20, 40, 80, 160, 300, 300):
        clock.advance(rest)
        assert post.courier.send_due() == 1
    post.carrier.targets[receiver_id] = there.url("ok")
    clock.advance(300)
    assert post.courier.send_due() == 100
    assert set(post.states(receiver_id).values()) == {"delivered"}


def test_one_is_let_through_even_with_two_lanes(post: Post, there: Sink, clock: MovableClock) -> None:
    receiver_id = post.receiver(there.url("status", 500))
    post.queue(receiver_id, range(1, 20), lane=1)
    post.queue(receiver_id, range(20, 40), lane=0)
    post.courier.send_due()
    clock.advance(rules.BREAK_SECONDS * 4)
    there.received.clear()
    post.courier.send_due()
    assert len(there.received) == 1


def test_what_is_urgent_goes_first(post: Post, there: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "IN_HAND", 20)
    monkeypatch.setattr(courier, "URGENT_SHARE", 8)
    receivers = [post.receiver(there.url("ok", n)) for n in range(10)]
    for receiver_id in receivers:
        post.queue(receiver_id, range(1, 21), lane=1)
        post.queue(receiver_id, range(101, 103), lane=0)
    assert post.courier.send_due() == 220
    urgent = [place for place, one in enumerate(there.received) if int(one.message[4:]) > 100]
    assert max(urgent) < 60, "urgent items do not wait behind what was queued before them"


def test_slow_receivers_hold_up_nobody(post: Post, there: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "DOUBTFUL_SHARE", 4)
    slow = [post.receiver(there.url("slow", 0.4, n)) for n in range(12)]
    with post.database.transaction() as uow:
        uow.conn.execute(text("UPDATE delivery_receiver SET latency_ms = 9000"))
    quick = [post.receiver(there.url("ok", n)) for n in range(12)]
    for receiver_id in [*slow, *quick]:
        post.queue(receiver_id, range(1, 4))
    post.courier.send_due()
    paths = [one.path for one in there.received]
    assert max(place for place, path in enumerate(paths) if path.startswith("/ok/")) < 12 * 3 + 4 + 4
    assert there.most_in_hand <= 4
    assert all(set(post.states(one).values()) == {"delivered"} for one in [*slow, *quick])


def test_many_to_one_slow_receiver_go_side_by_side(post: Post, there: Sink) -> None:
    receiver_id = post.receiver(there.url("slow", 0.2))
    with post.database.transaction() as uow:
        uow.conn.execute(text("UPDATE delivery_receiver SET latency_ms = 300"))
    there.most_in_hand = 0
    post.queue(receiver_id, range(1, 17))
    post.courier.send_due()
    assert there.most_in_hand == rules.SEVERAL
    assert set(post.states(receiver_id).values()) == {"delivered"}


def test_what_has_nothing_to_say_any_more_is_dropped(post: Post, there: Sink) -> None:
    receiver_id = post.receiver(there.url("ok"))
    post.carrier.nothing_left = {2}
    post.queue(receiver_id, [1, 2, 3])
    post.courier.send_due()
    assert post.states(receiver_id) == {1: "delivered", 2: "dropped", 3: "delivered"}
    assert [row[0] for row in post.attempts(receiver_id)] == [1, 3]
    assert post.row("delivery_receiver", receiver_id)["failures"] == 0


def test_five_days_of_nothing_but_failure(post: Post, there: Sink, clock: MovableClock) -> None:
    receiver_id = post.receiver(there.url("status", 500))
    post.carrier.when_worn = lambda uow, worn: close(uow, worn, keep=True)
    post.queue(receiver_id, [1])
    post.courier.send_due()
    clock.advance(rules.EXHAUSTED_AFTER - 1)
    post.courier.send_due()
    assert post.carrier.worn == []
    post.queue(receiver_id, [2])
    clock.advance(1)
    post.courier.send_due()
    assert post.carrier.worn == [receiver_id]
    assert set(post.states(receiver_id).values()) == {"held"}
    with post.database.transaction() as uow:
        reopen(uow, receiver_id)
        assert release(uow, receiver_id) == (2, None)
    post.carrier.targets[receiver_id] = there.url("ok")
    post.courier.send_due()
    assert set(post.states(receiver_id).values()) == {"delivered"}


def test_paused_while_it_is_sent(post: Post, there: Sink) -> None:
    """What was accepted is delivered, whatever was decided meanwhile; what was not is held."""
    receiver_id = post.receiver(there.url("slow", 0.5))
    other = post.receiver(there.url("slow", 0.5, "status"))
    post.queue(receiver_id, [1, 2])
    post.queue(other, [1])
    sending = threading.Thread(target=post.courier.send_due)
    sending.start()
    while len(there.received) < 2:
        assert sending.is_alive()
    with post.database.transaction() as uow:
        assert close(uow, receiver_id) == 2
    sending.join()
    states = post.states(receiver_id)
    assert states[1] == "delivered"
    assert post.states(other) == {1: "delivered"}


def test_stopping_puts_back_what_was_not_begun(
    post: Post, there: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "STOP_SECONDS", 0.2)
    receiver_id, quick = post.receiver(there.url("slow", 5)), post.receiver(there.url("slow", 0.1))
    post.queue(receiver_id, range(1, 11))
    post.queue(quick, range(1, 11))
    sending = threading.Thread(target=post.courier.send_due)
    sending.start()
    while len(there.received) < 2:
        assert sending.is_alive()
    post.courier.stop()
    sending.join(1)
    assert not sending.is_alive()
    with post.database.snapshot() as uow:
        left = uow.conn.execute(
            text("SELECT count(*) FROM delivery_queue WHERE holder IS NOT NULL")
        ).scalar_one()
    assert left == 0
    items = post.items(receiver_id).values()
    assert {item.state for item in items} == {"pending"}
    assert sum(item.attempts for item in items) == 1, "the one in the middle of it was made"
    assert "delivered" in post.states(quick).values()
    assert post.courier.send_due() == 0
    assert Courier(post.database, post.door, [post.carrier]).due(), "the next one takes it up at once"


def test_a_dead_worker_is_succeeded_when_its_lease_ends(post: Post, there: Sink, clock: MovableClock) -> None:
    receiver_id = post.receiver(there.url("ok"))
    post.queue(receiver_id, [1, 2])
    with post.database.transaction() as uow:
        uow.conn.execute(
            text("UPDATE delivery_queue SET holder = 'dead', lease_until = :at, due_at = :at WHERE lane = 1"),
            {"at": clock() + LEASE_SECONDS},
        )
        uow.conn.execute(
            text("UPDATE delivery_item SET attempts = 1, next_at = :at"), {"at": clock() + LEASE_SECONDS}
        )
    post.queue(receiver_id, [3])
    assert post.courier.send_due() == 0, "nobody sends what somebody else has"
    clock.advance(LEASE_SECONDS)
    assert post.courier.send_due() == 3
    assert {item.attempts for item in post.items(receiver_id).values()} == {1, 2}


def test_two_couriers_share_the_work(post: Post, there: Sink) -> None:
    carrier = Carrier(targets=post.carrier.targets)
    other = Courier(post.database, egress(), [carrier])
    receivers = [post.receiver(there.url("ok", n)) for n in range(40)]
    for receiver_id in receivers:
        post.queue(receiver_id, range(1, 31))
    threads = [threading.Thread(target=one.send_due) for one in (post.courier, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(there.received) == 1200
    assert len(post.carrier.ends) + len(carrier.ends) == 1200


def test_a_run_does_not_run_beside_itself(post: Post, there: Sink) -> None:
    receiver_id = post.receiver(there.url("slow", 0.5))
    post.queue(receiver_id, [1])
    sending = threading.Thread(target=post.courier.send_due)
    sending.start()
    while not there.received:
        assert sending.is_alive()
    assert post.courier.send_due() == 0
    sending.join()
    assert post.states(receiver_id) == {1: "delivered"}


class Broken(Egress):
    """A door with a fault of its own for one address."""

    async def send(self, request: Outbound) -> Answer:
        if request.url.endswith("/poison"):
            raise ValueError("told to nobody")
        return await super().send(request)


def test_a_fault_of_the_hub_itself_stops_nobody_else(
    database: Database, there: Sink, clock: MovableClock, caplog: pytest.LogCaptureFixture
) -> None:
    post = Post(database, door=Broken(guard=egress().guard))
    poisoned, sound = post.receiver(there.url("ok/poison")), post.receiver(there.url("ok"))
    slow = post.receiver(there.url("slow", 0.05, "poison"))
    with database.transaction() as uow:
        uow.conn.execute(text("UPDATE delivery_receiver SET latency_ms = 1000 WHERE id = :id"), {"id": slow})
    for receiver_id in (poisoned, sound, slow):
        post.queue(receiver_id, [1, 2, 3])
    with caplog.at_level(logging.ERROR, logger="tocsin"):
        post.courier.send_due()
    assert "sending failed in the hub itself" in {record.getMessage() for record in caplog.records}
    assert set(post.states(sound).values()) == {"delivered"}
    item = post.items(poisoned)[1]
    assert (item.state, item.failure, item.attempts) == ("pending", "unreachable", 1)
    assert item.next_at > clock()
    assert post.row("delivery_receiver", slow)["failures"] == 3
    clock.advance(3600)
    post.courier.send_due()
    made = sum(one.attempts for one in post.items(poisoned).values())
    assert made == rules.BREAKS_AFTER, "three, and two more until the breaker opened"

"""Queueing: what is queued once is there once, what is closed is given nothing, what is replayed is due again."""

import pytest
from sqlalchemy import text

from tests.delivery.carrying import Post
from tests.support.clock import MovableClock
from tests.support.sink import Sink
from tocsin.db import Database
from tocsin.delivery.service import (
    NewItem,
    close,
    enqueue,
    hold,
    open_receiver,
    queueing,
    release,
    remove,
    reopen,
    requeue,
    requeue_between,
    retention,
    unheld,
)


def test_a_message_is_queued_once(post: Post) -> None:
    receiver_id = post.receiver("http://127.0.0.1:1/")
    post.queue(receiver_id, [1, 2])
    post.queue(receiver_id, [2, 3], lane=0)
    items = post.items(receiver_id)
    assert [(one.message_id, one.lane, one.seq) for one in items.values()] == [
        (1, 1, 0),
        (2, 1, 1),
        (3, 0, 1),
    ]
    with post.database.transaction() as uow:
        enqueue(uow, [])
        enqueue(uow, [NewItem(999, 1, 1, 1)])
        assert requeue(uow, [NewItem(receiver_id, 0, 1, 77)]) == 0, "what is pending is left alone"
    assert post.items(receiver_id) == items


def test_a_rolled_back_cause_leaves_nothing(post: Post) -> None:
    receiver_id = post.receiver("http://127.0.0.1:1/")

    def fail() -> None:
        with post.database.transaction() as uow:
            enqueue(uow, [NewItem(receiver_id, 1, 1, 1)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert post.items(receiver_id) == {}
    assert not post.courier.due()


def test_closed_is_given_nothing_and_keeps_what_it_had(post: Post, there: Sink) -> None:
    receiver_id = post.receiver(there.url("ok"))
    post.queue(receiver_id, [1, 2])
    with post.database.transaction() as uow:
        assert close(uow, receiver_id) == 2
    post.queue(receiver_id, [3])
    assert not post.courier.due()
    assert post.courier.send_due() == 0
    assert post.states(receiver_id) == {1: "held", 2: "held"}
    with post.database.transaction() as uow:
        assert requeue(uow, [NewItem(receiver_id, 1, 1, 1)]) == 0
        assert requeue_between(uow, receiver_id, 1, 9, 9) == (0, None)
        reopen(uow, receiver_id)
    assert post.states(receiver_id) == {1: "held", 2: "held"}
    with post.database.transaction() as uow:
        assert requeue(uow, [NewItem(receiver_id, 1, 2, 9), NewItem(receiver_id, 1, 4, 4)]) == 2
    assert post.courier.send_due() == 2
    assert post.states(receiver_id) == {1: "held", 2: "delivered", 4: "delivered"}
    assert post.items(receiver_id)[2].seq == 1, "its own seq, whatever the replay says"


def test_paused_keeps_what_comes_and_gives_it_out_again(post: Post, there: Sink) -> None:
    receiver_id = post.receiver(there.url("ok"))
    post.queue(receiver_id, [1])
    with post.database.transaction() as uow:
        assert close(uow, receiver_id, keep=True) == 1
    post.queue(receiver_id, [2, 3])
    assert post.states(receiver_id) == {1: "held", 2: "held", 3: "held"}
    assert post.courier.send_due() == 0
    with post.database.transaction() as uow:
        reopen(uow, receiver_id)
        assert release(uow, receiver_id) == (3, None)
    assert post.courier.send_due() == 3
    assert there.by_path() == {"/ok": ["msg_1", "msg_2", "msg_3"]}


def test_replay_of_what_ended(post: Post, there: Sink, clock: MovableClock) -> None:
    receiver_id = post.receiver(there.url("status", 410))
    post.queue(receiver_id, range(1, 11))
    for _ in range(10):
        post.courier.send_due()
        clock.advance(3600)
    assert set(post.states(receiver_id).values()) == {"dead"}
    post.carrier.targets[receiver_id] = there.url("ok")
    with post.database.transaction() as uow:
        assert requeue_between(uow, receiver_id, 3, 9, 4) == (4, 7)
        assert requeue_between(uow, receiver_id, 7, 9, 4) == (3, None)
    assert [one.attempts for one in post.items(receiver_id).values()] == [1, 1] + [0] * 7 + [1]
    post.courier.send_due()
    assert list(post.states(receiver_id).values()) == ["dead"] * 2 + ["delivered"] * 7 + ["dead"]
    there.received.clear()
    with post.database.transaction() as uow:
        assert requeue_between(uow, receiver_id, 5, 5, 10) == (1, None)
    post.courier.send_due()
    assert there.by_path() == {"/ok": ["msg_5"]}


def test_reopening_forgets_the_breaker(post: Post, there: Sink) -> None:
    receiver_id = post.receiver(there.url("status", 500))
    post.queue(receiver_id, range(1, 20))
    post.courier.send_due()
    assert post.row("delivery_receiver", receiver_id)["breaker_until"] is not None
    post.carrier.targets[receiver_id] = there.url("ok")
    with post.database.transaction() as uow:
        close(uow, receiver_id)
        reopen(uow, receiver_id)
        assert release(uow, receiver_id) == (19, None)
    assert post.courier.send_due() == 19


def test_removed_is_never_sent_to_again(post: Post, there: Sink) -> None:
    receiver_id = post.receiver(there.url("ok"))
    post.queue(receiver_id, [1])
    with post.database.transaction() as uow:
        remove(uow, receiver_id)
    post.queue(receiver_id, [2])
    assert post.courier.send_due() == 0
    assert post.states(receiver_id) == {1: "held"}


def test_a_public_id_is_one_receivers(database: Database, post: Post) -> None:
    post.receiver("http://127.0.0.1:1/")
    with pytest.raises(Exception, match=r"(?i)unique"), database.transaction() as uow:
        open_receiver(uow, "stream", "ep_1", post.member)


def test_much_is_moved_in_parts(post: Post, there: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """One transaction holds back a part; nothing of the rest is sent, and a job holds it back."""
    monkeypatch.setattr(queueing, "PART", 4)
    receiver_id = post.receiver(there.url("ok"))
    post.queue(receiver_id, range(1, 11))
    with post.database.transaction() as uow:
        assert close(uow, receiver_id, keep=True) == 4
    assert list(post.states(receiver_id).values()).count("pending") == 6
    assert (post.courier.due(), post.courier.send_due()) == (False, 0)
    assert unheld(post.database)
    assert hold(post.database) == 6
    assert set(post.states(receiver_id).values()) == {"held"}
    assert (unheld(post.database), hold(post.database)) == (False, 0)
    with post.database.transaction() as uow:
        assert release(uow, receiver_id, 3) == (3, 4), "which a closed receiver is not sent"
    assert set(post.states(receiver_id).values()) == {"held"}
    with post.database.transaction() as uow:
        reopen(uow, receiver_id)
        assert release(uow, receiver_id, 3) == (3, 4)
        assert release(uow, receiver_id, 9) == (7, None)
    assert post.courier.send_due() == 10


def test_what_a_dead_worker_had_is_not_sent_once_its_receiver_is_closed(
    post: Post, there: Sink, monkeypatch: pytest.MonkeyPatch, clock: MovableClock
) -> None:
    monkeypatch.setattr(queueing, "PART", 1)
    receiver_id = post.receiver(there.url("ok"))
    post.queue(receiver_id, [1, 2, 3])
    with post.database.transaction() as uow:
        lease = "UPDATE delivery_queue SET holder = 'gone', lease_until = :at, due_at = :at WHERE lane = 1"
        uow.conn.execute(text(lease), {"at": uow.now + 30})
        close(uow, receiver_id)
    clock.advance(31)
    assert post.courier.send_due() == 0
    assert not post.courier.due()
    assert there.received == []


def test_what_was_given_up_since_it_fails_is_kept_with_the_rest(
    post: Post, there: Sink, clock: MovableClock
) -> None:
    receiver_id = post.receiver(there.url("status", 410))
    post.queue(receiver_id, [1])
    post.courier.send_due()
    post.carrier.targets[receiver_id] = there.url("ok")
    post.queue(receiver_id, [2])
    clock.advance(1)
    post.courier.send_due()
    post.carrier.targets[receiver_id] = there.url("status", 410)
    post.queue(receiver_id, [3, 4])
    post.courier.send_due()
    assert post.states(receiver_id) == {1: "dead", 2: "delivered", 3: "dead", 4: "dead"}
    with post.database.transaction() as uow:
        assert close(uow, receiver_id, keep=True, revive=True) == 2
    assert post.states(receiver_id) == {1: "dead", 2: "delivered", 3: "held", 4: "held"}


def test_so_much_is_kept_and_no_more(
    post: Post, there: Sink, monkeypatch: pytest.MonkeyPatch, clock: MovableClock
) -> None:
    monkeypatch.setattr(retention, "MOST_HELD", 5)
    monkeypatch.setattr(retention, "PART", 2)
    receiver_id, other = post.receiver(there.url("status", 500)), post.receiver(there.url("ok"))
    for one in (receiver_id, other):
        post.queue(one, [1])
    post.courier.send_due()
    for one in (receiver_id, other):
        with post.database.transaction() as uow:
            close(uow, one, keep=True)
        post.queue(one, range(2, 11) if one == receiver_id else range(2, 7))
    assert retention.forget(post.database) == 5
    assert list(post.items(receiver_id)) == [6, 7, 8, 9, 10], "the newest"
    assert list(post.items(other)) == [1, 2, 3, 4, 5, 6]
    assert retention.forget(post.database) == 0

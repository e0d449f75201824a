"""How deliveries go, and what is forgotten of them."""

from typing import Any

import pytest
from sqlalchemy import event, text

from tests.delivery.carrying import Post
from tests.support.clock import MovableClock
from tests.support.sink import Sink
from tocsin.delivery.service import (
    attempts,
    close,
    forget,
    items,
    overview,
    remove,
    retention,
    standings,
    troubled,
)
from tocsin.delivery.store.tables import ItemState
from tocsin_schemas.policy import DAY


def test_how_receivers_stand(post: Post, there: Sink, clock: MovableClock) -> None:
    sound, broken = post.receiver(there.url("ok")), post.receiver(there.url("status", 500))
    idle = post.receiver(there.url("ok", "idle"))
    for receiver_id in (sound, broken):
        post.queue(receiver_id, range(1, 31))
    post.courier.send_due()
    clock.advance(3)
    post.queue(sound, [31, 32], lane=0)
    with post.database.snapshot() as uow:
        found = standings(uow, [sound, broken, idle, 999])
        assert found.keys() == {sound, broken, idle}
        assert [one.receiver_id for one in troubled(uow)] == [broken]
        whole = overview(uow)
    good, bad, new = found[sound], found[broken], found[idle]
    assert (good.backlog, good.oldest, good.failures, good.breaker) == (2, clock(), 0, "closed")
    assert good.succeeded_at == clock() - 3
    assert good.p50_ms is not None
    assert good.p99_ms is not None
    assert good.p50_ms <= good.p99_ms
    assert (bad.backlog, bad.failures, bad.breaker, bad.failing_since) == (30, 5, "open", clock() - 3)
    assert (new.backlog, new.held, new.oldest, new.p50_ms, new.p99_ms) == (0, 0, None, None, None)
    assert (new.state, new.kind, new.public_id) == ("open", "webhook", "ep_3")
    urgent, rest = whole.lanes
    assert (urgent.fresh, urgent.lag_seconds, urgent.retrying) == (2, 0, 0)
    assert (rest.fresh, rest.lag_seconds, rest.retrying) == (25, 3, 5)
    assert whole.breakers == {"closed": 2, "half-open": 0, "open": 1}
    assert whole.receivers == 3
    assert len(whole.minutes) == 60
    assert whole.minutes[-1] == ((clock() // 60) * 60, 30, 5)
    with post.database.transaction() as uow:
        assert close(uow, broken, keep=True) == 30
    with post.database.snapshot() as uow:
        assert standings(uow, [broken])[broken].held == 30
        assert troubled(uow) == []


def test_pages_of_items_and_attempts(post: Post, there: Sink) -> None:
    receiver_id, other = post.receiver(there.url("ok")), post.receiver(there.url("ok", 2))
    post.queue(receiver_id, range(1, 31))
    post.courier.send_due()
    post.queue(receiver_id, range(31, 41))
    with post.database.snapshot() as uow:
        first = items(uow, receiver_id, limit=15)
        assert [one.message_id for one in first] == list(range(40, 25, -1))
        behind = items(uow, receiver_id, before=first[-1].message_id, limit=100)
        assert [one.message_id for one in behind] == list(range(25, 0, -1))
        pending = items(uow, receiver_id, {"pending"})
        assert [one.message_id for one in pending] == list(range(40, 30, -1))
        assert items(uow, receiver_id, {"dead", "held"}) == []
        made = attempts(uow, receiver_id, limit=20)
        assert len(made) == 20
        assert [one.id for one in made] == sorted((one.id for one in made), reverse=True)
        rest = attempts(uow, receiver_id, before=made[-1].id)
        assert len(rest) == 10
        (one,) = attempts(uow, receiver_id, item_id=made[0].item_id)
        assert one == made[0]
        assert (one.number, one.status, one.failure) == (1, 204, None)
        assert attempts(uow, other, item_id=made[0].item_id) == [], "somebody else's item"
        assert attempts(uow, other) == []


def test_what_is_old_is_forgotten_in_parts(
    post: Post, there: Sink, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PART", 10)
    receiver_id, paused = post.receiver(there.url("ok")), post.receiver(there.url("ok", 2))
    post.queue(receiver_id, range(1, 26))
    post.queue(paused, range(1, 6))
    post.courier.send_due()
    with post.database.transaction() as uow:
        close(uow, paused, keep=True)
    post.queue(paused, range(6, 11))
    clock.advance(30 * DAY)
    post.queue(receiver_id, range(26, 29))
    assert forget(post.database) == 1, "a counter of minutes; the rest is not older than 30 days"
    clock.advance(1)
    assert forget(post.database) == 30 + 30 + 5
    assert post.states(receiver_id) == {26: "pending", 27: "pending", 28: "pending"}
    assert post.states(paused) == {}
    assert post.attempts(receiver_id) == []
    assert forget(post.database) == 0
    assert post.courier.send_due() == 3


def test_nothing_is_left_of_a_removed_receiver(
    post: Post, there: Sink, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PART", 10)
    gone, stays = post.receiver(there.url("ok")), post.receiver(there.url("ok", 2))
    for receiver_id in (gone, stays):
        post.queue(receiver_id, range(1, 26))
    post.courier.send_due()
    with post.database.transaction() as uow:
        remove(uow, gone)
        uow.conn.execute(
            text(
                "UPDATE delivery_queue SET holder = 'aa', lease_until = :at, due_at = :at"
                " WHERE receiver_id = :id AND lane = 0"
            ),
            {"at": clock() + 30, "id": gone},
        )
    assert forget(post.database) == 50, "somebody may still be sending: the receiver stays until then"
    clock.advance(30)
    assert forget(post.database) == 1
    with post.database.snapshot() as uow:
        assert standings(uow, [gone]) == {}
    assert len(post.states(stays)) == 25


@pytest.mark.parametrize("state", ["dead", "held"])
def test_a_page_of_few_does_not_look_through_the_many(post: Post, state: ItemState) -> None:
    """Each has an index of its own, which the database takes to answer."""
    if post.database.dialect != "sqlite":
        pytest.skip("PostgreSQL chooses by what it has counted")
    asked: list[tuple[str, Any]] = []

    def hear(_conn: object, _cursor: object, statement: str, given: Any, *_: object) -> None:
        asked.append((statement, given))

    receiver_id = post.receiver("http://127.0.0.1:1/")
    with post.database.snapshot() as uow:
        event.listen(uow.conn, "before_cursor_execute", hear)
        assert items(uow, receiver_id, (state,)) == []
        statement, given = asked[-1]
        plan = uow.conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all()
    assert f"delivery_item_{state}" in str(plan)
    assert "TEMP B-TREE" not in str(plan)

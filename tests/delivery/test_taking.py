"""What a turn takes: from some of the queues much, so that others are there when those are sent; and how it asks."""

from collections.abc import Sequence

import pytest
from sqlalchemy import text

from tests.delivery.carrying import Post
from tests.support.sink import Sink
from tocsin.db import UnitOfWork
from tocsin.delivery.service import Claim, Making
from tocsin.delivery.service.turn import RUN, Outcome, Room, Round, take_turn

SPACE = 10 * RUN


def taken(post: Post, space: int = SPACE) -> list[Round]:
    """One turn of somebody for whom so many items that are not urgent are enough."""
    return take_turn(post.database, {"webhook": post.carrier}, "somebody", Outcome(), Room(space, space, 0))


def sizes(rounds: Sequence[Round]) -> list[int]:
    return [len(one.parcels) for one in rounds]


def test_where_much_waits_everywhere_some_queues_are_left_for_the_next_turn(post: Post, there: Sink) -> None:
    for n in range(30):
        post.queue(post.receiver(there.url("ok", n)), range(2 * RUN))
    first, second = taken(post), taken(post)
    assert sizes(first) == sizes(second) == [RUN] * 10
    assert not {one.receiver_id for one in first} & {one.receiver_id for one in second}


def test_where_little_waits_in_each_queue_one_turn_takes_it_all(post: Post, there: Sink) -> None:
    for n in range(60):
        post.queue(post.receiver(there.url("ok", n)), [1])
    assert sizes(taken(post)) == [1] * 60


def test_no_turn_takes_more_than_there_is_room_for(post: Post, there: Sink) -> None:
    """Even where the first queues are short, and many long ones come behind them."""
    for n in range(40):
        post.queue(post.receiver(there.url("ok", n)), range(1 if n < 10 else RUN))
    found = sizes(taken(post))
    assert found[:10] == [1] * 10
    assert 10 < sum(found) <= SPACE


def test_postgresql_plans_a_turn_by_its_indexes_and_nothing_else(
    post: Post, there: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    compose = post.carrier.compose

    def asking(uow: UnitOfWork, claims: Sequence[Claim]) -> Sequence[Making | None]:
        if uow.dialect == "postgresql":
            said.append(uow.conn.execute(text("SHOW plan_cache_mode")).scalar_one())
        return compose(uow, claims)

    monkeypatch.setattr(post.carrier, "compose", asking)
    post.queue(post.receiver(there.url("ok")), [1])
    taken(post)
    if post.database.dialect == "postgresql":
        assert said == ["force_generic_plan"]
        with post.database.transaction() as uow:
            assert uow.conn.execute(text("SHOW plan_cache_mode")).scalar_one() == "auto"

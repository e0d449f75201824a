"""The check for stuck deliveries sees what it is there to see: each damage on purpose is found."""

import pytest
from sqlalchemy import text

from tests.delivery.carrying import Post
from tests.support.invariants import check_deliveries
from tests.support.sink import Sink
from tocsin.db import Database, UnitOfWork

DAMAGES = [
    "UPDATE delivery_queue SET due_at = NULL WHERE lane = 1",
    "UPDATE delivery_queue SET due_at = due_at + 1 WHERE lane = 1",
    "UPDATE delivery_queue SET due_at = 5 WHERE lane = 0",
    "UPDATE delivery_queue SET holder = 'aa', lease_until = 9999999999, due_at = 9999999999 WHERE lane = 1",
    "UPDATE delivery_receiver SET breaker_until = 9999999999",
    "DELETE FROM delivery_queue WHERE lane = 0",
    "DELETE FROM delivery_receiver",
    "DELETE FROM delivery_item WHERE state = 'delivered'",
    "UPDATE delivery_item SET next_at = next_at - 1 WHERE state = 'pending'",
    "UPDATE delivery_item SET attempts = 0",
    "UPDATE delivery_attempt SET receiver_id = 99",
    "UPDATE delivery_receiver SET state = 'closed'",
    "UPDATE delivery_receiver SET failures = 1, failing_since = 1, failed_at = NULL",
]


def test_every_damage_is_found(database: Database, there: Sink) -> None:
    post = Post(database)
    receiver_id = post.receiver(there.url("ok"))
    post.queue(receiver_id, [1, 2])
    post.courier.send_due()
    post.queue(receiver_id, [3])
    with database.snapshot() as uow:
        check_deliveries(uow)
    for damage in DAMAGES:
        with database.engine.connect() as conn, conn.begin() as work:
            conn.execute(text(damage))
            with pytest.raises(AssertionError):
                check_deliveries(UnitOfWork(conn, database.clock()))
            work.rollback()

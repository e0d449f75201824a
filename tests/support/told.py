"""What holds of messages and of what was queued of them, whoever takes, fans out or sends at once."""

from sqlalchemy import text

from tocsin.db import UnitOfWork


def check_messages(uow: UnitOfWork) -> None:
    """What was queued for an endpoint is numbered once, within what was counted, and is for nobody else alone."""
    numbered = """
        SELECT e.id, m.subject, count(*) AS items, count(DISTINCT i.seq) AS numbers, max(i.seq) AS highest,
          (SELECT s.seq FROM webhook_subject AS s WHERE s.endpoint_id = e.id AND s.subject = m.subject) AS counted
        FROM delivery_item AS i JOIN webhook_endpoint AS e ON e.receiver_id = i.receiver_id
        JOIN webhook_message AS m ON m.id = i.message_id GROUP BY e.id, m.subject"""
    for row in uow.conn.execute(text(numbered)):
        assert row.items == row.numbers, f"{row.subject}: a number twice"
        assert row.highest <= (row.counted or 0), f"{row.subject}: a number that was not counted"
    astray = """
        SELECT 1 FROM delivery_item AS i JOIN webhook_endpoint AS e ON e.receiver_id = i.receiver_id
        JOIN webhook_message AS m ON m.id = i.message_id
        WHERE m.organisation_id <> e.organisation_id OR m.caused_at < e.activated_at"""
    assert uow.conn.execute(text(astray)).all() == [], "a message of another member, or from before its time"

"""What holds of streams after every use case, whatever happened: asked for in the tables."""

from typing import Final

from sqlalchemy import text

from tocsin.db import UnitOfWork

_BREACHES: Final = {
    "a token for a stream that is not there": "SELECT w.id FROM stream_waiting w WHERE NOT EXISTS"
    " (SELECT 1 FROM stream s WHERE s.id = w.stream_id)",
    "a removed subject of a stream that is not there": "SELECT r.stream_id FROM stream_removed r WHERE NOT EXISTS"
    " (SELECT 1 FROM stream s WHERE s.id = r.stream_id)",
    "a token on a push stream that flows, which delivery was never given": "SELECT w.id FROM stream_waiting w"
    " JOIN stream s ON s.id = w.stream_id JOIN organisation o ON o.id = s.organisation_id"
    " WHERE NOT w.queued AND s.method = 'push' AND s.status = 'enabled' AND s.verified_at IS NOT NULL"
    " AND o.state <> 'emergency_suspended'",
    "a token that delivery was given and does not have": "SELECT w.id FROM stream_waiting w"
    " JOIN stream s ON s.id = w.stream_id WHERE w.queued AND s.method = 'push' AND NOT EXISTS (SELECT 1"
    " FROM delivery_item i WHERE i.receiver_id = s.receiver_id AND i.message_id = w.id)",
    "something kept for a disabled stream": "SELECT w.id FROM stream_waiting w JOIN stream s ON s.id = w.stream_id"
    " WHERE s.status = 'disabled' AND w.word <> 'stream-updated'",
    "a push stream whose receiver takes nothing": "SELECT s.id FROM stream s WHERE s.method = 'push' AND NOT EXISTS"
    " (SELECT 1 FROM delivery_receiver r WHERE r.id = s.receiver_id AND r.kind = 'stream' AND r.state = 'open')",
    "a receiver without its stream": "SELECT r.id FROM delivery_receiver r WHERE r.kind = 'stream'"
    " AND r.state = 'open' AND NOT EXISTS (SELECT 1 FROM stream s WHERE s.receiver_id = r.id)",
}


def check_streams(uow: UnitOfWork) -> None:
    """That none of it is broken."""
    for what, query in _BREACHES.items():
        assert uow.conn.execute(text(query)).all() == [], what

"""Hold the hub's daily expiry events against what has expired in a mirror (step 12 of `tocsin_client.feed`).

An event names how many statements expired on a day (the day of their `expires_at`), and the Merkle root over their log
indexes. A mirror that held all of them finds exactly that root. One that came later, or from which some were withheld,
knows only that others had expired: then as many as it cannot account for may be among them, and no more.
"""

import sqlite3
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from tocsin_client.feed import Failure, HubEvent
from tocsin_schemas import envelope
from tocsin_schemas.hub_events import Expiry, HubClaims, expiry_root
from tocsin_schemas.signals import load_object

_KNOWN = """
SELECT seq FROM absent WHERE expired_at >= :first AND expired_at < :end AND seq < :event
UNION ALL
SELECT seq FROM statement WHERE expires_at >= :first AND expires_at < :end AND seq < :event
ORDER BY seq
"""
_UNKNOWN = """
SELECT (SELECT count(*) FROM absent WHERE seq < :event
        AND (state = 'withheld' OR (reason = 'expired' AND expired_at IS NULL)))
     + (SELECT count(*) FROM refused WHERE seq IS NULL OR seq < :event)
"""


def unlike(conn: sqlite3.Connection, events: Iterable[HubEvent]) -> list[Failure]:
    """The expiry events among `events` that do not fit what has expired in the mirror behind `conn`."""
    return [
        Failure(event.seq, "expired-unlike", "events", reason)
        for event in events
        if event.kind == "expiry" and (reason := _reason(conn, event))
    ]


def _reason(conn: sqlite3.Connection, event: HubEvent) -> str:
    said = HubClaims.model_validate(load_object(envelope.payload_of(event.jws), "payload")).event
    if not isinstance(said, Expiry):
        return "not an expiry"
    first = datetime.combine(date.fromisoformat(said.day), time(), UTC)
    span = {
        "first": int(first.timestamp()),
        "end": int((first + timedelta(days=1)).timestamp()),
        "event": event.seq,
    }
    known = [seq for (seq,) in conn.execute(_KNOWN, span)]
    if len(known) == said.count:
        fits = expiry_root(known).hex() == said.root
        return "" if fits else "the statements that expired here on that day are not those the hub counted"
    if len(known) > said.count:
        return "more statements expired here on that day than the hub counted"
    unknown = conn.execute(_UNKNOWN, span).fetchone()[0]
    missing = said.count - len(known)
    return "" if missing <= unknown else "the hub counted statements that this mirror was never given"

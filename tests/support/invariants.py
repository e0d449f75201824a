"""What must be true of a hub's database after every step, whatever happened before.

`check_hub` re-verifies the log, the statements with their signatures and commitments, the indicators, the outbox and
the counters, and stands in for the foreign keys that the hot tables do not carry. It reads with SQL of its own, so that
a wrong query of the hub cannot hide behind itself.
"""

import hashlib
import hmac
import json
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import pairwise
from typing import Any

from sqlalchemy import Row, text

from tests.support.docket_invariants import check_docket
from tests.support.published import check_log
from tests.support.state import answers
from tests.support.stream_invariants import check_streams
from tests.support.told import check_messages
from tocsin import keys, outbox, schema
from tocsin.config import Settings
from tocsin.db import Database, UnitOfWork
from tocsin.delivery.service.turn import LEASE_SECONDS
from tocsin_schemas import signals
from tocsin_schemas.envelope import AuthorKey, payload_of, verify
from tocsin_schemas.hub_events import Expiry, HubClaims, expiry_root, verify_hub_event
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.jwk import PublicKey
from tocsin_schemas.ledger import Entry, rfc3339
from tocsin_schemas.policy import DAY
from tocsin_schemas.signals import LATEST, Report
from tocsin_schemas.vocabulary import HUB_KINDS

BOOKKEEPING = frozenset({"quota", "assertion", "delivery", "indicator_view", "job_lease"})
"""Tables that change when somebody merely asks: caps charged, assertions used, what was shown to whom, leases."""
OF_A_REQUEST = frozenset({"quota", "assertion"})
"""Tables that every submission changes: its cap, and the token it came with."""


def check_hub(database: Database, settings: Settings | None = None, *, since: int = 0) -> int:
    """Assert every invariant; the size of the log.

    With `settings` the hub's own events are verified with its key, and the published log whole. `since` leaves out
    statements below a log index, which an earlier call has seen.
    """
    with database.snapshot() as uow:
        size = _check_log(uow)
        statements = {
            row.seq: row for row in _rows(uow, "SELECT * FROM statement WHERE seq >= :since", since)
        }
        records = _check_board(uow, since)
        sealed = check_docket(uow, since)
        assert sorted([*statements, *records, *sealed]) == list(range(since, size)), (
            "a statement, a record of the board or a seal for every entry, an entry for every one"
        )
        _check_statements(uow, statements, since, None if settings is None else _hub_keys(settings))
        _check_observations(uow, statements, since)
        _check_retractions(uow)
        _check_outbox(uow, statements, since)
        check_messages(uow)
        _check_expiry_days(uow)
        _check_entry_days(uow)
        _check_counters(uow, size)
        check_deliveries(uow)
        check_streams(uow)
    if settings is not None:
        check_log(database, settings)
    return size


def dump(database: Database, leave_out: frozenset[str] = frozenset()) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in an order of its own."""
    with database.snapshot() as uow:
        return answers(
            uow.conn, {name: query for name, query in _everything().items() if name not in leave_out}
        )


@cache
def _everything() -> dict[str, str]:
    return {name: str(table.select()) for name, table in schema.METADATA.tables.items()}


@contextmanager
def unchanged(database: Database, leave_out: frozenset[str] = OF_A_REQUEST) -> Iterator[None]:
    """Assert that the block changes no row outside the tables left out."""
    before = dump(database, leave_out)
    yield
    after = dump(database, leave_out)
    assert after == before, f"changed: {[name for name in before if before[name] != after[name]]}"


def check_deliveries(uow: UnitOfWork) -> None:
    """Assert that nothing that is to be delivered is stuck, whatever died: each queue says when it is due, rightly.

    A courier that works at this moment is no breach: what it has in hand is leased.
    """
    for what, query in _STUCK.items():
        assert _rows(uow, query) == [], what
    leases = _rows(uow, "SELECT max(lease_until) FROM delivery_queue")[0][0]
    assert leases is None or leases <= uow.now + LEASE_SECONDS, "a lease for longer than any is given"


def _check_log(uow: UnitOfWork) -> int:
    count, lowest, highest = uow.conn.execute(text("SELECT count(*), min(seq), max(seq) FROM entry")).one()
    heads = uow.conn.execute(text("SELECT size FROM ledger_head")).scalars().all()
    assert heads == [count], "the head is the number of entries"
    assert (lowest, highest) == ((0, count - 1) if count else (None, None)), "entries are contiguous from 0"
    return int(count)


def _check_board(uow: UnitOfWork, since: int) -> list[int]:
    """The log indexes of the board's entries: each opened by its record, and the records behind each other."""
    query = "SELECT seq, kind, commitment FROM entry WHERE community = 'board' AND seq >= :since ORDER BY seq"
    entries = {row.seq: row for row in _rows(uow, query, since)}
    rows = _rows(uow, "SELECT * FROM board_record WHERE log_seq >= :since ORDER BY seq", since)
    assert [row.log_seq for row in rows] == list(entries), "a record for every entry of the board"
    for row in rows:
        opened = hmac.digest(bytes(row.nonce), bytes(row.raw), hashlib.sha256)
        assert opened == bytes(entries[row.log_seq].commitment), f"record {row.seq}: does not open its entry"
        digest = hashlib.sha256(b"tocsin/board-record/v1\n" + bytes(row.raw)).digest()
        assert digest == bytes(row.digest), f"record {row.seq}: another digest"
    for before, after in pairwise(rows):
        said = json.loads(bytes(after.raw))
        assert (after.seq, said["seq"]) == (before.seq + 1,) * 2, f"record {after.seq}: a gap"
        assert said["prev"] == bytes(before.digest).hex(), f"record {after.seq}: does not follow"
    return list(entries)


@dataclass(frozen=True)
class _Directory:
    """Members as the checks need them."""

    slugs: dict[int, str]
    issuers: dict[int, str]
    keys: dict[str, AuthorKey]

    @cached_property
    def unrevoked(self) -> dict[str, AuthorKey]:
        """The keys as if none had been revoked."""
        return {kid: replace(key, revoked_at=None) for kid, key in self.keys.items()}


def _directory(uow: UnitOfWork) -> _Directory:
    issuers: dict[int, str] = {
        row.id: row.issuer for row in _rows(uow, "SELECT id, issuer FROM organisation")
    }
    return _Directory(
        slugs={row.id: row.slug for row in _rows(uow, "SELECT id, slug FROM community")},
        issuers=issuers,
        keys={
            row.kid: AuthorKey(
                PublicKey(row.alg, bytes(row.public), row.kid),
                issuers[row.organisation_id],
                row.not_before,
                row.not_after,
                row.revoked_at,
            )
            for row in _rows(uow, "SELECT * FROM member_key")
        },
    )


def _check_statements(
    uow: UnitOfWork, statements: Mapping[int, Row[Any]], since: int, hub_keys: Mapping[str, AuthorKey] | None
) -> None:
    known = _directory(uow)
    entries = {row.seq: row for row in _rows(uow, "SELECT * FROM entry WHERE seq >= :since", since)}
    for seq, row in statements.items():
        entry = entries[seq]
        assert row.community_id in known.slugs, f"{seq}: no such community"
        said = (entry.community, entry.kind, entry.recorded_at)
        assert said == (known.slugs[row.community_id], row.kind, row.recorded_at), (
            f"{seq}: the entry says else"
        )
        encoded = Entry(*said, bytes(entry.commitment))
        assert Entry.decode(encoded.encode()) == encoded, f"{seq}: not a canonical entry"
        assert row.gone == "erased" or (row.author_id is None) == (row.kind in HUB_KINDS), (
            f"{seq}: only the hub's events, and what was lost, have no author"
        )
        assert row.author_id is None or row.author_id in known.issuers, f"{seq}: no such author"
        if row.gone is not None:
            assert (row.jws, row.nonce) == (None, None), f"{seq}: gone, and still readable"
            assert (row.jti is None) == (row.digest is None), f"{seq}: half an identity"
            assert row.gone_at >= row.recorded_at, f"{seq}: gone before it came"
            continue
        opened = hmac.digest(bytes(row.nonce), bytes(row.jws), hashlib.sha256)
        assert opened == bytes(entry.commitment), f"{seq}: the commitment does not open"
        if row.kind in HUB_KINDS:
            _check_hub_event(row, known, hub_keys)
        else:
            _check_signal(row, known)


def _check_signal(row: Row[Any], known: _Directory) -> None:
    # A signal admitted in the second of its key's revocation, or issued a little ahead of it, stands.
    verified = verify(bytes(row.jws), known.unrevoked)
    signal, event = verified.signal, verified.signal.event
    revoked_at = known.keys[verified.key.public.kid].revoked_at
    assert revoked_at is None or min(signal.iat, row.recorded_at) <= revoked_at, (
        f"{row.seq}: with a revoked key"
    )
    assert signal.iss == known.issuers[row.author_id], f"{row.seq}: signed by somebody else"
    assert signal.aud.endswith(f"/communities/{known.slugs[row.community_id]}"), (
        f"{row.seq}: for somebody else"
    )
    digest = hashlib.sha256(payload_of(bytes(row.jws))).digest()
    assert (bytes(row.jti), bytes(row.digest)) == (signal.jti, digest), f"{row.seq}: not its identity"
    assert (row.iat, row.toe) == (signal.iat, signal.toe), f"{row.seq}: not its times"
    assert row.kind == signal.kind or (signal.kind, row.kind) == ("report", "sighting"), (
        f"{row.seq}: its kind"
    )
    assert row.basis == (event.basis if isinstance(event, Report) else None), f"{row.seq}: not its basis"
    if isinstance(event, Report):
        assert row.expires_at <= event.valid_until, f"{row.seq}: outlives its author's word"
    assert row.expires_at > row.recorded_at, f"{row.seq}: dead on arrival"


def _check_hub_event(row: Row[Any], known: _Directory, hub_keys: Mapping[str, AuthorKey] | None) -> None:
    token = bytes(row.jws)
    if hub_keys is None:
        claims = HubClaims.model_validate(signals.load_object(payload_of(token), "payload"))
    else:
        claims = verify_hub_event(token, hub_keys).claims
    assert claims.kind == row.kind, f"{row.seq}: the entry calls it something else"
    assert claims.aud.endswith(f"/communities/{known.slugs[row.community_id]}"), (
        f"{row.seq}: for somebody else"
    )
    assert (row.jti, row.digest, row.expires_at) == (None, None, None), (
        f"{row.seq}: the hub's word has no end"
    )


def _check_observations(uow: UnitOfWork, statements: Mapping[int, Row[Any]], since: int) -> None:
    """Every live member statement has exactly the indicators of its signed bytes, and there are no others."""
    for what, query in _STRAYS.items():
        assert _rows(uow, query) == [], what
    observed: dict[int, set[tuple[int, Indicator, bool]]] = {}
    for row in _rows(
        uow,
        "SELECT o.seq, o.decides, i.community_id, i.type, i.value FROM observation o"
        " JOIN indicator i ON i.id = o.indicator_id WHERE o.seq >= :since",
        since,
    ):
        about = (row.community_id, Indicator(row.type, bytes(row.value)), bool(row.decides))
        observed.setdefault(row.seq, set()).add(about)
    for seq, row in statements.items():
        expected: set[tuple[int, Indicator, bool]] = set()
        if row.gone is None and row.kind not in {*HUB_KINDS, "retraction"}:
            signal = signals.parse(payload_of(bytes(row.jws)))
            decides = row.kind in {"report", "dispute"}
            expected = {(row.community_id, indicator, decides) for indicator in signal.indicators}
        assert observed.get(seq, set()) == expected, f"{seq}: not the indicators it is about"


_STRAYS = {
    "an observation of an indicator that is not there": "SELECT * FROM observation o WHERE NOT EXISTS"
    " (SELECT 1 FROM indicator i WHERE i.id = o.indicator_id)",
    "an indicator that no statement is about": "SELECT * FROM indicator i WHERE NOT EXISTS"
    " (SELECT 1 FROM observation o WHERE o.indicator_id = i.id)",
    "an observation by no live statement": "SELECT * FROM observation o WHERE NOT EXISTS"
    " (SELECT 1 FROM statement s WHERE s.seq = o.seq AND s.gone IS NULL)",
    "two live statements with one payload": "SELECT author_id, digest FROM statement"
    " WHERE gone IS NULL AND digest IS NOT NULL GROUP BY author_id, digest HAVING count(*) > 1",
}


_EARLIEST = """(SELECT min(i.next_at) FROM delivery_item i
 WHERE i.receiver_id = q.receiver_id AND i.lane = q.lane AND i.state = 'pending')"""
_STUCK = {
    "a queue that is not leased and is due at another time than its items, or its receiver's breaker": f"""
 SELECT q.receiver_id, q.lane, q.due_at FROM delivery_queue q JOIN delivery_receiver r ON r.id = q.receiver_id
 WHERE q.holder IS NULL AND coalesce(q.due_at, -1) <> coalesce(
  CASE WHEN r.state <> 'open' THEN NULL
   WHEN r.breaker_until > {_EARLIEST} THEN r.breaker_until ELSE {_EARLIEST} END, -1)""",
    "a receiver without its two queues": "SELECT r.id FROM delivery_receiver r WHERE 2 <>"
    " (SELECT count(*) FROM delivery_queue q WHERE q.receiver_id = r.id)",
    "a queue without a receiver": "SELECT q.receiver_id FROM delivery_queue q WHERE NOT EXISTS"
    " (SELECT 1 FROM delivery_receiver r WHERE r.id = q.receiver_id)",
    "an item without a receiver": "SELECT i.id FROM delivery_item i WHERE NOT EXISTS"
    " (SELECT 1 FROM delivery_receiver r WHERE r.id = i.receiver_id)",
    "an attempt without its item": "SELECT a.id FROM delivery_attempt a WHERE NOT EXISTS (SELECT 1 FROM"
    " delivery_item i WHERE i.id = a.item_id AND i.receiver_id = a.receiver_id)",
    "something pending, and due, for a receiver that is given nothing": "SELECT q.receiver_id FROM delivery_queue q"
    " JOIN delivery_receiver r ON r.id = q.receiver_id WHERE q.holder IS NULL AND q.due_at IS NOT NULL"
    " AND r.state <> 'open'",
    "given up or accepted without a single attempt": "SELECT i.id FROM delivery_item i WHERE i.attempts = 0 AND"
    " i.state IN ('delivered', 'dead')",
    "failures, and none to show": "SELECT r.id FROM delivery_receiver r WHERE r.failures > 0 AND"
    " (r.failed_at IS NULL OR r.failed_at < r.failing_since)",
}


def _check_retractions(uow: UnitOfWork) -> None:
    """What its author has withdrawn is gone."""
    live = "SELECT seq, author_id, digest FROM statement WHERE gone IS NULL AND digest IS NOT NULL"
    withdrawals = _rows(
        uow, "SELECT seq, author_id, jws FROM statement WHERE gone IS NULL AND kind = 'retraction'"
    )
    standing = {(row.author_id, bytes(row.digest)) for row in _rows(uow, live)} if withdrawals else set()
    for row in withdrawals:
        target = signals.parse(payload_of(bytes(row.jws))).target
        assert target is not None
        assert (row.author_id, target) not in standing, f"{row.seq}: withdraws what still stands"


def _check_outbox(uow: UnitOfWork, statements: Mapping[int, Row[Any]], since: int) -> None:
    """Every recording, retraction and expiry of the last day is there once; nothing twice, or that did not happen."""
    covered: dict[str, Counter[int]] = {}
    by_community: dict[int, list[int]] = {}
    for seq, row in sorted(statements.items()):
        by_community.setdefault(row.community_id, []).append(seq)
    for row in _rows(
        uow, "SELECT * FROM outbox_event WHERE last_seq >= :since AND community_id IS NOT NULL", since
    ):
        places = by_community.get(row.community_id, [])
        here = places[bisect_left(places, row.first_seq) : bisect_right(places, row.last_seq)]
        assert here[-1:] == [row.last_seq], f"{row.type}: ends at an entry of another community"
        assert here[0] == row.first_seq or row.first_seq < since, f"{row.type}: begins at one of another"
        covered.setdefault(row.type, Counter()).update(here)
    member = {seq for seq, row in statements.items() if row.author_id is not None}
    happened = {
        "signal.recorded": member | {seq for seq, row in statements.items() if row.kind == "release"},
        "signal.retracted": {seq for seq in member if statements[seq].gone == "retracted"},
        "signal.expired": {seq for seq in member if statements[seq].gone == "expired"},
    }
    # A row is deleted a day after all have taken it; where nobody has, every one is there.
    taken = _rows(uow, "SELECT 1 FROM outbox_event WHERE webhooks AND streams LIMIT 1")
    kept = uow.now - outbox.KEPT_SECONDS if taken else 0
    for kind, seqs in happened.items():
        found = covered.get(kind, Counter())
        assert set(found.values()) <= {1}, f"{kind}: twice"
        assert found.keys() <= seqs, f"{kind}: never happened"
        at = {
            seq: statements[seq].recorded_at if kind == "signal.recorded" else statements[seq].gone_at
            for seq in seqs
        }
        recent = {seq for seq in seqs if at[seq] >= kept}
        assert recent <= found.keys(), f"{kind}: not each once"


def _check_expiry_days(uow: UnitOfWork) -> None:
    """The log covers each day's expiries once, with the root of exactly what expired."""
    entered: Counter[tuple[int, int]] = Counter()
    gone = [
        (row.community_id, row.expires_at // DAY, row.seq)
        for row in _rows(uow, "SELECT * FROM statement WHERE gone = 'expired' ORDER BY seq")
    ]
    for row in _rows(uow, "SELECT * FROM statement WHERE kind = 'expiry' AND gone IS NULL"):
        claims = HubClaims.model_validate(signals.load_object(payload_of(bytes(row.jws)), "payload"))
        said = claims.event
        assert isinstance(said, Expiry)
        days = [day for community_id, day, _ in gone if community_id == row.community_id]
        (day,) = {day for day in days if _date(day) == said.day}
        seqs = [s for community_id, at, s in gone if (community_id, at) == (row.community_id, day)]
        assert (said.count, said.root) == (len(seqs), expiry_root(seqs).hex()), f"{row.seq}: another root"
        entered[row.community_id, day] += 1
    marked = {(row.community_id, row.day) for row in _rows(uow, "SELECT * FROM expiry_day")}
    assert entered == Counter(marked), "a day is entered once and marked"


def _check_entry_days(uow: UnitOfWork) -> None:
    published = uow.conn.execute(text("SELECT size FROM publication")).scalar() or 0
    rows = _rows(uow, "SELECT kind, recorded_at FROM entry WHERE seq < :since", published)
    days = {(row.day, row.kind): row.entries for row in _rows(uow, "SELECT * FROM entry_day")}
    assert days == Counter((row.recorded_at // DAY, row.kind) for row in rows), "days count what is published"


def _check_counters(uow: UnitOfWork, size: int) -> None:
    assert _rows(uow, "SELECT * FROM quota WHERE used < 0") == []
    assert all(row.seq < size for row in _rows(uow, "SELECT seq FROM delivery")), "delivered beyond the head"
    assert all(row.seq <= size for row in _rows(uow, "SELECT seq FROM indicator_view")), (
        "shown beyond the head"
    )


def _date(day: int) -> str:
    return rfc3339(day * DAY)[:10]


def _hub_keys(settings: Settings) -> dict[str, AuthorKey]:
    public = keys.load(settings).events.public
    return {public.kid: AuthorKey(public, settings.issuer, 0, LATEST)}


def _rows(uow: UnitOfWork, query: str, since: int | None = None) -> list[Row[Any]]:
    given = {} if since is None else {"since": since}
    return list(uow.conn.execute(text(query), given))

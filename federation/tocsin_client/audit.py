"""Verify a mirror again, offline: every signature, every commitment, every column, and that nothing contradicts.

For each stored statement the feed record and the log entry are put together again from what is stored and verified by
the same steps as on arrival (`tocsin_client.feed`); then every column must say what the signed bytes say. Whether the
log has all of it, and nothing else of this community, is `tocsin_client.log_audit`'s to find out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from tocsin_client.feed import CHUNK, Failure, HubEvent, Outcome, Pair, Signed, Verified, check_all
from tocsin_client.mirror import Mirror
from tocsin_client.pool import Crashed, Workers
from tocsin_client.statements import StatementRow
from tocsin_client.trust import Trust
from tocsin_schemas.ledger import Entry, rfc3339


@dataclass(slots=True)
class Audit:
    """What was verified (numbers of records), what failed, and how many indicators stand at each status."""

    statements: int = 0
    hub_events: int = 0
    failures: list[Failure] = field(default_factory=list)
    standings: dict[str, int] = field(default_factory=dict)


def audit(mirror: Mirror, *, workers: int = 1, on_progress: Callable[[int], object] | None = None) -> Audit:
    """Verify everything in the mirror with the directory it holds.

    Raises:
        NotReady: when the mirror is empty.
    """
    found = Audit()
    store = mirror.store
    with store.reading(), Workers(check_all, workers) as pool:
        trust = Trust.of(store.directory())
        cursor = store.cursor
        withdrawn: set[tuple[str, bytes]] = set()
        rows: list[StatementRow] = []
        parts = _parts(store.statements(), trust, rows)
        for (_, pairs), checked in pool.map(parts):
            outcomes = check_all((trust, pairs)) if isinstance(checked, Crashed) else checked
            done, rows[: len(outcomes)] = rows[: len(outcomes)], []
            for row, outcome in zip(done, outcomes, strict=True):
                found.statements += 1
                if row.kind == "retraction" and row.target is not None:
                    withdrawn.add((row.author, row.target))
                found.failures += _compare(mirror, row, outcome, cursor)
            if on_progress is not None:
                on_progress(len(outcomes))
        for event in store.hub_events():
            found.hub_events += 1
            outcome = check_all((trust, [_event_pair(event, trust)]))[0]
            if isinstance(outcome, Failure):
                found.failures.append(outcome)
            else:
                found.failures += store.unlike([event])
        found.failures += [
            Failure(row.seq, "retraction-ignored", "", "its author has withdrawn it, and it is still here")
            for row in store.statements()
            if (row.author, row.id) in withdrawn
        ]
    found.standings = mirror.tally()
    return found


def _parts(
    statements: Iterator[StatementRow], trust: Trust, rows: list[StatementRow]
) -> Iterator[tuple[Trust, Sequence[Pair]]]:
    """Parts of the work for the pool; `rows` collects the rows they are made of."""
    while part := list(islice(statements, CHUNK)):
        rows += part
        yield trust, [_statement_pair(row, trust) for row in part]


def _statement_pair(row: StatementRow, trust: Trust) -> Pair:
    record = Signed(
        seq=row.seq,
        recorded_at=rfc3339(row.recorded_at),
        expires_at=rfc3339(row.expires_at),
        r=row.r.hex(),
        jws=row.jws.decode("ascii", "replace"),
    )
    return Pair(record, Entry(trust.community, row.kind, row.recorded_at, row.commitment).encode())


def _event_pair(event: HubEvent, trust: Trust) -> Pair:
    record = Signed(
        seq=event.seq,
        recorded_at=rfc3339(event.recorded_at),
        expires_at=None,
        r=event.r.hex(),
        jws=event.jws.decode("ascii", "replace"),
    )
    return Pair(record, Entry(trust.community, event.kind, event.recorded_at, event.commitment).encode())


def _compare(mirror: Mirror, row: StatementRow, outcome: Outcome, cursor: int) -> Iterator[Failure]:
    if isinstance(outcome, Failure):
        yield outcome
        return
    if not isinstance(outcome, Verified):
        yield Failure(row.seq, "row-altered", "kind", "no statement of a member")
        return
    said = outcome.statement
    signed = (said.id, said.author, said.iat, said.basis, said.target, said.jws)
    if signed != (row.id, row.author, row.iat, row.basis, row.target, row.jws):
        yield Failure(
            row.seq, "row-altered", "statement", "a column says something else than the signed bytes"
        )
    if sorted(outcome.indicators) != mirror.store.indicators_of(row.seq):
        yield Failure(row.seq, "row-altered", "indicator", "the indicators are not those of the signed bytes")
    if row.seq > cursor:
        yield Failure(row.seq, "row-altered", "seq", "stands behind the cursor")

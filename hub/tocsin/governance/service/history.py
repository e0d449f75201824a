"""What the records of the chain did, each in one plain sentence: lately, about one member, and all of them."""

from collections.abc import Iterator
from typing import NamedTuple

from tocsin.governance.service.context import Chamber
from tocsin.governance.store import records as store
from tocsin_schemas.envelope import payload_of
from tocsin_schemas.explained import explain
from tocsin_schemas.governance import (
    ClockBody,
    DecisionBody,
    Genesis,
    MemberBody,
    PublishedRecord,
    Record,
    parse_record,
    read_act,
)
from tocsin_schemas.policy import Policy


class Change(NamedTuple):
    """A record: its number, when it was made (Unix seconds), what it did, and the log entry that proves it."""

    seq: int
    at: int
    text: str
    log_seq: int


def recent(chamber: Chamber, count: int) -> list[Change]:
    """The newest `count` records, the newest first; none in a hub without a board."""
    with chamber.database.snapshot() as uow:
        rows = store.below(uow, 0, store.count(uow), count) if chamber.chain.founded(uow) else []
    return [change_of(row) for row in rows]


def about(chamber: Chamber, issuer: str) -> list[Change]:
    """Every record that concerns a member: decisions about it, its own acts, and what the calendar said."""
    with chamber.database.snapshot() as uow:
        rows = store.kept(uow) if chamber.chain.founded(uow) else []
    read = [(row, parse_record(row.raw)) for row in rows]
    return [change_of(row, record) for row, record in read if _subject(record) == issuer]


def published(chamber: Chamber) -> Iterator[PublishedRecord]:
    """Every record as it is published, in order."""
    with chamber.database.snapshot() as uow:
        rows = store.kept(uow) if chamber.chain.founded(uow) else []
    for row in rows:
        yield published_as(row)


def published_as(row: store.Kept) -> PublishedRecord:
    """A record as it is published."""
    return PublishedRecord(log_seq=row.log_seq, r=row.nonce.hex(), record=parse_record(row.raw))


def change_of(row: store.Kept, record: Record | None = None) -> Change:
    """What a record did."""
    read = record or parse_record(row.raw)
    return Change(row.seq, read.at, explain(read), row.log_seq)


def first_policy(chamber: Chamber) -> Policy:
    """The policy that the board was founded with; the default one in a hub without a board."""
    first = next(published(chamber), None)
    return first.record.body.policy if first and isinstance(first.record.body, Genesis) else Policy()


def _subject(record: Record) -> str | None:
    match record.body:
        case DecisionBody() as body:
            return body.decision.subject
        case MemberBody() as body:
            return read_act(payload_of(body.jws.encode())).iss
        case ClockBody() as body:
            return body.issuer
    return None

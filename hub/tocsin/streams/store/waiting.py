"""Queries of what waits on streams, and of reports whose retraction would have to be told."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import func, select

from tocsin.db import UnitOfWork
from tocsin.streams.rules.asking import Reason
from tocsin.streams.rules.events import WORDS, Status, Word
from tocsin.streams.store.tables import disabled, waiting


class New(NamedTuple):
    """A token to be kept for a stream; see `tables.WaitingRow`."""

    stream_id: int
    word: Word
    jti: bytes
    txn: bytes
    caused_at: int
    community_id: int | None = None
    seq: int | None = None
    indicator_id: int | None = None
    subject: bytes | None = None
    standing: str | None = None
    policy: int | None = None
    status: Status | None = None
    reason: Reason | None = None
    state: bytes | None = None
    target_seq: int | None = None


class Waiting(NamedTuple):
    """A token that waits."""

    id: int
    stream_id: int
    word: Word
    jti: bytes
    txn: bytes
    caused_at: int
    community_id: int | None
    seq: int | None
    indicator_id: int | None
    subject: bytes | None
    standing: str | None
    policy: int | None
    status: Status | None
    reason: Reason | None
    state: bytes | None
    target_seq: int | None
    created_at: int


class Queueable(NamedTuple):
    """A token for delivery to be given."""

    id: int
    stream_id: int
    word: Word


class Backlog(NamedTuple):
    """How many tokens wait on a stream, and since when the oldest does."""

    tokens: int
    since: int | None


_COLUMNS: Final = tuple(waiting.c[name] for name in Waiting._fields)


def add(uow: UnitOfWork, items: Sequence[New]) -> None:
    """Keep tokens, in this order, for their streams."""
    uow.insert_rows(
        waiting, (*New._fields, "queued", "created_at"), [(*item, False, uow.now) for item in items]
    )


def next_of(uow: UnitOfWork, stream_id: int, words: Collection[Word], limit: int) -> list[Waiting]:
    """What of these words waits longest on a stream, at most `limit`."""
    chosen = select(*_COLUMNS).where(waiting.c.stream_id == stream_id)
    if len(words) < len(WORDS):
        chosen = chosen.where(waiting.c.word.in_(words))
    return [Waiting._make(row) for row in uow.conn.execute(chosen.order_by(waiting.c.id).limit(limit))]


def at(uow: UnitOfWork, ids: Collection[int]) -> dict[int, Waiting]:
    """Those of these tokens that still wait."""
    rows = uow.conn.execute(select(*_COLUMNS).where(uow.among(waiting.c.id, ids))) if ids else ()
    return {row.id: Waiting._make(row) for row in rows}


def unqueued(
    uow: UnitOfWork, stream_ids: Collection[int], words: Collection[Word], limit: int
) -> list[Queueable]:
    """What of these words delivery was not given yet, in order, at most `limit`; it counts as given from now on."""
    c = waiting.c
    if not stream_ids or limit <= 0:
        return []
    chosen = select(c.id, c.stream_id, c.word).where(uow.among(c.stream_id, stream_ids), ~c.queued)
    if len(words) < len(WORDS):
        chosen = chosen.where(c.word.in_(words))
    found = [Queueable._make(row) for row in uow.conn.execute(chosen.order_by(c.id).limit(limit))]
    if found:
        mark = waiting.update().where(uow.among(c.id, [one.id for one in found]))
        uow.conn.execute(mark.values(queued=True))
    return found


def anything_unqueued(uow: UnitOfWork, stream_ids: Collection[int]) -> bool:
    """Whether anything waits on these streams that delivery was not given."""
    c = waiting.c
    waits = select(c.id).where(uow.among(c.stream_id, stream_ids), ~c.queued).limit(1)
    return bool(stream_ids) and uow.conn.execute(waits).first() is not None


def unqueue(uow: UnitOfWork, ids: Collection[int]) -> None:
    """Those of these tokens that still wait are to be given to delivery again."""
    if ids:
        uow.conn.execute(waiting.update().where(uow.among(waiting.c.id, ids)).values(queued=False))


def unqueue_some(uow: UnitOfWork, stream_id: int, limit: int) -> int:
    """What waits on a stream is to be given to delivery again, at most `limit`; how much."""
    c = waiting.c
    given = select(c.id).where(c.stream_id == stream_id, c.queued).order_by(c.id).limit(limit)
    ids = uow.conn.execute(given).scalars().all()
    unqueue(uow, ids)
    return len(ids)


def done(uow: UnitOfWork, ids: Collection[int]) -> None:
    """These wait no longer."""
    if ids:
        uow.conn.execute(waiting.delete().where(uow.among(waiting.c.id, ids)))


def acknowledge(uow: UnitOfWork, stream_id: int, jtis: Collection[bytes]) -> int:
    """The tokens with these jtis wait no longer; how many of them did."""
    if not jtis:
        return 0
    gone = waiting.delete().where(waiting.c.stream_id == stream_id, uow.among(waiting.c.jti, jtis))
    return uow.conn.execute(gone, execution_options={"preserve_rowcount": True}).rowcount


def newest(uow: UnitOfWork, stream_id: int) -> int:
    """The last token that waits on a stream; 0 when there is none."""
    last = select(func.max(waiting.c.id)).where(waiting.c.stream_id == stream_id)
    return uow.conn.execute(last).scalar_one() or 0


def clear(uow: UnitOfWork, stream_id: int, last: int, limit: int) -> int:
    """Delete what waits on a stream up to a token, at most `limit`, but not that it was stopped; how much."""
    c = waiting.c
    old = select(c.id).where(c.stream_id == stream_id, c.id <= last, c.word != "stream-updated")
    ids = uow.conn.execute(old.order_by(c.id).limit(limit)).scalars().all()
    done(uow, ids)
    return len(ids)


def drop(uow: UnitOfWork, stream_id: int, word: Word) -> None:
    """No token of this word waits on a stream any more."""
    uow.conn.execute(waiting.delete().where(waiting.c.stream_id == stream_id, waiting.c.word == word))


def pending(uow: UnitOfWork, stream_ids: Collection[int]) -> set[int]:
    """Those of the streams on which anything waits."""
    if not stream_ids:
        return set()
    chosen = select(waiting.c.stream_id).where(uow.among(waiting.c.stream_id, stream_ids)).distinct()
    return set(uow.conn.execute(chosen).scalars())


def backlogs(uow: UnitOfWork, stream_ids: Collection[int]) -> dict[int, Backlog]:
    """How much waits on each of the streams."""
    if not stream_ids:
        return {}
    c = waiting.c
    chosen = select(c.stream_id, func.count(), func.min(c.created_at)).where(
        uow.among(c.stream_id, stream_ids)
    )
    found = {row[0]: Backlog(row[1], row[2]) for row in uow.conn.execute(chosen.group_by(c.stream_id))}
    return {stream_id: found.get(stream_id, Backlog(0, None)) for stream_id in stream_ids}


class Sealed(NamedTuple):
    """What a verification that waits on a stream carries back, sealed."""

    id: int
    stream_id: int
    state: bytes


def sealed(uow: UnitOfWork, behind: int, limit: int) -> list[Sealed]:
    """At most `limit` of those there are, in order, those behind an id."""
    c = waiting.c
    chosen = select(c.id, c.stream_id, c.state).where(c.state.is_not(None), c.id > behind)
    return [Sealed._make(row) for row in uow.conn.execute(chosen.order_by(c.id).limit(limit))]


def set_state(uow: UnitOfWork, token_id: int, state: bytes) -> None:
    """The same, sealed anew."""
    uow.conn.execute(waiting.update().where(waiting.c.id == token_id).values(state=state))


def delete_before(uow: UnitOfWork, instant: int, limit: int) -> int:
    """Delete what has waited since before an instant, at most `limit`; how many."""
    c = waiting.c
    old = select(c.id).where(c.created_at < instant).order_by(c.created_at).limit(limit)
    ids = uow.conn.execute(old).scalars().all()
    done(uow, ids)
    return len(ids)


def delete_beyond(uow: UnitOfWork, stream_id: int, kept: int, limit: int) -> int:
    """Delete the oldest of what waits on a stream beyond the `kept` newest, at most `limit`; how many."""
    c = waiting.c
    newest = select(c.id).where(c.stream_id == stream_id).order_by(c.id.desc()).offset(kept).limit(1)
    last = uow.conn.execute(newest).scalar()
    if last is None:
        return 0
    old = select(c.id).where(c.stream_id == stream_id, c.id <= last).order_by(c.id).limit(limit)
    ids = uow.conn.execute(old).scalars().all()
    done(uow, ids)
    return len(ids)


class Disabled(NamedTuple):
    """A report by which an account was disabled: the account, and where it was said."""

    seq: int
    indicator_id: int
    community_id: int
    subject: bytes


def disable(uow: UnitOfWork, found: Iterable[Disabled]) -> None:
    """Remember reports by which accounts were disabled."""
    rows = {(one.seq, one.indicator_id): one for one in found}
    known = {(one.seq, one.indicator_id) for one in disabled_by(uow, {seq for seq, _ in rows})}
    new = [tuple(one) for place, one in sorted(rows.items()) if place not in known]
    uow.insert_rows(disabled, Disabled._fields, new)


def disabled_by(uow: UnitOfWork, seqs: Collection[int]) -> list[Disabled]:
    """What the reports at these log indexes have disabled, as far as it is remembered."""
    rows = uow.conn.execute(disabled.select().where(uow.among(disabled.c.seq, seqs))) if seqs else ()
    return sorted(Disabled(row.seq, row.indicator_id, row.community_id, row.subject) for row in rows)


def still_disabled(uow: UnitOfWork, indicator_ids: Collection[int]) -> set[int]:
    """Those of the accounts that a remembered report has disabled."""
    c = disabled.c
    if not indicator_ids:
        return set()
    chosen = select(c.indicator_id).where(uow.among(c.indicator_id, indicator_ids)).distinct()
    return set(uow.conn.execute(chosen).scalars())


def forget_disabled(uow: UnitOfWork, seqs: Collection[int]) -> None:
    """The reports at these log indexes are gone, and whoever was to be told has been."""
    if seqs:
        uow.conn.execute(disabled.delete().where(uow.among(disabled.c.seq, seqs)))


def remembered(uow: UnitOfWork, behind: int, limit: int) -> list[int]:
    """Log indexes of reports that are remembered, in order, those behind one first, at most `limit`."""
    c = disabled.c
    chosen = select(c.seq).where(c.seq > behind).distinct().order_by(c.seq).limit(limit)
    return list(uow.conn.execute(chosen).scalars())

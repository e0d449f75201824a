"""Signals that are enclosed in a message to a member: the feed's own records, as it may see them at that moment.

- What is gone, expired, quarantined or hidden from the member's sight is left out; a withdrawn signal is never sent
  because it was there when the message was made.
- What is enclosed counts as shown to the member, in the same transaction: it decides later whether a report of the
  member is independent (trust.md §3).
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from tocsin.db import UnitOfWork
from tocsin.signals.service import giving
from tocsin.signals.service.context import Context
from tocsin.signals.service.lines import line, shown
from tocsin.signals.service.sight import sight
from tocsin.signals.service.telling import labels_of
from tocsin.signals.store import admission, reading
from tocsin.signals.store.reading import FeedRow
from tocsin_schemas.notifications import MAX_RECORDS

NO_LABELS: Final[frozenset[str]] = frozenset()


class Wanted(NamedTuple):
    """Records of a community at log indexes `first` to `last`, for a member; with `labels`, only what carries one."""

    reader_id: int
    community_id: int
    first: int
    last: int
    labels: frozenset[str] = NO_LABELS


def enclose(
    context: Context, uow: UnitOfWork, wanted: Mapping[int, Wanted], room: Mapping[int, int]
) -> dict[int, list[bytes]]:
    """The records for each of `wanted`, by its key, in log order; none when all of them need more than its `room`.

    At most `MAX_RECORDS` are enclosed; where there are more, none is.
    """
    orgs = context.members.orgs(uow)
    sights = {reader: sight(orgs, reader) for reader in {one.reader_id for one in wanted.values()}}
    ranges = {(one.community_id, one.first, one.last) for one in wanted.values()}
    rows = {place: reading.page(uow, *place, MAX_RECORDS + 1) for place in ranges}
    labels: dict[int, frozenset[str]] = {}
    found: dict[int, list[bytes]] = {}
    given: dict[int, Collection[int]] = {}
    for key, one in wanted.items():
        there = rows[one.community_id, one.first, one.last]
        seen = sights[one.reader_id]
        mine = [
            row
            for row in there
            if shown(row, uow.now) and seen.hides(row) is None and _carries(row, one.labels, labels)
        ]
        records = [line(row, uow.now, seen).rstrip() for row in mine]
        if len(there) > MAX_RECORDS or sum(map(len, records)) + len(records) > room[key]:
            records, mine = [], []
        found[key] = records
        given[key] = [row.seq for row in mine]
    about = admission.indicators_of(uow, {seq for seqs in given.values() for seq in seqs})
    giving.mark(
        uow,
        {
            (wanted[key].reader_id, indicator_id)
            for key, seqs in given.items()
            for seq in seqs
            for indicator_id in about.get(seq, ())
        },
    )
    return found


def _carries(row: FeedRow, wanted: frozenset[str], known: dict[int, frozenset[str]]) -> bool:
    if not wanted:
        return True
    if row.seq not in known:
        known[row.seq] = NO_LABELS if row.jws is None else labels_of(row.jws)
    return not known[row.seq].isdisjoint(wanted)

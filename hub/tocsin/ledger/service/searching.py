"""Searching the published log by kind, community and day: the newest entries first, a bounded part of it at a time.

No index has kinds or communities, and none is kept for this: each entry would pay for it. Which part of the log a day
is, and whether a kind was recorded that day, the counts of `days` tell; within it entries are looked at in the order of
their numbers, `LOOKED_AT` of them at most, and whoever asks goes on below. The entries of the board and of its
proceedings have indexes of their own, so all of them are looked at.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from tocsin.db import UnitOfWork
from tocsin.ledger.service.context import Ledger
from tocsin.ledger.store import days, entries, publication
from tocsin.ledger.store.days import SECONDS
from tocsin_schemas.ledger import Entry
from tocsin_schemas.vocabulary import BOARD, DOCKET, GOVERNANCE_KINDS, PROCEEDING, SCOPE_WORDS

LOOKED_AT: Final = 250_000
OUT_OF_ORDER: Final = 50_000
"""How many places an entry may stand from where the counts of days put it: times are read before the log is locked."""
AT_ONCE: Final = 1_000


class Wanted(NamedTuple):
    """What an entry must be; None stands for anything. `day` counts from 1970-01-01, UTC.

    `community` is one or a scope word.
    """

    kind: str | None = None
    community: str | None = None
    day: int | None = None


class Matches(NamedTuple):
    """Entries behind their numbers, the newest first, of those from `first` on and below `end` that were looked at.

    To go on, ask below `older`; None when there is nothing more to look at.
    """

    found: Sequence[tuple[int, Entry]]
    first: int
    end: int
    older: int | None


def search(ledger: Ledger, wanted: Wanted, count: int, before: int | None = None) -> Matches:
    """The newest `count` published entries that are what is wanted, below number `before` if that is given."""
    with ledger.database.snapshot() as uow:
        reach = publication.published_size(uow)
        end = reach if before is None else min(before, reach)
        indexed = _scope_word(wanted)
        if indexed is not None:
            # It says all that the kind could say of it, and has the index.
            wanted = wanted._replace(community=indexed)
        return _look(uow, wanted, _spans(uow, wanted, reach), count, end, reach if indexed else LOOKED_AT)


def every(ledger: Ledger, wanted: Wanted) -> Iterator[tuple[int, Entry]]:
    """All of them, the newest first; asked for in parts while they are taken."""
    before: int | None = None
    while True:
        matches = search(ledger, wanted, AT_ONCE, before)
        yield from matches.found
        before = matches.older
        if before is None:
            return


def _scope_word(wanted: Wanted) -> str | None:
    if wanted.community is not None:
        return wanted.community if wanted.community in SCOPE_WORDS else None
    if wanted.kind in GOVERNANCE_KINDS:
        return BOARD
    return DOCKET if wanted.kind == PROCEEDING else None


def _spans(uow: UnitOfWork, wanted: Wanted, reach: int) -> list[tuple[int, int]]:
    """The parts of the log where such entries can be, in order and apart, each as its first number and its end."""
    spans: list[tuple[int, int]] = []
    at = 0
    for day, total, matching in days.growth(uow, wanted.kind):
        first, at = at, at + total
        if matching == 0 or wanted.day not in {None, day}:
            continue
        low, high = max(first - OUT_OF_ORDER, 0), min(at + OUT_OF_ORDER, reach)
        if spans and low <= spans[-1][1]:
            low = spans.pop()[0]
        spans.append((low, high))
    return spans


def _look(
    uow: UnitOfWork, wanted: Wanted, spans: list[tuple[int, int]], count: int, end: int, left: int
) -> Matches:
    found: list[tuple[int, Entry]] = []
    since = None if wanted.day is None else wanted.day * SECONDS
    parts = [(first, min(high, end)) for first, high in spans if first < end]
    low = top = parts[-1][1] if parts else end
    for first, high in reversed(parts):
        low = max(first, high - left)
        found += entries.matching(
            uow,
            low,
            high,
            count + 1 - len(found),
            kind=wanted.kind,
            community=wanted.community,
            since=since,
            until=None if since is None else since + SECONDS,
        )
        if len(found) > count:
            older = found[count - 1][0]
            return Matches(found[:count], older, top, older)
        left -= high - low
        if left <= 0:
            return Matches(found, low, top, low if low > parts[0][0] else None)
    return Matches(found, low, top, None)

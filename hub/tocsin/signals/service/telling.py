"""What the outbox is told of statements: how many of them may be told to whom, and the labels that they carry.

- What is quarantined, or said by a provisional member and not released, is told to nobody: it was shown to nobody.
- A retraction is told to everybody, as it is in the feed (`service.sight`).
- Labels are what reports say themselves; what says none has none. Nobody is told labels of what it may not be given.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Final

from tocsin.db import UnitOfWork
from tocsin.members.service import Org
from tocsin.outbox import Happening
from tocsin.signals.store import admission
from tocsin.signals.store.admission import Telling
from tocsin_schemas.envelope import payload_of
from tocsin_schemas.notifications import EventType
from tocsin_schemas.vocabulary import EVENT_PREFIX, Status

RULES: Final[Mapping[Status, str]] = {
    "corroborated": "corroborated/v1",
    "human_confirmed": "human-confirmed/v1",
    "disputed": "disputed/v1",
}
"""The rule of the fold that a status stands for, where it is told."""
_NONE: Final[frozenset[str]] = frozenset()


class Tally:
    """Entries of one community, counted as they come in the log's order."""

    def __init__(self, first: int) -> None:
        self.first = self.last = first
        self._count = self._free = 0
        self._labels: set[str] = set()
        self._free_labels: set[str] = set()
        self._alone: tuple[Status, int] | None = None

    def add(
        self,
        seq: int,
        *,
        shown: bool,
        free: bool,
        labels: Iterable[str] = (),
        standing: tuple[Status, int] | None = None,
    ) -> None:
        """Count the entry at `seq`; `standing` is what its indicator became, and until when it holds (Unix seconds)."""
        self.last = seq
        if not shown:
            return
        self._count += 1
        self._labels.update(labels)
        if free:
            self._free += 1
            self._free_labels.update(labels)
        self._alone = standing if self._count == 1 else None

    def happening(self, kind: EventType, community_id: int, cursor: int | None = None) -> Happening:
        """What happened to them."""
        status, expires_at = (None, None) if self._alone is None else self._alone
        return Happening(
            kind,
            community_id,
            self.first,
            self.last,
            self._count,
            self._free,
            frozenset(self._labels),
            frozenset(self._free_labels),
            status=status,
            expires_at=expires_at,
            cursor=cursor,
        )


def labels_of(token: bytes) -> frozenset[str]:
    """The labels that a recorded signal carries, from its token: it was checked before it was recorded."""
    said = json.loads(payload_of(token))["events"].get(EVENT_PREFIX + "report", {})
    return frozenset(said.get("labels", _NONE))


def expired(
    uow: UnitOfWork, orgs: Mapping[int, Org], due: Collection[tuple[int, int]], cursor: int
) -> Iterator[Happening]:
    """What to tell of live statements (seq, community id), in log order, that are about to be erased by their date.

    A run of neighbours in the log that are of one community is told at once. `cursor` is the newest log index.
    """
    rows = {row.seq: row for row in admission.telling(uow, [seq for seq, _ in due])}
    for (community_id, _), run in groupby(enumerate(due), lambda item: (item[1][1], item[1][0] - item[0])):
        seqs = [seq for _, (seq, _) in run]
        tally = Tally(seqs[0])
        for seq in seqs:
            tell(tally, rows[seq], orgs)
        yield tally.happening("signal.expired", community_id, cursor)


def tell(tally: Tally, row: Telling, orgs: Mapping[int, Org]) -> None:
    """Count a statement that was recorded before, and is about to be erased."""
    retraction = row.kind == "retraction"
    # Of whoever was never active, only what was released has been shown, whatever its state is now.
    held = row.released_at is None and not orgs[row.author_id].activated
    tally.add(
        row.seq,
        shown=retraction or (row.quarantine is None and not held),
        free=retraction or bool(row.free),
        labels=_NONE if row.jws is None else labels_of(row.jws),
    )

"""Verify a whole log, and that a mirror has all of its community that the log has: nothing dropped, nothing put in.

1. Every entry and every tile is read, each proved by the checkpoint (`tocsin_client.log`, step 6).
2. Each entry of the mirror's community, up to its cursor, is a record, a tombstone or openly withheld.
                                                                                          `record-missing`
3. Each record held is its entry: the same kind, time and commitment.                     `entry-mismatch`
4. Each number that the mirror accounts for is an entry of this community.                `record-unlogged`

An older copy of the log is held against the mirror as far as the copy goes.

With the mirror's own audit (`tocsin_client.audit`: signatures and commitments) that is everything a follower can know.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tocsin_client.feed import Failure
from tocsin_client.log import View
from tocsin_client.mirror_store import Accounted, MirrorStore
from tocsin_schemas.ledger import Entry
from tocsin_schemas.problems import Refused

REPORTED: Final = 1024
"""Entries after which progress is told."""


@dataclass(slots=True)
class LogAudit:
    """What was verified: numbers of entries, and what does not fit.

    `ours` are the community's: `held`, `absent` (gone or withheld), `refused` before, or still `ahead` of the mirror.
    `beyond` an older copy there is more in the mirror, which it says nothing about.
    """

    entries: int = 0
    ours: int = 0
    held: int = 0
    absent: int = 0
    refused: int = 0
    ahead: int = 0
    beyond: int = 0
    failures: list[Failure] = field(default_factory=list)


def audit_log(
    view: View, mirror: MirrorStore | None = None, *, on_progress: Callable[[int], object] | None = None
) -> LogAudit:
    """Verify every entry of a view, and hold a mirror against them; without one, the log alone.

    Raises:
        LogUnverified: for the first entry or tile that does not lead to the root.
    """
    found = LogAudit()
    if mirror is None:
        for seq, _ in view.entries(0, view.size - 1, tiles=True):
            _count(found, seq, on_progress)
        return found
    with mirror.reading():
        cursor = mirror.cursor
        rows = mirror.accounted()
        row = next(rows, None)
        for seq, raw in view.entries(0, view.size - 1, tiles=True):
            _count(found, seq, on_progress)
            mine = None
            while row is not None and row.seq <= seq:
                if row.seq == seq:
                    mine = row
                else:
                    found.failures.append(_unlogged(row.seq, "not a number of the log"))
                row = next(rows, None)
            _compare(found, seq, raw, mine, cursor, mirror.community)
        while row is not None:
            # 4. Beyond the log's end there is nothing to hold.
            if view.older is not None and view.size <= row.seq < view.older.size:
                found.beyond += 1
            else:
                found.failures.append(_unlogged(row.seq, "the log has no such entry"))
            row = next(rows, None)
    return found


def _count(found: LogAudit, seq: int, on_progress: Callable[[int], object] | None) -> None:
    found.entries += 1
    if on_progress is not None and seq % REPORTED == REPORTED - 1:
        on_progress(REPORTED)


def _compare(
    found: LogAudit, seq: int, raw: bytes, mine: Accounted | None, cursor: int, community: str
) -> None:
    """Steps 2-4 for one entry."""
    try:
        ours = Entry.decode(raw).community == community
    except Refused as refused:
        found.failures.append(Failure(seq, "entry-malformed", refused.field, refused.reason))
        return
    if not ours:
        # 4. Nothing put in.
        if mine is not None:
            found.failures.append(_unlogged(seq, "the log has another community's entry there"))
        return
    found.ours += 1
    if mine is None:
        # 2. Nothing dropped.
        if seq > cursor:
            found.ahead += 1
        else:
            reason = "the log has this entry and the mirror has nothing of it"
            found.failures.append(Failure(seq, "record-missing", "", reason))
    elif mine.state != "held":
        found.absent += mine.state == "absent"
        found.refused += mine.state == "refused"
    elif Entry(community, mine.kind, mine.recorded_at, mine.commitment).encode() != raw:
        # 3. What is held is what was logged.
        found.failures.append(Failure(seq, "entry-mismatch", "", "the record held is not the entry logged"))
    else:
        found.held += 1


def _unlogged(seq: int, reason: str) -> Failure:
    return Failure(seq, "record-unlogged", "", reason)

"""What a reader is given of what members say, and what of it counts (trust.md §1; `tocsin_schemas.membership` decides).

- Signals of a member whose state says so are withheld from everybody, from an instant of recording on: all of a
  suspended member's, the last thirty days of one under emergency suspension.
- What a provisional member says is withheld until somebody whose word counts reports the same (`service.release`), and
  does not count even then. It counts when the member becomes active.
- A provisional member is given what may travel freely (TLP clear and green), and nothing else.
- A retraction is withheld from nobody: it names no indicator, and what it withdraws must go everywhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tocsin.members.service import Org
from tocsin.signals.store.admission import About
from tocsin.signals.store.reading import FeedRow, ViewedStatement
from tocsin_schemas.fold import Statement
from tocsin_schemas.membership import EFFECTS, statement_counts, withheld_from
from tocsin_schemas.vocabulary import WithheldReason

FREE: Final = frozenset({"clear", "green"})
"""The TLPs of what a provisional member may be given."""
UNRELEASED: Final = -1
"""Instead of an instant: withheld is all that was not released."""


Decided = About | ViewedStatement
"""What the fold takes."""
Told = FeedRow | Decided
"""What is given to somebody, or is not."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one reader is given. `withheld` is from `withheld`; `free` says: only what may travel freely."""

    withheld: Mapping[int, int]
    free: bool = False

    def hides(self, row: Told) -> WithheldReason | None:
        """Why a statement is not given, if it is not."""
        if row.author_id is None or row.kind == "retraction":
            return None
        since = self.withheld.get(row.author_id)
        if (
            since is not None
            and row.recorded_at >= since
            and (since != UNRELEASED or row.released_at is None)
        ):
            return "state"
        return "tlp" if self.free and not row.free else None


def withheld(orgs: Iterable[Org]) -> dict[int, int]:
    """For members some of whose signals are withheld: id to the instant of recording from which (0: all)."""
    found = {}
    for org in orgs:
        since = withheld_from(org.state, org.state_since, org.activated)
        if since is not None:
            found[org.id] = UNRELEASED if EFFECTS[org.state].keys == "live" and since == 0 else since
    return found


def sight(orgs: Mapping[int, Org], reader_id: int) -> Sight:
    """What a member is given now."""
    return Sight(withheld(orgs.values()), reads_freely(orgs[reader_id]))


def reads_freely(org: Org) -> bool:
    """Whether a member is given only what may travel freely, or was when it was given anything."""
    reads = EFFECTS[org.state].reads
    return reads == "green" or (reads == "none" and not org.activated)


def folded(row: Decided, author: Org) -> Statement:
    """A statement as the fold takes it, with whether it counts now."""
    counts = row.quarantine is None and statement_counts(
        author.state, author.state_since, row.recorded_at, author.activated
    )
    return Statement(
        row.digest, row.kind, author.issuer, author.group, row.iat, row.expires_at, row.basis, counts
    )

"""Statements for features that send them out: what there is to give, what a member may be given, what it was given.

All of it happens in the caller's transaction. What is sent is remembered there as shown to the member, so that what it
reports afterwards is no independent report, and a recall reaches it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tocsin.db import UnitOfWork
from tocsin.ledger import service as ledger
from tocsin.members.service import Org
from tocsin.signals.service.lines import shown
from tocsin.signals.service.sight import Sight, reads_freely, sight
from tocsin.signals.store import admission, reading
from tocsin.signals.store import given as store
from tocsin.signals.store.admission import About
from tocsin.signals.store.given import Said
from tocsin.signals.store.reading import Departed, FeedRow
from tocsin_schemas.envelope import payload_of
from tocsin_schemas.hub_events import HubClaims, Release
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.membership import EFFECTS

__all__ = [
    "Departed",
    "Given",
    "Sight",
    "at",
    "between",
    "departed",
    "given_before",
    "gone_before",
    "indicators_given",
    "mark",
    "may_read",
    "released",
    "sight",
    "was_shown",
]


@dataclass(frozen=True, slots=True)
class Given:
    """A live statement of a member that may be given, unless it is hidden from a reader's sight.

    `indicators` are (id, indicator) of what it is about; a retraction is about none.
    """

    community_id: int
    row: FeedRow
    indicators: Sequence[tuple[int, Indicator]]


def between(uow: UnitOfWork, community_id: int, first: int, last: int) -> list[Given]:
    """The live statements of members at log indexes `first` to `last` (both included) of a community, in order."""
    placed = reading.page(uow, community_id, first, last, last - first + 1)
    rows = [row for row in placed if _givable(row, uow.now)]
    about = reading.indicators_at(uow, [row.seq for row in rows])
    return [Given(community_id, row, about.get(row.seq, ())) for row in rows]


def at(uow: UnitOfWork, seqs: Collection[int]) -> dict[int, Given]:
    """The same for the statements at these log indexes."""
    placed = reading.placed(uow, list(seqs)) if seqs else {}
    about = reading.indicators_at(uow, list(placed))
    return {
        seq: Given(community_id, row, about.get(seq, ()))
        for seq, (community_id, row) in placed.items()
        if _givable(row, uow.now)
    }


def released(uow: UnitOfWork, seq: int) -> list[int]:
    """The log indexes that the hub's own release at `seq` names; none where there is no such entry."""
    token = admission.tokens(uow, [seq]).get(seq)
    event = None if token is None else HubClaims.model_validate_json(payload_of(token)).event
    return list(event.seqs) if isinstance(event, Release) else []


def departed(uow: UnitOfWork, community_id: int, first: int, last: int) -> list[Departed]:
    """The statements of members in a community at log indexes `first` to `last` that are gone, in order."""
    return reading.departed(uow, community_id, first, last)


def gone_before(uow: UnitOfWork, seqs: Collection[int], instant: int) -> set[int]:
    """Those of the statements at these log indexes that went before an instant."""
    return reading.gone_before(uow, seqs, instant)


def mark(uow: UnitOfWork, given: Collection[tuple[int, int]]) -> None:
    """Remember that members are given indicators now: each an (organisation id, indicator id)."""
    reading.mark_all_viewed(uow, given, ledger.size(uow))


def may_read(org: Org) -> bool:
    """Whether a member reads anything in the state that it is in. One that does not is told what corrects the past."""
    return EFFECTS[org.state].reads != "none"


def given_before(
    uow: UnitOfWork,
    orgs: Mapping[int, Org],
    org_ids: Collection[int],
    community_id: int,
    seqs: Collection[int],
) -> set[tuple[int, int]]:
    """(member, log index): which of the members were ever given which statements, by feed, view, webhook or stream.

    The statements may be erased by now. What was hidden from a member is not given because the feed went past it.
    """
    about = store.about(uow, seqs)
    positions = store.positions(uow, org_ids, community_id)
    views = store.views(uow, org_ids, {item for items in about.values() for item in items})
    found = set()
    for said in store.said(uow, seqs):
        items = about.get(said.seq, set())
        for org_id in org_ids:
            shown_to = was_shown(said, orgs, orgs[org_id])
            if shown_to and (
                positions.get(org_id, -1) >= said.seq
                or any(views.get((org_id, item), 0) > said.seq for item in items)
            ):
                found.add((org_id, said.seq))
    return found


def indicators_given(
    uow: UnitOfWork,
    orgs: Mapping[int, Org],
    org_ids: Collection[int],
    community_id: int,
    indicator_ids: Collection[int],
) -> set[tuple[int, int]]:
    """(member, indicator): which of the members were ever given which indicators, by whatever statement that stands."""
    if not org_ids:
        return set()
    found = set(store.views(uow, org_ids, indicator_ids))
    positions = store.positions(uow, org_ids, community_id)
    for fact in admission.about(uow, indicator_ids, uow.now):
        found |= {
            (org_id, fact.indicator_id)
            for org_id, position in positions.items()
            if position >= fact.seq and was_shown(fact, orgs, orgs[org_id])
        }
    return found


def was_shown(said: Said | About | Departed, orgs: Mapping[int, Org], reader: Org) -> bool:
    """Whether a statement was there for a reader to see, whatever became of its author since."""
    author = None if said.author_id is None else orgs[said.author_id]
    if author is None or said.quarantine is not None:
        return False
    if said.released_at is None and not author.activated:
        return False
    return bool(said.free) or not reads_freely(reader)


def _givable(row: FeedRow, now: int) -> bool:
    return row.author_id is not None and shown(row, now)

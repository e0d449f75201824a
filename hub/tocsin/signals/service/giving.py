"""Statements for features that send them out: what there is to give, what a member may be given, what it was given.

All of it happens in the caller's transaction. What is sent is remembered there as shown to the member, so that what it
reports afterwards is no independent report, and a recall reaches it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tocsin.db import UnitOfWork
from tocsin.ledger import service as ledger
from tocsin.signals.service.lines import shown
from tocsin.signals.service.sight import Sight, sight
from tocsin.signals.store import admission, reading
from tocsin.signals.store.reading import Departed, FeedRow
from tocsin_schemas.envelope import payload_of
from tocsin_schemas.hub_events import HubClaims, Release
from tocsin_schemas.indicators import Indicator

__all__ = [
    "Departed",
    "Given",
    "Sight",
    "at",
    "between",
    "departed",
    "given_before",
    "gone_before",
    "mark",
    "released",
    "sight",
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
    """The statements of a community at log indexes `first` to `last` that are gone, in order."""
    return reading.departed(uow, community_id, first, last)


def gone_before(uow: UnitOfWork, seqs: Collection[int], instant: int) -> set[int]:
    """Those of the statements at these log indexes that went before an instant."""
    return reading.gone_before(uow, seqs, instant)


def mark(uow: UnitOfWork, given: Collection[tuple[int, int]]) -> None:
    """Remember that members are given indicators now: each an (organisation id, indicator id)."""
    reading.mark_all_viewed(uow, given, ledger.size(uow))


def given_before(
    uow: UnitOfWork, org_ids: Collection[int], community_id: int, seq: int, indicator_id: int
) -> set[int]:
    """Those of the members that were ever given the statement at `seq` about an indicator: by feed, view or stream."""
    return {
        org_id
        for org_id in org_ids
        if admission.delivered_up_to(uow, [org_id], community_id) >= seq
        or admission.viewed_up_to(uow, [org_id], [indicator_id]).get(indicator_id, 0) > seq
    }


def _givable(row: FeedRow, now: int) -> bool:
    return row.author_id is not None and shown(row, now)

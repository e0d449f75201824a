"""Motions against a member, for that member: the notice that discipline gives begins with being told.

It is told what would be done, by which rule and when: what the public docket says, and the clocks. Who proposed or
endorsed it, and what is said in the discussion, is the board's.
"""

import logging
from collections.abc import Collection, Iterator

from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.governance.rules.motions import AGAINST_A_MEMBER, OpenState
from tocsin.governance.service import course, motions, showing
from tocsin.governance.service.context import Chamber
from tocsin.governance.service.views import MotionAgainst
from tocsin.governance.store import motions as store
from tocsin.governance.store.motions import Motion
from tocsin_schemas.ballots import closes_at
from tocsin_schemas.board import BoardState
from tocsin_schemas.decisions import Sanction, Suspend
from tocsin_schemas.explained import asked
from tocsin_schemas.member_effects import working_days_after

logger = logging.getLogger(__name__)


def against(chamber: Chamber, issuers: Collection[str]) -> list[MotionAgainst]:
    """The open motions against any of these members, the nearest deadline first; none in a hub without a board.

    One that was changed by hand and cannot be read is left out.
    """
    if not issuers:
        return []
    motions.advance(chamber)
    with chamber.database.snapshot() as uow:
        if not chamber.chain.founded(uow):
            return []
        rows = store.against(uow, issuers, AGAINST_A_MEMBER)
        return list(_told(uow, chamber.chain.state(uow), rows)) if rows else []


def _told(uow: UnitOfWork, state: BoardState, rows: Collection[Motion]) -> Iterator[MotionAgainst]:
    for row in rows:
        try:
            yield _against(state, row, uow.now)
        except Refused:
            logger.warning("motion %s cannot be read", row.id)


def _against(state: BoardState, row: Motion, now: int) -> MotionAgainst:
    decision = course.frozen(row)
    params = course.params_of(row) if decision is None else decision.params
    noticed_at = params.noticed_at if isinstance(params, Suspend | Sanction) else None
    stands: OpenState = "discussion" if row.state == "discussion" else "proposed"
    opens_at = row.until if stands == "discussion" else now + state.policy.discussion
    ends = closes_at(state, row.threshold, row.type, row.subject, opens_at)
    if decision is not None:
        stands, opens_at, ends = "ballot", decision.issued_at, decision.expires_at
    return MotionAgainst(
        id=row.id,
        subject=row.subject,
        type=row.type,
        text=showing.as_sentence(asked(row.type, row.subject, params)),
        state=stands,
        threshold=row.threshold,
        proposed_at=row.proposed_at,
        noticed_at=noticed_at,
        notice_ends=None if noticed_at is None else working_days_after(noticed_at, state.policy.notice_days),
        opens_at=opens_at,
        closes_at=ends,
        stale_at=row.until if stands == "proposed" else None,
        until=params.until if isinstance(params, Suspend) else None,
    )

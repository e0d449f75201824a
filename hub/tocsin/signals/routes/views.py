"""One indicator, the policy in force, and who the caller is here."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from tocsin.governance.service.against import against
from tocsin.governance.service.views import MotionAgainst
from tocsin.signals.routes.access import Reader, Signals
from tocsin.signals.service import read
from tocsin.web import problems
from tocsin.web.auth import Actor, Demand
from tocsin_schemas.feed import IndicatorView, Me, MotionNotice
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import Policy

router = APIRouter(prefix="/v1", tags=["signals"])


@router.get(
    "/communities/{community}/indicators/{indicator}",
    summary="One indicator: where it stands and why",
    response_model_exclude_none=True,
    responses=problems.documented("not-found", "indicator-invalid"),
)
def indicator(actor: Reader, context: Signals, community: str, indicator: str) -> IndicatorView:
    """Its status, the rules that led to it with their inputs, and every live statement the caller may see."""
    return read.indicator_view(context, actor.org_id, community, indicator)


@router.get("/policy", summary="The policy in force")
def policy(_actor: Annotated[Actor, Depends(Demand(None))], context: Signals) -> Policy:
    """The numbers that the board has set; a follower folds with the same ones."""
    return read.policy_in_force(context)


@router.get("/me", summary="Who you are here", response_model_exclude_none=True)
def me(
    request: Request,
    actor: Annotated[Actor, Depends(Demand(None, whatever_state=True))],
    context: Signals,
) -> Me:
    """State, rights, what is left of the cap in this hour, endpoints that are sent nothing, motions against you."""
    stopped: Callable[[int], list[str]] = request.app.state.stopped
    who = read.me(context, actor.org_id, actor.client_id, actor.scopes)
    moved = [_notice(found) for found in against(request.app.state.chamber, [who.issuer])]
    return who.model_copy(update={"disabled_endpoints": stopped(actor.org_id), "motions": moved})


def _notice(found: MotionAgainst) -> MotionNotice:
    return MotionNotice(
        motion=found.id,
        type=found.type,
        text=found.text,
        state=found.state,
        proposed_at=rfc3339(found.proposed_at),
        noticed_at=None if found.noticed_at is None else rfc3339(found.noticed_at),
        notice_ends=None if found.notice_ends is None else rfc3339(found.notice_ends),
        opens_at=rfc3339(found.opens_at),
        closes_at=rfc3339(found.closes_at),
    )

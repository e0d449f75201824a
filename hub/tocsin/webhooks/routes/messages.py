"""What an endpoint was sent, over HTTP: its log, a test, and sending again."""

from typing import Annotated, Final

from fastapi import APIRouter, Query

from tocsin.web import problems
from tocsin.web.documents import bodies, parsed
from tocsin.webhooks.routes import shapes
from tocsin.webhooks.routes.access import ASKED, CALLED, REFUSED, EndpointId, JsonBody, Manager, Service
from tocsin.webhooks.service import log
from tocsin.webhooks.service import replay as replaying
from tocsin_schemas.endpoints import (
    MESSAGE_ID_PATTERN,
    AttemptPage,
    DeliveryPage,
    DeliveryState,
    Replay,
    ReplayedView,
    TestedView,
)

router: Final = APIRouter(prefix="/v1/webhooks/endpoints/{endpoint}", tags=["webhooks"])

MOST: Final = 100
Limit = Annotated[int, Query(ge=1, le=MOST)]
Message = Annotated[str | None, Query(pattern=MESSAGE_ID_PATTERN)]


@router.get(
    "/deliveries",
    summary="What an endpoint was sent",
    response_model_exclude_none=True,
    responses=REFUSED,
)
def deliveries(
    webhooks: Service,
    actor: Manager,
    endpoint: EndpointId,
    state: Annotated[DeliveryState | None, Query()] = None,
    before: Message = None,
    limit: Limit = 50,
) -> DeliveryPage:
    """Messages, the newest first. Dead letters are those with `state=dead`. They are kept for 30 days."""
    found = log.deliveries(webhooks, actor.org_id, endpoint, state=state, before=before, limit=limit)
    return DeliveryPage(
        deliveries=[shapes.delivery(one) for one in found],
        before=found[-1].message if len(found) == limit else None,
    )


@router.get(
    "/attempts",
    summary="Every try of an endpoint, or of one message",
    response_model_exclude_none=True,
    responses=REFUSED,
)
def attempts(
    webhooks: Service,
    actor: Manager,
    endpoint: EndpointId,
    message: Message = None,
    before: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    limit: Limit = 50,
) -> AttemptPage:
    """Tries, the newest first, with their status or why there was none. What was answered is kept nowhere."""
    found = log.attempts(webhooks, actor.org_id, endpoint, message=message, before=before, limit=limit)
    return AttemptPage(
        attempts=[shapes.attempt(one) for one in found],
        before=found[-1].id if len(found) == limit else None,
    )


@router.post(
    "/test",
    status_code=202,
    summary="Send a test message",
    responses={**REFUSED, **CALLED, **problems.documented("endpoint-inactive")},
)
def test(webhooks: Service, actor: Manager, endpoint: EndpointId) -> TestedView:
    """Queues an `endpoint.test` as everything else is queued: with retries, and seen in the log."""
    return TestedView(message=replaying.send_test(webhooks, actor.org_id, endpoint))


@router.post(
    "/replay",
    status_code=202,
    summary="Send messages again",
    response_model_exclude_none=True,
    responses={**REFUSED, **ASKED, **CALLED, **problems.documented("endpoint-inactive")},
    openapi_extra=bodies(Replay),
)
def replay(webhooks: Service, actor: Manager, endpoint: EndpointId, content: JsonBody) -> ReplayedView:
    """One `message`, those from `first` to `last`, those `since` an instant, or all kept back `since_disabled`.

    Under the same ids and numbers as before. At most 10,000 go at a time; `next` is the `first` to go on with.
    """
    done = replaying.replay(webhooks, actor.org_id, endpoint, parsed(Replay, content.content))
    return ReplayedView(queued=done.queued, next=done.next)

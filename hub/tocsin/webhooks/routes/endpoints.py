"""Endpoints over HTTP: making them, proving them, changing them, and changing their secrets."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from tocsin.web import problems
from tocsin.web.documents import bodies, parsed
from tocsin.webhooks.routes import shapes
from tocsin.webhooks.routes.access import (
    ASKED,
    CALLED,
    REFUSED,
    EndpointId,
    JsonBody,
    Manager,
    Service,
    once,
)
from tocsin.webhooks.service import activation, endpoints
from tocsin_schemas.endpoints import EndpointChange, EndpointRevealed, EndpointView, NewEndpoint

router: Final = APIRouter(prefix="/v1/webhooks/endpoints", tags=["webhooks"])


@router.get("", summary="Your endpoints", response_model_exclude_none=True, responses=REFUSED)
def listed(webhooks: Service, actor: Manager) -> list[EndpointView]:
    """All of them, the oldest first, with how sending to each goes."""
    return [shapes.view(one) for one in endpoints.listed(webhooks, actor.org_id)]


@router.post(
    "",
    status_code=201,
    summary="Make an endpoint",
    response_model_exclude_none=True,
    responses={**REFUSED, **ASKED, **CALLED, **problems.documented("endpoint-limit", "egress-refused")},
    openapi_extra=bodies(NewEndpoint),
)
def create(webhooks: Service, actor: Manager, content: JsonBody, response: Response) -> EndpointRevealed:
    """Its secret is shown this once. Nothing is sent to it before it has been activated."""
    once(response)
    made = endpoints.create(webhooks, actor.org_id, parsed(NewEndpoint, content.content))
    response.headers["Location"] = f"{router.prefix}/{made.endpoint.public_id}"
    return shapes.revealed(made)


@router.get("/{endpoint}", summary="One endpoint", response_model_exclude_none=True, responses=REFUSED)
def shown(webhooks: Service, actor: Manager, endpoint: EndpointId) -> EndpointView:
    """What it asks for, and how sending to it goes."""
    return shapes.view(endpoints.shown(webhooks, actor.org_id, endpoint))


@router.patch(
    "/{endpoint}",
    summary="Change an endpoint",
    response_model_exclude_none=True,
    responses={**REFUSED, **ASKED, **CALLED, **problems.documented("endpoint-inactive", "egress-refused")},
    openapi_extra=bodies(EndpointChange),
)
def change(webhooks: Service, actor: Manager, endpoint: EndpointId, content: JsonBody) -> EndpointView:
    """What is left out stays. At another URL it has to answer a challenge first; what it misses meanwhile is kept.

    `paused` keeps everything back until it is `active` again.
    """
    wanted = parsed(EndpointChange, content.content)
    return shapes.view(endpoints.change(webhooks, actor.org_id, endpoint, wanted))


@router.delete("/{endpoint}", status_code=204, summary="Remove an endpoint", responses=REFUSED)
def remove(webhooks: Service, actor: Manager, endpoint: EndpointId) -> None:
    """With its log, and with all that waits for it."""
    endpoints.remove(webhooks, actor.org_id, endpoint)


@router.post(
    "/{endpoint}/activation",
    summary="Have an endpoint answer its challenge",
    response_model_exclude_none=True,
    responses={
        **REFUSED,
        **CALLED,
        **problems.documented("endpoint-unverified", "endpoint-inactive", "conflict"),
    },
)
def activate(webhooks: Service, actor: Manager, endpoint: EndpointId) -> EndpointView:
    """Sends a signed `endpoint.verification`; the endpoint answers 2xx with `data.challenge` within 10 s.

    As `{"challenge": "…"}`, or as the whole body.
    """
    return shapes.view(activation.activate(webhooks, actor.org_id, endpoint))


@router.post(
    "/{endpoint}/rotation",
    summary="Change an endpoint's secrets",
    response_model_exclude_none=True,
    responses={**REFUSED, **problems.documented("endpoint-rotating")},
)
def rotate(
    webhooks: Service,
    actor: Manager,
    endpoint: EndpointId,
    response: Response,
    again: Annotated[bool, Query(description="Also within a day of the last rotation.")] = False,
) -> EndpointRevealed:
    """The new secret is shown this once. Those before sign too for 24 hours: every request verifies with either."""
    once(response)
    return shapes.revealed(endpoints.rotate(webhooks, actor.org_id, endpoint, again=again))

"""One endpoint: how it stands, what to do next, how its last messages fared; activating, testing, pausing."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from tocsin.delivery.pages import words as delivery
from tocsin.errors import Refused
from tocsin.governance.pages.words import advice
from tocsin.web.console import Sent, page, person, to
from tocsin.web.people import Person
from tocsin.webhooks.pages import forms, words
from tocsin.webhooks.pages.place import Place, found, managing
from tocsin.webhooks.service import activation, endpoints, log, replay
from tocsin_client.snippets import SNIPPETS
from tocsin_schemas.endpoints import EndpointChange

router: Final = APIRouter(prefix="/console/endpoints/{endpoint_id}", include_in_schema=False)

LATEST: Final = 10

Reader = Annotated[Person, Depends(person("endpoint.read"))]
Admin = Annotated[Person, Depends(person("endpoint.manage"))]


@router.get("")
def one(request: Request, endpoint_id: str, who: Reader) -> Response:
    """The endpoint."""
    return overview(request, who, found(request, who), endpoint_id)


@router.post("/activation")
def activate(request: Request, endpoint_id: str, who: Admin, _sent: Sent) -> Response:
    """Have it answer the hub's question."""
    place = managing(request, who)
    return _act(
        request,
        who,
        place,
        endpoint_id,
        lambda: activation.activate(place.webhooks, place.org.id, endpoint_id),
    )


@router.post("/test")
def test(request: Request, endpoint_id: str, who: Admin, _sent: Sent) -> Response:
    """Send it a message that means nothing."""
    place = managing(request, who)
    try:
        message = replay.send_test(place.webhooks, place.org.id, endpoint_id)
    except Refused as error:
        return overview(request, who, place, endpoint_id, wrong=error)
    return to(f"/console/endpoints/{endpoint_id}/messages/{message}")


@router.post("/state")
def pause(request: Request, endpoint_id: str, who: Admin, sent: Sent) -> Response:
    """Pause it, or go on."""
    place = managing(request, who)
    wanted = EndpointChange.model_validate({"state": sent.one_of("state", ("active", "paused"))})
    return _act(
        request,
        who,
        place,
        endpoint_id,
        lambda: endpoints.change(place.webhooks, place.org.id, endpoint_id, wanted),
    )


def overview(
    request: Request,
    who: Person,
    place: Place,
    endpoint_id: str,
    *,
    revealed: Any = None,
    rotated: bool = False,
    wrong: Refused | None = None,
) -> Response:
    """The page of an endpoint; with what was `revealed` of its secrets, if it was just made or `rotated`."""
    shown = endpoints.shown(place.webhooks, place.org.id, endpoint_id)
    said = None if wrong is None else advice(wrong, forms.PARTS)
    return page(
        request,
        who,
        "webhooks/endpoint.html",
        status=200 if said is None else said.status,
        endpoint=shown,
        standing=shown.standing,
        attempts=log.attempts(place.webhooks, place.org.id, endpoint_id, limit=LATEST),
        revealed=revealed,
        rotated=rotated,
        snippets=SNIPPETS,
        wrong=said,
        ended=delivery.ended,
        advice=delivery.advice,
        **words.SAID,
    )


def _act(
    request: Request, who: Person, place: Place, endpoint_id: str, act: Callable[[], object]
) -> Response:
    """Do it and show the endpoint, or show it with what was wrong."""
    try:
        act()
    except Refused as error:
        if error.code == "not-found":
            raise
        return overview(request, who, place, endpoint_id, wrong=error)
    return to(f"/console/endpoints/{endpoint_id}")

"""An endpoint's settings: where to and what, a new secret, and the end of it. Each says first what it will do."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError

from tocsin.errors import Refused
from tocsin.governance.pages.words import advice
from tocsin.web.console import Sent, page, person, to
from tocsin.web.people import Person
from tocsin.webhooks.pages import forms, words
from tocsin.webhooks.pages.endpoint import overview
from tocsin.webhooks.pages.forms import Chosen
from tocsin.webhooks.pages.place import Place, managing
from tocsin.webhooks.rules import OVERLAP_SECONDS
from tocsin.webhooks.service import endpoints
from tocsin_schemas.endpoints import EndpointChange

router: Final = APIRouter(prefix="/console/endpoints/{endpoint_id}", include_in_schema=False)

Admin = Annotated[Person, Depends(person("endpoint.manage"))]


@router.get("/settings")
def settings(request: Request, endpoint_id: str, who: Admin) -> Response:
    """What it has."""
    return _shown(request, who, managing(request, who), endpoint_id)


@router.post("/settings")
def change(request: Request, endpoint_id: str, who: Admin, sent: Sent) -> Response:
    """Change where to and what."""
    place = managing(request, who)
    chosen = forms.read(sent, forms.offered(request, place))
    try:
        wanted = EndpointChange.model_validate(chosen.wanted())
        endpoints.change(place.webhooks, place.org.id, endpoint_id, wanted)
    except Refused as error:
        if error.code == "not-found":
            raise
        return _shown(request, who, place, endpoint_id, chosen, error)
    except ValidationError:
        return _shown(request, who, place, endpoint_id, chosen, forms.NO_ADDRESS)
    return to(f"/console/endpoints/{endpoint_id}")


@router.post("/rotation")
def rotate(request: Request, endpoint_id: str, who: Admin, sent: Sent) -> Response:
    """A new secret, shown this once; `again` ends the one before at once if it still signs."""
    place = managing(request, who)
    again = sent.get("again") == "yes"
    try:
        made = endpoints.rotate(place.webhooks, place.org.id, endpoint_id, again=again)
    except Refused as error:
        if error.code == "not-found":
            raise
        return _shown(request, who, place, endpoint_id, None, error)
    return overview(request, who, place, endpoint_id, revealed=made, rotated=True)


@router.post("/removal")
def remove(request: Request, endpoint_id: str, who: Admin, sent: Sent) -> Response:
    """Remove it with everything that waits for it, if that is meant."""
    place = managing(request, who)
    sent.one_of("sure", ("yes",))
    endpoints.remove(place.webhooks, place.org.id, endpoint_id)
    return to("/console/endpoints")


def _shown(
    request: Request,
    who: Person,
    place: Place,
    endpoint_id: str,
    chosen: Chosen | None = None,
    wrong: Refused | None = None,
) -> Response:
    shown = endpoints.shown(place.webhooks, place.org.id, endpoint_id)
    said = None if wrong is None else advice(wrong, forms.PARTS)
    return page(
        request,
        who,
        "webhooks/settings.html",
        status=200 if said is None else said.status,
        endpoint=shown,
        standing=shown.standing,
        chosen=(chosen or forms.chosen(shown))._replace(url=shown.url),
        offered=forms.offered(request, place),
        overlap=OVERLAP_SECONDS,
        wrong=said,
        **words.SAID,
    )

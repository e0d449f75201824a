"""Endpoints: the list of a member's with how each fares, and the form for one more, whose secret is shown once."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError

from tocsin.errors import Refused
from tocsin.governance.pages.words import MEMBERS, advice
from tocsin.web.console import Sent, page, person
from tocsin.web.people import Person
from tocsin.webhooks.pages import forms, words
from tocsin.webhooks.pages.endpoint import overview
from tocsin.webhooks.pages.forms import Chosen
from tocsin.webhooks.pages.place import Place, managing, reading
from tocsin.webhooks.rules import MOST_ENDPOINTS
from tocsin.webhooks.service import endpoints
from tocsin_client.snippets import SNIPPETS
from tocsin_schemas.endpoints import NewEndpoint
from tocsin_schemas.membership import EFFECTS

router: Final = APIRouter(prefix="/console/endpoints", include_in_schema=False)


@router.get("")
def listed(request: Request, who: Annotated[Person, Depends(person("endpoint.read"))]) -> Response:
    """A member's endpoints, and how to add one."""
    return _shown(request, who, reading(request, who))


@router.post("")
def add(request: Request, who: Annotated[Person, Depends(person("endpoint.manage"))], sent: Sent) -> Response:
    """Add one; its page, with the secret, this once."""
    place = managing(request, who)
    chosen = forms.read(sent, forms.offered(request, place))
    try:
        made = endpoints.create(place.webhooks, place.org.id, NewEndpoint.model_validate(chosen.wanted()))
    except Refused as error:
        return _shown(request, who, place, chosen, error)
    except ValidationError:
        return _shown(request, who, place, chosen, forms.NO_ADDRESS)
    return overview(request, who, place, made.endpoint.public_id, revealed=made)


def _shown(
    request: Request,
    who: Person,
    place: Place | None,
    chosen: Chosen | None = None,
    wrong: Refused | None = None,
) -> Response:
    if place is None:
        return page(request, who, "webhooks/none.html", issuer=who.issuer)
    said = None if wrong is None else advice(wrong, forms.PARTS)
    return page(
        request,
        who,
        "webhooks/endpoints.html",
        status=200 if said is None else said.status,
        issuer=place.org.issuer,
        state=place.org.state,
        sends=EFFECTS[place.org.state].webhooks,
        endpoints=endpoints.listed(place.webhooks, place.org.id),
        most=MOST_ENDPOINTS,
        chosen=(chosen or Chosen())._replace(url=""),
        offered=forms.offered(request, place),
        snippets=SNIPPETS,
        wrong=said,
        MEMBERS=MEMBERS,
        **words.SAID,
    )

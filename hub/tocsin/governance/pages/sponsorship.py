"""Sponsoring: a member's administrator stands up for an applicant."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from tocsin.errors import Refused
from tocsin.governance.pages import actors, words
from tocsin.governance.service import applications
from tocsin.governance.service.views import ApplicationStatus
from tocsin.web.console import Sent, page, person
from tocsin.web.people import Person

router: Final = APIRouter(prefix="/console/sponsorship", include_in_schema=False)

Sponsor = Annotated[Person, Depends(person("application.sponsor"))]


@router.get("")
def ask(request: Request, who: Sponsor, application: str = "") -> Response:
    """Find an application by its number."""
    if not application:
        return _shown(request, who)
    try:
        return _shown(request, who, applications.status(actors.chamber(request), application))
    except Refused as error:
        return _shown(request, who, wrong=error)


@router.post("")
def sponsor(request: Request, who: Sponsor, sent: Sent) -> Response:
    """Sponsor it for the person's organisation."""
    try:
        view = applications.sponsor(actors.chamber(request), sent["application"], actors.admin(who))
    except Refused as error:
        return _shown(request, who, wrong=error)
    return _shown(request, who, done=view.issuer)


def _shown(
    request: Request,
    who: Person,
    found: ApplicationStatus | None = None,
    *,
    wrong: Refused | None = None,
    done: str | None = None,
) -> Response:
    advice = None if wrong is None else words.advice(wrong, {"sponsor": "Your organisation"})
    return page(
        request,
        who,
        "governance/sponsorship.html",
        status=200 if advice is None else advice.status,
        issuer=actors.admin(who).org_issuer,
        found=found,
        done=done,
        wrong=advice,
        APPLICATIONS=words.APPLICATIONS,
    )

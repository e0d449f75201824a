"""Sponsoring: a member's administrator stands up for an applicant."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from tocsin.errors import Refused
from tocsin.governance.pages import actors, words
from tocsin.governance.service import applications
from tocsin.governance.service.views import ApplicationStatus
from tocsin.web.approving import Approver, approver
from tocsin.web.console import page, person
from tocsin.web.people import Approval, Person

HERE: Final = "/console/sponsorship"
router: Final = APIRouter(prefix=HERE, include_in_schema=False)

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
def sponsor(request: Request, by: Annotated[Approver, Depends(approver("application.sponsor"))]) -> Response:
    """Sponsor it for the person's organisation."""
    at = actors.chamber(request)
    try:
        found = applications.status(at, by.sent["application"])
    except Refused as error:
        return _shown(request, by.person, wrong=error)
    issuer = actors.admin(by.person).org_issuer
    said = f"{issuer} knows {found.issuer}, is not related to it, and would answer for letting it in."
    who = by.approve(
        Approval("Sponsor an applicant", said, (("Application", found.id),), HERE), "application"
    )
    try:
        view = applications.sponsor(at, found.id, actors.admin(who))
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
        STANDINGS=words.STANDINGS,
    )

"""Applying for membership over HTTP. Nobody needs an account: the secret of the first answer opens the rest."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from pydantic import Field

from tocsin.governance.routes.shapes import (
    MAX_ACT_BYTES,
    MAX_FORM_BYTES,
    ApplicationStateView,
    AppliedView,
    Filed,
    Proceedings,
    application_state,
)
from tocsin.governance.rules.applications import Amendment, ApplicationForm
from tocsin.governance.service import appeals, applications
from tocsin.web import problems
from tocsin.web.body import Body, body
from tocsin.web.documents import JSON, JWT, bodies, parsed
from tocsin_schemas.signals import Closed

router: Final = APIRouter(prefix="/v1/applications", tags=["applications"])

JsonBody = Annotated[Body, Depends(body({JSON: MAX_FORM_BYTES}))]
JwtBody = Annotated[Body, Depends(body({JWT: MAX_ACT_BYTES}))]
_REFUSED: Final = problems.documented(
    "request-invalid", "board-absent", "payload-too-large", "unsupported-media-type", "unavailable"
)


class Application(ApplicationForm):
    """An application; with `submit` false it stays a draft."""

    submit: bool = True


class ApplicationSecret(Closed):
    """What the applicant was given with the first answer."""

    secret: str


class ApplicationAnswers(ApplicationSecret, Amendment):
    """Answers to the questions that were asked again; for a draft, whatever it needs but its issuer."""

    answers: Annotated[dict[str, list[str]], Field(default_factory=dict)]


@router.post(
    "",
    status_code=201,
    summary="Apply for membership",
    responses={**_REFUSED, **problems.documented("conflict", "claim-missing", "not-found", "rate-limited")},
    openapi_extra=bodies(Application),
)
def apply(chamber: Proceedings, content: JsonBody) -> AppliedView:
    """Codes, origins, digests and keys that prove themselves; the secret in the answer is shown this once."""
    given = parsed(Application, content.content)
    form = ApplicationForm.model_construct(
        **{name: getattr(given, name) for name in ApplicationForm.model_fields}
    )
    made = applications.apply(chamber, form, submit=given.submit)
    return AppliedView(id=made.id, secret=made.secret, state=made.state)


@router.get(
    "/{application}",
    summary="Where an application stands",
    response_model_exclude_none=True,
    responses=problems.documented("not-found"),
)
def status(chamber: Proceedings, application: str) -> ApplicationStateView:
    """Its state, until when it has time, the questions that were asked again, and what a draft still needs; once
    admitted, as the chain says.
    """
    return application_state(applications.status(chamber, application))


@router.post(
    "/{application}/submission",
    summary="Hand in a draft",
    response_model_exclude_none=True,
    responses={**_REFUSED, **problems.documented("not-found", "conflict", "claim-missing")},
    openapi_extra=bodies(ApplicationSecret),
)
def submit(chamber: Proceedings, application: str, content: JsonBody) -> ApplicationStateView:
    """From now on the checkers see it."""
    secret = parsed(ApplicationSecret, content.content).secret
    return application_state(applications.submit(chamber, application, secret))


@router.post(
    "/{application}/answers",
    summary="Answer what was asked again",
    response_model_exclude_none=True,
    responses={**_REFUSED, **problems.documented("not-found", "conflict", "claim-missing")},
    openapi_extra=bodies(ApplicationAnswers),
)
def answer(chamber: Proceedings, application: str, content: JsonBody) -> ApplicationStateView:
    """All of it at once; a draft may be filled in piece by piece, and what is given takes the place of what was."""
    given = parsed(ApplicationAnswers, content.content)
    amendment = Amendment.model_construct(**{name: getattr(given, name) for name in Amendment.model_fields})
    return application_state(
        applications.answer(chamber, application, given.secret, given.answers, amendment)
    )


@router.post(
    "/{application}/withdrawal",
    summary="Give an application up",
    response_model_exclude_none=True,
    responses={**_REFUSED, **problems.documented("not-found", "conflict")},
    openapi_extra=bodies(ApplicationSecret),
)
def withdraw(chamber: Proceedings, application: str, content: JsonBody) -> ApplicationStateView:
    """Until the board has begun with it."""
    secret = parsed(ApplicationSecret, content.content).secret
    return application_state(applications.withdraw(chamber, application, secret))


@router.post(
    "/{application}/appeal",
    status_code=201,
    summary="Appeal a rejection",
    responses={**_REFUSED, **problems.documented("not-found", "conflict", "appeal-late")},
    openapi_extra=bodies(ApplicationSecret),
)
def appeal(chamber: Proceedings, application: str, content: JsonBody) -> Filed:
    """Within thirty days; the independent panel hears it."""
    secret = parsed(ApplicationSecret, content.content).secret
    return Filed(motion=appeals.appeal_rejection(chamber, application, secret))


@router.post(
    "/sponsors",
    summary="Stand up for an applicant",
    response_model_exclude_none=True,
    responses={**_REFUSED, **problems.documented("not-found", "conflict", "sponsors-ineligible")},
    openapi_extra=bodies(
        jwt="A JWS of type tocsin-sponsorship+jwt by a key of the sponsor over {iss, aud, iat, jti, application}."
    ),
)
def sponsor(chamber: Proceedings, content: JwtBody) -> ApplicationStateView:
    """A member's signed word for an applicant."""
    view = applications.sponsor_signed(chamber, content.content)
    return application_state(applications.status(chamber, view.id))

"""Who there is, for the operator who looks after accounts; and the log of reads, for auditors."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from tocsin.accounts.pages.shared import accounts, invitation, role_words
from tocsin.accounts.rules import GRANTED, OF_A_MEMBER
from tocsin.accounts.service import directory
from tocsin.accounts.service.enrolling import Link
from tocsin.errors import Refused
from tocsin.web.approving import Approver, approver
from tocsin.web.console import Sent, page, person, to
from tocsin.web.people import Approval, Person
from tocsin_schemas.problems import REGISTRY

router: Final = APIRouter(prefix="/console", include_in_schema=False)
HERE: Final = "/console/people"

Reader = Annotated[Person, Depends(person("people.read"))]
Inviter = Annotated[Approver, Depends(approver("people.invite"))]
Operator = Annotated[Person, Depends(person("people.manage"))]


@router.get("/people")
def everyone(request: Request, who: Reader) -> Response:
    """Everybody, and the form for a new person."""
    return _everyone(request, who)


@router.post("/people")
def invite(request: Request, by: Inviter) -> Response:
    """A new person, or a new link for one there is; the link is shown this once."""
    at, sent = accounts(request), by.sent
    role, issuer = sent.get("role", ""), sent.get("issuer", "") or None
    try:
        what = invitation(at, by, sent["handle"], role, issuer, HERE)
    except Refused as error:
        return _everyone(request, by.person, wrong=error)
    who = by.approve(what, "handle", "role", "issuer")
    try:
        made = at.invite(sent["handle"], (role,) if role else (), issuer, who)
    except Refused as error:
        return _everyone(request, who, wrong=error)
    return _everyone(request, who, link=made)


@router.get("/people/{handle}")
def one(request: Request, who: Reader, handle: str) -> Response:
    """Somebody."""
    return _one(request, who, handle)


@router.post("/people/{handle}/link")
def link(request: Request, by: Inviter, handle: str) -> Response:
    """A new enrolment link."""
    at = accounts(request)
    directory.entry(at.context, handle)
    try:
        what = invitation(at, by, handle, "", None, f"{HERE}/{handle}")
    except Refused as error:
        return _one(request, by.person, handle, wrong=error)
    who = by.approve(what)
    return _one(request, who, handle, link=at.invite(handle, by=who))


@router.post("/people/{handle}/grant")
def grant(request: Request, by: Inviter, handle: str) -> Response:
    """Give a role."""
    context, role, issuer = accounts(request).context, by.sent["role"], by.sent.get("issuer", "") or None
    try:
        directory.check_grant(context, handle, role, issuer, by.person)
    except Refused as error:
        return _one(request, by.person, handle, wrong=error)
    facts = (("Role", role_words(role)), ("For", issuer or "the hub"))
    said = f"{handle} has the role from the next click on."
    who = by.approve(Approval("Give a role", said, facts, f"{HERE}/{handle}"), "role", "issuer")
    try:
        directory.grant(context, handle, role, issuer, who)
    except Refused as error:
        return _one(request, who, handle, wrong=error)
    return to(f"{HERE}/{handle}")


@router.post("/people/{handle}/revoke")
def revoke(request: Request, who: Operator, handle: str, sent: Sent) -> Response:
    """Take a role away."""
    try:
        directory.revoke(accounts(request).context, handle, sent["role"], sent.get("issuer", "") or None, who)
    except Refused as error:
        return _one(request, who, handle, wrong=error)
    return to(f"{HERE}/{handle}")


@router.post("/people/{handle}/lock")
def lock(request: Request, who: Operator, handle: str, sent: Sent) -> Response:
    """Keep somebody out, or let them in again."""
    locked = sent.one_of("locked", ("yes", "no")) == "yes"
    try:
        directory.lock(accounts(request).context, handle, locked=locked, by=who)
    except Refused as error:
        return _one(request, who, handle, wrong=error)
    return to(f"{HERE}/{handle}")


@router.get("/reads")
def reads(request: Request, who: Annotated[Person, Depends(person("readlog.read"))]) -> Response:
    """Who read what, and why."""
    found = directory.reads(accounts(request).context)
    return page(request, who, "accounts/reads.html", reads=found, most=directory.READS_SHOWN)


def _everyone(
    request: Request, who: Person, link: Link | None = None, wrong: Refused | None = None
) -> Response:
    return page(
        request,
        who,
        "accounts/people.html",
        status=200 if wrong is None else REGISTRY[wrong.code].status,
        people=directory.everyone(accounts(request).context),
        granted=GRANTED,
        of_a_member=OF_A_MEMBER,
        link=link,
        wrong=wrong,
    )


def _one(
    request: Request, who: Person, handle: str, link: Link | None = None, wrong: Refused | None = None
) -> Response:
    found = directory.entry(accounts(request).context, handle)
    return page(
        request,
        who,
        "accounts/person.html",
        status=200 if wrong is None else REGISTRY[wrong.code].status,
        found=found,
        granted=GRANTED,
        of_a_member=OF_A_MEMBER,
        link=link,
        wrong=wrong,
    )

"""Emergencies: what suspending a member would stop, the two signatures, and the clock that ends it by itself."""

from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Depends, Request, Response

from tocsin.errors import Refused
from tocsin.governance.pages import actors, words
from tocsin.governance.service import emergency, motions
from tocsin.web.approving import Approver, approver
from tocsin.web.console import page, person, to
from tocsin.web.people import Approval, Person
from tocsin_schemas.membership import TRANSITIONS
from tocsin_schemas.policy import Policy

router: Final = APIRouter(prefix="/console/emergency", include_in_schema=False)

SOURCES: Final = frozenset(step.source for step in TRANSITIONS if step.act == "emergency_suspend")
REACH: Final = {
    "statements": "Its live statements",
    "withheld": "Statements withheld from others",
    "indicators": "Indicators that lose standing",
    "corroborated": "Of them, no longer corroborated",
}


class Running(NamedTuple):
    """A member that is suspended in an emergency, since when, and when that ends by itself."""

    issuer: str
    since: int
    ends: int


@router.get("")
def show(
    request: Request, who: Annotated[Person, Depends(person("emergency.read"))], member: str = ""
) -> Response:
    """The emergencies there are, and what suspending the member named would stop."""
    return _shown(request, who, member)


@router.post("")
def begin(request: Request, by: Annotated[Approver, Depends(approver("emergency.sign"))]) -> Response:
    """Begin: the decision is put before the duty officers, of whom two have to sign it."""
    at = actors.chamber(request)
    try:
        now = emergency.preview(at, by.sent["member"])
    except Refused as error:
        return _shown(request, by.person, "", error)
    what = Approval(
        "Begin an emergency suspension",
        f"{now.issuer} is to be suspended at once: the paper is put before the duty officers, and two of them have to"
        " sign it.",
        (("It is now", words.MEMBERS[now.state].title),),
        "/console/emergency",
    )
    who = by.approve(what, "member")
    try:
        motion = emergency.begin(at, actors.seated(who), now.issuer)
    except Refused as error:
        return _shown(request, who, "", error)
    return to(f"/console/motions/{motion}")


def _shown(request: Request, who: Person, member: str, wrong: Refused | None = None) -> Response:
    at = actors.chamber(request)
    lines = [
        line
        for line in motions.docket(at, actors.seat(who))
        if line.type == "member.emergency_suspend" and line.state == "ballot"
    ]
    state = actors.board(request)
    standings = {} if state is None else state.members
    policy, now = Policy() if state is None else state.policy, actors.now(request)
    members = sorted(
        issuer
        for issuer, one in standings.items()
        if one.state in SOURCES and emergency.repeatable(one, policy, now)
    )
    running = [
        Running(issuer, one.since, one.emergency_until)
        for issuer, one in standings.items()
        if one.state == "emergency_suspended" and one.emergency_until is not None
    ]
    advice = None if wrong is None else words.advice(wrong, {"member": "Member", "issuer": "Member"})
    return page(
        request,
        who,
        "governance/emergency.html",
        status=200 if advice is None else advice.status,
        wrong=advice,
        running=sorted(running, key=lambda one: one.ends),
        signing=lines,
        members=members,
        preview=emergency.preview(at, member) if member in members else None,
        hub=at.issuer,
        hours=policy.emergency // 3600,
        MEMBERS=words.MEMBERS,
        REACH=REACH,
        said=words.said,
    )

"""Ties: what binds a seat's person to an organisation, declared once for every motion about it."""

from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Depends, Request, Response

from tocsin.errors import Refused
from tocsin.governance.pages import actors, words
from tocsin.governance.pages.fields import Entry, day, kept
from tocsin.governance.rules.motions import check_tie
from tocsin.governance.service import motions
from tocsin.web.approving import Approver, approver
from tocsin.web.console import Form, page, person, to
from tocsin.web.people import Approval, Person
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import Policy

router: Final = APIRouter(prefix="/console/ties", include_in_schema=False)
HERE: Final = "/console/ties"
_FIELDS: Final = {
    "issuer": Entry("issuer", "origin", "Organisation"),
    "ended_at": Entry("ended_at", "date", "Ended on"),
}

Seatholder = Annotated[Person, Depends(person("motion.recuse"))]


class Line(NamedTuple):
    """A tie: to whom, when it ended, and until when it keeps the seat from voting; neither while it holds."""

    issuer: str
    ended_at: int | None
    until: int | None


@router.get("")
def ties(request: Request, who: Seatholder) -> Response:
    """The ties that the person has declared, and the form for one more."""
    return _shown(request, who)


@router.post("")
def declare(request: Request, by: Annotated[Approver, Depends(approver("motion.recuse"))]) -> Response:
    """Declare a tie, or that one has ended."""
    try:
        issuer = by.sent["issuer"].strip()
        ended = day(by.sent["ended_at"], "ended_at") if by.sent.get("ended_at") else None
        check_tie(issuer, ended, actors.now(request))
    except Refused as error:
        return _shown(request, by.person, by.sent, error)
    who = by.approve(_said(issuer, ended), "issuer", "ended_at")
    try:
        motions.declare_tie(actors.chamber(request), actors.seated(who), issuer, ended)
    except Refused as error:
        return _shown(request, who, by.sent, error)
    return to(HERE)


def _said(issuer: str, ended: int | None) -> Approval:
    if ended is None:
        return Approval(
            "Declare a tie", f"I am tied to {issuer}, and have no vote on motions about it.", (), HERE
        )
    day = rfc3339(ended)[:10]
    return Approval("Declare that a tie has ended", f"My tie to {issuer} ended on {day}.", (), HERE)


def _shown(request: Request, who: Person, sent: Form | None = None, wrong: Refused | None = None) -> Response:
    found = motions.ties(actors.chamber(request), actors.seated(who))
    state = actors.board(request)
    counts = (Policy() if state is None else state.policy).tie
    wrongs = {}
    if wrong is not None:
        place = wrong.field if wrong.field in _FIELDS else ""
        wrongs = {place: words.advice(wrong, {name: entry.label for name, entry in _FIELDS.items()})}
    return page(
        request,
        who,
        "governance/ties.html",
        status=words.worst(wrongs),
        ties=[
            Line(tie.issuer, tie.ended_at, None if tie.ended_at is None else tie.ended_at + counts)
            for tie in found
        ],
        members=sorted([] if state is None else state.members),
        counts=counts,
        kept={name: kept(entry, sent or {}).value for name, entry in _FIELDS.items()},
        wrongs=wrongs,
    )

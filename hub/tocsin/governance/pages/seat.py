"""For whoever is to take a seat: the roster that would seat them, and their vote on it before they sit there."""

import json
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from tocsin.errors import Refused
from tocsin.governance.pages import actors, words
from tocsin.governance.pages.motion import signed_ballot
from tocsin.governance.pages.policy import told
from tocsin.governance.rules.people import Seated
from tocsin.governance.service import incoming
from tocsin.web.console import HOME, Sent, page, person, to
from tocsin.web.people import Person

router: Final = APIRouter(prefix="/console/seats", include_in_schema=False)
Coming = Annotated[Person, Depends(person("seat.accept"))]


@router.get("/{motion_id}")
def show(request: Request, motion_id: str, who: Coming) -> Response:
    """The seat that somebody is asked to take, what else the roster changes, and a ballot paper."""
    return _shown(request, who, motion_id)


@router.post("/{motion_id}/ballots")
def vote(request: Request, motion_id: str, who: Coming, sent: Sent) -> Response:
    """Cast the vote of that seat."""
    at = actors.chamber(request)
    try:
        seat = incoming.invitation(at, who.handle, motion_id).seat
        ballot = signed_ballot(sent, Seated(seat.seat, who.handle), actors.now(request))
        incoming.accept(at, who.handle, motion_id, ballot)
    except Refused as error:
        if error.code == "not-found":
            raise
        return _shown(request, who, motion_id, error)
    return to(HOME)


def _shown(request: Request, who: Person, motion_id: str, wrong: Refused | None = None) -> Response:
    found = incoming.invitation(actors.chamber(request), who.handle, motion_id)
    advice = None if wrong is None else words.advice(wrong)
    return page(
        request,
        who,
        "governance/seat.html",
        status=200 if advice is None else advice.status,
        passkeys=bool(found.papers),
        wrong=advice,
        motion=found.motion,
        seat=found.seat,
        voted=found.voted,
        papers=found.papers,
        allow=" ".join(key.id for paper in found.papers[:1] for key in paper.credentials),
        changes=told(found.motion.changes),
        decision=json.dumps(found.motion.decision, indent=1, sort_keys=True),
        choices=words.CHOICES,
        SEATS=words.SEATS,
        RULES=words.RULES,
    )

"""The docket: what is before the board, the nearest deadline first, with whom it is about still closed."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from tocsin.governance.pages import actors, words
from tocsin.governance.rules.motions import OPEN_STATES
from tocsin.governance.service import motions
from tocsin.governance.service.views import DocketLine
from tocsin.web.console import page, person
from tocsin.web.people import Person

router: Final = APIRouter(prefix="/console/docket", include_in_schema=False)


@router.get("")
def docket(request: Request, who: Annotated[Person, Depends(person("docket.read"))]) -> Response:
    """Every motion: open ones by deadline, ended ones with the newest first."""
    lines = motions.docket(actors.chamber(request), actors.seat(who))
    return page(
        request,
        who,
        "governance/docket.html",
        open=[line for line in lines if line.state in OPEN_STATES],
        ended=[line for line in lines if line.state not in OPEN_STATES],
        mine=mine,
        DECISIONS=words.DECISIONS,
        MOTIONS=words.MOTIONS,
        RESULTS=words.RESULTS,
    )


def mine(line: DocketLine) -> str:
    """What a motion asks of the seat that looks, or what the seat has done."""
    if line.voted:
        return "You have voted"
    if line.declared:
        return "You are recused"
    asked = {
        "vote": "Your vote",
        "endorse": "Endorse, if you agree",
        "declare": "Say whether you have a conflict",
    }
    return next((said for act, said in asked.items() if act in line.may), "Nothing to do")

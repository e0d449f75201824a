"""The docket: what is before the board, the nearest deadline first, with whom it is about closed to seats that have not
said yet whether they have a conflict.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from tocsin.governance.pages import actors, words
from tocsin.governance.rules.motions import OPEN_STATES
from tocsin.governance.service import motions
from tocsin.governance.service.views import DocketLine
from tocsin.web.console import page, person
from tocsin.web.people import Person

_SAID_BY_THE_KIND: Final = frozenset({"policy", "roster", "agreement"})
"""Subjects that the kind of motion has named already."""

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
        about=about,
        short=words.short,
        DECISIONS=words.DECISIONS,
        MOTIONS=words.MOTIONS,
        RESULTS=words.RESULTS,
    )


def mine(line: DocketLine) -> str:
    """What a motion asks of the seat that looks, or what the seat has done."""
    if line.voted:
        return "You have voted"
    if line.recused and line.state in OPEN_STATES:
        return "You are recused"
    asked = {
        "vote": "Your vote",
        "endorse": "Endorse, if you agree",
        "declare": "Say whether you have a conflict",
    }
    return next((asked[act] for act in waiting(line)), "Nothing to do")


def waiting(line: DocketLine) -> list[str]:
    """What a motion asks of the seat that looks, what matters most first: vote, endorse, declare."""
    if line.voted or line.recused:
        return []
    may = line.may - {"declare"} | ({"declare"} if line.subject is None else set())
    return [act for act in ("vote", "endorse", "declare") if act in may]


def about(line: DocketLine) -> str:
    """A motion in a list: what kind it is, and whom it is about, where that is open."""
    title = words.DECISIONS[line.type].title
    known = line.subject if line.subject not in _SAID_BY_THE_KIND else None
    return title if known is None else f"{title}: {known}"

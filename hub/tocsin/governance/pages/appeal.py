"""Appeals: a member's administrator asks the independent panel to look at a decision again."""

from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Depends, Request, Response

from tocsin.errors import Refused
from tocsin.governance.pages import actors, words
from tocsin.governance.service import appeals
from tocsin.web.console import Sent, page, person
from tocsin.web.people import Person
from tocsin_schemas.member_effects import APPEALABLE
from tocsin_schemas.policy import Policy
from tocsin_schemas.vocabulary import DecisionType

router: Final = APIRouter(prefix="/console/appeals/new", include_in_schema=False)

MAX_DIGITS: Final = 9

Appellant = Annotated[Person, Depends(person("appeal.file"))]


class Open(NamedTuple):
    """A decision that can still be appealed, and until when."""

    seq: int
    type: DecisionType
    at: int
    ends: int


@router.get("")
def choose(request: Request, who: Appellant) -> Response:
    """The decisions about the person's organisation that can be appealed."""
    return _shown(request, who)


@router.post("")
def file(request: Request, who: Appellant, sent: Sent) -> Response:
    """File the appeal."""
    number = sent["of"]
    try:
        if not (number.isascii() and number.isdigit() and len(number) <= MAX_DIGITS):
            raise Refused("claim-invalid", "of", "the number of a decision")
        appeals.appeal(actors.chamber(request), int(number), actors.admin(who))
    except Refused as error:
        return _shown(request, who, wrong=error)
    return _shown(request, who, filed=True)


def _shown(request: Request, who: Person, *, wrong: Refused | None = None, filed: bool = False) -> Response:
    issuer = actors.admin(who).org_issuer
    state, now = actors.board(request), actors.now(request)
    limit = (Policy() if state is None else state.policy).appeal
    found = [
        Open(seq, one.type, one.at, one.at + limit)
        for seq, one in (() if state is None else state.decisions.items())
        if one.subject == issuer
        and APPEALABLE.get(one.type) == one.result
        and (state is None or seq not in state.appealed)
        and now <= one.at + limit
    ]
    advice = None if wrong is None else words.advice(wrong)
    return page(
        request,
        who,
        "governance/appeal.html",
        status=200 if advice is None else advice.status,
        issuer=issuer,
        limit=limit,
        decisions=[] if filed else found,
        filed=filed,
        wrong=advice,
        DECISIONS=words.DECISIONS,
    )

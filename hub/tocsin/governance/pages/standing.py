"""Members at the console: how each stands and why, its keys and rights, and what the board has decided about it."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response

from tocsin.errors import Refused
from tocsin.governance.pages import actors, words
from tocsin.governance.pages.emergency import REACH
from tocsin.governance.rules.watching import watched_until
from tocsin.governance.service import history
from tocsin.web.console import page, person
from tocsin.web.people import Person
from tocsin_schemas.board import BoardState, MemberStanding

router: Final = APIRouter(prefix="/console/members", include_in_schema=False)


def host(issuer: str) -> str:
    """A member's issuer as its pages' addresses have it."""
    return urlsplit(issuer).netloc


@router.get("")
def everyone(request: Request, who: Annotated[Person, Depends(person("member.read"))]) -> Response:
    """Every member, by its issuer."""
    state = actors.board(request)
    members = [] if state is None else sorted(state.members.values(), key=lambda one: one.issuer)
    return page(
        request,
        who,
        "governance/standings.html",
        governed=state is not None,
        rows=[(host(one.issuer), one, _clock(one, state)) for one in members if one.state in words.MEMBERS],
        CLASSES=words.CLASSES,
        MEMBERS=words.MEMBERS,
        CLOCKS=words.CLOCKS,
    )


@router.get("/{name}")
def one(request: Request, who: Annotated[Person, Depends(person("member.read"))], name: str) -> Response:
    """One member."""
    state, member = _found(request, name)
    decided = [outcome for outcome in state.decisions.values() if outcome.subject == member.issuer]
    sentences = {change.seq: change for change in history.about(actors.chamber(request), member.issuer)}
    return page(
        request,
        who,
        "governance/standing.html",
        name=name,
        member=member,
        clock=_clock(member, state),
        watched=watched_until(member, actors.chamber(request).database.clock()),
        seat=next((seat for seat in state.roster.seats if seat.issuer == member.issuer), None),
        decided=sorted(decided, key=lambda outcome: -outcome.record),
        changes=sorted(sentences.values(), key=lambda change: -change.seq),
        CLASSES=words.CLASSES,
        MEMBERS=words.MEMBERS,
        CLOCKS=words.CLOCKS,
    )


@router.get("/{name}/scorecard")
def scorecard(
    request: Request, who: Annotated[Person, Depends(person("scorecard.read"))], name: str
) -> Response:
    """What a member's word carries now, in counts: for the board and auditors alone."""
    _, member = _found(request, name)
    at = actors.chamber(request)
    with at.database.snapshot() as uow:
        counts = {} if at.reach is None else dict(at.reach(uow, member.issuer))
    return page(
        request,
        who,
        "governance/scorecard.html",
        name=name,
        member=member,
        counts=[(REACH.get(key, words.said(key)), count) for key, count in counts.items()],
    )


def _found(request: Request, name: str) -> tuple[BoardState, MemberStanding]:
    state = actors.board(request)
    member = None if state is None else state.members.get(f"https://{name}")
    if state is None or member is None:
        raise Refused("not-found", "member", "no such member")
    return state, member


def _clock(member: MemberStanding, state: BoardState | None) -> tuple[str, int] | None:
    """The rule of the calendar that runs for a member, and when it comes true."""
    due = None if state is None else member.due_at(state.policy)
    return None if due is None else (due[0], due[1])

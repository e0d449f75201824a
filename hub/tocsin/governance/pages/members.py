"""The public list of members: issuer, class, state, since when, and whether it is watched; and no more."""

from typing import Final, NamedTuple

from fastapi import APIRouter, Request, Response

from tocsin.governance.pages import actors, words
from tocsin.governance.pages.standing import host
from tocsin.governance.rules.watching import watched_until
from tocsin.members.service import Members
from tocsin.web.console import page
from tocsin_schemas.board import BoardState

router: Final = APIRouter(prefix="/members", include_in_schema=False)


class Line(NamedTuple):
    """One member as everybody may know it."""

    issuer: str
    member_class: str
    state: str
    since: int
    watched: int | None


@router.get("")
def members(request: Request) -> Response:
    """Everybody who is, or was, a member."""
    state = actors.board(request)
    lines = _kept(request) if state is None else _decided(state, actors.chamber(request).database.clock())
    return page(
        request,
        None,
        "governance/members.html",
        forms=False,
        governed=state is not None,
        groups=(
            ("Members", [line for line in lines if line.state not in words.ENDED]),
            ("Former members", [line for line in lines if line.state in words.ENDED]),
        ),
        name_of=host,
        CLASSES=words.CLASSES,
        MEMBERS=words.MEMBERS,
    )


def _decided(state: BoardState, now: int) -> list[Line]:
    """Applicants that the board admitted are no members before their keys are proved, nor when that lapsed."""
    return sorted(
        Line(member.issuer, member.member_class, member.state, member.since, watched_until(member, now))
        for member in state.members.values()
        if member.state in words.MEMBERS
    )


def _kept(request: Request) -> list[Line]:
    registry: Members = request.app.state.members
    return sorted(
        Line(view.org.issuer, view.org.member_class, view.org.state, view.org.state_since, None)
        for view in registry.list_members()
    )

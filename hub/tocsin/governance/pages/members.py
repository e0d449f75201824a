"""The public list of members: issuer, class, state, since when; and no more."""

from typing import Final, NamedTuple

from fastapi import APIRouter, Request, Response

from tocsin.governance.pages import actors, words
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


@router.get("")
def members(request: Request) -> Response:
    """Everybody who is, or was, a member."""
    state = actors.board(request)
    lines = _kept(request) if state is None else _decided(state)
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
        CLASSES=words.CLASSES,
        MEMBERS=words.MEMBERS,
    )


def _decided(state: BoardState) -> list[Line]:
    """Applicants that the board admitted are no members before their keys are proved, nor when that lapsed."""
    return sorted(
        Line(member.issuer, member.member_class, member.state, member.since)
        for member in state.members.values()
        if member.state in words.MEMBERS
    )


def _kept(request: Request) -> list[Line]:
    registry: Members = request.app.state.members
    return sorted(
        Line(view.org.issuer, view.org.member_class, view.org.state, view.org.state_since)
        for view in registry.list_members()
    )

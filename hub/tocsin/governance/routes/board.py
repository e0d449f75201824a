"""The board's motions over HTTP, for everybody to read, and for seats that vote with a key kept offline.

Nothing here needs an account: what is signed says by itself whose it is.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query

from tocsin.errors import Refused
from tocsin.governance.routes.shapes import (
    MAX_ACT_BYTES,
    Filed,
    MotionDocument,
    MotionLine,
    PaperView,
    Proceedings,
    line,
    motion,
    paper,
)
from tocsin.governance.service import appeals, ballots, docket, member_acts, motions, seat_acts
from tocsin.web import problems
from tocsin.web.body import Body, body
from tocsin.web.documents import JSON, JWT, bodies, parsed
from tocsin_schemas.decisions import Ballot
from tocsin_schemas.governance import MemberBody, PublishedRecord
from tocsin_schemas.vocabulary import Choice

router: Final = APIRouter(prefix="/v1", tags=["board"])

JwtBody = Annotated[Body, Depends(body({JWT: MAX_ACT_BYTES}))]
EitherBody = Annotated[Body, Depends(body({JSON: 2 * MAX_ACT_BYTES, JWT: MAX_ACT_BYTES}))]
MOST_LINES: Final = 100
"""How many motions a page of the docket has."""
_ABSENT: Final = problems.documented("board-absent")
_SIGNED: Final = problems.documented(
    "request-invalid",
    "board-absent",
    "not-found",
    "conflict",
    "payload-too-large",
    "unsupported-media-type",
    "unavailable",
)


@router.get(
    "/board/motions",
    summary="What is before the board",
    response_model_exclude_none=True,
    responses={**_ABSENT, **problems.documented("not-found")},
)
def public_docket(
    chamber: Proceedings,
    after: Annotated[
        str | None, Query(description="The last motion of the page before.", max_length=35)
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = MOST_LINES,
) -> list[MotionLine]:
    """Open motions, the nearest deadline first; then those that have ended, the newest first."""
    return [line(row) for row in docket.page(chamber, limit, after)]


@router.get(
    "/board/motions/{motion_id}",
    summary="One motion",
    response_model_exclude_none=True,
    responses=problems.documented("not-found"),
)
def one(chamber: Proceedings, motion_id: str) -> MotionDocument:
    """The decision it puts to the vote, with its digest; how the votes are is told when the ballot is over."""
    return motion(motions.motion(chamber, motion_id))


@router.get(
    "/board/motions/{motion_id}/paper",
    summary="The paper to sign",
    response_model_exclude_none=True,
    responses=problems.documented("not-found", "conflict", "ballot-late"),
)
def ballot_paper(
    chamber: Proceedings, motion_id: str, choice: Annotated[Choice, Query(description="What to vote.")]
) -> PaperView:
    """The frozen decision, its digest, and the challenge of a passkey for this choice."""
    return paper(ballots.ballot_paper(chamber, None, motion_id, choice))


@router.post(
    "/board/motions/{motion_id}/ballots",
    summary="Vote",
    response_model_exclude_none=True,
    responses={**_SIGNED, **problems.documented("ballot-invalid", "ballot-late", "ballot-recused")},
    openapi_extra=bodies(
        Ballot, jwt="A JWS of type tocsin-ballot+jwt by the seat's key over {digest, choice, seat}."
    ),
)
def vote(chamber: Proceedings, motion_id: str, content: EitherBody) -> MotionDocument:
    """A ballot, signed; it cannot be taken back. The last one that matters closes the ballot at once."""
    given = ballots.signed(content.content) if content.media_type == JWT else parsed(Ballot, content.content)
    return motion(ballots.cast(chamber, motion_id, given))


@router.post(
    "/board/acts",
    summary="Act as a seat with an offline key",
    response_model_exclude_none=True,
    responses={**_SIGNED, **problems.documented("jti-reused", "role-missing", "claim-invalid")},
    openapi_extra=bodies(
        jwt="A JWS of type tocsin-seat-act+jwt by the seat's key over {seat, aud, iat, jti, act, …}."
    ),
)
def seat_act(chamber: Proceedings, content: JwtBody) -> MotionDocument:
    """Propose, endorse, declare a conflict, remark, withdraw, or begin an emergency; the motion as it is afterwards."""
    return motion(seat_acts.perform(chamber, content.content))


@router.post(
    "/board/appeals",
    status_code=201,
    summary="Appeal a decision",
    responses={**_SIGNED, **problems.documented("appeal-late")},
    openapi_extra=bodies(
        jwt="A JWS of type tocsin-appeal+jwt by a key of the member over {iss, aud, iat, jti, of}."
    ),
)
def appeal(chamber: Proceedings, content: JwtBody) -> Filed:
    """Within thirty days; the independent panel hears it."""
    return Filed(motion=appeals.appeal_signed(chamber, content.content))


@router.post(
    "/members/acts",
    status_code=201,
    summary="Prove, change or revoke a key; attest; withdraw",
    response_model_exclude_none=True,
    responses={**_SIGNED, **problems.documented("jti-reused", "claim-invalid")},
    openapi_extra=bodies(MemberBody, jwt="A JWS of type tocsin-member-act+jwt by a key of the member."),
)
def member_act(chamber: Proceedings, content: EitherBody) -> PublishedRecord:
    """The record it became, with its place in the log and the nonce that opens the entry."""
    if content.media_type == JWT:
        return member_acts.act(chamber, _text(content.content))
    given = parsed(MemberBody, content.content)
    return member_acts.act(chamber, given.jws, given.key)


def _text(token: bytes) -> str:
    try:
        return token.decode("ascii")
    except UnicodeDecodeError:
        raise Refused("envelope-malformed", "", "a compact JWS is ASCII") from None

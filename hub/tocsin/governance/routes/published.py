"""What the board publishes, for everybody: the records that anyone can replay, what follows from them, and the seals of
what leads to them.

No authentication: there are no values in it. A sandbox, and a hub whose board is not founded yet, has none of it.
"""

import hashlib
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request, Response

from tocsin.governance.service import reading
from tocsin.governance.service.publishing import MEDIA_TYPE
from tocsin.objects.shape import CACHE_CONTROL
from tocsin.web import problems
from tocsin_schemas.feed import BoardView

router: Final = APIRouter(prefix="/.well-known/tocsin/board", tags=["board"])

JSON: Final = "application/json"
_ABSENT: Final = problems.documented("board-absent")
_BRIEF: Final = {"Cache-Control": CACHE_CONTROL["brief"]}


def _said(media_type: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {}}}, **_ABSENT}


@router.get("/genesis", summary="The first record", response_class=Response, responses=_said(JSON))
def genesis(request: Request) -> Response:
    """The first roster and policy, byte for byte: behind the context word, its SHA-256 is the genesis hash."""
    state = request.app.state
    return Response(reading.genesis(state.board, state.database), media_type=JSON, headers=_BRIEF)


@router.get(
    "/records",
    summary="Every record",
    response_class=Response,
    responses={**_said(MEDIA_TYPE), 304: {"description": "There is no newer record than the one named."}},
)
def records(request: Request, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """One a line, in order, each with its log entry's index and the nonce that opens the entry's commitment.

    The ETag is the digest of the newest record.
    """
    state = request.app.state
    return _lines(*reading.records(state.board, state.database), if_none_match)


@router.get(
    "/docket",
    summary="The seals of the proceedings",
    response_class=Response,
    responses={**_said(MEDIA_TYPE), 304: {"description": "Nothing has changed since."}},
)
def docket(request: Request, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """One a line, in the order of their log entries: what opens the entry, and the digest of what it sealed.

    The digest of a case's newest state is made from its rows as they are: one that another hand has changed no longer
    opens its entry. It may be ten seconds old.
    """
    state = request.app.state
    body = reading.docket(state.board, state.database)
    return _lines(body, hashlib.sha256(body).hexdigest(), if_none_match)


@router.get("/roster", summary="The roster in force", response_class=Response, responses=_said(JSON))
def roster(request: Request) -> Response:
    """Who sits on the board, by handle, and the keys they vote with."""
    state = request.app.state
    return Response(reading.roster(state.board, state.database), media_type=JSON, headers=_BRIEF)


@router.get(
    "/state",
    summary="What follows from the records",
    response_model_exclude_none=True,
    responses=_ABSENT,
)
def standing(request: Request, response: Response) -> BoardView:
    """Members and where each stands, communities, policy: what replaying the records gives."""
    response.headers.update(_BRIEF)
    state = request.app.state
    return reading.view(state.board, state.database)


def _lines(body: bytes, tag: str, known: str | None) -> Response:
    """A file of lines, to whoever does not know the one with this tag already."""
    headers = {**_BRIEF, "ETag": f'"{tag}"'}
    if known is not None and headers["ETag"] in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=MEDIA_TYPE, headers=headers)

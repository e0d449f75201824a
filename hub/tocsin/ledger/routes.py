"""The public log over HTTP, at the paths of C2SP tlog-tiles. No authentication: it holds no values.

Everything is bytes out of the log's store, handed on without a thread; any web server in front of the same store
answers alike. A bundle is compressed for those who can read that, as the specification asks.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response

from tocsin.ledger.service.prove import prover
from tocsin.ledger.service.shown import CHECKPOINT
from tocsin.objects.shape import CACHE_CONTROL
from tocsin.web import problems
from tocsin.web.coding import Coding, encode, negotiate
from tocsin_schemas.checkpoint import MEDIA_TYPE
from tocsin_schemas.ledger import parse_bundle_path
from tocsin_schemas.merkle import parse_tile_path
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_proof import SUFFIX

router: Final = APIRouter(tags=["log"])

TILE_TYPE: Final = "application/octet-stream"
_TILE: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {TILE_TYPE: {}}}}
_CODINGS: Final[tuple[Coding, ...]] = ("gzip", "identity")
"""Those that tlog-tiles names."""


@router.get(
    "/log/checkpoint",
    summary="The newest checkpoint of the log",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
async def checkpoint(request: Request) -> Response:
    """The log's size and root as a signed note, with the cosignatures of its witnesses (C2SP tlog-checkpoint)."""
    body = await _object(request, CHECKPOINT)
    return Response(body, media_type=MEDIA_TYPE, headers={"Cache-Control": CACHE_CONTROL["brief"]})


@router.get(
    "/log/policy",
    summary="Who witnesses the log",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
async def policy(request: Request) -> Response:
    """The log's key, its witnesses and the quorum that the operator has chosen (C2SP tlog-policy).

    A follower that knows better keeps a policy of its own.
    """
    body = request.app.state.ledger.witnesses.policy.render()
    return Response(body, media_type=MEDIA_TYPE, headers={"Cache-Control": CACHE_CONTROL["brief"]})


@router.get(
    "/log/tile/entries/{path:path}",
    summary="An entry bundle of the log",
    response_class=Response,
    responses={**_TILE, **problems.documented("not-acceptable")},
)
async def entry_bundle(path: str, request: Request) -> Response:
    """256 log entries, or the first `W` of the last bundle, each behind a 16-bit length (C2SP tlog-tiles)."""
    parse_bundle_path(f"tile/entries/{path}")
    body = await _object(request, f"tile/entries/{path}")
    headers = {"Cache-Control": CACHE_CONTROL["immutable"], "Vary": "Accept-Encoding"}
    chosen = negotiate(request.headers.get("accept-encoding"), _CODINGS)
    if chosen != "identity":
        headers["Content-Encoding"] = chosen
    return Response(encode(body, chosen), media_type=TILE_TYPE, headers=headers)


@router.get(
    "/log/tile/{path:path}",
    summary="A tile of the log's Merkle tree",
    response_class=Response,
    responses=_TILE,
)
async def tile(path: str, request: Request) -> Response:
    """256 hashes of one level of the tree, or the first `W` of the last tile there (C2SP tlog-tiles)."""
    parse_tile_path(f"tile/{path}")
    body = await _object(request, f"tile/{path}")
    return Response(body, media_type=TILE_TYPE, headers={"Cache-Control": CACHE_CONTROL["immutable"]})


@router.get(
    "/log/proof/{seq}",
    summary="The proof that an entry is in the log",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **problems.documented("not-found", "not-yet-published")},
)
def proof(seq: Annotated[int, Path(ge=0, le=2**53)], request: Request) -> Response:
    """A C2SP tlog-proof in the newest checkpoint, which verifies offline; it holds nothing that is not public."""
    body = prover(request.app.state.ledger, seq).prove(seq)
    headers = {
        "Cache-Control": CACHE_CONTROL["brief"],
        "Content-Disposition": f'attachment; filename="{seq}{SUFFIX}"',
    }
    return Response(body, media_type=MEDIA_TYPE, headers=headers)


async def _object(request: Request, path: str) -> bytes:
    found: bytes | None = await request.app.state.ledger.objects.aread(path)
    if found is None:
        raise Refused("not-found", "", "the published log does not reach that far")
    return found

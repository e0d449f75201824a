"""The witness over HTTP: `add-checkpoint` and the last checkpoint of each log (C2SP tlog-witness). No authentication:
what counts is the log's signature.
"""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from tocsin.errors import Refused
from tocsin.web import problems
from tocsin.web.body import octets
from tocsin.witnessing.rules import Behind
from tocsin.witnessing.service import PATH, Witness
from tocsin_schemas.checkpoint import MEDIA_TYPE
from tocsin_schemas.tlog_witness import ADD_CHECKPOINT, MAX_REQUEST_BYTES, SIZE_TYPE

router = APIRouter(prefix=PATH, tags=["witness"])

_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@router.post(
    ADD_CHECKPOINT,
    summary="Have a checkpoint cosigned",
    response_class=Response,
    openapi_extra={
        "requestBody": {"required": True, "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}
    },
    responses={
        200: {"description": "Our cosignatures, one a line", "content": {MEDIA_TYPE: {}}},
        409: {"description": "The size that was cosigned last, in decimal", "content": {SIZE_TYPE: {}}},
        **problems.documented("submission-malformed", "log-unsigned", "log-unknown", "consistency-invalid"),
    },
)
def add_checkpoint(body: Annotated[bytes, Depends(octets(MAX_REQUEST_BYTES))], request: Request) -> Response:
    """Cosigns a checkpoint of a log this hub watches when it continues the last one; see C2SP tlog-witness."""
    witness: Witness = request.app.state.witness
    answer = witness.submit(body)
    if isinstance(answer, Behind):
        # As bytes: the specification's type has no charset.
        return Response(f"{answer.size}\n".encode(), 409, {"Content-Type": SIZE_TYPE})
    return Response(answer.lines, media_type=MEDIA_TYPE)


@router.get(
    "/{origin_hash}/checkpoint",
    summary="The last checkpoint cosigned of a log",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {}}}, **problems.documented("not-found")},
)
def checkpoint(origin_hash: str, request: Request) -> Response:
    """The checkpoint with the log's signatures and ours; `origin_hash` is the SHA-256 of the origin in hexadecimal."""
    witness: Witness = request.app.state.witness
    if not _DIGEST.fullmatch(origin_hash):
        raise Refused("not-found", "", "not a SHA-256 in lower-case hexadecimal")
    note = witness.latest(bytes.fromhex(origin_hash))
    return Response(note, media_type=MEDIA_TYPE, headers={"Cache-Control": "public, max-age=1"})

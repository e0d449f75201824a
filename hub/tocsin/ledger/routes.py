"""The public log over HTTP: entry bundles at the paths of C2SP tlog-tiles. No authentication: it holds no values."""

import re
from typing import Final

from fastapi import APIRouter, Request, Response

from tocsin.ledger import service
from tocsin_schemas.ledger import BUNDLE_ENTRIES, bundle_path
from tocsin_schemas.problems import Refused

router = APIRouter(tags=["log"])

# tlog-tiles: the index in groups of three digits, all but the last prefixed with x; .p/<W> for a partial bundle.
# Fifteen digits are more than any log has, and the entries' own indexes still fit in 63 bits.
_PATH: Final = re.compile(r"((?:x[0-9]{3}/){0,4})([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


@router.get(
    "/log/tile/entries/{path:path}",
    summary="An entry bundle of the log",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def entry_bundle(path: str, request: Request) -> Response:
    """256 log entries, or the first `W` of the last bundle, each behind a 16-bit length (C2SP tlog-tiles)."""
    match = _PATH.fullmatch(path)
    if match is None or int(match[3] or 1) >= BUNDLE_ENTRIES:
        raise Refused("not-found", "", "not the path of an entry bundle")
    index = int(match[1].replace("x", "").replace("/", "") + match[2])
    width = int(match[3] or BUNDLE_ENTRIES)
    if not bundle_path(index, width).endswith("/" + path):
        raise Refused("not-found", "", "not the one spelling of that bundle's path")
    body = service.bundle(request.app.state.database, index, width)
    # A bundle never changes once it can be read, a partial one included.
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(body, media_type="application/octet-stream", headers=headers)

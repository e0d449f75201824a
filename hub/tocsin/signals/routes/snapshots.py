"""Snapshots over HTTP: the live set of a type, in files to match against or as lines to read."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse

from tocsin.signals.routes.access import Reader, Signals
from tocsin.signals.service import handout
from tocsin.web import problems
from tocsin.web.coding import weight
from tocsin_schemas.feed import FEED_MEDIA_TYPE
from tocsin_schemas.problems import Refused

router = APIRouter(prefix="/v1/communities/{community}/snapshot", tags=["signals"])

CSV_MEDIA_TYPE: Final = "text/csv"
JSON_MEDIA_TYPE: Final = "application/json"
FILE_MEDIA_TYPE: Final = "application/octet-stream"
_FORMS: Final = (JSON_MEDIA_TYPE, FEED_MEDIA_TYPE, CSV_MEDIA_TYPE)
_PRIVATE: Final = {"Cache-Control": "private, no-store", "Vary": "Accept"}

Number = Annotated[int, Path(ge=0, le=2**32)]
Version = Annotated[int, Path(ge=1, le=2**53)]
_FILE: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {FILE_MEDIA_TYPE: {}}}}


@router.get(
    "/{kind}",
    summary="The live set of a type: manifest, NDJSON or CSV",
    response_class=Response,
    responses={
        200: {
            "description": "The newest manifest, or with another `Accept` the set as it is now, an indicator a line.",
            "content": {
                JSON_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/SnapshotView"}},
                FEED_MEDIA_TYPE: {"schema": {"type": "string"}},
                CSV_MEDIA_TYPE: {"schema": {"type": "string"}},
            },
        },
        **problems.documented("not-found", "not-acceptable", "unavailable"),
    },
)
def newest_snapshot(request: Request, actor: Reader, context: Signals, community: str, kind: str) -> Response:
    """What is reported, counted and not disputed. The files of the manifest are for machines (PROTOCOL §10)."""
    form = _wanted(request.headers.get("accept", "*/*"))
    if form == JSON_MEDIA_TYPE:
        view = handout.newest(context, actor.org_id, community, kind)
        headers = {**_PRIVATE, "ETag": f'"{view.manifest.digest()}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(view.model_dump_json(), headers=headers, media_type=JSON_MEDIA_TYPE)
    render = handout.lines if form == FEED_MEDIA_TYPE else handout.rows
    return StreamingResponse(
        render(context, actor.org_id, community, kind), headers=_PRIVATE, media_type=form
    )


@router.get(
    "/{kind}/{version}/shards/{number}",
    summary="A shard of a snapshot",
    response_class=Response,
    responses={**_FILE, **problems.documented("not-found", "snapshot-superseded")},
)
def snapshot_shard(
    actor: Reader, context: Signals, community: str, kind: str, version: Version, number: Number
) -> Response:
    """Shard `number` of the newest version, counted from 0 in the order of the manifest."""
    return _bytes(handout.shard(context, actor.org_id, community, kind, version, number))


@router.get(
    "/{kind}/{version}/delta/{since}",
    summary="What leads from an earlier snapshot to the newest",
    response_class=Response,
    responses={**_FILE, **problems.documented("not-found", "snapshot-superseded")},
)
def snapshot_delta(
    actor: Reader, context: Signals, community: str, kind: str, version: Version, since: Version
) -> Response:
    """The places removed from version `since`, and the keys added."""
    return _bytes(handout.delta(context, actor.org_id, community, kind, version, since))


def _bytes(raw: bytes) -> Response:
    return Response(raw, headers={"Cache-Control": "private, no-store"}, media_type=FILE_MEDIA_TYPE)


def _wanted(accept: str) -> str:
    """The form that a caller wants (RFC 9110 §12.5.1); of equals, in our order."""
    weights: dict[str, float] = {}
    for item in accept.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        weights[name] = weight(parameters)

    def wanted(form: str) -> float:
        return weights.get(form, weights.get(form.partition("/")[0] + "/*", weights.get("*/*", 0.0)))

    best = max(_FORMS, key=wanted)
    if wanted(best) <= 0:
        raise Refused("not-acceptable", "accept", "a snapshot comes as JSON, NDJSON or CSV")
    return best

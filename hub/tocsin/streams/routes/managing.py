"""The management API of the framework (SSF 1.0 §8.1)."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from tocsin.streams.routes import discovery as at
from tocsin.streams.routes.shapes import (
    CONFIGURATION,
    STRING,
    Content,
    Manager,
    Reader,
    StreamConfiguration,
    Streams,
    StreamStatus,
    parsed,
    takes,
)
from tocsin.streams.rules.asking import STATUSES
from tocsin.streams.service import managing
from tocsin.web import problems

router: Final = APIRouter(tags=["streams"])

StreamId = Annotated[str, Query(max_length=64)]
_SUBJECT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"format": STRING},
    "required": ["format"],
    "description": "A subject identifier (RFC 9493); one that no event could have is answered like any other.",
}
_BODY: Final = ("request-invalid", "payload-too-large", "unsupported-media-type", "unavailable")


@router.post(
    at.STREAM_PATH,
    status_code=201,
    summary="Create a stream",
    response_model=StreamConfiguration,
    response_model_exclude_none=True,
    responses=problems.documented(*_BODY, "conflict", "rate-limited"),
    openapi_extra=takes(**CONFIGURATION),
)
def create(transmitter: Streams, actor: Manager, content: Content) -> dict[str, Any]:
    """Without `delivery` it is polled. `description` is free text, which this hub does not keep."""
    return managing.create(transmitter, actor.org_id, parsed(content))


@router.get(
    at.STREAM_PATH,
    summary="Read one stream, or all of yours",
    response_model=StreamConfiguration | list[StreamConfiguration],
    response_model_exclude_none=True,
    responses=problems.documented("request-invalid", "not-found"),
)
def read(
    transmitter: Streams, actor: Reader, stream_id: Annotated[str | None, Query(max_length=64)] = None
) -> dict[str, Any] | list[dict[str, Any]]:
    """A list without `stream_id`, be it empty."""
    if stream_id is None:
        return managing.listed(transmitter, actor.org_id)
    return managing.read(transmitter, actor.org_id, stream_id)


@router.patch(
    at.STREAM_PATH,
    summary="Change a stream",
    response_model=StreamConfiguration,
    response_model_exclude_none=True,
    responses=problems.documented(*_BODY, "not-found", "rate-limited"),
    openapi_extra=takes(stream_id_=STRING, **CONFIGURATION),
)
def update(transmitter: Streams, actor: Manager, content: Content) -> dict[str, Any]:
    """What is named changes, the rest stays."""
    return managing.change(transmitter, actor.org_id, parsed(content), whole=False)


@router.put(
    at.STREAM_PATH,
    summary="Replace a stream's configuration",
    response_model=StreamConfiguration,
    response_model_exclude_none=True,
    responses=problems.documented(*_BODY, "not-found", "rate-limited"),
    openapi_extra=takes(stream_id_=STRING, **CONFIGURATION),
)
def replace(transmitter: Streams, actor: Manager, content: Content) -> dict[str, Any]:
    """What is not named is not wanted any more."""
    return managing.change(transmitter, actor.org_id, parsed(content), whole=True)


@router.delete(
    at.STREAM_PATH,
    status_code=204,
    summary="Delete a stream",
    responses=problems.documented("request-invalid", "not-found"),
)
def delete(transmitter: Streams, actor: Manager, stream_id: StreamId) -> Response:
    """With everything that waits on it."""
    managing.delete(transmitter, actor.org_id, stream_id)
    return Response(status_code=204)


@router.get(
    at.STATUS_PATH,
    summary="Read a stream's status",
    response_model=StreamStatus,
    response_model_exclude_none=True,
    responses=problems.documented("request-invalid", "not-found"),
)
def status(transmitter: Streams, actor: Reader, stream_id: StreamId) -> dict[str, str]:
    """`reason` stands there when the hub has paused it."""
    return managing.status(transmitter, actor.org_id, stream_id)


@router.post(
    at.STATUS_PATH,
    summary="Enable, pause or disable a stream",
    response_model=StreamStatus,
    response_model_exclude_none=True,
    responses=problems.documented(*_BODY, "not-found"),
    openapi_extra=takes(stream_id_=STRING, status_={"type": "string", "enum": list(STATUSES)}),
)
def set_status(transmitter: Streams, actor: Manager, content: Content) -> dict[str, str]:
    """A paused stream keeps what happens for 30 days, a disabled one does not."""
    return managing.set_status(transmitter, actor.org_id, parsed(content))


@router.post(
    at.ADD_PATH,
    summary="Add a subject",
    response_class=Response,
    responses=problems.documented(*_BODY, "not-found"),
    openapi_extra=takes(stream_id_=STRING, subject_=_SUBJECT, verified={"type": "boolean"}),
)
def add_subject(transmitter: Streams, actor: Manager, content: Content) -> Response:
    """Every subject is on a new stream: this takes back what was removed."""
    managing.add_subject(transmitter, actor.org_id, parsed(content))
    return Response()


@router.post(
    at.REMOVE_PATH,
    status_code=204,
    summary="Remove a subject",
    responses=problems.documented(*_BODY, "not-found", "rate-limited"),
    openapi_extra=takes(stream_id_=STRING, subject_=_SUBJECT),
)
def remove_subject(transmitter: Streams, actor: Manager, content: Content) -> Response:
    """Nothing more about it comes on this stream."""
    managing.remove_subject(transmitter, actor.org_id, parsed(content))
    return Response(status_code=204)


@router.post(
    at.VERIFY_PATH,
    status_code=204,
    summary="Ask for a verification event",
    responses=problems.documented(*_BODY, "not-found", "rate-limited"),
    openapi_extra=takes(stream_id_=STRING, state=STRING),
)
def verify(transmitter: Streams, actor: Manager, content: Content) -> Response:
    """It comes on the stream itself, soon, and carries `state` back."""
    managing.verify(transmitter, actor.org_id, parsed(content))
    return Response(status_code=204)

"""The interface of the framework as JSON: what is sent is read as bytes, what is answered is described here."""

import json
from typing import Annotated, Any, Final, Literal

from fastapi import Depends, Request
from pydantic import Field

from tocsin.errors import Refused
from tocsin.streams.rules.asking import ALG_MEMBER, METHOD_URIS, Alg
from tocsin.streams.rules.events import Status
from tocsin.streams.service.context import Transmitter
from tocsin.web.auth import Actor, Demand
from tocsin.web.body import octets
from tocsin_schemas.feed import Answer

MAX_BODY_BYTES: Final = 128 * 1024

reader = Demand("ssf.read", "ssf.manage")

Reader = Annotated[Actor, Depends(reader)]
Manager = Annotated[Actor, Depends(Demand("ssf.manage"))]
Content = Annotated[bytes, Depends(octets(MAX_BODY_BYTES))]


class Delivery(Answer):
    """How events come: by push to `endpoint_url`, or by poll from it."""

    method: Literal["urn:ietf:rfc:8935", "urn:ietf:rfc:8936"]
    endpoint_url: str


class StreamConfiguration(Answer):
    """A stream (SSF 1.0 §8.1.1). `set_signed_response_alg` is this hub's own member: how events are signed."""

    stream_id: str
    iss: str
    aud: str
    events_supported: list[str]
    events_requested: list[str]
    events_delivered: list[str]
    delivery: Delivery
    min_verification_interval: int
    inactivity_timeout: int | None = None
    set_signed_response_alg: Alg


class StreamStatus(Answer):
    """Where a stream stands (SSF 1.0 §8.1.2)."""

    stream_id: str
    status: Status
    reason: Literal["inactivity", "undeliverable", "operator"] | None = None


class Events(Answer):
    """What a poll is answered with (RFC 8936 §2.3): tokens by their jti."""

    sets: dict[str, str]
    more_available: bool | None = Field(default=None, alias="moreAvailable")


async def _transmitter(request: Request) -> Transmitter:
    transmitter: Transmitter = request.app.state.transmitter
    return transmitter


Streams = Annotated[Transmitter, Depends(_transmitter)]


def parsed(content: bytes) -> dict[str, Any]:
    """A request's body: one JSON object, in which no member stands twice.

    Raises:
        Refused: `request-invalid`.
    """
    try:
        found = json.loads(content, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refused("request-invalid", "body", "not one JSON object, each member once")
    return found


def takes(**members: dict[str, Any]) -> dict[str, Any]:
    """A request body for OpenAPI: these members; one that is required has an underscore behind its name."""
    properties = {name.rstrip("_"): schema for name, schema in members.items()}
    required = [name.rstrip("_") for name in members if name.endswith("_")]
    schema = {"type": "object", "properties": properties, **({"required": required} if required else {})}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


STRING: Final = {"type": "string"}
STRINGS: Final = {"type": "array", "items": STRING}
CONFIGURATION: Final[dict[str, dict[str, Any]]] = {
    "delivery": {
        "type": "object",
        "properties": {
            "method": {"type": "string", "enum": list(METHOD_URIS.values())},
            "endpoint_url": STRING,
            "authorization_header": STRING,
        },
        "required": ["method"],
    },
    "events_requested": STRINGS,
    ALG_MEMBER: {"type": "string", "enum": ["ES256", "RS256"]},
}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def _no_constant(_name: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")

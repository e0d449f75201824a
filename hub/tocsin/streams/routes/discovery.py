"""What a receiver reads first: the transmitter's configuration (SSF 1.0 §7) and its keys, without authentication."""

from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from tocsin.streams.routes.shapes import Streams
from tocsin.streams.rules.asking import METHOD_URIS
from tocsin.streams.service.context import published_keys

router: Final = APIRouter(tags=["streams"])

CONFIGURATION_PATH: Final = "/.well-known/ssf-configuration"
JWKS_PATH: Final = "/ssf/jwks.json"
STREAM_PATH: Final = "/ssf/stream"
STATUS_PATH: Final = "/ssf/status"
ADD_PATH: Final = "/ssf/subjects:add"
REMOVE_PATH: Final = "/ssf/subjects:remove"
VERIFY_PATH: Final = "/ssf/verify"
# Long enough to spare the hub, short enough for a new key to be seen soon.
_HEADERS: Final = {"Cache-Control": "public, max-age=300"}


@router.get(CONFIGURATION_PATH, summary="Transmitter configuration")
def configuration(transmitter: Streams) -> JSONResponse:
    """SSF 1.0 §7.1. Tokens for the management API and for polling come from the hub's OAuth server."""
    issuer = transmitter.issuer
    found: dict[str, Any] = {
        "spec_version": "1_0",
        "issuer": issuer,
        "jwks_uri": issuer + JWKS_PATH,
        "delivery_methods_supported": list(METHOD_URIS.values()),
        "configuration_endpoint": issuer + STREAM_PATH,
        "status_endpoint": issuer + STATUS_PATH,
        "add_subject_endpoint": issuer + ADD_PATH,
        "remove_subject_endpoint": issuer + REMOVE_PATH,
        "verification_endpoint": issuer + VERIFY_PATH,
        "authorization_schemes": [{"spec_urn": "urn:ietf:rfc:6749"}],
        "default_subjects": "ALL",
    }
    return JSONResponse(found, headers=_HEADERS)


@router.get(JWKS_PATH, summary="The keys that events are signed with")
def jwks(transmitter: Streams) -> JSONResponse:
    """A JWK Set (RFC 7517 §5). Nothing but Security Event Tokens of streams is signed with these.

    While the hub changes one of them there are two of its kind: look a token's up by its `kid`.
    """
    keys = [{**key.jwk(), "use": "sig"} for key in published_keys(transmitter)]
    return JSONResponse({"keys": keys}, headers=_HEADERS)

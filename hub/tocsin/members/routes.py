"""Members over HTTP: tokens, the well-known documents, and the directory of a community."""

from typing import Annotated, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from tocsin.members import oauth
from tocsin.members.oauth import Answer, Form, OAuth
from tocsin.members.rules import ASSERTION_TYP
from tocsin.members.service import Members
from tocsin.web import problems
from tocsin.web.auth import RESOURCE_METADATA_PATH, Actor, Demand
from tocsin.web.body import Body, body
from tocsin_schemas.feed import CommunityView, Directory

router = APIRouter()

FORM_MEDIA_TYPE: Final = "application/x-www-form-urlencoded"
MAX_FORM_BYTES: Final = 32 * 1024
MAX_FIELDS: Final = 16
METADATA_PATH: Final = "/.well-known/oauth-authorization-server"
# Long enough to spare the hub, short enough for a new key to be seen within the life of a token.
WELL_KNOWN_HEADERS: Final = {"Cache-Control": "public, max-age=300"}

FormBody = Annotated[Body, Depends(body({FORM_MEDIA_TYPE: MAX_FORM_BYTES}))]


async def _oauth(request: Request) -> OAuth:
    server: OAuth = request.app.state.oauth
    return server


def _members(request: Request) -> Members:
    members: Members = request.app.state.members
    return members


Server = Annotated[OAuth, Depends(_oauth)]


def _endpoint(fields: dict[str, str], required: tuple[str, ...]) -> dict[str, object]:
    """An OAuth endpoint for OpenAPI: a form of these fields, and the client's assertion."""
    properties = {
        **fields,
        "client_assertion_type": oauth.ASSERTION_TYPE,
        "client_assertion": f"A JWT of type {ASSERTION_TYP}, signed with a key of the member.",
    }
    schema = {
        "type": "object",
        "properties": {name: {"type": "string", "description": text} for name, text in properties.items()},
        "required": [*required, "client_assertion_type", "client_assertion"],
    }
    return {"requestBody": {"required": True, "content": {FORM_MEDIA_TYPE: {"schema": schema}}}}


_ERROR: Final = {
    "description": "An OAuth error (RFC 6749 §5.2); `code` and `field` say which check failed.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    name: {"type": "string"} for name in ("error", "error_description", "code", "field")
                },
                "required": ["error"],
            }
        }
    },
}
_REFUSALS: Final = {
    400: _ERROR,
    401: _ERROR,
    **problems.documented("method-not-allowed", "payload-too-large", "unsupported-media-type", "unavailable"),
}


@router.post(
    oauth.TOKEN_PATH,
    tags=["oauth"],
    summary="Get an access token",
    responses=_REFUSALS,
    openapi_extra=_endpoint(
        {"grant_type": "client_credentials", "scope": "Parted by spaces."}, ("grant_type",)
    ),
)
def token(request: Request, server: Server, content: FormBody) -> JSONResponse:
    """Client credentials with `private_key_jwt` (RFC 6749 §4.4, RFC 7523): a token for five minutes."""
    form, sound = _form(request, content)
    return _response(server.token(form) if sound else server.repeated(form))


@router.post(
    oauth.INTROSPECTION_PATH,
    tags=["oauth"],
    summary="Ask whether a token is active",
    responses=_REFUSALS,
    openapi_extra=_endpoint({"token": "An access token of this client."}, ("token",)),
)
def introspect(request: Request, server: Server, content: FormBody) -> JSONResponse:
    """Token introspection (RFC 7662). A token of another client is not active, as far as this one may know."""
    form, sound = _form(request, content)
    return _response(server.introspect(form) if sound else server.repeated(form))


@router.post(
    oauth.REVOCATION_PATH,
    tags=["oauth"],
    summary="Revoke a token",
    responses=_REFUSALS,
    openapi_extra=_endpoint({"token": "An access token of this client."}, ("token",)),
)
def revoke(request: Request, server: Server, content: FormBody) -> JSONResponse:
    """Token revocation (RFC 7009): from now on the token is refused. A token that is none is no error."""
    form, sound = _form(request, content)
    return _response(server.revoke(form) if sound else server.repeated(form))


@router.get(METADATA_PATH, tags=["oauth"], summary="Authorization server metadata")
def metadata(server: Server) -> JSONResponse:
    """RFC 8414."""
    return JSONResponse(server.metadata(), headers=WELL_KNOWN_HEADERS)


@router.get(RESOURCE_METADATA_PATH, tags=["oauth"], summary="Protected resource metadata")
def resource_metadata(server: Server) -> JSONResponse:
    """RFC 9728."""
    return JSONResponse(server.resource_metadata(), headers=WELL_KNOWN_HEADERS)


@router.get(oauth.JWKS_PATH, tags=["oauth"], summary="The key of access tokens")
def jwks(server: Server) -> JSONResponse:
    """A JWK Set (RFC 7517 §5). Keys of members and of the hub's events stand in the directory of a community."""
    return JSONResponse(server.jwks(), headers=WELL_KNOWN_HEADERS)


@router.get("/v1/communities", tags=["members"], summary="The communities you may read or write")
def communities(request: Request, actor: Annotated[Actor, Depends(Demand(None))]) -> list[CommunityView]:
    """Name, audience URL and rights of each."""
    return _members(request).communities_of(actor.org_id)


@router.get(
    "/v1/communities/{community}/members",
    tags=["members"],
    summary="The members of a community, with their keys",
    response_model_exclude_none=True,
    responses=problems.documented("not-found"),
)
def directory(
    request: Request, actor: Annotated[Actor, Depends(Demand("signals:read"))], community: str
) -> Directory:
    """Who signs here, with which keys, and who belongs to whom: what a follower verifies and folds with."""
    return _members(request).directory_for(actor.org_id, community)


def _form(request: Request, content: Body) -> tuple[Form, bool]:
    """The form, and whether it is sound: readable, and every parameter once (RFC 6749 §3.2)."""
    sent = "authorization" in request.headers
    try:
        pairs = parse_qsl(
            content.content.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        return Form(request.url.path, {}, sent), False
    fields = dict(pairs)
    return Form(request.url.path, fields, sent), len(fields) == len(pairs)


def _response(answer: Answer) -> JSONResponse:
    return JSONResponse(dict(answer.body), answer.status, dict(answer.headers))

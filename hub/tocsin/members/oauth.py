"""The OAuth 2.0 authorization server, and the judge of access tokens.

Authlib runs the protocol (RFC 6749 client credentials, RFC 7009 revocation, RFC 7662 introspection); nothing of a web
framework is here. Two things are our own, because the library's are looser than protocol.md §3: how a client assertion
is verified (`service.access`), and how an access token is made and read. There is one client authentication,
`private_key_jwt`, and one list of algorithms. No answer repeats what was sent: every message is a constant.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final

from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientMixin,
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Request,
    UnsupportedGrantTypeError,
)
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from tocsin.db import View
from tocsin.errors import Refused
from tocsin.members import rules
from tocsin.members.service import Access, Authenticated
from tocsin.web.auth import Actor
from tocsin_schemas import envelope
from tocsin_schemas.envelope import AuthorKey
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.membership import EFFECTS
from tocsin_schemas.signals import LATEST, dump_object, load_object
from tocsin_schemas.vocabulary import SCOPES

AUTH_METHOD: Final = "private_key_jwt"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 §2.2
TOKEN_PATH: Final = "/oauth/token"
INTROSPECTION_PATH: Final = "/oauth/introspect"
REVOCATION_PATH: Final = "/oauth/revoke"
JWKS_PATH: Final = "/.well-known/jwks.json"
TOKENS_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class Form:
    """A form-encoded request to one of the endpoints. `authorization`: whether that header was sent."""

    path: str
    fields: Mapping[str, str]
    authorization: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An endpoint's answer."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]


class OAuth:
    """The authorization server of one hub, whose issuer is also the only audience of its access tokens."""

    def __init__(self, access: Access, issuer: str, key: SigningKey) -> None:
        self._access = access
        self._issuer = issuer
        self._key = key
        self._keys = {key.public.kid: AuthorKey(key.public, issuer, 0, LATEST)}
        # A client sends the same token for minutes. What is remembered is what was signed, and nothing of its standing.
        self._claims_of_ours = lru_cache(TOKENS_REMEMBERED)(partial(_claims, known=self._keys))
        self._server = _server(access, issuer, self._new_token, self._known)

    def token(self, form: Form) -> Answer:
        """The token endpoint (RFC 6749 §4.4)."""
        if "grant_type" not in form.fields:
            return self._error(form, InvalidRequestError("grant_type is missing"))
        return _answer(self._server.create_token_response(form))

    def introspect(self, form: Form) -> Answer:
        """Introspection (RFC 7662): a client may ask about its own tokens; any other is not active."""
        return _answer(self._server.create_endpoint_response(IntrospectionEndpoint.ENDPOINT_NAME, form))

    def revoke(self, form: Form) -> Answer:
        """Revocation (RFC 7009): a client may revoke its own tokens."""
        return _answer(self._server.create_endpoint_response(RevocationEndpoint.ENDPOINT_NAME, form))

    def repeated(self, form: Form) -> Answer:
        """The answer to a form that names a parameter twice (RFC 6749 §3.2)."""
        return self._error(form, InvalidRequestError("a parameter is repeated, or the form cannot be read"))

    def authenticate(self, view: View, token: str, community: str | None) -> Actor:
        """Who sent an access token, on one state of the database, to read a community if one is named.

        Raises:
            Refused: `token-invalid`, `token-wrong-type`, `token-expired`, `token-revoked`.
        """
        read = self._read(view, token)
        org, scopes, reads = self._access.standing(view, read, community)
        return Actor(org.id, org.issuer, read.client_id, scopes, org.state, org.group, reads)

    def _read(self, view: View, token: str) -> rules.AccessToken:
        """Verify an access token that this hub made (RFC 9068 §4); whether it was revoked is not asked here.

        Raises:
            Refused: `token-invalid`, `token-wrong-type`, `token-expired`.
        """
        try:
            if envelope.kid_of(token.encode(), rules.ACCESS_TOKEN_TYP) in self._keys:
                claims = self._claims_of_ours(token)
            else:
                # Made before the key was changed, or by a process that still has the old one.
                claims = _claims(token, self._access.token_keys(view))
        except Refused as error:
            code = "token-wrong-type" if error.code == "typ-mismatch" else "token-invalid"
            raise Refused(code, "authorization", error.reason) from None
        return rules.check_access_token(claims, self._issuer, view.now)

    def _known(self, token: str) -> rules.AccessToken | None:
        """An access token that this hub made; None for anything else."""
        try:
            with self._access.state() as uow:
                return self._read(uow, token)
        except Refused:
            return None

    def metadata(self) -> dict[str, Any]:
        """Authorization server metadata (RFC 8414 §2)."""
        algs = list(envelope.ALGS)
        found: dict[str, Any] = {
            "issuer": self._issuer,
            "jwks_uri": self._issuer + JWKS_PATH,
            "scopes_supported": list(SCOPES),
            "response_types_supported": [],
            "grant_types_supported": [ClientCredentialsGrant.GRANT_TYPE],
        }
        paths = {"token": TOKEN_PATH, "introspection": INTROSPECTION_PATH, "revocation": REVOCATION_PATH}
        for name, path in paths.items():
            found[f"{name}_endpoint"] = self._issuer + path
            found[f"{name}_endpoint_auth_methods_supported"] = [AUTH_METHOD]
            found[f"{name}_endpoint_auth_signing_alg_values_supported"] = algs
        return found

    def resource_metadata(self) -> dict[str, Any]:
        """Protected resource metadata (RFC 9728 §2)."""
        return {
            "resource": self._issuer,
            "authorization_servers": [self._issuer],
            "scopes_supported": list(SCOPES),
            "bearer_methods_supported": ["header"],
        }

    def jwks(self) -> dict[str, Any]:
        """The keys that access tokens are verified with, as a JWK Set (RFC 7517 §5): two while one is changed."""
        with self._access.state() as uow:
            known = {**self._access.token_keys(uow), **self._keys}
        return {"keys": [{**key.public.jwk(), "use": "sig"} for key in known.values()]}

    def _new_token(self, client: "_Client", grant_type: str, user: None, scope: str) -> str:  # noqa: ARG002  # Authlib's call
        now = self._access.now()
        token = rules.AccessToken(
            client_id=client.client_id,
            subject=client.authenticated.client.issuer,
            key=client.authenticated.kid,
            scopes=frozenset(scope.split()),
            jti=secrets.token_hex(16),
            issued_at=now,
            expires_at=now + rules.ACCESS_TOKEN_SECONDS,
        )
        payload = dump_object(token.claims(self._issuer))
        return envelope.sign(payload, self._key, rules.ACCESS_TOKEN_TYP).decode()

    def _error(self, form: Form, error: Exception) -> Answer:
        return _answer(self._server.handle_error_response(form, error))


class _Request(OAuth2Request):  # type: ignore[misc]  # Authlib ships no types
    """A form as Authlib sees a request. Its address is the public one, whatever proxy it came through."""

    def __init__(self, form: Form, issuer: str) -> None:
        super().__init__("POST", issuer + form.path)
        self.payload = BasicOAuth2Payload(dict(form.fields))
        self.authorization = form.authorization

    @property
    def form(self) -> Mapping[str, str]:
        """The fields."""
        fields: Mapping[str, str] = self.payload.data
        return fields


class _Client(ClientMixin):  # type: ignore[misc]  # Authlib ships no types
    """An authenticated client as Authlib asks about it."""

    def __init__(self, authenticated: Authenticated) -> None:
        self.authenticated = authenticated
        self.client_id = authenticated.client.client_id

    def get_allowed_scope(self, scope: str | None) -> str:
        try:
            granted = rules.grant_scopes(scope, self.authenticated.client.scopes)
        except Refused as error:
            raise InvalidScopeError(error.reason) from None
        return " ".join(sorted(granted))

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method == AUTH_METHOD

    def check_grant_type(self, grant_type: str) -> bool:
        return bool(grant_type == ClientCredentialsGrant.GRANT_TYPE)


class _ClientRefused(InvalidClientError):  # type: ignore[misc]  # Authlib ships no types
    """`invalid_client` (RFC 6749 §5.2), with our problem code and field beside it."""

    def __init__(self, refused: Refused, *, authorization: bool) -> None:
        # A client that tried an Authorization header is told that this is not the way; else RFC 6749 has 400.
        super().__init__(refused.reason, status_code=401 if authorization else 400)
        self.refused = refused

    def get_body(self) -> list[tuple[str, str]]:
        return [*super().get_body(), ("code", self.refused.code), ("field", self.refused.field)]


class _GrantUnsupported(UnsupportedGrantTypeError):  # type: ignore[misc]  # Authlib ships no types
    """As Authlib's, without the value that was sent."""

    def get_error_description(self) -> str:
        return "only client_credentials is supported"

    def get_body(self) -> list[tuple[str, str]]:
        return [("error", str(self.error)), ("error_description", self.get_error_description())]


class _OneToken:
    """The parameters of introspection and revocation: a token. A hint of its type is ignored (RFC 7009 §2.2)."""

    CLIENT_AUTH_METHODS: Final = [AUTH_METHOD]

    def check_params(self, request: "_Request", _client: "_Client") -> None:
        if "token" not in request.form:
            raise InvalidRequestError("token is missing")


class _Grant(ClientCredentialsGrant):  # type: ignore[misc]  # Authlib ships no types
    TOKEN_ENDPOINT_AUTH_METHODS: Final = [AUTH_METHOD]


def _server(
    access: Access,
    issuer: str,
    new_token: Callable[[_Client, str, None, str], str],
    known: Callable[[str], rules.AccessToken | None],
) -> Any:
    """Authlib's server, joined to our clients and tokens."""

    class Server(AuthorizationServer):  # type: ignore[misc]  # Authlib ships no types
        def query_client(self, _client_id: str) -> None:
            """Nobody is a client before it has proved so; see `prove`."""

        def save_token(self, _token: Mapping[str, str], _request: _Request) -> None:
            """A JWT needs no row: its client, its key and its revocation have theirs."""

        def create_oauth2_request(self, request: Form) -> _Request:
            return _Request(request, issuer)

        def handle_response(
            self, status: int, body: Mapping[str, Any], headers: list[tuple[str, str]]
        ) -> Answer:
            return Answer(status, body, dict(headers))

        def send_signal(self, _name: str, *_args: object, **_kwargs: object) -> None:
            """Nobody listens."""

        def get_token_grant(self, request: _Request) -> Any:
            try:
                return super().get_token_grant(request)
            except UnsupportedGrantTypeError:
                raise _GrantUnsupported(None) from None

    class Introspection(_OneToken, IntrospectionEndpoint):  # type: ignore[misc]  # Authlib ships no types
        def query_token(self, token: str, _hint: str | None) -> rules.AccessToken | None:
            return known(token)

        def check_permission(self, token: rules.AccessToken, client: _Client, _request: _Request) -> bool:
            return token.client_id == client.client_id

        def create_introspection_payload(self, token: rules.AccessToken | None) -> dict[str, Any]:
            if token is None:
                return {"active": False}
            try:
                with access.state() as uow:
                    org, scopes, _ = access.standing(uow, token)
            except Refused:
                return {"active": False}
            if EFFECTS[org.state].keys != "live":
                return {"active": False}
            current = {"active": True, "token_type": "Bearer", "scope": " ".join(sorted(scopes))}
            return {**token.claims(issuer), **current}

    class Revocation(_OneToken, RevocationEndpoint):  # type: ignore[misc]  # Authlib ships no types
        def authenticate_token(self, request: _Request, client: _Client) -> rules.AccessToken | None:
            self.check_params(request, client)
            token = known(request.form["token"])
            if token is not None and token.client_id != client.client_id:
                raise InvalidGrantError("the token was issued to another client")
            return token

        def revoke_token(self, token: rules.AccessToken, _request: _Request) -> None:
            access.revoke_token(token)

    def prove(_query_client: object, request: _Request) -> _Client | None:
        """Client authentication by `private_key_jwt` (RFC 7523 §2.2)."""
        form = request.form
        if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
            raise _ClientRefused(
                Refused("unauthenticated", "client_assertion", "only private_key_jwt is supported"),
                authorization=request.authorization,
            )
        try:
            client = _Client(access.authenticate_client(form["client_assertion"]))
            if form.get("client_id", client.client_id) != client.client_id:
                # RFC 7521 §4.2: where both are given, they name the same client.
                raise Refused("issuer-mismatch", "client_id", "names another client than the assertion")
        except Refused as error:
            if error.code == "unavailable":
                raise
            raise _ClientRefused(error, authorization=request.authorization) from None
        return client

    server = Server(scopes_supported=list(SCOPES))
    server.register_client_auth_method(AUTH_METHOD, prove)
    server.register_grant(_Grant)
    server.register_token_generator(
        "default", BearerTokenGenerator(new_token, expires_generator=rules.ACCESS_TOKEN_SECONDS)
    )
    server.register_endpoint(Introspection)
    server.register_endpoint(Revocation)
    return server


def _claims(token: str, known: Mapping[str, AuthorKey]) -> Mapping[str, Any]:
    """What an access token says, once its signature is verified."""
    opened = envelope.open_token(token.encode(), known, rules.ACCESS_TOKEN_TYP)
    return load_object(opened.payload, "payload")


def _answer(answer: Any) -> Answer:
    """What `handle_response` made, as Authlib hands it back."""
    assert isinstance(answer, Answer)  # noqa: S101  # the server above makes nothing else
    return answer

"""An OpenID provider for the tests: Authlib's own server on Flask, over real HTTP, with a hand on what it says wrong.

`Provider.lies` replaces claims of the next ID tokens, `key` and `alg` what they are signed with; everything else is as
Authlib does it: client authentication, PKCE, nonce, at_hash.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flask
import httpx2
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.util import scope_to_list
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import AuthorizationCodeMixin, OpenIDCode, UserInfo
from joserfc.jwk import ECKey, KeySet, OctKey
from werkzeug.serving import make_server

CLIENT_ID, SECRET = "tocsin", "a-secret.of_the~provider"


class Provider:
    """The provider's state."""

    def __init__(self) -> None:
        self.issuer = ""
        self.redirect_uri = ""
        self.subject = "user-1"
        self.key: ECKey | OctKey = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig"})
        self.published = KeySet([self.key])
        self.alg = "ES256"
        self.lies: dict[str, Any] = {}
        self.says: dict[str, Any] = {}
        self.secret: str | None = SECRET
        self.methods = ["client_secret_basic"]
        self.codes: dict[str, Any] = {}
        self.asked: list[str] = []

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": self.methods,
            **self.says,
        }

    def sign_in(self, address: str) -> str:
        """What a person's browser does there: sign in, agree, and be sent back; where to."""
        answer = httpx2.post(address, trust_env=False, follow_redirects=False)
        assert answer.status_code == 302, answer.text
        return str(answer.headers["location"])


class _Code(AuthorizationCodeMixin):  # type: ignore[misc]  # Authlib ships no types
    def __init__(self, subject: str, payload: Any) -> None:
        self.subject = subject
        self.redirect_uri = payload.redirect_uri
        self.scope = payload.scope
        self.nonce = payload.data.get("nonce")
        self.code_challenge = payload.data.get("code_challenge")
        self.code_challenge_method = payload.data.get("code_challenge_method")
        self.auth_time = int(time.time())

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope

    def get_nonce(self):
        return self.nonce

    def get_auth_time(self):
        return self.auth_time

    def get_acr(self):
        return None

    def get_amr(self):
        return None


class _Client(ClientMixin):  # type: ignore[misc]  # Authlib ships no types
    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.client_id = CLIENT_ID

    def get_client_id(self):
        return CLIENT_ID

    def get_default_redirect_uri(self):
        return self.provider.redirect_uri

    def get_allowed_scope(self, scope):
        return " ".join(word for word in scope_to_list(scope) if word == "openid")

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri == self.provider.redirect_uri

    def check_client_secret(self, client_secret):
        return client_secret == self.provider.secret

    def check_endpoint_auth_method(self, method, endpoint):
        return method in (self.provider.methods if self.provider.secret else ["none"])

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return grant_type == "authorization_code"


@contextmanager
def serving() -> Iterator[Provider]:
    """The provider on a free port of the loopback address."""
    provider = Provider()
    server = make_server("127.0.0.1", 0, _application(provider), threaded=True)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _application(provider: Provider) -> flask.Flask:
    app = flask.Flask("provider")
    client = _Client(provider)
    server = AuthorizationServer(
        app, lambda client_id: client if client_id == CLIENT_ID else None, lambda token, request: None
    )

    class Grant(AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib ships no types
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")

        def save_authorization_code(self, code, request):
            provider.codes[code] = _Code(request.user, request.payload)

        def query_authorization_code(self, code, client):
            return provider.codes.get(code)

        def delete_authorization_code(self, authorization_code):
            provider.codes = {k: v for k, v in provider.codes.items() if v is not authorization_code}

        def authenticate_user(self, authorization_code):
            return authorization_code.subject

    class OpenID(OpenIDCode):  # type: ignore[misc]  # Authlib ships no types
        def exists_nonce(self, nonce, request):
            return any(code.nonce == nonce for code in provider.codes.values())

        def get_client_algorithm(self, client):
            return provider.alg

        def resolve_client_private_key(self, client):
            return provider.key

        def get_encode_header(self, client):
            return {"alg": provider.alg, "kid": "k1"}

        def get_client_claims(self, client):
            return {
                "iss": provider.issuer,
                "aud": CLIENT_ID,
                "iat": int(time.time()),
                "exp": int(time.time()) + 300,
            }

        def get_compatible_claims(self, request):
            return self.get_client_claims(request.client)

        def generate_user_info(self, user, scope):
            return UserInfo({"sub": user, **provider.lies})

    server.register_grant(Grant, [CodeChallenge(required=True), OpenID(require_nonce=True)])

    @app.post("/authorize")
    def authorize():
        grant = server.get_consent_grant(end_user=provider.subject)
        return server.create_authorization_response(grant=grant, grant_user=provider.subject)

    @app.post("/token")
    def token():
        provider.asked.append("basic" if flask.request.authorization else "post")
        return server.create_token_response()

    @app.get("/jwks")
    def jwks():
        return provider.published.as_dict(private=False)

    @app.get("/.well-known/openid-configuration")
    def metadata():
        return provider.metadata()

    return app

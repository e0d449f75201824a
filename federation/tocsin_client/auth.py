"""Access tokens: OAuth 2.0 client credentials with `private_key_jwt` (RFC 6749 §4.4, RFC 7523, protocol.md §3).

The hub's metadata must name the very issuer that was asked (RFC 8414 §3.3). An assertion lives for 60 seconds, has one
audience and is made anew for every attempt, since its jti is accepted once. A token is kept in memory only.
"""

import secrets
import threading
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from tocsin_client.clock import Clock, system_clock
from tocsin_client.http import Call, HubError, Transport
from tocsin_schemas import envelope
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.signals import dump_object

METADATA_PATH: Final = "/.well-known/oauth-authorization-server"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_TYP: Final = "client-authentication+jwt"
ASSERTION_SECONDS: Final = 60
REFRESH_SECONDS: Final = 30
"""A token this close to its end is replaced."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a client needs of the authorization server metadata: the issuer, and the token endpoint's path."""

    issuer: str
    token_path: str


def discover(transport: Transport) -> Metadata:
    """Fetch and check the hub's metadata (RFC 8414).

    Raises:
        HubError: `issuer-mismatch` when the hub speaks for another issuer, `answer-invalid` when its token endpoint is
            elsewhere.
    """
    body = transport.request(Call("GET", METADATA_PATH)).json()
    found = body if isinstance(body, dict) else {}
    if found.get("issuer") != transport.hub:
        raise HubError(
            "issuer-mismatch",
            "the hub's metadata names another issuer than the address used",
            help_text="Use the hub's public base URL exactly as its operator gave it.",
        )
    endpoint = str(found.get("token_endpoint", ""))
    if not endpoint.startswith(transport.hub + "/"):
        raise HubError("answer-invalid", "the token endpoint is not on the hub")
    return Metadata(transport.hub, endpoint.removeprefix(transport.hub))


def assertion(client_id: str, key: SigningKey, audience: str, now: int) -> str:
    """A client assertion (RFC 7523 §3) for one token request."""
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "iat": now,
        "exp": now + ASSERTION_SECONDS,
        "jti": secrets.token_hex(16),
    }
    return envelope.sign(dump_object(claims), key, ASSERTION_TYP).decode()


class Tokens:
    """The access token of one client at one hub, fetched when needed. Safe to share between threads.

    `scope` is a list of scopes separated by spaces; without it the hub grants all the client has.
    """

    def __init__(
        self,
        transport: Transport,
        client_id: str,
        key: SigningKey,
        *,
        scope: str | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._transport = transport
        self._client_id = client_id
        self._key = key
        self._scope = scope
        self._clock = clock
        self._lock = threading.Lock()
        self._metadata: Metadata | None = None
        self._token = ""
        self._expires_at = 0

    def authorization(self, fresh: bool = False) -> str:
        """The `Authorization` header's value; `fresh` asks for a new token, after a 401.

        Raises:
            HubError: with the OAuth error as its code (RFC 6749 §5.2).
        """
        with self._lock:
            if fresh or self._clock() >= self._expires_at - REFRESH_SECONDS:
                self._fetch()
            return f"Bearer {self._token}"

    def _fetch(self) -> None:
        if self._metadata is None:
            self._metadata = discover(self._transport)
        reply = self._transport.request(
            Call(
                "POST",
                self._metadata.token_path,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                body=self._form,
            )
        ).json()
        token = reply.get("access_token") if isinstance(reply, dict) else None
        if not isinstance(token, str) or str(reply.get("token_type", "")).lower() != "bearer":
            raise HubError("answer-invalid", "the token endpoint gave no bearer token")
        lifetime = reply.get("expires_in")
        self._token = token
        self._expires_at = self._clock() + (lifetime if isinstance(lifetime, int) else 0)

    def _form(self) -> bytes:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion(self._client_id, self._key, self._transport.hub, self._clock()),
        }
        if self._scope is not None:
            form["scope"] = self._scope
        return urlencode(form).encode()

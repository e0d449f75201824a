"""Members for tests: each with its own key, an OAuth client, and rights in communities."""

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey

from tocsin.members.service import Members, NewKey
from tocsin_client.client import Client
from tocsin_client.http import Transport
from tocsin_client.submit import Author
from tocsin_schemas.jwk import KeyAlg, SigningKey

if TYPE_CHECKING:
    from tests.support.hub import Endpoint

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
RIGHTS = {"r": (True, False), "w": (False, True), "rw": (True, True)}


class Party:
    """One member, and how it talks to a hub. Assertions are made with joserfc: not the code under test."""

    def __init__(self, endpoint: "Endpoint", issuer: str, key: SigningKey, client_id: str) -> None:
        self.endpoint = endpoint
        self.issuer = issuer
        self.key = key
        self.client_id = client_id

    def assertion(
        self, header: Mapping[str, Any] | None = None, key: SigningKey | None = None, **claims: Any
    ) -> str:
        """A client assertion; `header` and `claims` replace members, and None takes one out."""
        key = key or self.key
        now = self.endpoint.clock()
        full_header = {
            "typ": "client-authentication+jwt",
            "alg": key.public.alg,
            "kid": key.public.kid,
            **(header or {}),
        }
        full_claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.endpoint.issuer,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_hex(16),
            **claims,
        }
        return encode(_present(full_header), _present(full_claims), key)

    def form(self, assertion: str | None = None, **fields: str) -> dict[str, str]:
        """The form of a request to an OAuth endpoint."""
        proof = {
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion if assertion is not None else self.assertion(),
        }
        return {**proof, **fields}

    def token(self, scope: str | None = None) -> str:
        """A new access token."""
        fields = {"grant_type": "client_credentials", **({} if scope is None else {"scope": scope})}
        answer = self.endpoint.http.post("/oauth/token", data=self.form(**fields))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def bearer(self, scope: str | None = None) -> dict[str, str]:
        """The headers of an authenticated request."""
        return {"Authorization": f"Bearer {self.token(scope)}"}

    @property
    def author(self) -> Author:
        """It signs."""
        return Author(self.issuer, self.key, clock=self.endpoint.clock)

    def sdk(self, *, retries: int = 0, scope: str | None = None) -> Client:
        """The SDK, on the connection that the tests use."""
        transport = Transport(self.endpoint.issuer, http=self.endpoint.http, retries=retries)
        return Client(self.endpoint.issuer, self.author, self.client_id, scope=scope, transport=transport)


def admit(
    endpoint: "Endpoint",
    members: Members,
    name: str,
    *,
    member_class: str = "platform",
    owner: str | None = None,
    communities: Mapping[str, str] | None = None,
    scopes: tuple[str, ...] | None = None,
    alg: KeyAlg = "Ed25519",
    signals_per_hour: int | None = None,
) -> Party:
    """Admit `https://<name>.example`; `communities` maps names (made if new) to r, w or rw."""
    wanted = {"child-safety": "rw"} if communities is None else communities
    for slug in wanted.keys() - {community.slug for community in members.list_communities()}:
        members.add_community(slug)
    key = SigningKey.generate(alg)
    issuer = f"https://{name}.example"
    view = members.add_member(
        issuer,
        member_class,
        control_group=owner,
        keys=[NewKey(key.public)],
        grants={slug: RIGHTS[rights] for slug, rights in wanted.items()},
        scopes=scopes,
        signals_per_hour=signals_per_hour,
    )
    return Party(endpoint, issuer, key, view.clients[0].client_id)


def encode(header: Mapping[str, Any], claims: Mapping[str, Any], key: SigningKey) -> str:
    """A compact JWS by joserfc."""
    imported = private(key)
    return jwt.encode(dict(header), dict(claims), imported, algorithms=[key.public.alg], default_type=None)


def private(key: SigningKey) -> OKPKey | ECKey:
    """A key for joserfc."""
    members = dict[str, str | list[str]](key.jwk())
    return OKPKey.import_key(members) if key.public.alg == "Ed25519" else ECKey.import_key(members)


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}

"""The token endpoint: client credentials with private_key_jwt, and every way to get it wrong."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from tests.support.clock import MovableClock
from tests.support.hub import Hub, in_process
from tests.support.parties import Party, private
from tests.support.state import contents
from tocsin.config import Settings
from tocsin.members.rules import ASSERTION_TYP
from tocsin.members.service import NewKey, forget
from tocsin_schemas import envelope
from tocsin_schemas.envelope import decode, encode
from tocsin_schemas.jwk import KeyAlg, SigningKey
from tocsin_schemas.vocabulary import SCOPES

GRANT = {"grant_type": "client_credentials"}


@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_a_client_gets_a_token_for_all_its_scopes(hub: Hub, alg: KeyAlg) -> None:
    party = hub.party("pixel", alg=alg)
    answer = hub.http.post("/oauth/token", data=party.form(**GRANT))
    assert answer.status_code == 200
    body = answer.json()
    token = body.pop("access_token")
    assert body == {"token_type": "Bearer", "expires_in": 300, "scope": " ".join(sorted(SCOPES))}
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    assert (
        hub.http.get("/v1/me", headers={"Authorization": f"Bearer {token}"}).json()["issuer"] == party.issuer
    )


def test_the_token_is_one_that_another_library_accepts(hub: Hub) -> None:
    """RFC 9068 §2, checked with joserfc and the published JWK Set."""
    party = hub.party("pixel")
    token = party.token("signals:read")
    keys = KeySet.import_key_set(hub.http.get("/.well-known/jwks.json").json())
    read = jwt.decode(token, keys, algorithms=["ES256"])
    now = hub.clock()
    jti = read.claims.pop("jti")
    assert len(bytes.fromhex(jti)) == 16
    assert read.header == {"typ": "at+jwt", "alg": "ES256", "kid": keys.keys[0].kid}
    assert read.claims == {
        "iss": hub.issuer,
        "aud": hub.issuer,
        "sub": party.issuer,
        "client_id": party.client_id,
        "client_kid": party.key.public.kid,
        "scope": "signals:read",
        "iat": now,
        "exp": now + 300,
    }


def test_a_client_of_another_library_is_served(hub: Hub) -> None:
    """Authlib's own `private_key_jwt`, set up as its documentation has it, with our audience, type and key id."""
    party = hub.party("pixel", alg="ES256")
    maker = PrivateKeyJWT(
        token_endpoint=hub.issuer,
        headers={"kid": party.key.public.kid, "typ": "client-authentication+jwt"},
        claims={"iat": hub.clock(), "exp": hub.clock() + 60},
        alg="ES256",
    )

    class Auth:
        client_id = party.client_id
        client_secret = private(party.key)

    assertion = maker.sign(Auth, hub.issuer)
    assert hub.http.post("/oauth/token", data=party.form(assertion, **GRANT)).status_code == 200


def test_metadata_leads_to_every_endpoint(hub: Hub) -> None:
    party = hub.party("pixel")
    metadata = hub.http.get("/.well-known/oauth-authorization-server").json()
    # Authlib wants at least one response type; a server without an authorization endpoint has none.
    AuthorizationServerMetadata({**metadata, "response_types_supported": ["none"]}).validate()
    assert metadata["issuer"] == hub.issuer
    assert metadata["grant_types_supported"] == ["client_credentials"]
    for name in ("token", "introspection", "revocation"):
        assert metadata[f"{name}_endpoint_auth_methods_supported"] == ["private_key_jwt"]
        assert metadata[f"{name}_endpoint_auth_signing_alg_values_supported"] == ["Ed25519", "EdDSA", "ES256"]
        form = party.form(**GRANT, token="none")
        assert hub.http.post(metadata[f"{name}_endpoint"], data=form).status_code == 200
    assert hub.http.get(metadata["jwks_uri"]).json()["keys"][0].keys() == {
        "kty",
        "crv",
        "x",
        "y",
        "kid",
        "alg",
        "use",
    }
    resource = hub.http.get("/.well-known/oauth-protected-resource").json()
    assert resource == {
        "resource": hub.issuer,
        "authorization_servers": [hub.issuer],
        "scopes_supported": list(SCOPES),
        "bearer_methods_supported": ["header"],
    }


def hs256(party: Party) -> str:
    """HMAC keyed with the public key: the classic confusion."""
    claims = jwt.decode(party.assertion(), private(party.key), algorithms=["Ed25519"]).claims
    header = {"typ": "client-authentication+jwt", "alg": "HS256", "kid": party.key.public.kid}
    return jwt.encode(header, claims, OctKey.import_key(party.key.public.raw), algorithms=["HS256"])


def rs256(party: Party) -> str:
    claims = jwt.decode(party.assertion(), private(party.key), algorithms=["Ed25519"]).claims
    header = {"typ": "client-authentication+jwt", "alg": "RS256", "kid": party.key.public.kid}
    return jwt.encode(header, claims, RSAKey.generate_key(2048), algorithms=["RS256"])


def unsigned(party: Party) -> str:
    header, payload, _ = party.assertion().split(".")
    plain = decode(header.encode(), "header").replace(b"Ed25519", b"none")
    return f"{encode(plain).decode()}.{payload}."


def signal(party: Party) -> str:
    """A signal of the same key: signed well, and of another type."""
    return party.assertion({"typ": "secevent+jwt"})


def over(payload: bytes) -> Callable[[Party], str]:
    """Signed well, over a payload that no library would make."""
    return lambda p: envelope.sign(payload, p.key, ASSERTION_TYP).decode()


def issued(offset: int) -> Callable[[Party], str]:
    return lambda p: p.assertion(iat=p.endpoint.clock() + offset, exp=p.endpoint.clock() + 30)


def ending(offset: int) -> Callable[[Party], str]:
    return lambda p: p.assertion(exp=p.endpoint.clock() + offset)


NEGATIVE: dict[str, tuple[Callable[[Party], str], str, str]] = {
    "wrong aud": (lambda p: p.assertion(aud="https://other.example"), "audience-unknown", "aud"),
    "aud is the endpoint": (
        lambda p: p.assertion(aud=f"{p.endpoint.issuer}/oauth/token"),
        "audience-unknown",
        "aud",
    ),
    "aud is a list of one": (lambda p: p.assertion(aud=[p.endpoint.issuer]), "audience-unknown", "aud"),
    "aud is a list": (
        lambda p: p.assertion(aud=[p.endpoint.issuer, "https://o.example"]),
        "audience-unknown",
        "aud",
    ),
    "aud is missing": (lambda p: p.assertion(aud=None), "claim-missing", "aud"),
    "expired": (ending(0), "token-expired", "exp"),
    "exp too far": (ending(301), "claim-invalid", "exp"),
    "exp is missing": (lambda p: p.assertion(exp=None), "claim-missing", "exp"),
    "iat in the future": (issued(61), "iat-future", "iat"),
    "iat too old": (issued(-301), "iat-too-old", "iat"),
    "iat is missing": (lambda p: p.assertion(iat=None), "claim-missing", "iat"),
    "jti is missing": (lambda p: p.assertion(jti=None), "claim-missing", "jti"),
    "iss is another": (lambda p: p.assertion(iss="someone"), "claim-invalid", "iss"),
    "unknown client": (lambda p: p.assertion(iss="cl_x", sub="cl_x"), "issuer-mismatch", "sub"),
    "alg none": (unsigned, "alg-none", "header.alg"),
    "alg HS256 with the public key": (hs256, "alg-not-allowed", "header.alg"),
    "alg RS256": (rs256, "alg-not-allowed", "header.alg"),
    "a list": (over(b"[]"), "json-invalid", "payload"),
    "half an object": (over(b"{"), "json-invalid", "payload"),
    "NaN": (over(b'{"iat":NaN}'), "json-invalid", "payload"),
    "not in ASCII": (over('{"iss":"é"}'.encode()), "json-invalid", "payload"),
    "a member named twice": (over(b'{"iss":"a","iss":"a"}'), "json-duplicate-key", "payload"),
    "iss with a NUL": (lambda p: p.assertion(iss="\0", sub="\0"), "claim-invalid", "iss"),
    "jti with a NUL": (lambda p: p.assertion(jti="\0"), "claim-invalid", "jti"),
    "kid with a NUL": (lambda p: p.assertion({"kid": "\0" * 43}), "key-unknown", "header.kid"),
    "unknown kid": (lambda p: p.assertion({"kid": "nobody"}), "key-unknown", "header.kid"),
    "kid is missing": (lambda p: p.assertion({"kid": None}), "claim-missing", "header.kid"),
    "signed by another key": (
        lambda p: p.assertion({"kid": p.key.public.kid}, SigningKey.generate()),
        "signature-invalid",
        "signature",
    ),
    "alg of another key": (
        lambda p: p.assertion({"kid": p.key.public.kid}, SigningKey.generate("ES256")),
        "alg-key-mismatch",
        "header.alg",
    ),
    "typ of a signal": (signal, "typ-mismatch", "header.typ"),
    "typ of an access token": (lambda p: p.assertion({"typ": "at+jwt"}), "typ-mismatch", "header.typ"),
    "typ JWT": (lambda p: p.assertion({"typ": "JWT"}), "typ-mismatch", "header.typ"),
    "an access token itself": (lambda p: p.token(), "typ-mismatch", "header.typ"),
    "padding": (lambda p: p.assertion() + "=", "base64-padding", "signature"),
    "not a JWT": (lambda _: "assertion", "envelope-malformed", ""),
    "too large": (lambda p: p.assertion(extra="x" * 9000), "envelope-too-large", ""),
}


@pytest.mark.parametrize("case", NEGATIVE)
def test_a_bad_assertion_is_refused_and_leaves_nothing(hub: Hub, case: str) -> None:
    make, code, field = NEGATIVE[case]
    party = hub.party("pixel")
    assertion = make(party)
    before = contents(hub.database)
    answer = hub.http.post("/oauth/token", data=party.form(assertion, **GRANT))
    body = answer.json()
    assert (answer.status_code, body["error"], body["code"], body["field"]) == (
        400,
        "invalid_client",
        code,
        field,
    )
    assert answer.headers["Cache-Control"] == "no-store"
    assert "access_token" not in body
    assert contents(hub.database) == before


def test_a_key_counts_only_while_it_is_in_force(hub: Hub) -> None:
    party = hub.party("pixel")
    keys = {name: SigningKey.generate() for name in ("old", "early", "revoked")}
    hub.members.add_key(party.issuer, NewKey(keys["old"].public, hub.clock() - 100, 101))
    hub.members.add_key(party.issuer, NewKey(keys["early"].public, hub.clock() + 10))
    hub.members.add_key(party.issuer, NewKey(keys["revoked"].public))
    hub.clock.advance(1)
    hub.members.revoke_key(keys["revoked"].public.kid)
    for name, code in (("old", "key-expired"), ("early", "key-not-yet-valid"), ("revoked", "key-revoked")):
        answer = hub.http.post("/oauth/token", data=party.form(party.assertion(key=keys[name]), **GRANT))
        assert (answer.status_code, answer.json()["code"]) == (400, code)
    hub.clock.advance(10)
    answer = hub.http.post("/oauth/token", data=party.form(party.assertion(key=keys["early"]), **GRANT))
    assert answer.status_code == 200


def test_a_key_of_another_member_opens_nothing(hub: Hub) -> None:
    pixel, mosaic = hub.party("pixel"), hub.party("mosaic")
    answer = hub.http.post("/oauth/token", data=pixel.form(pixel.assertion(key=mosaic.key), **GRANT))
    assert (answer.status_code, answer.json()["code"]) == (400, "issuer-mismatch")


def test_an_assertion_is_used_once(hub: Hub) -> None:
    party = hub.party("pixel")
    assertion = party.assertion()
    assert hub.http.post("/oauth/token", data=party.form(assertion, **GRANT)).status_code == 200
    for path in ("/oauth/token", "/oauth/introspect", "/oauth/revoke"):
        answer = hub.http.post(path, data=party.form(assertion, **GRANT, token="none"))
        assert (answer.status_code, answer.json()["code"]) == (400, "jti-reused")
    # Its jti belongs to this client: another may draw the same one.
    mosaic = hub.party("mosaic")
    assert (
        hub.http.post("/oauth/token", data=mosaic.form(mosaic.assertion(jti="a"), **GRANT)).status_code == 200
    )
    assert (
        hub.http.post("/oauth/token", data=party.form(party.assertion(jti="a"), **GRANT)).status_code == 200
    )


def test_of_many_uses_at_once_only_one_wins(hub: Hub) -> None:
    party = hub.party("pixel")
    form = party.form(**GRANT)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: hub.http.post("/oauth/token", data=form), range(16)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 15
    assert {answer.json().get("code") for answer in answers} == {None, "jti-reused"}


@pytest.mark.parametrize(
    "scope", ["admin", "signals:submit", "signals:read signals:submit", "", " ", "signals:read "]
)
def test_a_scope_that_the_client_has_not_is_refused(hub: Hub, scope: str) -> None:
    party = hub.party("pixel", scopes=("signals:read",))
    answer = hub.http.post("/oauth/token", data=party.form(**GRANT, scope=scope))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    assert scope.strip() not in answer.text or not scope.strip()


FORMS: dict[str, tuple[Callable[[dict[str, str]], Any], str]] = {
    "no grant type": (lambda form: {**form, "grant_type": None}, "invalid_request"),
    "another grant type": (lambda form: {**form, "grant_type": "password"}, "unsupported_grant_type"),
    "refresh": (lambda form: {**form, "grant_type": "refresh_token"}, "unsupported_grant_type"),
    "no assertion": (lambda form: {**form, "client_assertion": None}, "invalid_client"),
    "no assertion type": (lambda form: {**form, "client_assertion_type": None}, "invalid_client"),
    "another assertion type": (lambda form: {**form, "client_assertion_type": "saml"}, "invalid_client"),
    "a secret": (lambda _: {**GRANT, "client_id": "cl_1", "client_secret": "hunter2"}, "invalid_client"),
    "another client_id": (lambda form: {**form, "client_id": "cl_x"}, "invalid_client"),
    "repeated grant type": (
        lambda form: {**form, "grant_type": ["client_credentials"] * 2},
        "invalid_request",
    ),
    "repeated assertion": (lambda form: {**form, "client_assertion": ["a", "b"]}, "invalid_request"),
}


@pytest.mark.parametrize("case", FORMS)
def test_a_bad_form_is_refused_without_an_echo(hub: Hub, case: str) -> None:
    change, error = FORMS[case]
    party = hub.party("pixel")
    form = {name: value for name, value in change(party.form(**GRANT)).items() if value is not None}
    answer = hub.http.post("/oauth/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert not any(word in answer.text for word in ("password", "refresh_token", "saml", "hunter2", "cl_x"))


@pytest.mark.parametrize("body", [b"", b"grant_type", b"=&=", b"\xff=1", b"a=%ff", b"&".join([b"a=1"] * 17)])
def test_a_form_that_cannot_be_read_is_refused(hub: Hub, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = hub.http.post("/oauth/token", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_client_that_tries_a_header_is_told_so(hub: Hub) -> None:
    """RFC 6749 §5.2: 401 and a challenge, when the client used the Authorization header."""
    answer = hub.http.post("/oauth/token", data=GRANT, auth=("cl_1", "hunter2"))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/introspect", "/oauth/revoke"])
def test_the_endpoints_take_posted_forms_only(hub: Hub, path: str) -> None:
    party = hub.party("pixel")
    form = party.form(**GRANT, token="x")
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = hub.http.request(method, path, params=form)
        assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
        assert answer.headers["Allow"] == "POST"
    answer = hub.http.post(path, json=form)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")
    answer = hub.http.post(path, data={**form, "padding": "x" * 40_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "payload-too-large")
    # Nothing in the query counts.
    answer = hub.http.post(path, params=form, data={"x": "1", "grant_type": "client_credentials"})
    assert answer.json()["error"] == "invalid_client"


def test_a_revoked_client_gets_no_token(hub: Hub) -> None:
    party = hub.party("pixel")
    hub.members.revoke_client(party.client_id)
    answer = hub.http.post("/oauth/token", data=party.form(**GRANT))
    assert (answer.status_code, answer.json()["code"]) == (400, "token-revoked")


def test_used_assertions_are_remembered_as_digests_until_they_are_of_no_use(hub: Hub) -> None:
    party = hub.party("pixel")
    jti = secrets.token_hex(16)
    form = party.form(party.assertion(jti=jti), **GRANT)
    assert hub.http.post("/oauth/token", data=form).status_code == 200
    (row,) = contents(hub.database)["assertion"]
    assert jti.encode() not in bytes(row[1])
    hub.clock.advance(60 + 60)
    assert forget(hub.database) == 0
    hub.clock.advance(1)
    assert forget(hub.database) == 1
    assert contents(hub.database)["assertion"] == []
    assert hub.http.post("/oauth/token", data=form).json()["code"] == "token-expired"


def test_a_read_only_hub_gives_no_tokens_and_says_so(settings: Settings, clock: MovableClock) -> None:
    with in_process(settings, clock) as hub:
        party = hub.party("pixel")
    with in_process(settings.model_copy(update={"read_only": True}), clock) as replica:
        party.endpoint = replica
        answer = replica.http.post("/oauth/token", data=party.form(**GRANT))
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert replica.http.get("/readyz").status_code == 200

import json
from urllib.parse import parse_qs

import pytest
from joserfc import jwt

from tests.client.webserver import Answer, Asked, Web, serving
from tests.support.clock import MovableClock
from tests.support.parties import private
from tocsin_client.auth import ASSERTION_TYPE, Tokens, assertion, discover
from tocsin_client.http import HubError, Transport
from tocsin_schemas.jwk import SigningKey

CLIENT = "https://pixel.example"


class Issuer:
    """An authorization server that hands out numbered tokens."""

    def __init__(self, **metadata: object) -> None:
        self.metadata = metadata
        self.token: dict[str, object] = {"token_type": "Bearer", "expires_in": 300}
        self.given = 0
        self.web = Web("", [])
        self.failures: list[Answer | None] = []

    def __call__(self, asked: Asked) -> Answer | None:
        if asked.method == "GET":
            known = {"issuer": self.web.url, "token_endpoint": self.web.url + "/oauth/token"}
            return Answer(200, json.dumps({**known, **self.metadata}).encode())
        if self.failures:
            return self.failures.pop(0)
        self.given += 1
        return Answer(200, json.dumps({"access_token": f"t{self.given}", **self.token}).encode())

    def forms(self) -> list[dict[str, str]]:
        posts = [asked for asked in self.web.asked if asked.method == "POST"]
        return [{name: value for name, (value,) in parse_qs(asked.body.decode()).items()} for asked in posts]


@pytest.fixture
def issuer():
    made = Issuer()
    with serving(made) as web:
        made.web = web
        yield made


@pytest.fixture
def transport(issuer: Issuer):
    with Transport(issuer.web.url, pause=lambda _: None) as made:
        yield made


@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_an_assertion_says_who_for_whom_and_not_for_long(alg: str) -> None:
    key = SigningKey.generate(alg)  # type: ignore[arg-type]  # parametrised words
    public = private(key)
    text = assertion(CLIENT, key, "https://hub.example", 1000)
    read = jwt.decode(text, public, algorithms=[alg])
    assert read.header == {"typ": "client-authentication+jwt", "alg": alg, "kid": key.public.kid}
    jti = read.claims.pop("jti")
    assert len(jti) == 32
    assert read.claims == {
        "iss": CLIENT,
        "sub": CLIENT,
        "aud": "https://hub.example",
        "iat": 1000,
        "exp": 1060,
    }
    assert jti != jwt.decode(assertion(CLIENT, key, "x", 1), public, algorithms=[alg]).claims["jti"]


def test_a_token_is_fetched_once_and_kept(issuer: Issuer, transport: Transport, clock: MovableClock) -> None:
    tokens = Tokens(transport, CLIENT, SigningKey.generate(), clock=clock)
    assert tokens.authorization() == tokens.authorization() == "Bearer t1"
    (form,) = issuer.forms()
    assert form.keys() == {"grant_type", "client_assertion_type", "client_assertion"}
    assert (form["grant_type"], form["client_assertion_type"]) == ("client_credentials", ASSERTION_TYPE)


def test_it_is_renewed_30_seconds_before_its_end(
    issuer: Issuer, transport: Transport, clock: MovableClock
) -> None:
    tokens = Tokens(transport, CLIENT, SigningKey.generate(), clock=clock)
    tokens.authorization()
    clock.advance(269)
    assert tokens.authorization() == "Bearer t1"
    clock.advance(1)
    assert tokens.authorization() == "Bearer t2"
    assert sum(asked.method == "GET" for asked in issuer.web.asked) == 1, "metadata is fetched once"


def test_a_fresh_one_can_be_asked_for(issuer: Issuer, transport: Transport) -> None:
    tokens = Tokens(transport, CLIENT, SigningKey.generate())
    assert [tokens.authorization(), tokens.authorization(True)] == ["Bearer t1", "Bearer t2"]


def test_a_scope_can_be_asked_for(issuer: Issuer, transport: Transport) -> None:
    Tokens(transport, CLIENT, SigningKey.generate(), scope="signals:read").authorization()
    assert issuer.forms()[0]["scope"] == "signals:read"


def test_every_attempt_has_its_own_assertion(issuer: Issuer, transport: Transport) -> None:
    issuer.failures = [None, Answer(503)]
    Tokens(transport, CLIENT, SigningKey.generate()).authorization()
    assert len({form["client_assertion"] for form in issuer.forms()}) == 3


def test_a_token_without_a_lifetime_is_used_once(issuer: Issuer, transport: Transport) -> None:
    issuer.token = {"token_type": "bearer"}
    tokens = Tokens(transport, CLIENT, SigningKey.generate())
    assert [tokens.authorization(), tokens.authorization()] == ["Bearer t1", "Bearer t2"]


@pytest.mark.parametrize("token", [{"token_type": "mac"}, {"access_token": 1}, {"access_token": None}])
def test_what_is_no_bearer_token_is_refused(issuer: Issuer, transport: Transport, token: dict) -> None:
    issuer.token |= token
    with pytest.raises(HubError, match="no bearer token"):
        Tokens(transport, CLIENT, SigningKey.generate()).authorization()


def test_an_oauth_error_is_an_error(issuer: Issuer, transport: Transport) -> None:
    body = b'{"error":"invalid_client","error_description":"the assertion is not valid"}'
    issuer.failures = [Answer(400, body, {"content-type": "application/json"})]
    with pytest.raises(HubError) as caught:
        Tokens(transport, CLIENT, SigningKey.generate()).authorization()
    assert (caught.value.code, caught.value.detail) == ("invalid_client", "the assertion is not valid")


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"issuer": "https://other.example"}, "issuer-mismatch"),
        ({"issuer": None}, "issuer-mismatch"),
        ({"token_endpoint": "https://other.example/oauth/token"}, "answer-invalid"),
        ({"token_endpoint": None}, "answer-invalid"),
    ],
)
def test_metadata_must_be_the_hubs_own(
    issuer: Issuer, transport: Transport, metadata: dict, code: str
) -> None:
    issuer.metadata = metadata
    with pytest.raises(HubError) as caught:
        discover(transport)
    assert caught.value.code == code
    assert issuer.forms() == []


def test_metadata_must_be_an_object() -> None:
    with serving(lambda _: Answer(200, b"[]")) as web, Transport(web.url) as transport:
        with pytest.raises(HubError, match="issuer-mismatch"):
            discover(transport)

"""Access tokens after they were made: used, asked about, revoked, and stopped by what happens to their member."""

from collections.abc import Callable

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from tests.support.hub import Hub
from tests.support.parties import Party, encode
from tests.support.state import contents
from tocsin import keys
from tocsin_schemas.envelope import sign
from tocsin_schemas.jwk import SigningKey

METADATA = 'resource_metadata="https://hub.example/.well-known/oauth-protected-resource"'


def use(hub: Hub, token: str, path: str = "/v1/communities") -> tuple[int, str | None, str]:
    """(status, problem code, challenge) of a request with a token."""
    answer = hub.http.get(path, headers={"Authorization": f"Bearer {token}"})
    code = answer.json()["code"] if answer.status_code >= 400 else None
    return answer.status_code, code, answer.headers.get("WWW-Authenticate", "")


def ask(hub: Hub, party: Party, token: str) -> dict[str, object]:
    answer = hub.http.post("/oauth/introspect", data=party.form(token=token))
    assert answer.status_code == 200
    body: dict[str, object] = answer.json()
    return body


def test_without_credentials_the_challenge_has_no_error_code(hub: Hub) -> None:
    """RFC 6750 §3.1, RFC 9728 §5.1."""
    for headers in ({}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Basic YTpi"}):
        answer = hub.http.get("/v1/communities", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == f"Bearer {METADATA}"


def test_the_scheme_is_read_in_any_case(hub: Hub) -> None:
    token = hub.party("pixel").token()
    assert hub.http.get("/v1/communities", headers={"Authorization": f"bEaReR {token}"}).status_code == 200


def claims(hub: Hub, party: Party) -> dict[str, object]:
    found: dict[str, object] = jwt.decode(
        party.token(), ECKey.import_key(dict(hub.http.get("/.well-known/jwks.json").json()["keys"][0])),
        algorithms=["ES256"],
    ).claims  # fmt: skip
    return found


def hub_key(hub: Hub) -> SigningKey:
    return keys.load(hub.settings).token


def header(key: SigningKey, **changes: str) -> dict[str, str]:
    return {"typ": "at+jwt", "alg": key.public.alg, "kid": key.public.kid, **changes}


FORGED: dict[str, tuple[Callable[[Hub, Party], str], str]] = {
    "not a token": (lambda _h, _p: "token", "token-invalid"),
    "an assertion": (lambda _h, p: p.assertion(), "token-wrong-type"),
    "a signal": (lambda _h, p: p.assertion({"typ": "secevent+jwt"}), "token-wrong-type"),
    "an event of the hub": (
        lambda h, p: encode(header(keys.load(h.settings).events), claims(h, p), keys.load(h.settings).events),
        "token-invalid",
    ),
    "signed by a member": (lambda h, p: encode(header(p.key), claims(h, p), p.key), "token-invalid"),
    "with the hub's kid": (
        lambda h, p: encode(header(p.key, kid=hub_key(h).public.kid), claims(h, p), p.key),
        "token-invalid",
    ),
    "signed by another hub": (
        lambda h, p: encode(
            header(other := SigningKey.generate("ES256"), kid=hub_key(h).public.kid), claims(h, p), other
        ),
        "token-invalid",
    ),
    "HMAC with the public key": (
        lambda h, p: jwt.encode(
            header(hub_key(h), alg="HS256"), claims(h, p), OctKey.import_key(hub_key(h).public.raw), ["HS256"]
        ),
        "token-invalid",
    ),
    "typ JWT": (
        lambda h, p: encode(header(hub_key(h), typ="JWT"), claims(h, p), hub_key(h)),
        "token-wrong-type",
    ),
    "for another hub": (
        lambda h, p: encode(header(hub_key(h)), {**claims(h, p), "aud": "https://o.example"}, hub_key(h)),
        "token-invalid",
    ),
    "over a list": (lambda h, _p: sign(b"[]", hub_key(h), "at+jwt").decode(), "token-invalid"),
    "a claim named twice": (
        lambda h, _p: sign(b'{"iss":"a","iss":"a"}', hub_key(h), "at+jwt").decode(),
        "token-invalid",
    ),
    "padded": (lambda _h, p: p.token() + "=", "token-invalid"),
    "cut": (lambda _h, p: p.token()[:-1], "token-invalid"),
    "expired": (
        lambda h, p: encode(header(hub_key(h)), {**claims(h, p), "exp": h.clock()}, hub_key(h)),
        "token-expired",
    ),
}


@pytest.mark.parametrize("case", FORGED)
def test_what_is_no_token_of_this_hub_opens_nothing(hub: Hub, case: str) -> None:
    make, code = FORGED[case]
    party = hub.party("pixel")
    token = make(hub, party)
    status, found, challenge = use(hub, token)
    assert (status, found) == (401, code)
    assert challenge.startswith('Bearer error="invalid_token", error_description="')
    assert challenge.endswith(METADATA)
    assert ask(hub, party, token) == {"active": False}
    answer = hub.http.post("/oauth/revoke", data=party.form(token=token))
    assert (answer.status_code, answer.json()) == (200, {})


def test_a_token_whose_client_is_gone_is_as_good_as_revoked(hub: Hub) -> None:
    party = hub.party("pixel")
    token = encode(header(hub_key(hub)), {**claims(hub, party), "client_id": "cl_x"}, hub_key(hub))
    assert use(hub, token)[:2] == (401, "token-revoked")
    assert ask(hub, party, token) == {"active": False}


def test_a_token_is_no_signal(hub: Hub) -> None:
    party = hub.party("pixel")
    answer = hub.http.post(
        "/v1/signals",
        content=party.token(),
        headers={**party.bearer(), "Content-Type": "application/secevent+jwt"},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "typ-mismatch")
    answer = hub.http.post(
        "/v1/signals",
        content=party.assertion(),
        headers={**party.bearer(), "Content-Type": "application/secevent+jwt"},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "typ-mismatch")


def test_a_token_ends_after_five_minutes(hub: Hub) -> None:
    party = hub.party("pixel")
    token = party.token()
    hub.clock.advance(299)
    assert use(hub, token)[0] == 200
    hub.clock.advance(1)
    assert use(hub, token)[:2] == (401, "token-expired")
    assert ask(hub, party, token) == {"active": False}


def test_a_scope_that_the_token_lacks_is_named(hub: Hub) -> None:
    party = hub.party("pixel")
    token = party.token("signals:submit")
    assert use(hub, token)[0] == 200
    status, code, challenge = use(hub, token, "/v1/communities/child-safety/members")
    assert (status, code) == (403, "forbidden")
    assert challenge == f'Bearer error="insufficient_scope", scope="signals:read", {METADATA}'


def test_introspection_tells_a_client_about_its_own_tokens(hub: Hub) -> None:
    party = hub.party("pixel")
    token = party.token("signals:read")
    now = hub.clock()
    found = ask(hub, party, token)
    found.pop("jti")
    assert found == {
        "active": True,
        "token_type": "Bearer",
        "scope": "signals:read",
        "client_id": party.client_id,
        "client_kid": party.key.public.kid,
        "sub": party.issuer,
        "iss": hub.issuer,
        "aud": hub.issuer,
        "iat": now,
        "exp": now + 300,
    }


def test_another_clients_token_is_none_of_its_business(hub: Hub) -> None:
    pixel, mosaic = hub.party("pixel"), hub.party("mosaic")
    token = pixel.token()
    assert ask(hub, mosaic, token) == {"active": False}
    answer = hub.http.post("/oauth/revoke", data=mosaic.form(token=token))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert use(hub, token)[0] == 200
    # Nor is that of another client of the same member.
    second = Party(hub, pixel.issuer, pixel.key, hub.members.add_client(pixel.issuer).client_id)
    assert ask(hub, second, token) == {"active": False}


@pytest.mark.parametrize("path", ["/oauth/introspect", "/oauth/revoke"])
def test_the_endpoints_need_a_client_and_a_token(hub: Hub, path: str) -> None:
    party = hub.party("pixel")
    token = party.token()
    assert hub.http.post(path, data={"token": token}).json()["error"] == "invalid_client"
    assert hub.http.post(path, data=party.form()).json()["error"] == "invalid_request"
    assert use(hub, token)[0] == 200


def test_a_hint_of_the_tokens_type_changes_nothing(hub: Hub) -> None:
    """RFC 7009 §2.2."""
    party = hub.party("pixel")
    token = party.token()
    for hint in ("access_token", "refresh_token", "saml"):
        answer = hub.http.post("/oauth/introspect", data=party.form(token=token, token_type_hint=hint))
        assert answer.json()["active"] is True
    assert (
        hub.http.post("/oauth/revoke", data=party.form(token=token, token_type_hint="saml")).status_code
        == 200
    )
    assert use(hub, token)[:2] == (401, "token-revoked")


def test_a_revoked_token_is_refused_at_once_and_others_live_on(hub: Hub) -> None:
    party = hub.party("pixel")
    token, other = party.token(), party.token()
    for _ in range(2):
        answer = hub.http.post("/oauth/revoke", data=party.form(token=token, token_type_hint="access_token"))
        assert (answer.status_code, answer.json()) == (200, {})
    assert use(hub, token)[:2] == (401, "token-revoked")
    assert ask(hub, party, token) == {"active": False}
    assert use(hub, other)[0] == 200
    assert len(contents(hub.database)["revoked_token"]) == 1


def test_revoking_the_client_stops_its_tokens_at_once(hub: Hub) -> None:
    party = hub.party("pixel")
    second = Party(hub, party.issuer, party.key, hub.members.add_client(party.issuer).client_id)
    token, other = party.token(), second.token()
    hub.members.revoke_client(party.client_id)
    assert use(hub, token)[:2] == (401, "token-revoked")
    assert use(hub, other)[0] == 200


def test_revoking_the_key_stops_the_tokens_it_obtained_at_once(hub: Hub) -> None:
    party = hub.party("pixel")
    token = party.token()
    hub.members.revoke_key(party.key.public.kid)
    assert use(hub, token)[:2] == (401, "token-revoked")


def test_a_suspended_member_can_ask_who_it_is_and_nothing_else(hub: Hub) -> None:
    party = hub.party("pixel")
    token = party.token()
    hub.members.suspend(party.issuer)
    for path in ("/v1/communities", "/v1/communities/child-safety/members", "/v1/policy"):
        assert use(hub, token, path)[:2] == (403, "member-suspended")
    # Its keys are dead: no new token, and nothing else that they would have to sign for.
    form = party.form(grant_type="client_credentials")
    refused = hub.http.post("/oauth/token", data=form)
    assert (refused.status_code, refused.json()["code"]) == (400, "member-suspended")
    assert hub.http.post("/oauth/introspect", data=party.form(token=token)).status_code == 400
    me = hub.http.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert (me.status_code, me.json()["state"]) == (200, "suspended")
    hub.members.reinstate(party.issuer)
    assert use(hub, token)[0] == 200
    assert ask(hub, party, token)["active"] is True


SIGNED = ("/v1/applications", "/v1/board/", "/v1/members/acts")
"""Public, or authenticated by the signature of what is sent: whoever applies has no token, nor has a seat."""


def test_every_path_below_v1_needs_a_token(hub: Hub) -> None:
    """Each route of the OpenAPI document, so that a new one cannot be forgotten."""
    tried = 0
    for path, methods in hub.http.get("/openapi.json").json()["paths"].items():
        for method in methods:
            if path.startswith("/v1/") and not path.startswith(SIGNED):
                answer = hub.http.request(method, path.replace("{", "").replace("}", ""))
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), (method, path)
                tried += 1
    assert tried >= 7

"""Signing in at the operator's OpenID provider: authorization code with PKCE (OpenID Connect Core §3.1, RFC 7636).

Authlib builds the requests and checks the claims of the ID token; the conversation goes through the hub's one door out.
`state` is bound to the visitor's cookie and good once, `nonce` and the PKCE verifier are derived from both and stored
nowhere. Whoever comes back is known by (`iss`, `sub`) alone, never by an address, and only when they joined the two
themselves: a stranger with an account at the provider is a stranger here.
"""

import json
import threading
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Literal
from urllib.parse import quote_plus

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tocsin.accounts.service.context import Context, open_session, use_challenge
from tocsin.accounts.service.secrets import Secrets, decode, encode
from tocsin.accounts.store import people
from tocsin.egress import Answer, Egress, Outbound, Send, Unanswered, base_url
from tocsin.errors import Refused

CALLBACK_PATH: Final = "/console/openid"
ALGS: Final = ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"]
"""Signatures of ID tokens; never `none`, and nothing keyed with the client's secret."""
LIMIT: Final = 256 * 1024
SECONDS: Final = 10.0
KEPT_SECONDS: Final = 3600
AT_ONCE: Final = 4
"""Conversations at a time: each keeps a thread waiting that others' requests want."""
REST_SECONDS: Final = 30
"""How long a provider is left alone that gave no answer."""
LEEWAY_SECONDS: Final = 60
_FORM: Final = "application/x-www-form-urlencoded"

Aim = Literal["enter", "join"]
"""What somebody goes to the provider for: to sign in, or to join what they are there to what they are here."""


@dataclass(frozen=True, slots=True)
class Returned:
    """Who came back from the provider, by a digest of `iss` and `sub`, and the challenge that this uses up."""

    identity: bytes
    challenge: bytes
    expires_at: int


class Provider:
    """One OpenID provider. `origin` is the console's; without a `secret` this hub is a public client."""

    def __init__(self, issuer: str, client_id: str, secret: str | None, origin: str, egress: Egress) -> None:
        self.issuer = issuer
        self._client_id = client_id
        self._secret = secret
        self._redirect_uri = origin + CALLBACK_PATH
        self._egress = egress
        self._finding_out = threading.Lock()
        self._known: tuple[int, dict[str, Any], dict[str, Any]] | None = None
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._silent_at: int | None = None

    def address(self, secrets: Secrets, visit: str, aim: Aim, now: int) -> str:
        """Where to send the visitor with that cookie.

        Raises:
            Refused: `provider-unavailable`.
        """
        metadata, _ = self._provider(now)
        challenge = secrets.challenge(f"openid-{aim}", visit, now)
        found: str = prepare_grant_uri(
            self._endpoint(metadata, "authorization_endpoint"),
            self._client_id,
            "code",
            redirect_uri=self._redirect_uri,
            scope="openid",
            state=f"{aim}.{encode(challenge)}",
            nonce=_derived(secrets, "nonce", visit, challenge),
            code_challenge=create_s256_code_challenge(_derived(secrets, "verifier", visit, challenge)),
            code_challenge_method="S256",
        )
        return found

    def returned(
        self, secrets: Secrets, visit: str, aim: Aim, params: Mapping[str, str], now: int
    ) -> Returned:
        """Who has come back with these parameters of the callback.

        Raises:
            Refused: `challenge-invalid` for a `state` that is not this visitor's; `provider-refused`;
                `provider-unavailable`.
        """
        # 1. It is an answer to this visitor, and from this provider (RFC 6749 §10.12, RFC 9207 §2.4).
        challenge = decode(params.get("state", "").removeprefix(f"{aim}."), "state")
        expires_at = secrets.check(challenge, f"openid-{aim}", visit, now)
        metadata, keys = self._provider(now)
        said = params.get("iss")
        told = metadata.get("authorization_response_iss_parameter_supported") is True
        if (told or said is not None) and said != self.issuer:
            raise Refused("provider-refused", "iss", "the answer is another provider's")
        if not params.get("code"):
            raise Refused("provider-refused", "code", "the provider did not sign you in")
        # 2. The code for an ID token.
        verifier = _derived(secrets, "verifier", visit, challenge)
        answer = self._ask(self._token_request(metadata, params["code"], verifier), now)
        # 3. Its signature, then its claims (OpenID Connect Core §3.1.3.7).
        nonce = _derived(secrets, "nonce", visit, challenge)
        claims = self._claims(answer, keys, nonce, now)
        named = f"tocsin/openid/v1\n{claims['iss']}\n{claims['sub']}"
        return Returned(sha256(named.encode()).digest(), challenge, expires_at)

    def _token_request(self, metadata: Mapping[str, Any], code: str, verifier: str) -> Outbound:
        fields = {"code": code, "code_verifier": verifier}
        authorization = None
        # OpenID Connect Discovery §3: a provider that says nothing takes HTTP Basic.
        methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if self._secret is None:
            fields["client_id"] = self._client_id
        elif "client_secret_post" in methods:
            fields |= {"client_id": self._client_id, "client_secret": self._secret}
        else:
            # RFC 6749 §2.3.1 has both encoded first. Not every server undoes it: hence the other way where it is taken.
            pair = f"{quote_plus(self._client_id)}:{quote_plus(self._secret)}"
            authorization = f"Basic {b64encode(pair.encode()).decode()}"
        content = prepare_token_request("authorization_code", redirect_uri=self._redirect_uri, **fields)
        return Outbound(
            "POST",
            self._endpoint(metadata, "token_endpoint"),
            LIMIT,
            content.encode(),
            _FORM,
            authorization,
            to="operator",
        )

    def _claims(
        self, answer: Mapping[str, Any], keys: Mapping[str, Any], nonce: str, now: int
    ) -> Mapping[str, Any]:
        options = {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": self._client_id},
            "sub": {"essential": True},
            "nonce": {"essential": True, "value": nonce},
        }
        params = {
            "nonce": nonce,
            "client_id": self._client_id,
            "access_token": answer.get("access_token"),
        }
        try:
            key_set = KeySet.import_key_set({"keys": keys["keys"]})
            token = jwt.decode(str(answer.get("id_token")), key_set, algorithms=ALGS)
            claims = CodeIDToken(token.claims, token.header, options, params)
            claims.validate(now=now, leeway=LEEWAY_SECONDS)
            if not isinstance(claims["sub"], str) or not claims["sub"]:
                raise ValueError("sub")
        except (JoseError, ValueError, KeyError, TypeError):
            raise Refused("provider-refused", "id_token", "the provider's word does not hold") from None
        return dict(claims)

    def _provider(self, now: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """The provider's metadata and keys, asked for once an hour, by one: nobody waits in line behind a conversation.

        Meanwhile what is known stays good; where nothing is, whoever comes is to come again.
        """
        known = self._known
        if known is not None and now - known[0] < KEPT_SECONDS:
            return known[1:]
        if not self._finding_out.acquire(blocking=False):
            if known is None:
                raise _unavailable()
            return known[1:]
        try:
            address = get_well_known_url(self.issuer, external=True)
            metadata = self._ask(Outbound("GET", address, LIMIT, to="operator"), now)
            # OpenID Connect Discovery §4.3: or any host could speak for it.
            if metadata.get("issuer") != self.issuer:
                raise _unavailable()
            keys = self._ask(Outbound("GET", self._endpoint(metadata, "jwks_uri"), LIMIT, to="operator"), now)
            self._known = (now, metadata, keys)
            return metadata, keys
        finally:
            self._finding_out.release()

    def _ask(self, request: Outbound, now: int) -> dict[str, Any]:
        async def ask(send: Send) -> Answer:
            return await send(request)

        # Anybody may have this asked, without a login: so a provider that hangs must cost the others nothing.
        resting = self._silent_at is not None and 0 <= now - self._silent_at < REST_SECONDS
        if resting or not self._turns.acquire(blocking=False):
            raise _unavailable()
        try:
            (answer,) = self._egress.talk([ask], SECONDS)
        finally:
            self._turns.release()
        if isinstance(answer, Unanswered) or answer.status >= 500:
            self._silent_at = now
            raise _unavailable()
        self._silent_at = None
        try:
            found = json.loads(answer.body)
        except ValueError:
            raise _unavailable() from None
        if answer.status != 200 or not isinstance(found, dict):
            raise Refused("provider-refused", "", "the provider refuses this hub or this sign-in")
        return found

    def _endpoint(self, metadata: Mapping[str, Any], name: str) -> str:
        address, mark, query = str(metadata.get(name)).partition("?")
        try:
            base_url(address)
        except Refused:
            raise _unavailable() from None
        return address + mark + query


def enter(context: Context, provider: Provider, visit: str, params: Mapping[str, str]) -> str:
    """Open a session for who has come back from the provider; the new cookie.

    Raises:
        Refused: as `Provider.returned`; `sign-in-refused` for a stranger, or somebody locked.
    """
    returned = provider.returned(context.secrets, visit, "enter", params, context.database.clock())
    with context.database.transaction() as uow:
        use_challenge(uow, returned.challenge, returned.expires_at)
        person_id = people.by_identity(uow, returned.identity)
        if person_id is not None and people.by_id(uow, person_id).locked_at is None:
            return open_session(uow, person_id, "oidc")
    raise Refused("sign-in-refused", "", "nobody here has joined that account of the provider to theirs")


def joined(context: Context, provider: Provider, visit: str, params: Mapping[str, str]) -> bytes:
    """The identity with which somebody signed in has come back, to join it to theirs.

    Raises:
        Refused: as `Provider.returned`.
    """
    returned = provider.returned(context.secrets, visit, "join", params, context.database.clock())
    with context.database.transaction() as uow:
        use_challenge(uow, returned.challenge, returned.expires_at)
    return returned.identity


def _derived(secrets: Secrets, what: str, visit: str, challenge: bytes) -> str:
    """A value of 256 bits for this visit and challenge, which the hub can compute again and nobody else can."""
    return encode(secrets.derive(f"openid-{what}", visit, challenge))


def _unavailable() -> Refused:
    return Refused(
        "provider-unavailable", "", "the OpenID provider gives no usable answer", retry_after=REST_SECONDS
    )

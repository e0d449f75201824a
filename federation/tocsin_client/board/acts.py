"""What a member does itself, signed with its own key: prove, add and revoke keys, attest, withdraw.

An act is sent as it is recorded; the hub adds nothing to it but its place in the chain. It needs no access token: the
signature says who speaks, and a member that cannot log in any more can still revoke its key.
"""

from typing import Any, Final

from pydantic import ValidationError

from tocsin_client.board.applying import offer
from tocsin_client.http import Call, HubError, Transport
from tocsin_client.submit import Author, new_jti
from tocsin_schemas.governance import Act, MemberActName, PublishedRecord, sign_act
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY

ACTS_PATH: Final = "/v1/members/acts"
JWT: Final = "application/jwt"
KEY_LIFE: Final = 365 * DAY
"""How long a new key holds unless it is said otherwise."""
SKEW: Final = 60
"""A new key holds from so many seconds before now: a hub whose clock is behind takes it at once."""


class Acts:
    """One member's acts at one hub, signed by `author`."""

    def __init__(self, transport: Transport, author: Author) -> None:
        self._transport = transport
        self._author = author

    def prove_key(self, life: int = KEY_LIFE) -> PublishedRecord:
        """Prove that the member holds the author's key, which its admission names; it holds for `life` seconds.

        Raises:
            HubError: with the problem's code.
        """
        return self._do("prove-key", **self._from_now(life))

    def add_key(self, key: SigningKey, life: int = KEY_LIFE) -> PublishedRecord:
        """Add a key, which signs for itself; it holds from now on for `life` seconds.

        Raises:
            HubError: with the problem's code.
        """
        proof = offer(self._author, self._transport.hub, key)["proof"]
        return self._do("key-add", **self._from_now(life), jwk=key.public.jwk(), proof=proof)

    def revoke_key(self, kid: str) -> PublishedRecord:
        """Revoke one of the member's keys; the author's own is one of them.

        Raises:
            HubError: with the problem's code.
        """
        return self._do("key-revoke", kid=kid)

    def attest(self, year: int) -> PublishedRecord:
        """Attest that what the member was admitted on still is so.

        Raises:
            HubError: with the problem's code.
        """
        return self._do("attest", year=year)

    def withdraw(self) -> PublishedRecord:
        """Leave the hub.

        Raises:
            HubError: with the problem's code.
        """
        return self._do("withdraw")

    def _from_now(self, life: int) -> dict[str, int]:
        begins = self._author.clock() - SKEW
        return {"not_before": begins, "not_after": begins + life}

    def _do(self, name: MemberActName, **said: Any) -> PublishedRecord:
        author = self._author
        act = Act(
            iss=author.issuer,
            aud=self._transport.hub,
            iat=author.clock(),
            jti=new_jti().hex(),
            act=name,
            **said,
        )
        return send(self._transport, sign_act(act, author.key))


def send(transport: Transport, jws: str) -> PublishedRecord:
    """Send a signed act; the record that it became.

    Raises:
        HubError: with the problem's code; `answer-invalid` when the answer is no record.
    """
    reply = transport.request(Call("POST", ACTS_PATH, headers={"Content-Type": JWT}, body=jws.encode()))
    try:
        return PublishedRecord.model_validate_json(reply.body)
    except ValidationError:
        raise HubError("answer-invalid", "the hub's answer is no record", status=reply.status) from None

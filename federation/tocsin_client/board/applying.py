"""Ask to be admitted, stand up for who does, appeal: what is signed and sent beside the acts that are records."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tocsin_client.http import Call, HubError, Transport
from tocsin_client.submit import Author, new_jti
from tocsin_schemas import envelope
from tocsin_schemas.governance import sign_key_proof
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.signals import dump_object

APPLICATIONS: Final = "/v1/applications"
SPONSORS: Final = f"{APPLICATIONS}/sponsors"
APPEALS: Final = "/v1/board/appeals"
SPONSORSHIP_TYP: Final = "tocsin-sponsorship+jwt"
APPEAL_TYP: Final = "tocsin-appeal+jwt"


def offer(author: Author, hub: str, key: SigningKey | None = None) -> dict[str, Any]:
    """A public key of the author's member (without `key`, the author's own) with the proof that the member holds it."""
    held = key or author.key
    proof = sign_key_proof(iss=author.issuer, aud=hub, iat=author.clock(), key=held)
    return {"jwk": held.public.jwk(), "proof": proof}


def apply(transport: Transport, authors: Sequence[Author], answers: Mapping[str, Any]) -> dict[str, Any]:
    """Send an application: `answers` as the hub's OpenAPI document has them, without issuer and keys.

    Returns the hub's answer: the application's id, and the secret with which it is followed.

    Raises:
        HubError: with the problem's code and field.
    """
    keys = [offer(author, transport.hub) for author in authors]
    form = {**answers, "issuer": authors[0].issuer, "keys": keys}
    headers = {"Content-Type": "application/json"}
    said = transport.request(Call("POST", APPLICATIONS, headers=headers, body=dump_object(form))).json()
    if not isinstance(said, dict):
        raise HubError("answer-invalid", "the hub's answer is not about an application")
    return said


def sponsor(transport: Transport, author: Author, application: str) -> dict[str, Any]:
    """Stand up for an applicant, as a member; where the application stands then.

    Raises:
        HubError: with the problem's code.
    """
    return _send(transport, author, SPONSORS, SPONSORSHIP_TYP, application=application)


def appeal(transport: Transport, author: Author, decision: int) -> dict[str, Any]:
    """Appeal a decision about this member, by its number; the motion that the appeal became.

    Raises:
        HubError: with the problem's code.
    """
    return _send(transport, author, APPEALS, APPEAL_TYP, of=decision)


def _send(transport: Transport, author: Author, path: str, typ: str, **said: Any) -> dict[str, Any]:
    payload = {
        "iss": author.issuer,
        "aud": transport.hub,
        "iat": author.clock(),
        "jti": new_jti().hex(),
        **said,
    }
    token = envelope.sign(dump_object(payload), author.key, typ)
    headers = {"Content-Type": "application/jwt"}
    answer = transport.request(Call("POST", path, headers=headers, body=token)).json()
    if not isinstance(answer, dict):
        raise HubError("answer-invalid", "the hub's answer has another form")
    return answer

"""Passkeys: what a browser answers, verified with py_webauthn (WebAuthn §7.1, §7.2). No database.

User verification is required throughout, which is not the library's default. The public key is kept as one of the keys
that a roster can carry: ES256 or Ed25519.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import decode_credential_public_key, encode_cbor
from webauthn.helpers.cose import COSECRV, COSEKTY, COSEAlgorithmIdentifier, COSEKey
from webauthn.helpers.decode_credential_public_key import DecodedEC2PublicKey, DecodedOKPPublicKey
from webauthn.helpers.exceptions import WebAuthnException

from tocsin.accounts.service.secrets import decode, encode
from tocsin.errors import Refused
from tocsin.web.people import RelyingParty
from tocsin_schemas.jwk import KeyAlg, PublicKey, public_key

MAX_CREDENTIAL_BYTES: Final = 1023
"""WebAuthn §5.8.3."""
_LIMIT: Final = 16 * 1024
_ALGS: Final = [COSEAlgorithmIdentifier.ECDSA_SHA_256, COSEAlgorithmIdentifier.EDDSA]
_FLAGS: Final = 32
_COUNTER: Final = slice(33, 37)
_VERIFIED: Final = 0x04
# What the library lets through besides its own when an authenticator sends something else than it should.
_MALFORMED: Final = (WebAuthnException, ValueError, KeyError, TypeError, IndexError, AttributeError)


@dataclass(frozen=True, slots=True)
class Made:
    """A passkey just made."""

    credential: bytes
    public: PublicKey
    counter: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a challenge, as a form carries it; `challenge` is the one that the browser says it answered."""

    credential: bytes
    client_data: bytes
    challenge: bytes
    fields: Mapping[str, str]


def answered(fields: Mapping[str, str]) -> Answered:
    """Read an answer's `credential` and `client_data`; the rest is read when it is verified.

    Raises:
        Refused: `request-invalid`, `assertion-invalid`.
    """
    credential = decode(fields.get("credential", ""), "credential")
    client_data = decode(fields.get("client_data", ""), "client_data", _LIMIT)
    try:
        found = json.loads(client_data)
        challenge = decode(found["challenge"], "client_data")
    except (ValueError, KeyError, TypeError):
        raise _invalid() from None
    return Answered(credential, client_data, challenge, fields)


def verify_made(party: RelyingParty, answer: Answered) -> Made:
    """Verify a new passkey (WebAuthn §7.1). Attestation is not asked for: whom the key belongs to, the link says.

    Raises:
        Refused: `assertion-invalid`, `assertion-unverified-user`.
    """
    attestation = answer.fields.get("attestation", "")
    decode(attestation, "attestation", _LIMIT)
    response = {"clientDataJSON": encode(answer.client_data), "attestationObject": attestation}
    try:
        verified = verify_registration_response(
            credential=_credential(answer, response),
            expected_challenge=answer.challenge,
            expected_rp_id=party.rp_id,
            expected_origin=party.origin,
            supported_pub_key_algs=_ALGS,
        )
        public = public_key(_jwk(verified.credential_public_key))
    except _MALFORMED:
        raise _invalid() from None
    if not verified.user_verified:
        raise _unverified()
    if not 0 < len(verified.credential_id) <= MAX_CREDENTIAL_BYTES:
        raise _invalid()
    return Made(verified.credential_id, public, verified.sign_count)


def verify_answer(party: RelyingParty, answer: Answered, alg: KeyAlg, public: bytes) -> int:
    """Verify an assertion (WebAuthn §7.2) with a registered key; the authenticator's counter.

    Whether the counter has grown is for the caller to see, who knows the last one.

    Raises:
        Refused: `assertion-invalid`, `assertion-unverified-user`.
    """
    named = {"authenticatorData": "authenticator_data", "signature": "signature"}
    response = {name: answer.fields.get(field, "") for name, field in named.items()}
    data = decode(response["authenticatorData"], "authenticator_data", _LIMIT)
    decode(response["signature"], "signature")
    try:
        verify_authentication_response(
            credential=_credential(answer, {"clientDataJSON": encode(answer.client_data), **response}),
            expected_challenge=answer.challenge,
            expected_rp_id=party.rp_id,
            expected_origin=party.origin,
            credential_public_key=_cose(alg, public),
            credential_current_sign_count=-1,
        )
    except _MALFORMED:
        raise _invalid() from None
    if not data[_FLAGS] & _VERIFIED:
        raise _unverified()
    return int.from_bytes(data[_COUNTER])


def _credential(answer: Answered, response: Mapping[str, str]) -> dict[str, Any]:
    name = encode(answer.credential)
    return {"id": name, "rawId": name, "type": "public-key", "response": dict(response)}


def _jwk(cose: bytes) -> dict[str, str]:
    """The JWK of a COSE key (RFC 9053 §7)."""
    found = decode_credential_public_key(cose)
    if isinstance(found, DecodedOKPPublicKey) and found.crv == COSECRV.ED25519:
        return {"kty": "OKP", "crv": "Ed25519", "x": _text(found.x)}
    if isinstance(found, DecodedEC2PublicKey) and found.crv == COSECRV.P256:
        return {"kty": "EC", "crv": "P-256", "x": _text(found.x), "y": _text(found.y)}
    raise ValueError("curve")


def _cose(alg: KeyAlg, public: bytes) -> bytes:
    """The COSE key of a public key as it is kept."""
    if alg == "Ed25519":
        fields = {
            COSEKey.KTY: COSEKTY.OKP,
            COSEKey.ALG: COSEAlgorithmIdentifier.EDDSA,
            COSEKey.CRV: COSECRV.ED25519,
            COSEKey.X: public,
        }
    else:
        fields = {
            COSEKey.KTY: COSEKTY.EC2,
            COSEKey.ALG: COSEAlgorithmIdentifier.ECDSA_SHA_256,
            COSEKey.CRV: COSECRV.P256,
            COSEKey.X: public[1:33],
            COSEKey.Y: public[33:65],
        }
    return bytes(encode_cbor({int(name): int(v) if isinstance(v, int) else v for name, v in fields.items()}))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _invalid() -> Refused:
    return Refused("assertion-invalid", "", "not a valid answer of a passkey to this page")


def _unverified() -> Refused:
    return Refused("assertion-unverified-user", "", "the authenticator did not ask who uses it")

"""Verify the WebAuthn assertion that makes a ballot: WebAuthn Level 3 §7.2, without the library that enrols passkeys.

The same code counts a ballot at the hub and replays it years later anywhere, so it must give one answer for ever. It
needs nothing but a public key: no CBOR, since the roster holds keys as JWK, and no memory. Steps keep the numbers of
§7.2; those that need the ceremony or a memory are not here: 1-7 (a browser's), 19 (backup state is no policy of ours)
and 22-25: a sign counter is one server's memory, and here no challenge ever comes twice. ADR 0025 says why.

Stricter than §7.2, for a ballot is published (docs/divergences.md): client data is one JSON object in ASCII that names
no member twice, with members of a closed list alone, so that nothing can be written into it; authenticator data has
neither extensions nor an attested credential; a DER signature has its one spelling.
"""

import hashlib
import json
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from tocsin_schemas import envelope, signals
from tocsin_schemas.decisions import Ballot
from tocsin_schemas.jwk import PublicKey
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Credential

MAX_CLIENT_DATA: Final = 1024
"""Bytes; what browsers write for an origin of any length takes half of it."""
AUTHENTICATOR_DATA: Final = 37
"""Bytes of it without attested credential and extensions (§6.1): 32 of rpIdHash, 1 of flags, 4 of signCount."""
UP: Final = 0x01
UV: Final = 0x04
BE: Final = 0x08
BS: Final = 0x10
_RESERVED: Final = 0x02 | 0x20
_AT_ED: Final = 0x40 | 0x80
_SAID: Final = frozenset({"type", "challenge", "origin"})
_HARMLESS: Final = {
    "crossOrigin": (False,),
    "hashAlgorithm": ("SHA-256",),
    "clientExtensions": ({},),
    # Chromium writes this into some assertions, so that nobody compares client data with a template.
    "other_keys_can_be_added_here": (
        "do not compare clientDataJSON against a template. See https://goo.gl/yabPex",
    ),
}
"""What else browsers write, and the values it may have. `crossOrigin` and `topOrigin`: steps 13 and 14."""
_P256_BYTES: Final = 32


class WebAuthn:
    """What `tocsin_schemas.chain` asks about a ballot that a passkey signed."""

    def assertion(
        self, ballot: Ballot, credential: Credential, challenge: bytes, rp_id: str, origin: str
    ) -> None:
        """Verify a ballot's assertion; arguments and refusals as `verify_assertion`.

        Raises:
            Refused: `ballot-unverified-user` or `ballot-invalid`.
        """
        said = ballot.assertion
        if said is None or credential.kind != "webauthn":
            raise _invalid("assertion", "this credential votes with another kind of signature")
        verify_assertion(
            client_data=_bytes(said.client_data, "client_data"),
            authenticator_data=_bytes(said.authenticator_data, "authenticator_data"),
            signature=_bytes(said.signature, "signature"),
            key=credential.public(),
            challenge=challenge,
            rp_id=rp_id,
            origin=origin,
        )


def verify_assertion(
    *,
    client_data: bytes,
    authenticator_data: bytes,
    signature: bytes,
    key: PublicKey,
    challenge: bytes,
    rp_id: str,
    origin: str,
) -> None:
    """Verify that the holder of `key` was there, was verified, and signed `challenge` on a page of `origin`.

    `client_data`, `authenticator_data` and `signature` are the bytes of an AuthenticatorAssertionResponse (§5.2.2),
    `rp_id` and `origin` those of the roster in force.

    Raises:
        Refused: `ballot-unverified-user` when the authenticator did not verify its user; else `ballot-invalid`,
            naming the field, never its value.
    """
    # 8. and 9. Client data is JSON in UTF-8; here in ASCII, each member once.
    said = _client_data(client_data)
    # 10. It is of an assertion, not of a registration.
    if said["type"] != "webauthn.get":
        raise _invalid("client_data.type", "must be webauthn.get")
    # 11. The challenge: exactly this decision and this choice.
    if said["challenge"] != envelope.encode(challenge).decode():
        raise _invalid("client_data.challenge", "is not the digest of this decision and choice")
    # 12. It was made on a page of the hub.
    if said["origin"] != origin:
        raise _invalid("client_data.origin", "is not the origin that the roster names")
    # 13. and 14. Not inside another site's page; and nothing else is said.
    _demand_harmless(said)
    # 15. The credential's scope.
    if len(authenticator_data) != AUTHENTICATOR_DATA:
        raise _invalid("authenticator_data", f"has {AUTHENTICATOR_DATA} bytes, without extensions")
    if authenticator_data[:32] != hashlib.sha256(rp_id.encode()).digest():
        raise _invalid("authenticator_data", "is for another relying party than the roster names")
    flags = authenticator_data[32]
    # 16. Somebody was there.
    if not flags & UP:
        raise _invalid("authenticator_data", "nobody was present")
    # 17. And it was the owner, by PIN or biometrics. This is never optional here.
    if not flags & UV:
        raise Refused(
            "ballot-unverified-user", "authenticator_data", "the authenticator did not verify its user"
        )
    # 18. Only what may be backed up is backed up; nothing is said that has no meaning or no room.
    if flags & BS and not flags & BE:
        raise _invalid("authenticator_data", "backed up, and not eligible for it")
    if flags & (_RESERVED | _AT_ED):
        raise _invalid("authenticator_data", "sets flags that an assertion without extensions has not")
    # 20. and 21. The signature over all of that.
    raw = signature if key.alg == "Ed25519" else _raw_es256(signature)
    if not key.verify(raw, authenticator_data + hashlib.sha256(client_data).digest()):
        raise _invalid("signature", "does not verify with the seat's credential")


def _bytes(text: str, field: str) -> bytes:
    try:
        return envelope.decode(text.encode(), field)
    except Refused as refused:
        raise _invalid(field, refused.reason) from None


def _client_data(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_CLIENT_DATA:
        raise _invalid("client_data", f"is longer than {MAX_CLIENT_DATA} bytes")
    try:
        said = signals.load_object(raw, "client_data")
    except Refused as refused:
        raise _invalid("client_data", refused.reason) from None
    if missing := _SAID - said.keys():
        raise _invalid(f"client_data.{min(missing)}", "is missing")
    return said


def _demand_harmless(said: dict[str, Any]) -> None:
    if said.get("crossOrigin", False) is not False or "topOrigin" in said:
        raise _invalid("client_data.crossOrigin", "was signed inside a page of another origin")
    for name in said.keys() - _SAID:
        # By their JSON: to Python, False is 0.
        if json.dumps(said[name]) not in map(json.dumps, _HARMLESS.get(name, ())):
            raise _invalid("client_data", "has a member, or a value of one, that ballots do not carry")


def _raw_es256(signature: bytes) -> bytes:
    """r‖s (RFC 7518 §3.4) of a DER signature (§6.5.5), of one spelling alone."""
    try:
        r, s = decode_dss_signature(signature)
        if encode_dss_signature(r, s) != signature:
            raise ValueError("spelling")
        return r.to_bytes(_P256_BYTES) + s.to_bytes(_P256_BYTES)
    except (ValueError, OverflowError):
        raise _invalid("signature", "is not a DER signature of P-256") from None


def _invalid(field: str, reason: str) -> Refused:
    return Refused("ballot-invalid", field, reason)

"""A passkey authenticator and its browser in software, for everything that speaks WebAuthn without Chromium.

    passkey = Authenticator()                              one credential, ES256 unless told otherwise
    passkey.get(challenge, rp_id, origin)                  an assertion: client_data, authenticator_data, signature
    passkey.create_json(challenge, rp_id, origin)          what a page posts after navigator.credentials.create()
    passkey.get_json(challenge, rp_id, origin)             what it posts after navigator.credentials.get()

Everything that a dishonest browser or authenticator could say differently is an argument. Structures are those of
WebAuthn Level 3: §5.8.1 (client data), §6.1 (authenticator data), §6.5 (attestation, always `none`).
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

import cbor2
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tocsin_schemas import envelope
from tocsin_schemas.jwk import KeyAlg, SigningKey

UP: Final = 0x01
UV: Final = 0x04
BE: Final = 0x08
BS: Final = 0x10
AT: Final = 0x40
_COSE: Final = {"ES256": -7, "Ed25519": -8}


class Authenticator:
    """One credential. `sign_count` stays 0, as it does for passkeys that are synchronised (§6.1.1)."""

    def __init__(self, alg: KeyAlg = "ES256", *, key: SigningKey | None = None) -> None:
        self.key = SigningKey.generate(alg) if key is None else key
        self.credential_id = secrets.token_bytes(32)
        self.sign_count = 0

    @property
    def id(self) -> str:
        """The credential's id in base64url."""
        return b64(self.credential_id)

    @property
    def jwk(self) -> dict[str, str]:
        """The public key."""
        return self.key.public.jwk()

    def get(
        self,
        challenge: bytes,
        rp_id: str,
        origin: str,
        /,
        *,
        flags: int = UP | UV,
        client_data: bytes | None = None,
        **said: Any,
    ) -> dict[str, str]:
        """An assertion; `said` replaces members of the client data, and `client_data` all of it."""
        raw = _client_data("webauthn.get", challenge, origin, said) if client_data is None else client_data
        data = self._authenticator_data(rp_id, flags)
        return {
            "client_data": b64(raw),
            "authenticator_data": b64(data),
            "signature": b64(self.sign(data + hashlib.sha256(raw).digest())),
        }

    def get_json(self, challenge: bytes, rp_id: str, origin: str, /, **more: Any) -> dict[str, Any]:
        """An `AuthenticationResponseJSON` (§5.1.8)."""
        said = self.get(challenge, rp_id, origin, **more)
        return {
            "id": self.id,
            "rawId": self.id,
            "type": "public-key",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": said["client_data"],
                "authenticatorData": said["authenticator_data"],
                "signature": said["signature"],
            },
        }

    def create_json(
        self, challenge: bytes, rp_id: str, origin: str, /, *, flags: int = UP | UV, **said: Any
    ) -> dict[str, Any]:
        """A `RegistrationResponseJSON` (§5.1.8)."""
        attested = (
            bytes(16)
            + len(self.credential_id).to_bytes(2)
            + self.credential_id
            + cbor2.dumps(self.cose(), canonical=True)
        )
        statement = {
            "fmt": "none",
            "attStmt": {},
            "authData": self._authenticator_data(rp_id, flags | AT) + attested,
        }
        return {
            "id": self.id,
            "rawId": self.id,
            "type": "public-key",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": b64(_client_data("webauthn.create", challenge, origin, said)),
                "attestationObject": b64(cbor2.dumps(statement, canonical=True)),
                "transports": ["internal"],
            },
        }

    def cose(self) -> dict[int, Any]:
        """The public key as COSE has it (RFC 9053 §7)."""
        public = self.key.public
        if public.alg == "Ed25519":
            return {1: 1, 3: _COSE[public.alg], -1: 6, -2: public.raw}
        return {1: 2, 3: _COSE[public.alg], -1: 1, -2: public.raw[1:33], -3: public.raw[33:]}

    def sign(self, message: bytes) -> bytes:
        """A signature as authenticators write it (§6.5.5): DER for ES256, 64 bytes for Ed25519."""
        raw = self.key.sign(message)
        if self.key.public.alg == "Ed25519":
            return raw
        return encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))

    def _authenticator_data(self, rp_id: str, flags: int) -> bytes:
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self.sign_count.to_bytes(4)


def b64(raw: bytes) -> str:
    """Base64url without padding."""
    return envelope.encode(raw).decode()


def _client_data(kind: str, challenge: bytes, origin: str, said: Mapping[str, Any]) -> bytes:
    """As browsers write it (§5.8.1.1): in this order, without spaces."""
    members = {"type": kind, "challenge": b64(challenge), "origin": origin, "crossOrigin": False, **said}
    present = {name: value for name, value in members.items() if value is not None}
    return json.dumps(present, separators=(",", ":")).encode()

"""The fixed keys of the vectors, their directory, and the plain tools that make tokens of any shape, good or bad.

ES256 signatures follow RFC 6979, so that the files come out the same each time.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

WARNING: Final = "TEST KEYS. Their private parts are public: never register one of them anywhere."
YEAR: Final = 365 * 86_400
IAT: Final = 1795305600
"""2026-11-22T00:00:00Z: when the signals of the vectors were issued."""
PIXEL: Final = "https://pixel.example"
BROOK: Final = "https://brook.example"
HUB: Final = "https://hub.example"
AUDIENCE: Final = f"{HUB}/communities/child-safety"
P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unbase64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(value: Any) -> bytes:
    """Compact JSON in the order given."""
    return json.dumps(value, separators=(",", ":")).encode()


@dataclass(frozen=True)
class FixedKey:
    """A key made from its name alone, with what the directory says about it."""

    name: str
    alg: str
    iss: str
    not_before: int = IAT - YEAR
    not_after: int = IAT + YEAR
    revoked_at: int | None = None
    listed: bool = True

    @property
    def seed(self) -> bytes:
        return hashlib.sha256(f"Tocsin test vectors, key {self.name}".encode()).digest()

    def sign(self, message: bytes) -> bytes:
        if self.alg == "Ed25519":
            return ed25519.Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)
        private = ec.derive_private_key(int.from_bytes(self.seed) % P256_ORDER, ec.SECP256R1())
        der = private.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(der)
        return r.to_bytes(32) + s.to_bytes(32)

    def public(self) -> dict[str, str]:
        """The members that RFC 7638 §3.2 hashes, in its order."""
        if self.alg == "Ed25519":
            raw = ed25519.Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
            return {"crv": "Ed25519", "kty": "OKP", "x": base64url(raw)}
        point = ec.derive_private_key(int.from_bytes(self.seed) % P256_ORDER, ec.SECP256R1()).public_key()
        x, y = point.public_numbers().x, point.public_numbers().y
        return {"crv": "P-256", "kty": "EC", "x": base64url(x.to_bytes(32)), "y": base64url(y.to_bytes(32))}

    @property
    def kid(self) -> str:
        return _thumbprint(self)

    @property
    def header(self) -> dict[str, Any]:
        return {"typ": "secevent+jwt", "alg": self.alg, "kid": self.kid}

    def jwk(self) -> dict[str, str]:
        return {**self.public(), "alg": self.alg, "kid": self.kid}

    def private_jwk(self) -> dict[str, str]:
        secret = self.seed
        if self.alg == "ES256":
            secret = (int.from_bytes(self.seed) % P256_ORDER).to_bytes(32)
        return {**self.jwk(), "d": base64url(secret)}


@cache
def _thumbprint(key: FixedKey) -> str:
    return base64url(hashlib.sha256(compact(key.public())).digest())


ED: Final = FixedKey("pixel-ed25519", "Ed25519", PIXEL)
ES: Final = FixedKey("pixel-es256", "ES256", PIXEL)
OTHER: Final = FixedKey("brook-ed25519", "Ed25519", BROOK)
REVOKED: Final = FixedKey("pixel-revoked", "Ed25519", PIXEL, revoked_at=IAT)
EXPIRED: Final = FixedKey("pixel-expired", "Ed25519", PIXEL, not_after=IAT)
EARLY: Final = FixedKey("pixel-not-yet-valid", "Ed25519", PIXEL, not_before=IAT + 1)
STRANGER: Final = FixedKey("stranger", "Ed25519", PIXEL, listed=False)
HUB_KEY: Final = FixedKey("hub", "Ed25519", HUB)

MEMBERS: Final = (ED, ES, OTHER, REVOKED, EXPIRED, EARLY, STRANGER)


def seal(payload: bytes, key: FixedKey = ED, header: bytes | None = None) -> str:
    """A compact JWS over exactly these bytes, well signed whatever they are."""
    return seal_parts(base64url(compact(key.header) if header is None else header), base64url(payload), key)


def seal_parts(header: str, payload: str, key: FixedKey = ED) -> str:
    """A compact JWS over two parts that are encoded already."""
    message = f"{header}.{payload}"
    return f"{message}.{base64url(key.sign(message.encode()))}"


def document() -> dict[str, Any]:
    def entry(key: FixedKey) -> dict[str, Any]:
        force = {"iss": key.iss, "not_before": key.not_before, "not_after": key.not_after}
        if key.revoked_at is not None:
            force["revoked_at"] = key.revoked_at
        return {"name": key.name, "listed": key.listed, "jwk": key.jwk(), **force}

    return {
        "warning": WARNING,
        "says": "The directory that the vectors are verified against: every key that is `listed`.",
        "members": [entry(key) for key in MEMBERS],
        "hub": [entry(HUB_KEY)],
        "private": [{"name": key.name, "jwk": key.private_jwk()} for key in (*MEMBERS, HUB_KEY)],
    }

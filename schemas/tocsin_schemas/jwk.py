"""Keys of members and hubs as JSON Web Keys: Ed25519 (RFC 8037) and P-256 (RFC 7518 §6.2), nothing else.

A public key is refused at registration unless it is a canonical point of the prime-order subgroup. With that, OpenSSL
and libsodium accept exactly the same signatures, so two hubs never disagree on what is valid (ADR 0004).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey
from nacl import bindings
from nacl.exceptions import BadSignatureError

from tocsin_schemas.problems import Refused

KeyAlg = Literal["Ed25519", "ES256"]
SIGNATURE_BYTES: Final = 64
JWK_SCHEMA: Final[dict[str, Any]] = {
    "oneOf": [
        {
            "type": "object",
            "properties": {
                "kty": {"const": kty},
                "crv": {"const": crv},
                "alg": {"const": alg},
                **{name: {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"} for name in named},
            },
            "required": ["kty", "crv", "alg", *named],
            "additionalProperties": False,
        }
        for kty, crv, alg, named in (
            ("OKP", "Ed25519", "Ed25519", ("kid", "x")),
            ("EC", "P-256", "ES256", ("kid", "x", "y")),
        )
    ]
}
"""The JSON Schema of a public key as a hub publishes it."""
_ES256: Final = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A verification key: `raw` is 32 bytes for Ed25519, the 65-byte uncompressed point for ES256.

    `kid` is the RFC 7638 thumbprint with SHA-256.
    """

    alg: KeyAlg
    raw: bytes
    kid: str

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` (64 bytes: RFC 8032 §5.1.6, or r‖s of RFC 7518 §3.4) fits `message`."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            if self.alg == "Ed25519":
                bindings.crypto_sign_open(signature + message, self.raw)
            else:
                r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
                _point(self.raw).verify(encode_dss_signature(r, s), message, _ES256)
        except (BadSignatureError, InvalidSignature):
            return False
        return True

    def jwk(self) -> dict[str, str]:
        """The public JWK with `kid` and `alg`."""
        key = (
            OKPKey.import_key(ed25519.Ed25519PublicKey.from_public_bytes(self.raw))
            if self.alg == "Ed25519"
            else ECKey.import_key(_point(self.raw))
        )
        return {
            **{k: str(v) for k, v in key.as_dict(private=False).items()},
            "kid": self.kid,
            "alg": self.alg,
        }


def public_key(jwk: Mapping[str, Any]) -> PublicKey:
    """Read a public JWK for registration.

    Raises:
        Refused: `claim-invalid` when it holds a private part, another key type or curve, a coordinate that is not
            spelled in full (RFC 7518 §6.2.1.2), or a point outside the prime-order subgroup.
    """
    if "d" in jwk:
        raise Refused("claim-invalid", "jwk", "this is a private key: send only its public part")
    try:
        key = _import(jwk)
    except (JoseError, ValueError, KeyError, TypeError):
        raise Refused("claim-invalid", "jwk", "not a public JWK of an Ed25519 or P-256 key") from None
    public = _public(key)
    if public.alg == "Ed25519" and not bindings.crypto_core_ed25519_is_valid_point(public.raw):
        raise Refused("claim-invalid", "jwk", "not a canonical point of the prime-order subgroup")
    if not _spells(jwk, public):
        raise Refused("claim-invalid", "jwk", "a coordinate is 32 bytes in base64url, leading zeros included")
    return public


class SigningKey:
    """A private key that signs: a member's, or the hub's own."""

    def __init__(self, key: OKPKey | ECKey) -> None:
        private = key.private_key
        if not isinstance(private, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey):
            raise TypeError("not a private Ed25519 or P-256 key")
        self._key = key
        self._private = private
        self.public = _public(key)

    @classmethod
    def generate(cls, alg: KeyAlg = "Ed25519") -> Self:
        """A new key from the system's random source."""
        return cls(OKPKey.generate_key("Ed25519") if alg == "Ed25519" else ECKey.generate_key("P-256"))

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> Self:
        """Read a private JWK.

        Raises:
            Refused: `claim-invalid` when it is not a private Ed25519 or P-256 key.
        """
        try:
            key = cls(_import(jwk))
            if not _spells(jwk, key.public):
                raise ValueError("x")
        except (JoseError, ValueError, KeyError, TypeError):
            raise Refused("claim-invalid", "jwk", "not a private JWK of an Ed25519 or P-256 key") from None
        return key

    def jwk(self) -> dict[str, str]:
        """The private JWK; keep it secret."""
        secret = {k: str(v) for k, v in self._key.as_dict(private=True).items()}
        return {**secret, "kid": self.public.kid, "alg": self.public.alg}

    def sign(self, message: bytes) -> bytes:
        """64 signature bytes over `message`."""
        if isinstance(self._private, ed25519.Ed25519PrivateKey):
            return self._private.sign(message)
        r, s = decode_dss_signature(self._private.sign(message, _ES256))
        return r.to_bytes(32) + s.to_bytes(32)


def _import(jwk: Mapping[str, Any]) -> OKPKey | ECKey:
    members = {name: jwk[name] for name in ("kty", "crv", "x", "y", "d") if name in jwk}
    if (members["kty"], members["crv"]) == ("OKP", "Ed25519"):
        return OKPKey.import_key(members)
    if (members["kty"], members["crv"]) == ("EC", "P-256"):
        return ECKey.import_key(members)
    raise KeyError("kty")


def _public(key: OKPKey | ECKey) -> PublicKey:
    public = key.public_key
    if isinstance(public, ed25519.Ed25519PublicKey):
        return PublicKey("Ed25519", public.public_bytes_raw(), OKPKey.import_key(public).thumbprint())
    raw = _uncompressed(public)
    return PublicKey("ES256", raw, ECKey.import_key(_point(raw)).thumbprint())


def _spells(jwk: Mapping[str, Any], public: PublicKey) -> bool:
    """Whether a JWK writes `public` in the one way.

    A coordinate of another length would give a key a second thumbprint, and a private JWK may hold another's public
    part.
    """
    written = public.jwk()
    return all(jwk.get(name) == written.get(name) for name in ("x", "y"))


def _uncompressed(public: Any) -> bytes:
    numbers = public.public_numbers()
    return b"\x04" + int(numbers.x).to_bytes(32) + int(numbers.y).to_bytes(32)


@lru_cache(maxsize=1024)
def _point(raw: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)

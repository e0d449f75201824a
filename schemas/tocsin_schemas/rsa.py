"""RSA keys for RS256 (RFC 7518 §3.3), which some receivers of Shared Signals know and nothing else.

A hub signs Security Event Tokens for such receivers with one; members never do, so no signal is signed with RSA.
"""

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from tocsin_schemas.problems import Refused

ALG: Final = "RS256"
LEAST_BITS: Final = 2048
"""RFC 7518 §3.3: a key of this size or larger MUST be used."""
MOST_BITS: Final = 8192
MOST_EXPONENT: Final = 2**32
"""What verifying with a key may cost whoever reads a record that names it."""
JWK_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "kty": {"const": "RSA"},
        "n": {"type": "string", "pattern": "^[A-Za-z0-9_-]{342,1366}$"},
        "e": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,6}$"},
        "kid": {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"},
        "alg": {"const": ALG},
    },
    "required": ["kty", "n", "e", "kid", "alg"],
    "additionalProperties": False,
}
"""The JSON Schema of a public key as a hub publishes it."""
_MEMBERS: Final = ("kty", "n", "e", "d", "p", "q", "dp", "dq", "qi")


@dataclass(frozen=True, slots=True)
class RsaPublic:
    """The public half: its modulus and exponent as a JWK writes them; `kid` is the RFC 7638 thumbprint."""

    n: str
    e: str
    kid: str
    alg: Literal["RS256"] = ALG

    @property
    def raw(self) -> bytes:
        """The key in one string of bytes: RSAPublicKey of RFC 8017 §A.1.1, in DER."""
        return _numbers(self.n, self.e).public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.PKCS1
        )

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` fits `message` (RSASSA-PKCS1-v1_5 with SHA-256)."""
        try:
            _numbers(self.n, self.e).verify(signature, message, padding.PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True

    def jwk(self) -> dict[str, str]:
        """The public JWK with `kid` and `alg`."""
        return {"kty": "RSA", "n": self.n, "e": self.e, "kid": self.kid, "alg": self.alg}


def rsa_public(jwk: Mapping[str, Any]) -> RsaPublic:
    """Read a public JWK.

    Raises:
        Refused: `claim-invalid` when it holds a private part, is no RSA key of 2048 to 8192 bits, or a number is not
            spelled in the one way (RFC 7518 §6.3.1).
    """
    try:
        if jwk["kty"] != "RSA" or "d" in jwk:
            raise ValueError("kty")
        key = _numbers(jwk["n"], jwk["e"])
        if not LEAST_BITS <= key.key_size <= MOST_BITS or key.public_numbers().e >= MOST_EXPONENT:
            raise ValueError("size")
        public = _public(key)
        if (jwk["n"], jwk["e"]) != (public.n, public.e):
            raise ValueError("spelling")
    except (ValueError, KeyError, TypeError):
        raise Refused("claim-invalid", "jwk", f"not a public JWK of an {ALG} key") from None
    return public


def rsa_of(raw: bytes) -> RsaPublic:
    """The key that was written as `RsaPublic.raw`."""
    key = serialization.load_der_public_key(raw)
    assert isinstance(key, rsa.RSAPublicKey)  # noqa: S101  # nothing else was written
    return _public(key)


class RsaKey:
    """A private RSA key that signs."""

    def __init__(self, key: RSAKey) -> None:
        private = key.private_key
        if not isinstance(private, rsa.RSAPrivateKey) or private.key_size < LEAST_BITS:
            raise ValueError("not a private RSA key of 2048 bits or more")
        self._key = key
        self._private = private
        self.public = _public(private.public_key())

    @classmethod
    def generate(cls) -> Self:
        """A new key from the system's random source; it takes a tenth of a second."""
        return cls(RSAKey.generate_key(LEAST_BITS))

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> Self:
        """Read a private JWK.

        Raises:
            Refused: `claim-invalid` when it is not a private RSA key of 2048 bits or more, or its parts do not fit.
        """
        try:
            if jwk["kty"] != "RSA":
                raise ValueError("kty")
            return cls(RSAKey.import_key({name: jwk[name] for name in _MEMBERS if name in jwk}))
        except (JoseError, ValueError, KeyError, TypeError):
            raise Refused("claim-invalid", "jwk", f"not a private JWK of an {ALG} key") from None

    def jwk(self) -> dict[str, str]:
        """The private JWK; keep it secret."""
        secret = {name: str(value) for name, value in self._key.as_dict(private=True).items()}
        return {**secret, "kid": self.public.kid, "alg": ALG}

    def sign(self, message: bytes) -> bytes:
        """The signature over `message` (RSASSA-PKCS1-v1_5 with SHA-256)."""
        return self._private.sign(message, padding.PKCS1v15(), SHA256())


def _public(public: rsa.RSAPublicKey) -> RsaPublic:
    key = RSAKey.import_key(public)
    members = key.as_dict(private=False)
    return RsaPublic(str(members["n"]), str(members["e"]), key.thumbprint())


@lru_cache(maxsize=64)
def _numbers(n: str, e: str) -> rsa.RSAPublicKey:
    modulus, exponent = (int.from_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4))) for text in (n, e))
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()

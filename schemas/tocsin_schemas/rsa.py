"""RSA keys for RS256 (RFC 7518 §3.3), which some receivers of Shared Signals know and nothing else.

A hub signs Security Event Tokens for such receivers with one; members never do, so no signal is signed with RSA.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from tocsin_schemas.problems import Refused

ALG: Final = "RS256"
LEAST_BITS: Final = 2048
"""RFC 7518 §3.3: a key of this size or larger MUST be used."""
_MEMBERS: Final = ("kty", "n", "e", "d", "p", "q", "dp", "dq", "qi")


@dataclass(frozen=True, slots=True)
class RsaPublic:
    """The public half: its modulus and exponent as a JWK writes them; `kid` is the RFC 7638 thumbprint."""

    n: str
    e: str
    kid: str
    alg: Literal["RS256"] = ALG

    def jwk(self) -> dict[str, str]:
        """The public JWK with `kid` and `alg`."""
        return {"kty": "RSA", "n": self.n, "e": self.e, "kid": self.kid, "alg": self.alg}


class RsaKey:
    """A private RSA key that signs."""

    def __init__(self, key: RSAKey) -> None:
        private = key.private_key
        if not isinstance(private, rsa.RSAPrivateKey) or private.key_size < LEAST_BITS:
            raise ValueError("not a private RSA key of 2048 bits or more")
        self._key = key
        self._private = private
        members = key.as_dict(private=False)
        self.public = RsaPublic(str(members["n"]), str(members["e"]), key.thumbprint())

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

"""ML-DSA-44 private keys as JSON Web Keys: key type AKP of RFC 9964, `priv` the 32-byte seed of FIPS 204 §6.1.

Such keys cosign checkpoints (C2SP tlog-cosignature); signals are never signed with them, so a member cannot register
one.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from tocsin_schemas.problems import Refused

ALG: Final = "ML-DSA-44"
SEED_BYTES: Final = 32


class AkpKey:
    """A private ML-DSA-44 key: `private` signs, `public` is its 1,312 bytes, `kid` the RFC 7638 thumbprint."""

    def __init__(self, private: MLDSA44PrivateKey) -> None:
        self.private = private
        self.public = private.public_key().public_bytes_raw()
        # RFC 9964 §6: the required members are alg, kty and pub.
        members = f'{{"alg":"{ALG}","kty":"AKP","pub":"{_text(self.public)}"}}'
        self.kid = _text(sha256(members.encode()).digest())

    @classmethod
    def generate(cls) -> Self:
        """A new key from the system's random source."""
        return cls(MLDSA44PrivateKey.generate())

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> Self:
        """Read a private JWK.

        Raises:
            Refused: `claim-invalid` when it is not a private ML-DSA-44 key, or its public part is another key's.
        """
        refused = Refused("claim-invalid", "jwk", f"not a private JWK of an {ALG} key")
        seed, public = jwk.get("priv"), jwk.get("pub")
        if (jwk.get("kty"), jwk.get("alg")) != ("AKP", ALG) or not isinstance(seed, str):
            raise refused
        try:
            raw = urlsafe_b64decode(seed + "=" * (-len(seed) % 4))
        except ValueError:
            raise refused from None
        if len(raw) != SEED_BYTES or _text(raw) != seed:
            raise refused
        key = cls(MLDSA44PrivateKey.from_seed_bytes(raw))
        if public != _text(key.public):
            raise refused
        return key

    def jwk(self) -> dict[str, str]:
        """The private JWK; keep it secret."""
        seed = self.private.private_bytes_raw()
        return {"kty": "AKP", "alg": ALG, "kid": self.kid, "pub": _text(self.public), "priv": _text(seed)}


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()

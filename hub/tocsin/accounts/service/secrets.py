"""The console's secrets: challenges that need no row before they are answered, sealed seeds, random tokens.

A challenge says until when it is good and is bound, by a MAC under the console's key, to what it is for and to whom it
was given; only an answered one is remembered, so asking for many costs the hub nothing. What is sealed opens only for
the person it was sealed for.
"""

import hashlib
import hmac
import secrets
from base64 import b32decode, b32encode, urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tocsin.accounts import rules
from tocsin.errors import Refused
from tocsin_schemas.jwk import SigningKey

TOKEN_BYTES: Final = 32
RECOVERY_BYTES: Final = 10
_TIME: Final = 8
_RANDOM: Final = 16
_MAC: Final = 32
_NONCE: Final = 12


def encode(raw: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str, field: str, limit: int = 2048) -> bytes:
    """The bytes of base64url without padding; at most `limit` characters.

    Raises:
        Refused: `request-invalid`.
    """
    try:
        if not text or len(text) > limit:
            raise ValueError
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if encode(raw) != text:
            raise ValueError
    except ValueError:
        raise Refused("request-invalid", field, "not base64url; is JavaScript off?") from None
    return raw


def digest(text: str) -> bytes:
    """SHA-256: what is kept of a token that only has to be recognised."""
    return hashlib.sha256(text.encode()).digest()


def new_token() -> str:
    """A session's id or an enrolment link's token: 256 random bits."""
    return encode(secrets.token_bytes(TOKEN_BYTES))


def new_recovery_code() -> str:
    """80 random bits in four groups of four letters and digits."""
    text = b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def recovery_digest(code: str) -> bytes | None:
    """What is kept of a recovery code, however it is spaced and cased; None when it is none."""
    text = code.replace("-", "").replace(" ", "").upper()
    try:
        raw = b32decode(text)
    except ValueError:
        return None
    return hashlib.sha256(b"tocsin/recovery-code/v1\n" + raw).digest() if len(raw) == RECOVERY_BYTES else None


class Secrets:
    """What is derived from the console's key, each for one use (HKDF, RFC 5869)."""

    def __init__(self, key: SigningKey) -> None:
        private = decode(key.jwk()["d"], "console")
        self._mac_key = _derive(private, b"tocsin/console-challenge/v1")
        self._sealing = AESGCM(_derive(private, b"tocsin/console-seal/v1"))

    def challenge(self, kind: str, bound_to: str, now: int) -> bytes:
        """A challenge for the next five minutes."""
        head = (now + rules.CHALLENGE_SECONDS).to_bytes(_TIME) + secrets.token_bytes(_RANDOM)
        return head + self.derive(kind, bound_to, head)

    def check(self, challenge: bytes, kind: str, bound_to: str, now: int) -> int:
        """See that a challenge was made here, for this, and lately; when it expires.

        Raises:
            Refused: `challenge-invalid`.
        """
        head, mac = challenge[: _TIME + _RANDOM], challenge[_TIME + _RANDOM :]
        if len(mac) != _MAC or not hmac.compare_digest(mac, self.derive(kind, bound_to, head)):
            raise Refused("challenge-invalid", "challenge", "not a challenge of this page")
        expires_at = int.from_bytes(head[:_TIME])
        if expires_at <= now:
            raise Refused("challenge-invalid", "challenge", "it was open for more than five minutes")
        return expires_at

    def derive(self, kind: str, bound_to: str, head: bytes) -> bytes:
        """32 bytes that nobody else can compute."""
        bound = kind.encode() + b"\0" + hashlib.sha256(bound_to.encode()).digest() + head
        return hmac.digest(self._mac_key, bound, hashlib.sha256)

    def seal(self, kind: str, bound_to: str, secret: bytes) -> bytes:
        """Encrypt (AES-256-GCM); it opens for the same kind and owner alone."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._sealing.encrypt(nonce, secret, _owner(kind, bound_to))

    def open(self, kind: str, bound_to: str, sealed: bytes) -> bytes:
        """Decrypt.

        Raises:
            Refused: `challenge-invalid` when it was sealed with another key, or for something else.
        """
        try:
            return self._sealing.decrypt(sealed[:_NONCE], sealed[_NONCE:], _owner(kind, bound_to))
        except (InvalidTag, ValueError):
            raise Refused("challenge-invalid", "", "sealed with another key, or for somebody else") from None


def _owner(kind: str, bound_to: str) -> bytes:
    return kind.encode() + b"\0" + bound_to.encode()


def _derive(private: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, None, purpose).derive(private)

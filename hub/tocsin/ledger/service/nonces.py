"""Nonces that nobody can make without the key of the log.

The nonce of a member's statement is random: its author's signature says that it is genuine. What the hub commits to by
itself has no such signature, and whoever can write into the database could add an entry of their own before it is
published. With a nonce that comes from the log's key, the hub knows its own entries.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tocsin_schemas.jwk import SigningKey

PURPOSE: Final = b"tocsin/entry-nonce/v1"
_SEQ_BYTES: Final = 8


def nonce_key(key: SigningKey) -> bytes:
    """What nonces come from, derived from the key of the log (HKDF, RFC 5869)."""
    scalar = key.jwk()["d"]
    private = urlsafe_b64decode(scalar + "=" * (-len(scalar) % 4))
    return HKDF(SHA256(), 32, None, PURPOSE).derive(private)


def nonce_for(secret: bytes, seq: int, signed: bytes) -> bytes:
    """The nonce with which the entry at leaf index `seq` commits to the bytes `signed`: 32 bytes (HMAC, RFC 2104)."""
    return hmac.digest(secret, seq.to_bytes(_SEQ_BYTES) + signed, hashlib.sha256)

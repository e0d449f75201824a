"""The envelope: sign a signal, and verify one before anything in it is read.

`verify` is the only way to a `Signal`, and it never decides whose key to trust: the caller hands in the directory. Its
steps are numbered; docs/signal-lifecycle.md uses the same numbers.
"""

import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from tocsin_schemas import signals
from tocsin_schemas.jwk import PublicKey, SigningKey
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import Signal

TYP: Final = "secevent+jwt"
MEDIA_TYPE: Final = "application/secevent+jwt"
BATCH_MEDIA_TYPE: Final = "application/secevent+jwt-seq"
MAX_TOKEN_BYTES: Final = 8 * 1024

_ALGS: Final = {"Ed25519": "Ed25519", "EdDSA": "Ed25519", "ES256": "ES256"}
# The characters of plain base64 that base64url has not are mapped to one that no alphabet has.
_FROM_URL: Final = bytes.maketrans(b"-_+/", b"+/!!")
_STRAY: Final = {2: b"AQgw", 3: b"AEIMQUYcgkosw048"}
"""By length modulo 4: the last characters that leave no bits over (RFC 4648 §3.5)."""
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True)
class AuthorKey:
    """A verification key with what the directory knows of it: its owner and when it is in force (Unix seconds).

    In force at t when `not_before <= t < not_after`, and t is before `revoked_at` if that is set.
    """

    public: PublicKey
    iss: str
    not_before: int
    not_after: int
    revoked_at: int | None = None


class Opened(NamedTuple):
    """A token whose signature has been verified, with its unread payload and the key it verifies with."""

    token: bytes
    payload: bytes
    key: AuthorKey


class VerifiedSignal(NamedTuple):
    """A signal whose signature and form have been verified.

    `token` is the JWS byte for byte as received, `digest` the SHA-256 of its payload: the statement's identity. The
    token string is none, since an ES256 signature has a second valid form.
    """

    token: bytes
    digest: bytes
    signal: Signal
    key: AuthorKey


def sign(payload: bytes, key: SigningKey) -> bytes:
    """The compact JWS (RFC 7515 §3.1) of a payload made by `signals.compose`."""
    header = json.dumps({"typ": TYP, "alg": key.public.alg, "kid": key.public.kid}, separators=(",", ":"))
    message = encode(header.encode()) + b"." + encode(payload)
    return message + b"." + encode(key.sign(message))


def verify(token: bytes, keys: Mapping[str, AuthorKey]) -> VerifiedSignal:
    """Verify one signal against a directory of author keys (kid to key).

    The caller must still decide on audience and time of submission (`tocsin.signals.rules.admit`).

    Raises:
        Refused: with the code of the first step that fails.
    """
    return read(open_token(token, keys))


def read(opened: Opened) -> VerifiedSignal:
    """Steps 5-7: read the signal of a token whose signature has been verified.

    Whoever has many tokens opens all of them before reading the first: a signature check empties the processor's
    caches, and reading costs twice as much right behind one.

    Raises:
        Refused: with the code of the first step that fails.
    """
    token, payload, key = opened
    # 5. Payload: only now is it read.
    signal = signals.parse(payload)
    # 6. The issuer owns the key.
    if signal.iss != key.iss:
        raise Refused("issuer-mismatch", "iss", "the key belongs to another issuer")
    # 7. The key was in force when the signal was issued.
    if signal.iat < key.not_before:
        raise Refused("key-not-yet-valid", "iat", "before the key's not_before")
    if signal.iat >= key.not_after:
        raise Refused("key-expired", "iat", "after the key's not_after")
    if key.revoked_at is not None and signal.iat >= key.revoked_at:
        raise Refused("key-revoked", "iat", "after the key was revoked")
    return VerifiedSignal(token, hashlib.sha256(payload).digest(), signal, key)


def open_token(token: bytes, keys: Mapping[str, AuthorKey]) -> Opened:
    """Steps 1-4: verify a token's signature; its payload stays unread.

    Raises:
        Refused: with the code of the first step that fails.
    """
    # 1. Size and shape: three parts of base64url, nothing around them.
    if len(token) > MAX_TOKEN_BYTES:
        raise Refused("envelope-too-large", "", f"{MAX_TOKEN_BYTES} bytes are the limit")
    parts = token.split(b".")
    if len(parts) != 3:
        raise Refused("envelope-malformed", "", "a compact JWS has three parts")
    payload, signature = decode(parts[1], "payload"), decode(parts[2], "signature")
    # 2. Header: closed, of our type, with an allowed algorithm.
    alg, kid = _header(parts[0])
    # 3. Key: known, and made for this algorithm.
    key = keys.get(kid)
    if key is None:
        raise Refused("key-unknown", "header.kid", "not a key of this author")
    if key.public.alg != alg:
        raise Refused("alg-key-mismatch", "header.alg", "the key is for another algorithm")
    # 4. Signature over the exact bytes received.
    if not key.public.verify(signature, token[: len(parts[0]) + 1 + len(parts[1])]):
        raise Refused("signature-invalid", "signature", "does not verify with the key named")
    return Opened(token, payload, key)


def payload_of(token: bytes) -> bytes:
    """The payload bytes of a token that has been verified before."""
    return decode(token.split(b".")[1], "payload")


def encode(raw: bytes) -> bytes:
    """Base64url without padding (RFC 7515 §2)."""
    return binascii.b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=")


def decode(segment: bytes, field: str) -> bytes:
    """Canonical base64url: no padding, no white space, no stray bits.

    Raises:
        Refused: `base64-padding` or `base64-not-canonical`.
    """
    if b"=" in segment:
        raise Refused("base64-padding", field, "padding is not allowed")
    over = len(segment) % 4
    if over and segment[-1:] not in _STRAY.get(over, b""):
        raise Refused("base64-not-canonical", field, "not the one canonical spelling")
    try:
        return binascii.a2b_base64(segment.translate(_FROM_URL) + b"=" * (-over % 4), strict_mode=True)
    except binascii.Error:
        raise Refused("base64-not-canonical", field, "not base64url") from None


@lru_cache(maxsize=4096)
def _header(segment: bytes) -> tuple[str, str]:
    """(algorithm, kid) of a protected header. Cached: a member's header is the same on every signal."""
    header = signals.load_object(decode(segment, "header"), "header")
    if "crit" in header:
        raise Refused("header-crit", "header.crit", "no extension is supported")
    if header.keys() - {"typ", "alg", "kid"}:
        raise Refused("header-member-unknown", "header", "only typ, alg and kid are allowed")
    if header.get("typ") != TYP:
        raise Refused("typ-mismatch", "header.typ", f"must be {TYP}")
    alg = header.get("alg")
    if alg == "none":
        raise Refused("alg-none", "header.alg", "unsigned signals are refused")
    if not isinstance(alg, str) or alg not in _ALGS:
        raise Refused("alg-not-allowed", "header.alg", "must be Ed25519 or ES256")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise Refused("claim-missing", "header.kid", "name the key by its RFC 7638 thumbprint")
    return _ALGS[alg], kid

"""The envelope: sign a signal, and verify one before anything in it is read.

Every token of Tocsin is such a compact JWS, explicitly typed (RFC 8725 §3.11): `sign` and `open_token` take the type.

`verify` is the only way to a `Signal`, and it never decides whose key to trust: the caller hands in the directory. Its
steps are numbered; docs/signal-lifecycle.md uses the same numbers.
"""

import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from tocsin_schemas import signals
from tocsin_schemas.jwk import PublicKey, SigningKey
from tocsin_schemas.problems import Refused
from tocsin_schemas.rsa import ALG as RSA
from tocsin_schemas.rsa import RsaKey, RsaPublic
from tocsin_schemas.signals import Signal

TYP: Final = "secevent+jwt"
MEDIA_TYPE: Final = "application/secevent+jwt"
BATCH_MEDIA_TYPE: Final = "application/secevent+jwt-seq"
MAX_TOKEN_BYTES: Final = 8 * 1024

ALGS: Final[Mapping[str, str]] = {"Ed25519": "Ed25519", "EdDSA": "Ed25519", "ES256": "ES256"}
"""The names that may stand in `alg` (RFC 9864, RFC 8037, RFC 7518), and the key's own name for it."""

_KID: Final = re.compile(r"[A-Za-z0-9_-]{43}")
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


def sign(payload: bytes, key: SigningKey | RsaKey, typ: str = TYP) -> bytes:
    """The compact JWS (RFC 7515 §3.1) of a payload; that of a signal is made by `signals.compose`."""
    header = signals.dump_object({"typ": typ, "alg": key.public.alg, "kid": key.public.kid})
    message = encode(header) + b"." + encode(payload)
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


def open_token(token: bytes, keys: Mapping[str, AuthorKey], typ: str = TYP) -> Opened:
    """Steps 1-4: verify the signature of a token of type `typ`; its payload stays unread.

    Raises:
        Refused: with the code of the first step that fails.
    """
    # 1. Size and shape: three parts of base64url, nothing around them.
    header, payload, signature, message = _parts(token)
    # 2. Header: closed, of the type asked for, with an allowed algorithm.
    alg, kid = _header(header, typ)
    # 3. Key: known, and made for this algorithm.
    key = keys.get(kid)
    if key is None:
        raise Refused("key-unknown", "header.kid", "not a known key")
    if key.public.alg != alg:
        raise Refused("alg-key-mismatch", "header.alg", "the key is for another algorithm")
    # 4. Signature over the exact bytes received.
    if not key.public.verify(signature, message):
        raise Refused("signature-invalid", "signature", "does not verify with the key named")
    return Opened(token, payload, key)


def open_with(token: bytes, public: PublicKey | RsaPublic, typ: str) -> bytes:
    """Steps 1-4 for a token of type `typ` by a hub, with its key in hand, which may be RSA; its unread payload.

    Raises:
        Refused: with the code of the first step that fails.
    """
    header, payload, signature, message = _parts(token)
    alg, kid = _header(header, typ, rsa=public.alg == RSA)
    if kid != public.kid:
        raise Refused("key-unknown", "header.kid", "not the key that has to sign")
    if public.alg != alg:
        raise Refused("alg-key-mismatch", "header.alg", "the key is for another algorithm")
    if not public.verify(signature, message):
        raise Refused("signature-invalid", "signature", "does not verify with the key named")
    return payload


def kid_of(token: bytes, typ: str, *, rsa: bool = False) -> str:
    """Steps 1-2: the kid that a token of type `typ` names, for who must look its key up before it is opened.

    Nothing is verified yet. What is given is spelled like a thumbprint (RFC 7638), and safe to ask a database for.
    `rsa`: a hub's own key may have signed it, so it may be RSA.

    Raises:
        Refused: with the code of the first step that fails.
    """
    kid = _header(_parts(token)[0], typ, rsa=rsa)[1]
    if not _KID.fullmatch(kid):
        raise Refused("key-unknown", "header.kid", "not a known key")
    return kid


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


def _parts(token: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """The header as it stands, payload and signature decoded, and the bytes that are signed (RFC 7515 §5.2)."""
    if len(token) > MAX_TOKEN_BYTES:
        raise Refused("envelope-too-large", "", f"{MAX_TOKEN_BYTES} bytes are the limit")
    message, _, signature = token.rpartition(b".")
    header, dot, payload = message.partition(b".")
    if not dot or b"." in payload:
        raise Refused("envelope-malformed", "", "a compact JWS has three parts")
    return header, decode(payload, "payload"), decode(signature, "signature"), message


@lru_cache(maxsize=4096)
def _header(segment: bytes, typ: str, *, rsa: bool = False) -> tuple[str, str]:
    """(algorithm, kid) of a protected header. Cached: a member's header is the same on every signal."""
    header = signals.load_object(decode(segment, "header"), "header")
    if "crit" in header:
        raise Refused("header-crit", "header.crit", "no extension is supported")
    if header.keys() - {"typ", "alg", "kid"}:
        raise Refused("header-member-unknown", "header", "only typ, alg and kid are allowed")
    if header.get("typ") != typ:
        raise Refused("typ-mismatch", "header.typ", f"must be {typ}")
    alg = header.get("alg")
    if alg == "none":
        raise Refused("alg-none", "header.alg", "unsigned tokens are refused")
    if not isinstance(alg, str) or (alg not in ALGS and not (rsa and alg == RSA)):
        raise Refused("alg-not-allowed", "header.alg", "must be Ed25519 or ES256")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise Refused("claim-missing", "header.kid", "name the key by its RFC 7638 thumbprint")
    return ALGS.get(alg, alg), kid

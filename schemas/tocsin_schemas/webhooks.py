"""Signed webhook requests (Standard Webhooks 1.0): what a sender writes into the headers, how a receiver verifies it.

The signature covers `id.timestamp.body`: the same id on every try of a message, the Unix seconds of this try, and the
exact bytes of the body. Two kinds are spoken: `v1`, HMAC-SHA256 under a secret that both sides hold, and `v1a`, Ed25519
under a key of which the receiver holds the public half only. A request carries one signature for each key in force, so
a key can be changed without a request that does not verify; one that verifies is enough.

An id holds no full stop: `a.1` at time 2 would be signed like `a` at time 1 with another body.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from nacl import bindings

from tocsin_schemas.jwk import SIGNATURE_BYTES, PublicKey
from tocsin_schemas.notes import b64decode, b64encode
from tocsin_schemas.problems import Refused

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
HEADERS: Final = (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER)
TOLERANCE: Final = 300
"""Seconds that a request's time may lie before or after the receiver's clock, as its libraries allow."""

MAX_BODY_BYTES: Final = 20_000
"""What a hub sends at most; the specification advises less than 20 kB."""

MAX_SIGNATURES: Final = 16
"""Signatures looked at in one request. A hub sends four where an endpoint's secret is being changed, and twice as many
where the hub's own key is as well.
"""

SECRET_PREFIX: Final = "whsec_"
PUBLIC_PREFIX: Final = "whpk_"
SEED_PREFIX: Final = "whsk_"
SECRET_BYTES: Final = range(24, 65)
"""Lengths that a secret may have, in bytes."""

_KEY_BYTES: Final = 32
_ID: Final = re.compile(r"[!-\-/-~]{1,128}")
_TIMESTAMP: Final = re.compile(r"0|[1-9][0-9]{0,11}")
_LENGTHS: Final = {"v1": hashlib.sha256().digest_size, "v1a": SIGNATURE_BYTES}


class Verified(NamedTuple):
    """A request that verified: the message's id, the Unix seconds of this try, and the bytes that were signed."""

    id: str
    timestamp: int
    body: bytes


class Signer:
    """The keys in force of one endpoint: secrets for `v1`, Ed25519 seeds (32 bytes) for `v1a`, the newest first."""

    def __init__(self, secrets: Sequence[bytes], seeds: Sequence[bytes]) -> None:
        """Make ready to sign.

        Raises:
            ValueError: when there is no key at all, or one is not of its length.
        """
        if not secrets and not seeds:
            raise ValueError("a request without a signature is not sent")
        if any(len(secret) not in SECRET_BYTES for secret in secrets):
            raise ValueError("a secret has 24 to 64 bytes")
        self._secrets = tuple(secrets)
        pairs = [bindings.crypto_sign_seed_keypair(seed) for seed in seeds]
        self._keys = tuple(private for _, private in pairs)
        self.public_keys: tuple[bytes, ...] = tuple(public for public, _ in pairs)

    def sign(self, message_id: str, timestamp: int, body: bytes) -> str:
        """The value of `webhook-signature`: every secret's `v1`, then every seed's `v1a`.

        Raises:
            ValueError: when the id is none (it must hold no full stop), or the time is negative.
        """
        if _ID.fullmatch(message_id) is None or timestamp < 0:
            raise ValueError("an id is of visible ASCII without a full stop, a time is in Unix seconds")
        message = _message(message_id, str(timestamp), body)
        made = [f"v1,{b64encode(hmac.digest(secret, message, 'sha256'))}" for secret in self._secrets]
        # libsodium signs in 56 µs where OpenSSL takes 65, and makes a key ready in half the time.
        made += [
            f"v1a,{b64encode(bindings.crypto_sign(message, key)[:SIGNATURE_BYTES])}" for key in self._keys
        ]
        return " ".join(made)

    def headers(self, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """The three headers of a request; raises as `sign` does."""
        return {
            ID_HEADER: message_id,
            TIMESTAMP_HEADER: str(timestamp),
            SIGNATURE_HEADER: self.sign(message_id, timestamp, body),
        }


def verify(
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    body: bytes,
    *,
    now: int,
    secrets: Sequence[bytes] = (),
    keys: Sequence[bytes] = (),
    tolerance: int = TOLERANCE,
) -> Verified:
    """Verify a request as it came in.

    1. Each of the three headers is there once, whatever the case of its name, and is well formed.
    2. Its time lies within `tolerance` seconds of `now` (Unix seconds).
    3. One of its signatures is that of one of `secrets` (raw bytes) or `keys` (raw public keys). Every pair is
       compared, in constant time, so that how long it takes says nothing about which fits.

    What this cannot tell: whether the message was received before. Remember the ids that were handled.

    Raises:
        Refused: `webhook-malformed`, `webhook-stale` or `webhook-signature-invalid`, in the order of the steps.
        ValueError: when there is neither a secret nor a key to verify with.
    """
    if not secrets and not keys:
        raise ValueError("nothing to verify with")
    # 1.
    named = _headers(headers)
    message_id, written = named[ID_HEADER], named[TIMESTAMP_HEADER]
    if _ID.fullmatch(message_id) is None:
        raise Refused("webhook-malformed", ID_HEADER, "1 to 128 visible ASCII characters, and no full stop")
    if _TIMESTAMP.fullmatch(written) is None:
        raise Refused("webhook-malformed", TIMESTAMP_HEADER, "not Unix seconds")
    signatures = _signatures(named[SIGNATURE_HEADER])
    # 2.
    timestamp = int(written)
    if abs(now - timestamp) > tolerance:
        side = "before" if timestamp < now else "after"
        raise Refused(
            "webhook-stale", TIMESTAMP_HEADER, f"more than {tolerance} s {side} the receiver's clock"
        )
    # 3.
    message = _message(message_id, written, body)
    fits = False
    for secret in secrets:
        expected = hmac.digest(secret, message, "sha256")
        for signature in signatures["v1"]:
            fits |= hmac.compare_digest(expected, signature)
    for key in keys:
        public = PublicKey("Ed25519", key, "")
        for signature in signatures["v1a"]:
            fits |= public.verify(signature, message)
    if not fits:
        raise Refused("webhook-signature-invalid", SIGNATURE_HEADER, _why(signatures, secrets, keys))
    return Verified(message_id, timestamp, body)


def parse_secret(text: str) -> bytes:
    """The bytes of a secret, `whsec_` and base64.

    Raises:
        Refused: `webhook-key-malformed`.
    """
    raw = _after(SECRET_PREFIX, text)
    if raw is None or len(raw) not in SECRET_BYTES:
        raise Refused("webhook-key-malformed", "secret", "whsec_ and the base64 of 24 to 64 bytes")
    return raw


def parse_key(text: str) -> bytes:
    """The 32 bytes of a public key, `whpk_` and base64.

    Raises:
        Refused: `webhook-key-malformed`; a receiver has no use for the private half, `whsk_`, and is told so.
    """
    if text.startswith(SEED_PREFIX):
        raise Refused(
            "webhook-key-malformed", "key", "this is the private half: a receiver has only the public"
        )
    raw = _after(PUBLIC_PREFIX, text)
    if raw is None or len(raw) != _KEY_BYTES or not bindings.crypto_core_ed25519_is_valid_point(raw):
        raise Refused("webhook-key-malformed", "key", "whpk_ and the base64 of an Ed25519 public key")
    return raw


def parse_seed(text: str) -> bytes:
    """The 32-byte seed of a private key, `whsk_` and the base64 of seed and public key.

    Raises:
        Refused: `webhook-key-malformed`, also when the two halves do not belong together.
    """
    raw = _after(SEED_PREFIX, text)
    if (
        raw is None
        or len(raw) != 2 * _KEY_BYTES
        or bindings.crypto_sign_seed_keypair(raw[:_KEY_BYTES])[0] != raw[_KEY_BYTES:]
    ):
        raise Refused("webhook-key-malformed", "key", "whsk_ and the base64 of a seed and its public key")
    return raw[:_KEY_BYTES]


def render_secret(secret: bytes) -> str:
    """The text that `parse_secret` reads."""
    return SECRET_PREFIX + b64encode(secret)


def render_key(public: bytes) -> str:
    """The text that `parse_key` reads."""
    return PUBLIC_PREFIX + b64encode(public)


def _message(message_id: str, timestamp: str, body: bytes) -> bytes:
    return f"{message_id}.{timestamp}.".encode() + body


def _headers(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> dict[str, str]:
    """The three headers by lower-case name."""
    found: dict[str, str] = {}
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        lower = name.lower()
        if lower not in HEADERS:
            continue
        if lower in found:
            raise Refused("webhook-malformed", lower, "given twice")
        found[lower] = value
    for name in HEADERS:
        if name not in found:
            raise Refused("webhook-malformed", name, "missing")
    return found


def _signatures(header: str) -> dict[str, list[bytes]]:
    """The raw signatures by version. Versions not known here are left out: they are for other receivers."""
    parts = header.split(" ")
    if len(parts) > MAX_SIGNATURES:
        raise Refused("webhook-malformed", SIGNATURE_HEADER, f"more than {MAX_SIGNATURES} signatures")
    found: dict[str, list[bytes]] = {version: [] for version in _LENGTHS}
    for part in parts:
        version, comma, encoded = part.partition(",")
        if not comma:
            raise Refused("webhook-malformed", SIGNATURE_HEADER, "not a list of `version,base64`")
        if version not in _LENGTHS:
            continue
        raw = b64decode(encoded)
        if raw is None or len(raw) != _LENGTHS[version]:
            raise Refused("webhook-malformed", SIGNATURE_HEADER, f"not the base64 of a {version} signature")
        found[version].append(raw)
    return found


def _why(signatures: Mapping[str, list[bytes]], secrets: Sequence[bytes], keys: Sequence[bytes]) -> str:
    if (secrets and signatures["v1"]) or (keys and signatures["v1a"]):
        return "not of a key that is known here, or not over these bytes"
    return "no signature of the kind for which there is a key"


def _after(prefix: str, text: str) -> bytes | None:
    return b64decode(text.removeprefix(prefix)) if text.startswith(prefix) else None

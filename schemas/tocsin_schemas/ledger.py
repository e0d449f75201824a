"""The log's wire format: entries, commitments and entry bundles (protocol.md §5).

An entry says that something of a kind was recorded in a community at a time, and commits to its signed bytes without
revealing them. Bundles follow C2SP tlog-tiles: 256 entries, each behind a big-endian 16-bit length.
"""

import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple, Self

from tocsin_schemas.problems import Refused
from tocsin_schemas.tile_paths import TILE_WIDTH, index_path, parse_index_path
from tocsin_schemas.vocabulary import ENTRY_KINDS

BUNDLE_ENTRIES: Final = TILE_WIDTH
NONCE_BYTES: Final = 32
_BUNDLES: Final = "tile/entries/"
_ENTRY: Final = re.compile(
    rb'\{"commitment":"([0-9a-f]{64})","community":"([a-z0-9][a-z0-9-]{0,62})","kind":"([a-z-]{1,32})",'
    rb'"recorded_at":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)"\}'
)


class Entry(NamedTuple):
    """One log entry. `recorded_at` is Unix seconds, `commitment` 32 bytes."""

    community: str
    kind: str
    recorded_at: int
    commitment: bytes

    def encode(self) -> bytes:
        """The entry's bytes: JSON in the canonical form of RFC 8785 (members sorted, nothing to escape)."""
        return (
            f'{{"commitment":"{self.commitment.hex()}","community":"{self.community}",'
            f'"kind":"{self.kind}","recorded_at":"{rfc3339(self.recorded_at)}"}}'
        ).encode()

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read an entry's exact bytes.

        Raises:
            Refused: `json-invalid` when they are not the canonical form of an entry.
        """
        match = _ENTRY.fullmatch(raw)
        if match is None:
            raise Refused("json-invalid", "entry", "not a canonical log entry")
        commitment, community, kind, at = (part.decode() for part in match.groups())
        if kind not in ENTRY_KINDS:
            raise Refused("json-invalid", "entry.kind", "not a kind of entry")
        try:
            recorded_at = instant(at)
        except ValueError:
            raise Refused("json-invalid", "entry.recorded_at", "not a point in time") from None
        return cls(community, kind, recorded_at, bytes.fromhex(commitment))


def new_nonce() -> bytes:
    """The 32 random bytes `r` that open one commitment; kept beside the record, erased with it."""
    return secrets.token_bytes(NONCE_BYTES)


def commit(nonce: bytes, signed: bytes) -> bytes:
    """HMAC-SHA256(r, signed bytes): binding, and random to anyone who has no r."""
    return hmac.digest(nonce, signed, hashlib.sha256)


def opens(commitment: bytes, nonce: bytes, signed: bytes) -> bool:
    """Whether `nonce` opens `commitment` to `signed`."""
    return hmac.compare_digest(commitment, commit(nonce, signed))


def encode_bundle(entries: list[bytes]) -> bytes:
    """An entry bundle: at most 256 entries, each with its length in front."""
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def decode_bundle(bundle: bytes) -> list[bytes]:
    """The entries of a bundle.

    Raises:
        Refused: `json-invalid` when the lengths do not add up.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2])
        if end > len(bundle):
            raise Refused("json-invalid", "bundle", "cut off")
        entries.append(bundle[at + 2 : end])
        at = end
    return entries


def bundle_path(index: int, width: int = BUNDLE_ENTRIES) -> str:
    """The path of bundle `index` below the log's prefix; `width` below 256 names a partial one (tlog-tiles)."""
    return _BUNDLES + index_path(index, width)


def parse_bundle_path(text: str) -> tuple[int, int]:
    """(index, width) of the bundle that a path below the log's prefix names.

    Raises:
        Refused: `not-found` for anything but the one spelling.
    """
    if not text.startswith(_BUNDLES):
        raise Refused("not-found", "path", "not the path of an entry bundle")
    return parse_index_path(text.removeprefix(_BUNDLES))


@lru_cache(maxsize=65_536)
def rfc3339(at: int) -> str:
    """Unix seconds as RFC 3339 in UTC with `Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=65_536)
def instant(text: str) -> int:
    """RFC 3339 with `Z` and whole seconds, as Unix seconds.

    Raises:
        ValueError: for anything else.
    """
    at = int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())
    if rfc3339(at) != text:
        # strptime also takes single digits, and digits of other scripts.
        raise ValueError("not the one spelling")
    return at

"""Indicators: `type:value` strings, each with exactly one spelling.

An indicator is the hash-only thing that was observed. Parsing refuses everything but the canonical form, because
one corrupt value in a shared list has crashed every consumer of that list before. Values are kept as bytes.
"""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Final, Literal, NamedTuple, get_args

from tocsin_schemas.problems import Refused

Family = Literal["media", "artefact", "account"]
MediaType = Literal["md5", "sha1", "sha256", "pdq", "photodna"]
ArtefactType = Literal["file-sha256", "weights-sha256"]
AccountType = Literal["email", "phone", "handle", "device", "payment"]
IndicatorType = Literal[
    "md5",
    "sha1",
    "sha256",
    "pdq",
    "photodna",
    "file-sha256",
    "weights-sha256",
    "email",
    "phone",
    "handle",
    "device",
    "payment",
]

INDICATOR_TYPES: Final[tuple[str, ...]] = get_args(IndicatorType)
FAMILY: Final[dict[str, Family]] = (
    dict.fromkeys(get_args(MediaType), "media")
    | dict.fromkeys(get_args(ArtefactType), "artefact")
    | dict.fromkeys(get_args(AccountType), "account")
)
MAX_INDICATOR_CHARS: Final = 256
PHOTODNA_BYTES: Final = 144
PDQ_BITS: Final = 256
# A PDQ hash compares each coefficient with the median, so a real one has about half its bits set
# (Facebook, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm", 2019).
PDQ_PLAUSIBLE_BITS: Final = range(64, 193)

_HEX_BYTES: Final = {
    "md5": 16,
    "sha1": 20,
    "sha256": 32,
    "pdq": 32,
    "file-sha256": 32,
    "weights-sha256": 32,
}
_TOKEN: Final = re.compile(r"v1\.(0|[1-9][0-9]{0,8})\.([a-z2-7]{52})")
_TOKEN_BYTES: Final = 32
VALUE_BYTES: Final[dict[str, int]] = (
    _HEX_BYTES
    | {"photodna": PHOTODNA_BYTES}
    # Version and key epoch before the token.
    | dict.fromkeys(get_args(AccountType), 1 + 4 + _TOKEN_BYTES)
)
"""How long the value of each type is."""
# The last of 52 characters holds one bit of the 256 and four that must be zero: a or q.
_TOKEN_PATTERN: Final = r"v1\.(0|[1-9][0-9]{0,8})\.[a-z2-7]{51}[aq]"
_PATTERNS: Final[dict[str, str]] = (
    {kind: f"[0-9a-f]{{{2 * length}}}" for kind, length in _HEX_BYTES.items()}
    | {"photodna": f"[A-Za-z0-9_-]{{{PHOTODNA_BYTES * 4 // 3}}}"}
    | dict.fromkeys(get_args(AccountType), _TOKEN_PATTERN)
)


class Indicator(NamedTuple):
    """One parsed indicator.

    `type` is the word before the colon; `value` its canonical bytes: the digest itself, or for an account token
    version (1 byte), key epoch (4 bytes, big-endian) and the 32 token bytes.
    """

    type: str
    value: bytes

    @property
    def family(self) -> Family:
        """Media, model artefact or account: what kind of thing the value is derived from."""
        return FAMILY[self.type]

    def __str__(self) -> str:
        return f"{self.type}:{_spell(self.type, self.value)}"


def parse(text: str, field: str = "indicator") -> Indicator:
    """Read one canonical `type:value` string.

    Raises:
        Refused: `indicator-type-unknown` for a type this hub does not carry, `indicator-invalid` for a value that
            is not the one canonical spelling. `field` is where the string stood, for the problem.
    """
    kind, colon, value = text.partition(":")
    if not colon or kind not in FAMILY:
        raise Refused("indicator-type-unknown", field, "the part before ':' is not an indicator type")
    if len(text) > MAX_INDICATOR_CHARS:
        raise Refused("indicator-invalid", field, f"longer than {MAX_INDICATOR_CHARS} characters")
    return Indicator(kind, _PARSERS[kind](value, field))


def pattern(*families: Family) -> str:
    """A regular expression (ECMA-262, anchored by its user) for exactly the canonical indicators of `families`."""
    return "|".join(f"{kind}:{value}" for kind, value in _PATTERNS.items() if FAMILY[kind] in families)


def degenerate_pdq(value: bytes) -> bool:
    """Whether 32 PDQ bytes cannot come from a picture with any texture (too few or too many bits set)."""
    return int.from_bytes(value).bit_count() not in PDQ_PLAUSIBLE_BITS


def _hex_parser(kind: str) -> Callable[[str, str], bytes]:
    length = 2 * _HEX_BYTES[kind]

    def parse_hex(value: str, field: str) -> bytes:
        if len(value) != length:
            raise Refused("indicator-invalid", field, f"{kind} is {length} hexadecimal digits")
        try:
            # fromhex skips white space, and upper case would be a second spelling: compare with what it spells.
            raw = bytes.fromhex(value)
        except ValueError:
            raw = b""
        if raw.hex() != value:
            raise Refused("indicator-invalid", field, f"{kind} is {length} lower-case hexadecimal digits")
        return raw

    return parse_hex


def _parse_photodna(value: str, field: str) -> bytes:
    try:
        raw = base64.b64decode(value, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != PHOTODNA_BYTES or base64.urlsafe_b64encode(raw).decode() != value:
        raise Refused("indicator-invalid", field, f"photodna is {PHOTODNA_BYTES} bytes in base64url")
    return raw


def _parse_token(value: str, field: str) -> bytes:
    match = _TOKEN.fullmatch(value)
    if match is None:
        raise Refused("indicator-invalid", field, "an account token is v1.<epoch>.<52 base32 characters>")
    epoch, text = match.groups()
    raw = base64.b32decode(text.upper() + "====")
    if _base32(raw) != text:
        raise Refused("indicator-invalid", field, "stray bits in the last base32 character")
    return b"\x01" + int(epoch).to_bytes(4) + raw


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()


def _spell(kind: str, value: bytes) -> str:
    if kind in _HEX_BYTES:
        return value.hex()
    if kind == "photodna":
        return base64.urlsafe_b64encode(value).decode()
    return f"v1.{int.from_bytes(value[1:5])}.{_base32(value[-_TOKEN_BYTES:])}"


_PARSERS: Final[dict[str, Callable[[str, str], bytes]]] = (
    {kind: _hex_parser(kind) for kind in _HEX_BYTES}
    | {"photodna": _parse_photodna}
    | dict.fromkeys(get_args(AccountType), _parse_token)
)

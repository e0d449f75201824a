"""Tokens that the gate must refuse before it reads what they say, or for the key that signed them."""

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.support.vectors import good
from tests.support.vectors.good import MD5, claims, report, spaced
from tests.support.vectors.keys import (
    BROOK,
    EARLY,
    ED,
    ES,
    EXPIRED,
    IAT,
    OTHER,
    REVOKED,
    STRANGER,
    base64url,
    compact,
    seal,
    seal_parts,
    unbase64url,
)

PAYLOAD: Final = compact(claims("refused", "report", report(), MD5))
ED25519_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def vectors() -> list[dict[str, Any]]:
    return [
        {"name": name, "code": code, "field": field, "token": token}
        for made in (_shapes(), _base64(), _headers(), _signatures(), _keys())
        for name, code, field, token in made
    ]


def header(**members: Any) -> bytes:
    """The header of pixel's Ed25519 key with members replaced, added, or (None) left out."""
    return compact({name: value for name, value in {**ED.header, **members}.items() if value is not None})


def parts() -> tuple[str, str, str]:
    first, second, third = seal(PAYLOAD).split(".")
    return first, second, third


def ragged(json: bytes) -> bytes:
    """The same JSON with white space in front, so that its last base64url character has two unused bits."""
    return b" " * ((2 - len(json)) % 3) + json


def stray(part: str) -> str:
    """The same bytes with a bit set behind the last of them."""
    assert len(part) % 4, "no unused bits in whole groups"
    return part[:-1] + ALPHABET[ALPHABET.index(part[-1]) + 1]


Made = Iterator[tuple[str, str, str, str]]


def _shapes() -> Made:
    first, second, third = parts()
    flattened = compact({"protected": first, "payload": second, "signature": third}).decode()
    yield "one-byte-too-long", "envelope-too-large", "", seal(spaced(PAYLOAD, 8192)) + "A"
    yield "empty", "envelope-malformed", "", ""
    yield "no-signature-part", "envelope-malformed", "", f"{first}.{second}"
    yield "five-parts", "envelope-malformed", "", f"{first}.{second}.{third}.{second}.{third}"
    yield "json-serialization", "envelope-malformed", "", flattened


def _base64() -> Made:
    first, second, third = parts()
    loose, loose_payload = base64url(ragged(header())), base64url(ragged(PAYLOAD))
    yield "padding-header", "base64-padding", "header", seal_parts(loose + "=", second)
    yield "padding-payload", "base64-padding", "payload", seal_parts(first, loose_payload + "=")
    yield "padding-payload-added-later", "base64-padding", "payload", f"{first}.{second}=.{third}"
    yield "padding-signature", "base64-padding", "signature", f"{first}.{second}.{third}=="
    code = "base64-not-canonical"
    yield "stray-bits-header", code, "header", seal_parts(stray(loose), second)
    yield "stray-bits-payload", code, "payload", seal_parts(first, stray(loose_payload))
    yield "stray-bits-signature", code, "signature", f"{first}.{second}.{stray(third)}"
    yield "space-before", code, "header", f" {first}.{second}.{third}"
    yield "line-feed-in-header", code, "header", seal_parts(f"{first[:20]}\n{first[20:]}", second)
    yield "space-in-payload", code, "payload", seal_parts(first, f"{second[:20]} {second[20:]}")
    yield "tab-in-signature", code, "signature", f"{first}.{second}.{third[:20]}\t{third[20:]}"
    yield "crlf-after", code, "signature", f"{first}.{second}.{third}\r\n"
    yield "nul-after", code, "signature", f"{first}.{second}.{third}\0"
    yield "one-character-alone", code, "payload", seal_parts(first, "A")
    plus = base64url(compact({**claims("plus", "report", report(), MD5), "a": ">>>>???"}))
    yield "standard-alphabet", code, "payload", seal_parts(first, plus.replace("-", "+").replace("_", "/"))


def _headers() -> Made:
    def sealed(raw: bytes) -> str:
        return seal(PAYLOAD, ED, raw)

    twice = header().replace(b'"alg":"Ed25519"', b'"alg":"none","alg":"Ed25519"')
    escaped = header().replace(b'"alg":"Ed25519"', b'"alg":"none","\\u0061lg":"Ed25519"')
    yield "header-twice", "json-duplicate-key", "header", sealed(twice)
    yield "header-twice-by-escape", "json-duplicate-key", "header", sealed(escaped)
    yield (
        "header-nested-twice",
        "json-duplicate-key",
        "header",
        sealed(header()[:-1] + b',"x":{"y":1,"y":1}}'),
    )
    yield "header-empty", "json-invalid", "header", sealed(b"")
    yield "header-array", "json-invalid", "header", sealed(b"[" + header() + b"]")
    yield "header-not-ascii", "json-invalid", "header", sealed(header().replace(b"typ", "týp".encode()))
    yield "header-two-values", "json-invalid", "header", sealed(header() + b"{}")
    yield "header-infinity", "json-invalid", "header", sealed(header()[:-1] + b',"x":Infinity}')
    yield "crit", "header-crit", "header.crit", sealed(header(crit=["exp"]))
    yield "crit-b64", "header-crit", "header.crit", sealed(header(crit=["b64"], b64=False))
    for name, value in {
        "jwk": STRANGER.jwk(),
        "jku": "https://keys.example/jwks.json",
        "x5u": "https://keys.example/chain.pem",
        "x5c": ["MIIB"],
        "x5t": base64url(bytes(20)),
        "cty": "JWT",
        "b64": True,
        "note": "free text",
    }.items():
        yield f"member-{name}", "header-member-unknown", "header", sealed(header(**{name: value}))
    for typ in (
        "JWT",
        "at+jwt",
        "client-authentication+jwt",
        "application/secevent+jwt",
        "SECEVENT+JWT",
        "",
        7,
    ):
        yield f"typ-{typ}", "typ-mismatch", "header.typ", sealed(header(typ=typ))
    yield "typ-missing", "typ-mismatch", "header.typ", sealed(header(typ=None))
    unsigned = f"{base64url(header(alg='none'))}.{base64url(PAYLOAD)}."
    yield "alg-none", "alg-none", "header.alg", unsigned
    yield "alg-none-well-signed", "alg-none", "header.alg", sealed(header(alg="none"))
    for alg in ("None", "RS256", "PS256", "ES384", "ES256K", "HS512", "ed25519", "Ed448", ["Ed25519"], 1):
        yield f"alg-{alg}", "alg-not-allowed", "header.alg", sealed(header(alg=alg))
    yield "alg-missing", "alg-not-allowed", "header.alg", sealed(header(alg=None))
    yield "hs256-with-the-public-key", "alg-not-allowed", "header.alg", _hs256()
    yield "kid-missing", "claim-missing", "header.kid", sealed(header(kid=None))
    yield "kid-number", "claim-missing", "header.kid", sealed(header(kid=1))


def _hs256() -> str:
    message = f"{base64url(header(alg='HS256'))}.{base64url(PAYLOAD)}"
    secret = unbase64url(ED.public()["x"])
    return f"{message}.{base64url(hmac.digest(secret, message.encode(), hashlib.sha256))}"


def _signatures() -> Made:
    code, field = "signature-invalid", "signature"
    first, second, third = parts()
    raw = unbase64url(third)
    other = base64url(compact(claims("another", "report", report(), MD5)))
    larger = int.from_bytes(raw[32:], "little") + ED25519_ORDER
    es_first, es_second, es_third = seal(PAYLOAD, ES).split(".")
    es_raw = unbase64url(es_third)
    r, s = int.from_bytes(es_raw[:32]), int.from_bytes(es_raw[32:])
    yield "another-payload", code, field, f"{first}.{other}.{third}"
    yield "another-header", code, field, f"{base64url(header(alg='EdDSA'))}.{second}.{third}"
    yield "empty-signature", code, field, f"{first}.{second}."
    yield "zero-signature", code, field, f"{first}.{second}.{base64url(bytes(64))}"
    yield "short-signature", code, field, f"{first}.{second}.{base64url(raw[:63])}"
    yield "long-signature", code, field, f"{first}.{second}.{base64url(raw + bytes(1))}"
    yield "s-plus-l", code, field, f"{first}.{second}.{base64url(raw[:32] + larger.to_bytes(32, 'little'))}"
    yield "es256-der", code, field, f"{es_first}.{es_second}.{base64url(encode_dss_signature(r, s))}"
    yield "es256-zero", code, field, f"{es_first}.{es_second}.{base64url(bytes(64))}"
    yield "es256-swapped", code, field, f"{es_first}.{es_second}.{base64url(es_raw[32:] + es_raw[:32])}"
    yield "signed-by-another", code, field, seal(PAYLOAD, OTHER, header())


def _keys() -> Made:
    def sealed(key: Any, **members: Any) -> str:
        return seal(compact(claims("keys", "report", report(), MD5, **members)), key)

    yield "unregistered-key", "key-unknown", "header.kid", sealed(STRANGER)
    yield "empty-kid", "key-unknown", "header.kid", seal(PAYLOAD, ED, header(kid=""))
    yield "kid-in-another-case", "key-unknown", "header.kid", seal(PAYLOAD, ED, header(kid=ED.kid.swapcase()))
    yield "es256-of-an-ed25519-key", "alg-key-mismatch", "header.alg", seal(PAYLOAD, ED, header(alg="ES256"))
    es_as_ed = compact({**ES.header, "alg": "Ed25519"})
    yield "ed25519-of-an-es256-key", "alg-key-mismatch", "header.alg", seal(PAYLOAD, ES, es_as_ed)
    yield "key-of-another-member", "issuer-mismatch", "iss", sealed(OTHER)
    yield "issuer-of-another-key", "issuer-mismatch", "iss", sealed(ED, iss=BROOK)
    yield "revoked", "key-revoked", "iat", sealed(REVOKED)
    yield "expired", "key-expired", "iat", sealed(EXPIRED)
    yield "not-yet-valid", "key-not-yet-valid", "iat", sealed(EARLY)
    yield "long-before-the-key", "key-not-yet-valid", "iat", sealed(ED, iat=IAT - 366 * good.DAY)

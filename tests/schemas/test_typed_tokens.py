"""Tokens of other types than a signal's, here a client's assertion: the same gate, asked for by type."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from tests.support.parties import encode, private
from tests.support.vectors.keys import ED
from tocsin_schemas import envelope
from tocsin_schemas.envelope import AuthorKey, kid_of, open_token
from tocsin_schemas.jwk import KeyAlg, SigningKey
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import LATEST, dump_object, load_object

TYP = "client-authentication+jwt"
KEY = SigningKey.from_jwk(ED.private_jwk())
CLAIMS = {"sub": "cl_1"}


def known(key: SigningKey, kid: str | None = None) -> dict[str, AuthorKey]:
    return {kid or key.public.kid: AuthorKey(key.public, "https://pixel.example", 0, LATEST)}


KEYS = known(KEY)


def header(**changes: Any) -> dict[str, Any]:
    members = {"typ": TYP, "alg": KEY.public.alg, "kid": KEY.public.kid, **changes}
    return {name: value for name, value in members.items() if value is not None}


def token(**changes: Any) -> str:
    return encode(header(**changes), CLAIMS, KEY)


def forged(members: dict[str, Any], alg: Any = "none") -> str:
    """A token with a header that no library would make."""
    _, *rest = envelope.sign(dump_object(CLAIMS), KEY, TYP).decode().split(".")
    first = envelope.encode(json.dumps({**header(), **members, "alg": alg}).encode()).decode()
    return ".".join([first, *rest])


def refusal(read: Callable[..., object], *given: object) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        read(*given)
    return caught.value.code, caught.value.field


@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_what_is_signed_here_is_read_by_another_library(alg: KeyAlg) -> None:
    key = SigningKey.generate(alg)
    read = jwt.decode(envelope.sign(dump_object(CLAIMS), key, TYP).decode(), private(key), algorithms=[alg])
    assert read.claims == CLAIMS
    assert read.header == {"typ": TYP, "alg": alg, "kid": key.public.kid}


@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_what_another_library_signed_is_read_here(alg: KeyAlg) -> None:
    key = SigningKey.generate(alg)
    signed = encode({"typ": TYP, "alg": alg, "kid": key.public.kid}, CLAIMS, key).encode()
    opened = open_token(signed, known(key), TYP)
    assert (opened.token, opened.key.public) == (signed, key.public)
    assert load_object(opened.payload, "payload") == CLAIMS
    assert kid_of(signed, TYP) == key.public.kid


def test_the_older_name_of_ed25519_is_read() -> None:
    segment = envelope.encode(dump_object(header(alg="EdDSA")))
    message = segment + b"." + envelope.encode(dump_object(CLAIMS))
    signed = message + b"." + envelope.encode(KEY.sign(message))
    assert open_token(signed, KEYS, TYP).key.public == KEY.public
    assert set(envelope.ALGS) == {"Ed25519", "EdDSA", "ES256"}


FAULTS: dict[str, tuple[str, str, str]] = {
    "too large": ("a" * (envelope.MAX_TOKEN_BYTES + 1), "envelope-too-large", ""),
    "empty": ("", "envelope-malformed", ""),
    "one part": ("a", "envelope-malformed", ""),
    "two parts": ("a.b", "envelope-malformed", ""),
    "four parts": (token() + ".x", "envelope-malformed", ""),
    "another dot": (token().replace(".", "é", 1), "envelope-malformed", ""),
    "header padded": (token().replace(".", "=.", 1), "base64-padding", "header"),
    "signature padded": (token() + "=", "base64-padding", "signature"),
    "space before": (" " + token(), "base64-not-canonical", "header"),
    "not in ASCII": ("é" + token(), "base64-not-canonical", "header"),
    "space in it": (token().replace(".", ". ", 1), "base64-not-canonical", "payload"),
    "an access token": (token(typ="at+jwt"), "typ-mismatch", "header.typ"),
    "a signal": (token(typ="secevent+jwt"), "typ-mismatch", "header.typ"),
    "a plain JWT": (token(typ="JWT"), "typ-mismatch", "header.typ"),
    "no type": (token(typ=None), "typ-mismatch", "header.typ"),
    "no kid": (token(kid=None), "claim-missing", "header.kid"),
    "kid is a number": (forged({"kid": 7}, "Ed25519"), "claim-missing", "header.kid"),
    "kid of nobody": (forged({"kid": "nobody"}, "Ed25519"), "key-unknown", "header.kid"),
    "cty": (token(cty="JWT"), "header-member-unknown", "header"),
    "jku": (token(jku="https://elsewhere.example/jwks"), "header-member-unknown", "header"),
    "jwk": (forged({"jwk": KEY.public.jwk()}), "header-member-unknown", "header"),
    "crit": (forged({"crit": ["exp"]}), "header-crit", "header.crit"),
    "alg none": (forged({}), "alg-none", "header.alg"),
    "alg None": (forged({}, "None"), "alg-not-allowed", "header.alg"),
    "alg HS256": (forged({}, "HS256"), "alg-not-allowed", "header.alg"),
    "alg RS256": (forged({}, "RS256"), "alg-not-allowed", "header.alg"),
    "alg ES384": (forged({}, "ES384"), "alg-not-allowed", "header.alg"),
    "alg is a list": (forged({}, ["Ed25519"]), "alg-not-allowed", "header.alg"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_token_out_of_form_is_refused(fault: str) -> None:
    """Before its key is known, and when it is opened: the same answer."""
    signed, *expected = FAULTS[fault]
    assert refusal(kid_of, signed.encode(), TYP) == tuple(expected)
    assert refusal(open_token, signed.encode(), KEYS, TYP) == tuple(expected)


def test_a_kid_to_look_up_is_spelled_like_a_thumbprint() -> None:
    """A database may choke on any other text."""
    for kid in ("", "\0" * 43, "\ud800" * 43, "é" * 43, KEY.public.kid + "\n", "A" * 44, "A" * 42):
        signed = forged({"kid": kid}, "Ed25519").encode()
        assert refusal(kid_of, signed, TYP) == ("key-unknown", "header.kid")


def test_the_type_is_asked_for_each_time() -> None:
    """A header that was read for one type is none for another."""
    signed = token().encode()
    for _ in range(2):
        assert kid_of(signed, TYP) == KEY.public.kid
        open_token(signed, KEYS, TYP)
        for typ in ("at+jwt", "secevent+jwt"):
            assert refusal(kid_of, signed, typ) == ("typ-mismatch", "header.typ")
            assert refusal(open_token, signed, KEYS, typ) == ("typ-mismatch", "header.typ")
        assert refusal(open_token, signed, KEYS) == ("typ-mismatch", "header.typ")
        assert refusal(envelope.verify, signed, KEYS) == ("typ-mismatch", "header.typ")


def test_a_token_opens_only_with_the_key_that_signed() -> None:
    signed, kid = token().encode(), KEY.public.kid
    assert kid_of(signed, TYP) == kid
    assert refusal(open_token, signed, {}, TYP) == ("key-unknown", "header.kid")
    other = known(SigningKey.generate(), kid)
    assert refusal(open_token, signed, other, TYP) == ("signature-invalid", "signature")
    other = known(SigningKey.generate("ES256"), kid)
    assert refusal(open_token, signed, other, TYP) == ("alg-key-mismatch", "header.alg")


def test_every_changed_character_breaks_the_seal() -> None:
    signed = token()
    for place, character in enumerate(signed):
        changed = signed[:place] + ("A" if character != "A" else "B") + signed[place + 1 :]
        with pytest.raises(Refused):
            open_token(changed.encode(), KEYS, TYP)


def test_no_algorithm_confusion_is_even_spelled() -> None:
    """An HMAC keyed with the public key, and RSA: made with joserfc, refused by name before any key is looked at."""
    hmac = jwt.encode(header(alg="HS256"), {}, OctKey.import_key(KEY.public.raw), algorithms=["HS256"])
    rsa = jwt.encode(header(alg="RS256"), {}, RSAKey.generate_key(2048), algorithms=["RS256"])
    for signed in (hmac, rsa):
        assert refusal(kid_of, signed.encode(), TYP) == ("alg-not-allowed", "header.alg")
        assert refusal(open_token, signed.encode(), KEYS, TYP) == ("alg-not-allowed", "header.alg")

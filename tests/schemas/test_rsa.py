"""RSA keys: read whole or not at all, and their signatures verify with somebody else's code."""

import base64
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey

from tocsin_schemas.problems import Refused
from tocsin_schemas.rsa import RsaKey, rsa_of, rsa_public


@cache
def made() -> RsaKey:
    return RsaKey.generate()


def test_a_key_is_written_and_read() -> None:
    again = RsaKey.from_jwk(made().jwk())
    assert again.public == made().public
    assert again.public.jwk() == made().public.jwk()
    assert set(again.public.jwk()) == {"kty", "n", "e", "kid", "alg"}


def test_another_library_verifies_its_signature_and_finds_its_thumbprint() -> None:
    message = base64.urlsafe_b64encode(b'{"alg":"RS256"}').rstrip(b"=") + b".e30"
    token = message + b"." + base64.urlsafe_b64encode(made().sign(message)).rstrip(b"=")
    key = jwt.PyJWK(made().public.jwk())
    assert jwt.decode(token, key, algorithms=["RS256"]) == {}
    assert RSAKey.import_key(dict(made().public.jwk())).thumbprint() == made().public.kid


def _small() -> dict[str, Any]:
    small = rsa.generate_private_key(65537, 1024)
    return {name: str(value) for name, value in RSAKey.import_key(small).as_dict(private=True).items()}


def _broken() -> list[dict[str, Any]]:
    whole = made().jwk()
    return [
        {},
        {"kty": "RSA"},
        {name: whole[name] for name in ("kty", "n", "e")},
        {**whole, "d": "AQAB"},
        {**whole, "n": 5},
        {**whole, "kty": "EC"},
        _small(),
    ]


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("place", range(7))
def test_what_is_no_whole_private_key_is_refused(place: int) -> None:
    with pytest.raises(Refused, match="not a private JWK of an RS256 key"):
        RsaKey.from_jwk(_broken()[place])


def test_a_public_key_is_written_and_read() -> None:
    public = made().public
    assert rsa_public(public.jwk()) == public
    assert rsa_of(public.raw) == public
    read = serialization.load_der_public_key(public.raw)
    assert isinstance(read, rsa.RSAPublicKey)
    modulus = int.from_bytes(base64.urlsafe_b64decode(public.n + "=="))
    assert read.public_numbers() == rsa.RSAPublicNumbers(65537, modulus)


def test_it_verifies_what_its_key_has_signed_and_nothing_else() -> None:
    signature = made().sign(b"message")
    assert made().public.verify(signature, b"message")
    assert not made().public.verify(signature, b"massage")
    assert not made().public.verify(signature[:-1], b"message")
    assert not made().public.verify(b"", b"message")


def _not_public() -> list[dict[str, Any]]:
    whole: dict[str, Any] = dict(made().public.jwk())
    small = _small()
    large = base64.urlsafe_b64encode((2**8192 + 1).to_bytes(1025)).rstrip(b"=").decode()
    return [
        {},
        {"kty": "RSA"},
        made().jwk(),
        {**whole, "kty": "EC"},
        {**whole, "n": 5},
        {**whole, "n": ["A"]},
        {**whole, "n": "\u00e9" + whole["n"]},
        {**whole, "n": whole["n"] + "="},
        {**whole, "n": "AAAA" + whole["n"]},
        {**whole, "e": "AAEAAQ"},
        {**whole, "e": "Ag"},
        {**whole, "e": "AQAAAAE"},
        {"kty": "RSA", "n": small["n"], "e": small["e"]},
        {**whole, "n": large},
    ]


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("place", range(14))
def test_what_is_no_public_key_is_refused(place: int) -> None:
    with pytest.raises(Refused, match="not a public JWK of an RS256 key"):
        rsa_public(_not_public()[place])

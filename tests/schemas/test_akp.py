"""ML-DSA-44 keys as JWK: read as they were written, and nothing else."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from tocsin_schemas.akp import AkpKey
from tocsin_schemas.problems import Refused

KEY = AkpKey.generate()
JWK = KEY.jwk()


def test_a_key_is_read_as_it_was_written() -> None:
    again = AkpKey.from_jwk(JWK)
    assert (again.public, again.kid, again.jwk()) == (KEY.public, KEY.kid, JWK)
    MLDSA44PublicKey.from_public_bytes(KEY.public).verify(again.private.sign(b"message"), b"message")
    assert AkpKey.generate().kid != KEY.kid


def test_the_members_are_those_of_the_standard() -> None:
    assert {name: JWK[name] for name in ("kty", "alg")} == {"kty": "AKP", "alg": "ML-DSA-44"}
    assert (len(JWK["pub"]), len(JWK["priv"])) == (1750, 43)


def test_the_thumbprint_is_over_alg_kty_and_pub() -> None:
    members = '{"alg":"ML-DSA-44","kty":"AKP","pub":"' + JWK["pub"] + '"}'
    assert urlsafe_b64encode(sha256(members.encode()).digest()).decode() == KEY.kid + "="


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "OKP"},
        {"alg": "ML-DSA-65"},
        {"priv": None},
        {"priv": 7},
        {"priv": ""},
        {"priv": JWK["priv"][:-1]},
        {"priv": JWK["priv"] + "="},
        {"priv": JWK["priv"] + "A"},
        {"priv": "!" + JWK["priv"][1:]},
        {"priv": "\u00e9" + JWK["priv"][1:]},
        {"pub": None},
        {"pub": AkpKey.generate().jwk()["pub"]},
    ],
)
def test_what_is_no_such_key_is_refused_without_an_echo(change: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        AkpKey.from_jwk(JWK | change)
    assert (caught.value.code, caught.value.field) == ("claim-invalid", "jwk")
    assert JWK["priv"][:10] not in str(caught.value)

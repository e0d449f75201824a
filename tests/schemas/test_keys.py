"""Keys: what is registered, and that every verifier then agrees on what is signed.

libsodium verifies Ed25519 here, OpenSSL (through `cryptography`) in many other places. With keys of the prime-order
subgroup only, they differ in one thing: a signature whose R is the identity, which OpenSSL accepts.
"""

import random

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from joserfc.jwk import ECKey, OKPKey
from nacl import bindings

from tests.support.vectors.keys import ED, ES, FixedKey, base64url, unbase64url
from tests.support.vectors.points import (
    ED25519_ORDER,
    IDENTITY,
    MESSAGE,
    NONCE,
    PUBLIC,
    SMALL,
    TORSION,
    honest,
    scalar,
    sign_with,
)
from tocsin_schemas.jwk import PublicKey, SigningKey, public_key
from tocsin_schemas.problems import Refused

P256 = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
FIELD = 2**255 - 19


def openssl(raw: bytes, signature: bytes, message: bytes) -> bool:
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def registered(raw: bytes) -> PublicKey | None:
    try:
        return public_key({"kty": "OKP", "crv": "Ed25519", "x": base64url(raw)})
    except Refused:
        return None


def agreed(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """What both say of a signature; they must say the same."""
    ours = key.verify(signature, message)
    assert ours is openssl(key.raw, signature, message)
    return ours


def test_libsodium_and_openssl_agree_on_valid_and_spoiled_signatures() -> None:
    source = random.Random(8032)
    accepted = 0
    for _ in range(150):
        private = ed25519.Ed25519PrivateKey.from_private_bytes(source.randbytes(32))
        key = registered(private.public_key().public_bytes_raw())
        assert key is not None
        message = source.randbytes(source.randrange(200))
        signature = private.sign(message)
        accepted += agreed(key, signature, message)
        bit = source.randrange(512)
        spoiled = bytearray(signature)
        spoiled[bit // 8] ^= 1 << bit % 8
        assert not agreed(key, bytes(spoiled), message)
        assert not agreed(key, signature, message + b"\0")
        assert not agreed(key, source.randbytes(64), message)
        for times in range(1, 16):
            s = int.from_bytes(signature[32:], "little") + times * ED25519_ORDER
            if s < 2**256:
                assert not agreed(key, signature[:32] + s.to_bytes(32, "little"), message)
    assert accepted == 150


def test_libsodium_and_openssl_agree_on_a_commitment_of_mixed_order() -> None:
    """A verifier with the cofactor would accept these, and disagree with both."""
    key = registered(PUBLIC)
    assert key is not None
    assert agreed(key, honest(), MESSAGE)
    for number in range(20):
        nonce = scalar(b"nonce %d" % number)
        point = bindings.crypto_scalarmult_ed25519_base_noclamp(nonce)
        assert agreed(key, sign_with(nonce, point), MESSAGE)
        for torsion in TORSION.values():
            mixed = bindings.crypto_core_ed25519_add(point, torsion)
            assert not agreed(key, sign_with(nonce, mixed), MESSAGE)


def test_libsodium_and_openssl_agree_on_commitments_of_small_order_and_odd_spelling() -> None:
    key = registered(PUBLIC)
    assert key is not None
    source = random.Random(1)
    odd = [(FIELD + y).to_bytes(32, "little") for y in range(19)]
    odd += [point[:31] + bytes([point[31] | 0x80]) for point in odd]
    for commitment in [*SMALL.values(), *odd]:
        for nonce in (bytes(32), NONCE, source.randbytes(31) + b"\0"):
            signature = sign_with(nonce, commitment)
            if commitment != IDENTITY or nonce != bytes(32):
                assert not agreed(key, signature, MESSAGE)


def test_the_identity_as_commitment_is_refused_though_openssl_accepts_it() -> None:
    key = registered(PUBLIC)
    assert key is not None
    signature = sign_with(bytes(32), IDENTITY)
    assert openssl(PUBLIC, signature, MESSAGE)
    assert not key.verify(signature, MESSAGE)


def test_keys_outside_the_prime_order_subgroup_are_not_registered() -> None:
    assert registered(PUBLIC) is not None
    refused = list(SMALL.values())
    for number in range(20):
        point = bindings.crypto_scalarmult_ed25519_base_noclamp(scalar(b"key %d" % number))
        assert registered(point) is not None
        refused += [bindings.crypto_core_ed25519_add(point, torsion) for torsion in TORSION.values()]
    assert [point.hex() for point in refused if registered(point) is not None] == []


def test_keys_with_another_spelling_are_not_registered() -> None:
    for y in range(19):
        for sign in (0, 0x80):
            raw = bytearray((FIELD + y).to_bytes(32, "little"))
            raw[31] |= sign
            assert registered(bytes(raw)) is None


def test_about_half_of_all_byte_strings_are_no_point_and_few_of_the_rest_are_in_the_subgroup() -> None:
    source = random.Random(2)
    fit = [raw for raw in (source.randbytes(32) for _ in range(400)) if registered(raw) is not None]
    # One in two is on the curve, one in eight of those in the subgroup: 25 of 400.
    assert 8 <= len(fit) <= 50
    assert all(bindings.crypto_core_ed25519_is_valid_point(raw) for raw in fit)


@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_a_new_key_signs_verifies_and_comes_back_from_its_jwk(alg: str) -> None:
    key = SigningKey.generate("Ed25519" if alg == "Ed25519" else "ES256")
    back = SigningKey.from_jwk(key.jwk())
    assert key.public.alg == alg
    assert back.public == key.public == public_key(key.public.jwk())
    signature = back.sign(b"message")
    assert len(signature) == 64
    assert key.public.verify(signature, b"message")
    assert not key.public.verify(signature, b"another")
    assert not key.public.verify(signature[:-1], b"message")
    assert not SigningKey.generate(key.public.alg).public.verify(signature, b"message")
    assert set(key.public.jwk()) == set(key.jwk()) - {"d"}


def test_thumbprints_are_those_of_another_library() -> None:
    for number in range(1, 40):
        es = ECKey.import_key(ec.derive_private_key(number, ec.SECP256R1()).public_key())
        ed = OKPKey.import_key(
            ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32).public_key()
        )
        for key in (es, ed):
            assert public_key(dict(key.as_dict(private=False))).kid == key.thumbprint()


def test_a_coordinate_with_a_leading_zero_is_written_in_full() -> None:
    """The 43rd multiple of the base point has a y below 2^248; a key must not get a second thumbprint from that."""
    numbers = ec.derive_private_key(43, ec.SECP256R1()).public_key().public_numbers()
    assert numbers.y < 2**248
    full = {
        "kty": "EC",
        "crv": "P-256",
        "x": base64url(numbers.x.to_bytes(32)),
        "y": base64url(numbers.y.to_bytes(32)),
    }
    assert public_key(full).jwk()["y"] == full["y"]
    with pytest.raises(Refused):
        public_key(full | {"y": base64url(numbers.y.to_bytes(31))})


def test_points_off_the_curve_or_of_no_field_are_not_registered() -> None:
    jwk = ES.public()
    x, y = (int.from_bytes(unbase64url(jwk[name])) for name in ("x", "y"))
    for wrong_x, wrong_y in ((x, y + 1), (x + 1, y), (0, 0), (P256, y), (x, P256), (2**256 - 1, 2**256 - 1)):
        with pytest.raises(Refused):
            public_key(jwk | {"x": base64url(wrong_x.to_bytes(32)), "y": base64url(wrong_y.to_bytes(32))})
    assert public_key(jwk | {"y": base64url((P256 - y).to_bytes(32))}).kid != ES.kid


@pytest.mark.parametrize("key", [ED, ES], ids=lambda key: key.alg)
def test_a_private_key_with_the_public_part_of_another_is_refused(key: FixedKey) -> None:
    mine, other = key.private_jwk(), SigningKey.generate("Ed25519" if key is ED else "ES256").public.jwk()
    for name in ("x", "y"):
        if name in mine:
            with pytest.raises(Refused) as refused:
                SigningKey.from_jwk(mine | {name: other[name]})
            assert refused.value.code == "claim-invalid"


def test_a_public_key_does_not_sign() -> None:
    with pytest.raises(Refused):
        SigningKey.from_jwk(ED.jwk())
    with pytest.raises(TypeError, match="not a private"):
        SigningKey(OKPKey.import_key({**ED.public()}))


def test_a_private_key_is_not_registered() -> None:
    with pytest.raises(Refused) as refused:
        public_key(ED.private_jwk())
    assert "private" in refused.value.reason

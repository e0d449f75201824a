"""Keys and raw signatures at the edges, where verifiers of the same algorithm are known to disagree.

The points of small order are listed in "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko, SSR 2020), table 3.
"""

import hashlib
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from nacl import bindings

from tests.support.vectors.keys import ED, ES, P256_ORDER, base64url, unbase64url

IDENTITY: Final = bytes([1]) + bytes(31)
ORDER_2: Final = bytes.fromhex("ec" + "ff" * 30 + "7f")
ORDER_4: Final = bytes(32)
ORDER_8: Final = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
TORSION: Final = {"2": ORDER_2, "4": ORDER_4, "8": ORDER_8}
SMALL: Final = {
    "identity": IDENTITY,
    "order 2": ORDER_2,
    "order 4": ORDER_4,
    "order 4, other sign": bytes(31) + b"\x80",
    "order 8": ORDER_8,
    "order 8, other sign": ORDER_8[:31] + b"\x85",
    "order 8, second": bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    "order 8, second, other sign": bytes.fromhex(
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"
    ),
    "identity, sign set": IDENTITY[:31] + b"\x80",
    "identity, y + p": bytes.fromhex("ee" + "ff" * 30 + "7f"),
    "identity, y + p, sign set": bytes.fromhex("ee" + "ff" * 31),
    "order 2, sign set": bytes.fromhex("ec" + "ff" * 31),
    "order 4, y + p": bytes.fromhex("ed" + "ff" * 30 + "7f"),
    "order 4, y + p, sign set": bytes.fromhex("ed" + "ff" * 31),
}
"""Every encoding of a point whose order divides 8, canonical or not."""
ED25519_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
MESSAGE: Final = b"Tocsin test vectors, signatures"


def scalar(seed: bytes) -> bytes:
    return bindings.crypto_core_ed25519_scalar_reduce(hashlib.sha512(seed).digest())


SECRET: Final = scalar(b"secret")
PUBLIC: Final = bindings.crypto_scalarmult_ed25519_base_noclamp(SECRET)
NONCE: Final = scalar(b"nonce")


def sign_with(nonce: bytes, commitment: bytes, public: bytes = PUBLIC, message: bytes = MESSAGE) -> bytes:
    """RFC 8032 §5.1.6 from step 4 on, with R and A as given, fitting or not."""
    digest = bindings.crypto_core_ed25519_scalar_reduce(
        hashlib.sha512(commitment + public + message).digest()
    )
    product = bindings.crypto_core_ed25519_scalar_mul(digest, SECRET)
    return commitment + bindings.crypto_core_ed25519_scalar_add(nonce, product)


def honest() -> bytes:
    return sign_with(NONCE, bindings.crypto_scalarmult_ed25519_base_noclamp(NONCE))


def refused_keys() -> list[dict[str, Any]]:
    def okp(raw: bytes) -> dict[str, str]:
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url(raw)}

    found = [{"why": f"small order: {name}", "jwk": okp(raw)} for name, raw in SMALL.items()]
    for order, point in TORSION.items():
        mixed = bindings.crypto_core_ed25519_add(PUBLIC, point)
        found.append({"why": f"mixed order: a point of order {order} added", "jwk": okp(mixed)})
    for y in (3, 4, 5, 6, 9, 10, 14, 15, 16, 18):
        raw = (y + 2**255 - 19).to_bytes(32, "little")
        found.append({"why": f"not canonical: y = p + {y}", "jwk": okp(raw)})
    found.append({"why": "not on the curve", "jwk": okp(b"\x02" + bytes(31))})
    found.append({"why": "31 bytes", "jwk": okp(PUBLIC[:31])})
    found.append({"why": "33 bytes", "jwk": okp(PUBLIC + b"\0")})
    found.append({"why": "padding", "jwk": okp(PUBLIC) | {"x": base64url(PUBLIC) + "="}})
    found.append({"why": "a private key", "jwk": ED.private_jwk()})
    found.append({"why": "X25519 is not for signing", "jwk": okp(PUBLIC) | {"crv": "X25519"}})
    found.append({"why": "another key type", "jwk": okp(PUBLIC) | {"kty": "EC"}})
    found.append({"why": "Ed25519 has no y", "jwk": okp(PUBLIC) | {"y": base64url(PUBLIC)}})
    found.append({"why": "a shared secret", "jwk": {"kty": "oct", "k": base64url(bytes(32))}})
    es = ES.public()
    longer = base64url(bytes(1) + unbase64url(es["x"]))
    found.append({"why": "a coordinate of 33 bytes (RFC 7518 §6.2.1.2)", "jwk": es | {"x": longer}})
    found.append({"why": "not on the curve", "jwk": es | {"y": es["x"]}})
    found.append({"why": "P-384", "jwk": es | {"crv": "P-384"}})
    found.append({"why": "no y", "jwk": {k: v for k, v in es.items() if k != "y"}})
    return found


def _ed25519() -> list[tuple[str, bytes, bool]]:
    good = honest()
    larger = int.from_bytes(good[32:], "little") + ED25519_ORDER
    found = [
        ("honest", good, True),
        ("S + L", good[:32] + larger.to_bytes(32, "little"), False),
        ("S = 0", good[:32] + bytes(32), False),
        ("R is the identity: OpenSSL accepts it, but it shows the secret", sign_with(bytes(32), IDENTITY), False),
    ]  # fmt: skip
    for order, point in TORSION.items():
        mixed = bindings.crypto_core_ed25519_add(good[:32], point)
        found.append(
            (
                f"R with a point of order {order} added: valid only with the cofactor",
                sign_with(NONCE, mixed),
                False,
            )
        )
    for name, raw in SMALL.items():
        if raw != IDENTITY:
            found.append((f"R of small order: {name}", sign_with(bytes(32), raw), False))
    found += [
        (f"byte {at} changed", good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :], False)
        for at in range(0, 64, 9)
    ]
    found += [("63 bytes", good[:63], False), ("65 bytes", good + b"\0", False), ("empty", b"", False)]
    return found


def _es256() -> list[tuple[str, bytes, bool]]:
    good = ES.sign(MESSAGE)
    r, s = int.from_bytes(good[:32]), int.from_bytes(good[32:])

    def raw(first: int, second: int) -> bytes:
        return first.to_bytes(32) + second.to_bytes(32)

    return [
        ("honest", good, True),
        ("(r, n-s): the second valid form", raw(r, P256_ORDER - s), True),
        ("(n-r, s)", raw(P256_ORDER - r, s), False),
        ("r = 0", raw(0, s), False),
        ("s = 0", raw(r, 0), False),
        ("r = s = 0", raw(0, 0), False),
        ("r = n", raw(P256_ORDER, s), False),
        ("s = n", raw(r, P256_ORDER), False),
        ("r = s = 1", raw(1, 1), False),
        ("r = 2^256 - 1", raw(2**256 - 1, s), False),
        ("DER", encode_dss_signature(r, s), False),
        ("63 bytes", good[:63], False),
        ("65 bytes", good + b"\0", False),
        ("r and s of 33 bytes", b"\0" + good[:32] + b"\0" + good[32:], False),
        ("empty", b"", False),
        *(
            (f"byte {at} changed", good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :], False)
            for at in range(0, 64, 9)
        ),
    ]


def document() -> dict[str, Any]:
    okp = {"kty": "OKP", "crv": "Ed25519", "x": base64url(PUBLIC)}
    return {
        "says": "`refused_keys` must not be registered. A raw signature over `message_hex` is valid or not as stated.",
        "refused_keys": refused_keys(),
        "message_hex": MESSAGE.hex(),
        "signatures": [
            {"alg": alg, "jwk": jwk, "why": why, "signature_hex": signature.hex(), "valid": valid}
            for alg, jwk, made in (("Ed25519", okp, _ed25519()), ("ES256", ES.public(), _es256()))
            for why, signature, valid in made
        ],
    }

"""Signed webhook requests, put together by hand from the Standard Webhooks specification.

The first two are the specification's own: its example message under its example secret, and under its example key.
"""

import base64
import hashlib
import hmac
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.vectors.points import ORDER_8

ID: Final = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT: Final = 1614265330
BODY: Final = '{"test": 2432232314}'
SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SEED: Final = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
PUBLIC: Final = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
V1: Final = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
V1A: Final = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
"""What the specification shows for each of them."""


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def raw(text: str) -> bytes:
    return base64.b64decode(text.partition("_")[2])


OTHER_SECRET: Final = "whsec_" + b64(hashlib.sha512(b"another endpoint's secret").digest())
OTHER_KEY: Final = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"another endpoint's key").digest())
OTHER_PUBLIC: Final = "whpk_" + b64(OTHER_KEY.public_key().public_bytes_raw())


def v1(message: str, secret: str = SECRET) -> str:
    return "v1," + b64(hmac.new(raw(secret), message.encode(), hashlib.sha256).digest())


def v1a(message: str, key: Ed25519PrivateKey = OTHER_KEY) -> str:
    return "v1a," + b64(key.sign(message.encode()))


def request(signature: str = f"{V1} {V1A}", **more: Any) -> dict[str, Any]:
    """A request with its receiver: everything as in the specification's example, but for what is given."""
    headers = {
        "webhook-id": more.pop("id", ID),
        "webhook-timestamp": more.pop("timestamp", str(AT)),
        "webhook-signature": signature,
    }
    headers = {name: value for name, value in headers.items() if name != more.get("without")}
    more.pop("without", None)
    receiver = {"now": AT, "secrets": [SECRET], "keys": [PUBLIC], "body": BODY}
    return {"headers": headers, **receiver, **more}


def signed(message_id: str, timestamp: str, **more: Any) -> dict[str, Any]:
    """A request that is really signed, whatever its id and time look like."""
    return request(v1(f"{message_id}.{timestamp}.{BODY}"), id=message_id, timestamp=timestamp, **more)


def accepted() -> list[dict[str, Any]]:
    unicode_body = '{"text":"\u00e9\u4e2d\U0001f514"}'
    whole = f"{ID}.{AT}.{BODY}"
    return [
        {"why": "the specification's example, v1", **request(V1, keys=[])},
        {"why": "the specification's example, v1a", **request(V1A, secrets=[])},
        {"why": "both kinds, a receiver with both", **request()},
        {"why": "both kinds, a receiver with the secret", **request(keys=[])},
        {"why": "both kinds, a receiver with the key", **request(secrets=[])},
        {
            "why": "rotation: the old secret still signs",
            **request(f"{v1(whole, OTHER_SECRET)} {V1}", keys=[]),
        },
        {"why": "rotation: the old key still signs", **request(f"{v1a(whole)} {V1A}", secrets=[])},
        {
            "why": "rotation: a receiver that knows both secrets",
            **request(V1, secrets=[OTHER_SECRET, SECRET]),
        },
        {"why": "rotation: a receiver that knows both keys", **request(V1A, keys=[OTHER_PUBLIC, PUBLIC])},
        {"why": "a version that nobody knows is passed over", **request(f"v2,AAAA {V1}", keys=[])},
        {"why": "one of two kinds fits", **request(f"{v1(whole, OTHER_SECRET)} {V1A}")},
        {"why": "300 s old", **request(now=AT + 300)},
        {"why": "300 s ahead", **request(now=AT - 300)},
        {"why": "an empty body", **request(v1(f"{ID}.{AT}."), body="")},
        {"why": "a body beyond ASCII", **request(v1(f"{ID}.{AT}.{unicode_body}"), body=unicode_body)},
        {"why": "the longest id", **signed("m" * 128, str(AT))},
    ]


def refused() -> list[dict[str, Any]]:
    name, time, signature = "webhook-id", "webhook-timestamp", "webhook-signature"
    malformed, stale, invalid = "webhook-malformed", "webhook-stale", "webhook-signature-invalid"
    whole = f"{ID}.{AT}.{BODY}"
    cases: list[tuple[str, str, str, dict[str, Any]]] = [
        ("no id", malformed, name, request(without=name)),
        ("no time", malformed, time, request(without=time)),
        ("no signature", malformed, signature, request(without=signature)),
        ("an empty id", malformed, name, signed("", str(AT))),
        ("an id with a full stop", malformed, name, signed("msg.1", str(AT))),
        ("an id with a space", malformed, name, signed("msg 1", str(AT))),
        ("an id with a control character", malformed, name, signed("msg\t1", str(AT))),
        ("an id beyond ASCII", malformed, name, signed("msg_\u00e9", str(AT))),
        ("an id that is too long", malformed, name, signed("m" * 129, str(AT))),
        ("an id with a line feed", malformed, name, signed("msg_1\n", str(AT))),
        ("a time that is no number", malformed, time, signed(ID, "now")),
        ("a time with a sign", malformed, time, signed(ID, f"+{AT}")),
        ("a time before 1970", malformed, time, signed(ID, "-1")),
        ("a time with a fraction", malformed, time, signed(ID, f"{AT}.0")),
        ("a time with white space", malformed, time, signed(ID, f" {AT}")),
        ("a time with a leading zero", malformed, time, signed(ID, f"0{AT}")),
        ("a time in other digits", malformed, time, signed(ID, "\u0661\u0666\u0661\u0664\u0662\u0666\u0665\u0663")),
        ("an empty signature", malformed, signature, request("")),
        ("a signature without a version", malformed, signature, request(V1.partition(",")[2])),
        ("a version without a signature", malformed, signature, request("v1")),
        ("two spaces between signatures", malformed, signature, request(f"{V1}  {V1A}")),
        ("a v1 that is too short", malformed, signature, request("v1," + b64(bytes(31)))),
        ("a v1a that is too long", malformed, signature, request("v1a," + b64(bytes(65)))),
        ("a v1 without padding", malformed, signature, request(V1.rstrip("="))),
        ("a v1 in base64url", malformed, signature, request(V1.replace("+", "-").replace("/", "_"))),
        ("a v1 with stray bits", malformed, signature, request(V1.replace("1OE=", "1OF="))),
        ("17 signatures", malformed, signature, request(" ".join([V1] * 17))),
        ("301 s old", stale, time, request(now=AT + 301)),
        ("301 s ahead", stale, time, request(now=AT - 301)),
        ("another body", invalid, signature, request(body='{"test": 2432232315}')),
        ("the same JSON, spelled otherwise", invalid, signature, request(body='{"test":2432232314}')),
        ("another id", invalid, signature, request(id="msg_p5jXN8AQM9LWM0D4loKWxJel")),
        ("another time", invalid, signature, request(timestamp=str(AT + 1))),
        ("another endpoint's secret", invalid, signature, request(v1(whole, OTHER_SECRET))),
        ("another endpoint's key", invalid, signature, request(v1a(whole))),
        ("only a kind for which there is no key", invalid, signature, request(V1A, keys=[])),
        ("only a kind for which there is no secret", invalid, signature, request(V1, secrets=[])),
        ("only a version that nobody knows", invalid, signature, request("v2,AAAA")),
        ("the public key taken for a secret", invalid, signature, request(v1(whole, "whsec_" + PUBLIC[5:]))),
        ("nothing but zeros", invalid, signature, request(f"v1,{b64(bytes(32))} v1a,{b64(bytes(64))}")),
    ]  # fmt: skip
    return [{"why": why, "code": code, "field": field, **made} for why, code, field, made in cases]


def refused_keys() -> list[dict[str, str]]:
    seed, public = raw(SEED)[:32], raw(PUBLIC)
    cases = [
        ("secret", "no prefix", SECRET[6:]),
        ("secret", "another prefix", PUBLIC),
        ("secret", "23 bytes", "whsec_" + b64(bytes(23))),
        ("secret", "65 bytes", "whsec_" + b64(bytes(65))),
        ("secret", "no base64", "whsec_" + "!" * 32),
        ("secret", "a line feed behind it", SECRET + "\n"),
        ("key", "no prefix", PUBLIC[5:]),
        ("key", "the private half", SEED),
        ("key", "31 bytes", "whpk_" + b64(public[:31])),
        ("key", "a point of small order", "whpk_" + b64(ORDER_8)),
        ("seed", "the public half", PUBLIC),
        ("seed", "without the public half", "whsk_" + b64(seed)),
        ("seed", "with another's public half", "whsk_" + b64(seed + raw(OTHER_PUBLIC))),
    ]
    return [{"kind": kind, "why": why, "text": text} for kind, why, text in cases]


def document() -> dict[str, Any]:
    return {
        "says": "Verify each request at `now`, within 300 s, with the `secrets` and `keys`. `body` is the text "
        "whose UTF-8 was signed. TEST KEYS: never use one of them.",
        "accepted": accepted(),
        "refused": refused(),
        "refused_keys": refused_keys(),
        "signed": {
            "says": "Sign `body` as message `id` at `timestamp` with the secret and the seed: the header is this one.",
            "id": ID,
            "timestamp": AT,
            "body": BODY,
            "secret": SECRET,
            "seed": SEED,
            "key": PUBLIC,
            "header": f"{V1} {V1A}",
        },
    }

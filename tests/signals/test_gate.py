"""The gate, through HTTP: what is not exactly a fresh signal of the caller is refused by name and leaves no trace."""

import base64
import hashlib
import hmac
import json
import random
from collections import Counter
from typing import Any

import pytest

from tests.signals.material import COMMUNITY, RETRACTION, Voice, assert_refused, md5, report
from tests.support.hub import Hub
from tests.support.invariants import check_hub, dump, unchanged
from tocsin.members.service import NewKey
from tocsin_schemas import signals
from tocsin_schemas.envelope import encode
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import REGISTRY

FLIPS = 1000
SINGLES = 25
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def forge(header: dict[str, Any] | str, payload: bytes | str, key: SigningKey | None = None) -> bytes:
    """A compact JWS with any header at all; unsigned without a key."""
    raw = header if isinstance(header, str) else json.dumps(header, separators=(",", ":"))
    body = payload.encode() if isinstance(payload, str) else payload
    message = encode(raw.encode()) + b"." + encode(body)
    return message + b"." + (encode(key.sign(message)) if key is not None else b"")


def payload(voice: Voice, **claims: Any) -> bytes:
    stated = {
        "iss": voice.issuer,
        "aud": f"{voice.hub.issuer}/communities/{COMMUNITY}",
        "iat": voice.now,
        "jti": random.Random(1).randbytes(16),
        **claims,
    }
    return signals.compose(report(voice.now + DAY), [md5(1)], **stated)


def header(voice: Voice, **changes: Any) -> dict[str, Any]:
    stated = {
        "typ": "secevent+jwt",
        "alg": voice.party.key.public.alg,
        "kid": voice.party.key.public.kid,
        **changes,
    }
    return {name: value for name, value in stated.items() if value is not None}


@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_any_flipped_byte_of_a_valid_envelope_is_refused(hub: Hub, alg: Any) -> None:
    pixel = Voice(hub, "pixel", alg=alg)
    token = pixel.report(md5(1))
    seeded = random.Random(20261122)
    flipped: list[bytes] = []
    while len(flipped) < FLIPS:
        at = seeded.randrange(len(token))
        # Half of them stay within the alphabet, and so come as far as the signature.
        byte = seeded.choice(ALPHABET) if len(flipped) % 2 else seeded.randrange(256)
        if byte != token[at]:
            flipped.append(token[:at] + bytes([byte]) + token[at + 1 :])
    singles = [item for item in flipped if b"\n" in item] + flipped[:SINGLES]
    lines = [item for item in flipped if b"\n" not in item]
    codes: Counter[str] = Counter()
    with unchanged(hub.database):
        for item in singles:
            answer = pixel.post(item)
            codes[assert_refused(answer, answer.json()["code"])["code"]] += 1
        for result in pixel.batch(lines):
            codes[result["code"]] += 1
    assert codes.total() == len(singles) + len(lines)
    assert codes.keys() <= REGISTRY.keys()
    assert codes["signature-invalid"] > FLIPS // 5
    assert dump(hub.database)["statement"] == []
    assert pixel.post(token).status_code == 201, "the envelope itself is sound"


def test_each_attack_has_a_code_of_its_own(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    curve = Voice(hub, "curve", alg="ES256")
    hub.clock.advance(400)
    key, sound = pixel.party.key, payload(pixel)
    public = json.dumps(key.public.jwk()).encode()

    def hs256(secret: bytes) -> bytes:
        message = forge(header(pixel, alg="HS256"), sound).removesuffix(b".")
        return message + b"." + encode(hmac.digest(secret, message, hashlib.sha256))

    good = forge(header(pixel), sound, key)
    head, body, signature = good.split(b".")
    twice = sound.replace(b'{"iss":', b'{"iss":"https://frame.example","iss":', 1)
    raw_header = json.dumps(header(pixel))
    attacks: list[tuple[str, bytes]] = [
        ("alg-none", forge(header(pixel, alg="none"), sound)),
        ("alg-none", forge(header(pixel, alg="none"), sound, key)),
        ("alg-not-allowed", hs256(public)),
        ("alg-not-allowed", hs256(key.public.raw)),
        ("alg-not-allowed", forge(header(pixel, alg="RS256"), sound, key)),
        ("alg-not-allowed", forge(header(pixel, alg=None), sound, key)),
        ("alg-key-mismatch", forge(header(pixel, alg="ES256"), sound, key)),
        ("key-unknown", forge(header(pixel, kid=frame.party.key.public.kid), sound, key)),
        ("key-unknown", frame.report(md5(1))),
        ("key-unknown", forge(header(pixel, kid="A" * 43), sound, key)),
        ("claim-missing", forge(header(pixel, kid=None), sound, key)),
        ("signature-invalid", forge(header(pixel), sound, frame.party.key)),
        ("signature-invalid", b".".join([head, body, signature[:-2]])),
        ("signature-invalid", head + b"." + body + b"."),
        ("issuer-mismatch", forge(header(pixel), payload(pixel, iss=frame.issuer), key)),
        ("audience-unknown", pixel.report(md5(1), aud="https://hub.elsewhere/communities/child-safety")),
        ("iat-future", pixel.report(md5(1), iat=hub.clock() + 61)),
        ("iat-too-old", pixel.report(md5(1), iat=hub.clock() - 301)),
        ("json-duplicate-key", forge(header(pixel), twice, key)),
        ("json-duplicate-key", forge(raw_header[:-1] + ',"alg":"EdDSA"}', sound, key)),
        ("base64-padding", good + b"="),
        ("base64-padding", head + b"==." + body + b"." + signature),
        ("base64-not-canonical", head + b"." + body + b"." + signature[:-1] + _stray(signature)),
        ("base64-not-canonical", good + b" "),
        ("base64-not-canonical", head + b"." + body + b"." + signature[:40] + b"+" + signature[41:]),
        ("envelope-malformed", head + b"." + body),
        ("envelope-malformed", good + b"." + signature),
        ("typ-mismatch", forge(header(pixel, typ="JWT"), sound, key)),
        ("typ-mismatch", forge(header(pixel, typ=None), sound, key)),
        ("header-crit", forge(header(pixel, crit=["exp"]), sound, key)),
        ("header-member-unknown", forge(header(pixel, jwk=key.public.jwk()), sound, key)),
        ("header-member-unknown", forge(header(pixel, jku="https://evil.example/keys"), sound, key)),
        ("header-member-unknown", forge(header(pixel, x5u="https://evil.example/cert"), sound, key)),
        ("header-member-unknown", forge(header(pixel, b64=False), sound, key)),
        ("json-invalid", forge("[]", sound, key)),
        ("json-invalid", forge(header(pixel), sound + b"\n}", key)),
        ("json-invalid", forge(header(pixel), sound.replace(b"amber", "ambér".encode()), key)),
        ("claim-unknown", forge(header(pixel), sound[:-1] + b',"exp":4102444800}', key)),
        ("claim-unknown", forge(header(pixel), sound[:-1] + b',"sub":"x"}', key)),
        ("claim-invalid", forge(header(pixel), sound[:-1] + b',"txn":null}', key)),
        ("event-unknown", forge(header(pixel), sound.replace(b":v1:report", b":v9:report"), key)),
    ]
    with unchanged(hub.database):
        for code, token in attacks:
            assert_refused(pixel.post(token), code)
        results = pixel.batch([token for _, token in attacks])
    assert [result["code"] for result in results] == [code for code, _ in attacks]
    assert pixel.post(good).status_code == 201
    assert curve.post(curve.report(md5(1))).status_code == 201
    check_hub(hub.database, hub.settings)


def _stray(signature: bytes) -> bytes:
    """A last character that spells the same 64 bytes with bits left over."""
    raw = base64.urlsafe_b64decode(signature + b"==")
    for candidate in ALPHABET:
        other = signature[:-1] + bytes([candidate])
        if other != signature and base64.urlsafe_b64decode(other + b"==") == raw:
            return bytes([candidate])
    raise AssertionError("every 64-byte value has such spellings")


def test_an_envelope_may_be_8_kib_and_not_a_byte_more(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    token = pixel.report(md5(1))
    with unchanged(hub.database):
        assert_refused(pixel.post(token + b"A" * (8192 - len(token))), "signature-invalid")
        assert_refused(pixel.post(token + b"A" * (8193 - len(token))), "payload-too-large")
        too_large = pixel.batch([token + b"A" * (8193 - len(token))])
        assert too_large[0]["code"] == "envelope-too-large"


def test_the_older_name_of_ed25519_is_accepted(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    token = forge(header(pixel, alg="EdDSA"), payload(pixel), pixel.party.key)
    assert pixel.post(token).status_code == 201
    check_hub(hub.database, hub.settings)


def test_keys_are_in_force_from_their_first_second_until_their_last(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    begin, end = hub.clock() + 1000, hub.clock() + 1000 + DAY
    key = SigningKey.generate()
    hub.members.add_key(pixel.issuer, NewKey(key.public, not_before=begin, life=DAY))

    def at(now: int, iat: int, number: int) -> str | None:
        hub.clock.now = now
        return pixel.post(pixel.sign(report(now + DAY), md5(number), iat=iat, key=key)).json().get("code")

    with unchanged(hub.database):
        assert at(begin - 1, begin - 1, 1) == "key-not-yet-valid"
        assert at(begin, begin - 1, 1) == "key-not-yet-valid"
    assert at(begin, begin, 2) is None
    assert at(end - 1, end - 1, 3) is None
    with unchanged(hub.database):
        assert at(end - 1, end, 4) == "key-expired"
        assert at(end + 5, end, 4) == "key-expired"
    assert at(end + 5, end - 1, 5) is None
    check_hub(hub.database, hub.settings)


def test_a_revoked_key_is_dead_at_once_whatever_its_signals_say(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    hub.clock.advance(400)
    key = SigningKey.generate()
    hub.members.add_key(pixel.issuer, NewKey(key.public, not_before=hub.clock() - 400))
    event = report(hub.clock() + DAY)
    before = pixel.sign(event, md5(1), key=key, iat=hub.clock() - 300)
    recorded = pixel.sign(event, md5(2), key=key)
    assert pixel.post(recorded).status_code == 201
    hub.members.revoke_key(key.public.kid)
    with unchanged(hub.database):
        assert_refused(pixel.post(before), "key-revoked")
        assert_refused(pixel.post(pixel.sign(event, md5(3), key=key)), "key-revoked")
        assert_refused(pixel.post(pixel.sign(event, md5(3), key=key, iat=hub.clock() + 60)), "key-revoked")
        assert_refused(pixel.post(recorded), "key-revoked")
        assert [line["code"] for line in pixel.batch([before, recorded])] == ["key-revoked"] * 2
    # What it signed before stands.
    assert [record["jws"].encode() for record in pixel.feed()] == [recorded]
    check_hub(hub.database, hub.settings)


def test_tokens_of_one_kind_are_not_tokens_of_another(hub: Hub) -> None:
    """A signal, a client assertion and an access token are told apart by `typ`, each way with its own code."""
    pixel = Voice(hub, "pixel")
    key = pixel.party.key
    signal = pixel.report(md5(1)).decode()
    access, assertion = pixel.party.token(), pixel.party.assertion()
    pixel.headers()
    with unchanged(hub.database):
        # As a signal.
        assert_refused(pixel.post(access.encode()), "typ-mismatch")
        assert_refused(pixel.post(assertion.encode()), "typ-mismatch")
        # As an access token.
        for wrong in (signal, assertion):
            answer = hub.http.get("/v1/me", headers={"Authorization": f"Bearer {wrong}"})
            assert_refused(answer, "token-wrong-type")
        # As a client assertion.
        for wrong in (signal, access):
            form = pixel.party.form(wrong, grant_type="client_credentials")
            answer = hub.http.post("/oauth/token", data=form)
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")
            assert answer.json()["code"] == "typ-mismatch"
        # The claims of one under the type of another.
        dressed = pixel.party.assertion(header={"typ": "secevent+jwt"}).encode()
        assert pixel.post(dressed).json()["code"] in {"claim-unknown", "event-unknown"}
        body = json.loads(payload(pixel))
        disguised = forge(header(pixel, typ="at+jwt"), json.dumps(body), key).decode()
        answer = hub.http.get("/v1/me", headers={"Authorization": f"Bearer {disguised}"})
        assert_refused(answer, "token-invalid")


def test_a_retraction_is_bound_to_its_author_like_any_signal(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    receipt = pixel.say(report(hub.clock() + DAY), md5(1))
    target = bytes.fromhex(receipt["statement"])
    forged = frame.sign(RETRACTION, target, iss=pixel.issuer)
    with unchanged(hub.database):
        assert_refused(frame.post(forged), "issuer-mismatch")
        assert_refused(pixel.post(forged), "key-unknown")
        assert_refused(frame.post(frame.sign(RETRACTION, target)), "statement-unknown")

"""What makes two tokens the same signal: issuer, jti and payload; never the token string."""

from tests.signals.material import Voice, assert_refused, md5, report, sha256
from tests.support.hub import Hub
from tests.support.invariants import check_hub, dump, unchanged
from tocsin.members.service import NewKey
from tocsin_client.submit import new_jti
from tocsin_schemas.envelope import decode, encode
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY

# The order of the group of P-256 (FIPS 186-5, SP 800-186 §3.2.1.3).
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def twin(token: bytes) -> bytes:
    """The same signature's other valid form: (r, n-s)."""
    head, payload, signature = token.split(b".")
    raw = decode(signature, "signature")
    s = int.from_bytes(raw[32:])
    return b".".join([head, payload, encode(raw[:32] + (N - s).to_bytes(32))])


def test_the_twin_of_an_es256_signature_is_the_same_signal(hub: Hub) -> None:
    pixel = Voice(hub, "pixel", alg="ES256")
    token = pixel.report(md5(1))
    other = twin(token)
    assert token != other
    first = pixel.post(token)
    with unchanged(hub.database):
        second = pixel.post(other)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.content == second.content
    assert len(dump(hub.database)["statement"]) == 1
    check_hub(hub.database, hub.settings)


def test_the_twin_may_come_first_or_beside(hub: Hub) -> None:
    pixel = Voice(hub, "pixel", alg="ES256")
    token = pixel.report(md5(1))
    results = pixel.batch([twin(token), token, twin(token)])
    assert results[0] == results[1] == results[2]
    assert pixel.post(token).json() == results[0]
    assert pixel.feed()[0]["jws"].encode() == twin(token)
    assert check_hub(hub.database, hub.settings) == 1


def test_the_same_claims_signed_with_another_key_are_the_same_signal(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    second_key = SigningKey.generate("ES256")
    hub.members.add_key(pixel.issuer, NewKey(second_key.public))
    event, jti = report(hub.clock() + DAY), new_jti()
    first = pixel.post(pixel.sign(event, md5(1), jti=jti))
    again = pixel.post(pixel.sign(event, md5(1), jti=jti, key=second_key))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.content == again.content


def test_a_jti_is_used_once(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    jti = new_jti()
    receipt = pixel.say(report(hub.clock() + DAY), md5(1), jti=jti)
    other = pixel.sign(report(hub.clock() + DAY), sha256(2), jti=jti)
    with unchanged(hub.database):
        assert_refused(pixel.post(other), "jti-reused")
    later = pixel.sign(report(hub.clock() + DAY + 1), md5(1), jti=jti)
    results = pixel.batch([later, pixel.report(md5(3)), other])
    assert [result.get("code") for result in results] == ["jti-reused", None, "jti-reused"]
    assert receipt["seq"] == 0
    assert check_hub(hub.database, hub.settings) == 2


def test_a_jti_is_used_once_within_a_batch_too(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    jti = new_jti()
    lines = [pixel.sign(report(hub.clock() + DAY), md5(n), jti=jti) for n in range(3)]
    assert [r.get("code") for r in pixel.batch(lines)] == [None, "jti-reused", "jti-reused"]
    assert check_hub(hub.database, hub.settings) == 1


def test_two_members_may_draw_the_same_jti(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    jti = new_jti()
    for voice in (pixel, frame):
        voice.say(report(hub.clock() + DAY), md5(1), jti=jti)
    assert check_hub(hub.database, hub.settings) == 2


def test_another_member_cannot_submit_it(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    token = pixel.report(md5(1))
    with unchanged(hub.database):
        assert_refused(frame.post(token), "key-unknown")
        assert frame.batch([token])[0]["code"] == "key-unknown"
    pixel.post(token)
    with unchanged(hub.database):
        assert_refused(frame.post(token), "key-unknown")

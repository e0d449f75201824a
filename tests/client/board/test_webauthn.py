"""An assertion makes a ballot only as WebAuthn §7.2 has it; py_webauthn, which knows nothing of us, judges too."""

import base64
import json
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
import webauthn
from hypothesis import given, settings
from hypothesis import strategies as st
from webauthn.helpers.exceptions import WebAuthnException

from tests.support.authenticator import BE, BS, UP, UV, Authenticator
from tocsin_client.board.webauthn import WebAuthn, verify_assertion
from tocsin_schemas import envelope
from tocsin_schemas.decisions import Assertion, Ballot, sign_ballot
from tocsin_schemas.jwk import KeyAlg
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Credential

RP = "hub.example"
ORIGIN = "https://hub.example"
CHALLENGE = bytes(range(32))
ALGS: tuple[KeyAlg, ...] = ("ES256", "Ed25519")
CHROMIUM = "do not compare clientDataJSON against a template. See https://goo.gl/yabPex"


def raw(assertion: dict[str, str]) -> dict[str, bytes]:
    return {name: envelope.decode(value.encode(), name) for name, value in assertion.items()}


def judge(passkey: Authenticator, assertion: dict[str, Any], **other: Any) -> tuple[str, str] | None:
    """(code, field) of our refusal; None when it is accepted."""
    expected: dict[str, Any] = {"challenge": CHALLENGE, "rp_id": RP, "origin": ORIGIN, **other}
    try:
        verify_assertion(**assertion, key=expected.pop("key", passkey.key.public), **expected)
    except Refused as refused:
        return refused.code, refused.field
    return None


def library_takes(passkey: Authenticator, assertion: dict[str, bytes]) -> bool:
    """What py_webauthn says of the same bytes."""
    text = {
        "id": passkey.id,
        "rawId": passkey.id,
        "type": "public-key",
        "response": {
            "clientDataJSON": envelope.encode(assertion["client_data"]).decode(),
            "authenticatorData": envelope.encode(assertion["authenticator_data"]).decode(),
            "signature": envelope.encode(assertion["signature"]).decode(),
        },
    }
    try:
        webauthn.verify_authentication_response(
            credential=text,
            expected_challenge=CHALLENGE,
            expected_rp_id=RP,
            expected_origin=ORIGIN,
            credential_public_key=cbor2.dumps(passkey.cose(), canonical=True),
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError):
        return False
    return True


@pytest.fixture(params=ALGS)
def passkey(request: pytest.FixtureRequest) -> Authenticator:
    return Authenticator(request.param)


def test_a_ballot_signed_with_a_verified_user_is_accepted_by_both(passkey: Authenticator) -> None:
    signed = raw(passkey.get(CHALLENGE, RP, ORIGIN))
    assert judge(passkey, signed) is None
    assert library_takes(passkey, signed)


@pytest.mark.parametrize(
    "said",
    [
        {"crossOrigin": None},
        {"crossOrigin": False},
        {"other_keys_can_be_added_here": CHROMIUM},
        {"crossOrigin": None, "hashAlgorithm": "SHA-256", "clientExtensions": {}},
    ],
    ids=["Safari", "Firefox", "Chromium", "an old Firefox"],
)
def test_what_browsers_add_to_client_data_is_accepted(said: dict[str, Any]) -> None:
    passkey = Authenticator()
    signed = raw(passkey.get(CHALLENGE, RP, ORIGIN, **said))
    assert judge(passkey, signed) is None
    assert library_takes(passkey, signed)


def test_a_passkey_that_is_backed_up_and_counts_is_accepted() -> None:
    passkey = Authenticator()
    passkey.sign_count = 7
    assert judge(passkey, raw(passkey.get(CHALLENGE, RP, ORIGIN, flags=UP | UV | BE | BS))) is None


Make = Callable[[Authenticator], dict[str, str]]
Wrong = tuple[str, Make, str]


def signing(challenge: bytes = CHALLENGE, rp_id: str = RP, origin: str = ORIGIN, **said: Any) -> Make:
    return lambda passkey: passkey.get(challenge, rp_id, origin, **said)


def saying(**members: Any) -> Make:
    """An assertion whose client data says something else."""
    return lambda passkey: passkey.get(CHALLENGE, RP, ORIGIN, **members)


REFUSED_BY_BOTH: list[Wrong] = [
    ("of a registration", saying(type="webauthn.create"), "client_data.type"),
    ("of another decision", signing(challenge=bytes(32)), "client_data.challenge"),
    ("of another site", signing(origin="https://hub.example.org"), "client_data.origin"),
    ("of a page on another port", signing(origin="https://hub.example:8443"), "client_data.origin"),
    ("of another relying party", signing(rp_id="evil.example"), "authenticator_data"),
    ("by nobody present", signing(flags=UV), "authenticator_data"),
    ("backed up, not eligible", signing(flags=UP | UV | BS), "authenticator_data"),
    ("no JSON", signing(client_data=b"{"), "client_data"),
    ("no object", signing(client_data=b"[]"), "client_data"),
    ("no challenge", saying(challenge=None), "client_data.challenge"),
    ("with extensions cut off", signing(flags=UP | UV | 0x80), "authenticator_data"),
]


@pytest.mark.parametrize(
    ("make", "field"), [case[1:] for case in REFUSED_BY_BOTH], ids=[case[0] for case in REFUSED_BY_BOTH]
)
def test_an_assertion_is_refused_by_both(passkey: Authenticator, make: Make, field: str) -> None:
    signed = raw(make(passkey))
    assert judge(passkey, signed) == ("ballot-invalid", field)
    assert not library_takes(passkey, signed)


def test_an_assertion_without_user_verification_is_refused_by_both(passkey: Authenticator) -> None:
    signed = raw(passkey.get(CHALLENGE, RP, ORIGIN, flags=UP))
    assert judge(passkey, signed) == ("ballot-unverified-user", "authenticator_data")
    assert not library_takes(passkey, signed)


def _twice() -> bytes:
    said = json.dumps(
        {"type": "webauthn.get", "challenge": envelope.encode(CHALLENGE).decode(), "origin": ORIGIN}
    )
    return said[:-1].encode() + b',"type":"webauthn.get"}'


def _spread(passkey: Authenticator, size: int) -> bytes:
    """Client data that is as it should be, but for white space around it."""
    return raw(passkey.get(CHALLENGE, RP, ORIGIN))["client_data"].ljust(size)


PADDED = base64.urlsafe_b64encode(CHALLENGE).decode()
OTHER_WORDS = "jane.doe@mail.example"
STRICTER: list[Wrong] = [
    ("inside another site's page", saying(crossOrigin=True), "client_data.crossOrigin"),
    ("crossOrigin that is a number", saying(crossOrigin=0), "client_data.crossOrigin"),
    ("below another top page", saying(topOrigin="https://evil.example"), "client_data.crossOrigin"),
    ("with words of its own", saying(note=OTHER_WORDS), "client_data"),
    ("with other words than Chromium's", saying(other_keys_can_be_added_here=OTHER_WORDS), "client_data"),
    ("with a challenge in another spelling", saying(challenge=PADDED), "client_data.challenge"),
    ("longer than any browser's", lambda p: signing(client_data=_spread(p, 1025))(p), "client_data"),
    ("with a member twice", signing(client_data=_twice()), "client_data"),
    ("with a flag that has no meaning", signing(flags=UP | UV | 0x20), "authenticator_data"),
]


@pytest.mark.parametrize(
    ("make", "field"), [case[1:] for case in STRICTER], ids=[case[0] for case in STRICTER]
)
def test_an_assertion_that_the_library_takes_is_refused_here(
    passkey: Authenticator, make: Make, field: str
) -> None:
    signed = raw(make(passkey))
    assert library_takes(passkey, signed)
    assert judge(passkey, signed) == ("ballot-invalid", field)


def test_the_signature_is_over_both_parts(passkey: Authenticator) -> None:
    signed = raw(passkey.get(CHALLENGE, RP, ORIGIN))
    other = raw(passkey.get(CHALLENGE, RP, ORIGIN, crossOrigin=None))
    passkey.sign_count = 1
    counted = raw(passkey.get(CHALLENGE, RP, ORIGIN))
    for changed in (
        {**signed, "client_data": other["client_data"]},
        {**signed, "authenticator_data": counted["authenticator_data"]},
        {**signed, "signature": other["signature"]},
    ):
        assert judge(passkey, changed) == ("ballot-invalid", "signature")
        assert not library_takes(passkey, changed)


def test_another_credential_did_not_sign(passkey: Authenticator) -> None:
    signed = raw(passkey.get(CHALLENGE, RP, ORIGIN))
    for alg in ALGS:
        assert judge(passkey, signed, key=Authenticator(alg).key.public) == ("ballot-invalid", "signature")


@pytest.mark.parametrize("signature", [b"", b"\x30\x00", bytes(64), b"\xff" * 72])
def test_what_is_no_signature_is_refused(passkey: Authenticator, signature: bytes) -> None:
    signed = raw(passkey.get(CHALLENGE, RP, ORIGIN))
    assert judge(passkey, {**signed, "signature": signature}) == ("ballot-invalid", "signature")
    assert not library_takes(passkey, {**signed, "signature": signature})


def test_a_der_signature_with_numbers_too_large_is_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    passkey = Authenticator()
    signed = raw(passkey.get(CHALLENGE, RP, ORIGIN))
    large = encode_dss_signature(1 << 300, 1)
    assert judge(passkey, {**signed, "signature": large}) == ("ballot-invalid", "signature")


@pytest.mark.parametrize("size", [0, 36, 38])
def test_authenticator_data_has_one_length(passkey: Authenticator, size: int) -> None:
    signed = raw(passkey.get(CHALLENGE, RP, ORIGIN))
    data = signed["authenticator_data"].ljust(size, b"\x00")[:size]
    assert judge(passkey, {**signed, "authenticator_data": data}) == ("ballot-invalid", "authenticator_data")


@settings(max_examples=150, deadline=None)
@given(
    part=st.sampled_from(["client_data", "authenticator_data", "signature"]),
    at=st.integers(0, 400),
    flip=st.integers(1, 255),
)
def test_no_changed_byte_is_accepted(part: str, at: int, flip: int) -> None:
    passkey = FIXED
    signed = dict(SIGNED)
    old = bytearray(signed[part])
    old[at % len(old)] ^= flip
    changed = {**signed, part: bytes(old)}
    assert judge(passkey, changed) is not None
    # Whoever wrote the library agrees.
    assert not library_takes(passkey, changed)


FIXED = Authenticator()
SIGNED = raw(FIXED.get(CHALLENGE, RP, ORIGIN))


# What the chain hands in: ballots and credentials.


def ballot_of(passkey: Authenticator, **changed: str) -> Ballot:
    said = Assertion(**{**passkey.get(CHALLENGE, RP, ORIGIN), **changed})
    return Ballot(seat="s1", choice="yes", credential=passkey.id, cast_at=0, assertion=said)


def verify(ballot: Ballot, credential: Credential) -> tuple[str, str] | None:
    try:
        WebAuthn().assertion(ballot, credential, CHALLENGE, RP, ORIGIN)
    except Refused as refused:
        return refused.code, refused.field
    return None


def test_a_ballot_by_a_credential_of_the_roster(passkey: Authenticator) -> None:
    credential = Credential(id=passkey.id, kind="webauthn", jwk=passkey.jwk)
    assert verify(ballot_of(passkey), credential) is None
    assert verify(ballot_of(passkey, signature="AB"), credential) == ("ballot-invalid", "signature")


def test_a_key_kept_offline_gives_no_assertion() -> None:
    passkey = Authenticator("Ed25519")
    credential = Credential(id=passkey.key.public.kid, kind="ed25519", jwk=passkey.jwk)
    assert verify(ballot_of(passkey), credential) == ("ballot-invalid", "assertion")
    offline = sign_ballot(bytes(32), "yes", "s1", passkey.key, 0)
    assert verify(offline, Credential(id=passkey.id, kind="webauthn", jwk=passkey.jwk)) == (
        "ballot-invalid",
        "assertion",
    )

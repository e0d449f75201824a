"""The hub changes its keys in the chain: both sign, both hold for a while, and nobody else can."""

from typing import Any

import pytest

from tests.schemas.boards import HUB, Hall
from tocsin_schemas import envelope
from tocsin_schemas.explained import explain
from tocsin_schemas.governance import HubBody, Record, entry_kind, parse_record, record_bytes, sign_key_proof
from tocsin_schemas.hub_acts import ALGS, HUB_ACT_TYP, HubAct, HubSigning, hub_public_key, sign_hub_act
from tocsin_schemas.jwk import SigningKey, public_key
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused
from tocsin_schemas.rsa import RsaKey, RsaPublic
from tocsin_schemas.signals import LATEST
from tocsin_schemas.vocabulary import HubKeyName

MAX_RECORD = 8 * 1024
OLD, NEW, NEXT = (SigningKey.generate() for _ in range(3))
PAIRS: dict[HubKeyName, tuple[HubSigning, HubSigning]] = {
    "events": (OLD, NEW),
    "delivery": (OLD, NEW),
    "token": (SigningKey.generate("ES256"), SigningKey.generate("ES256")),
    "ssf_es": (SigningKey.generate("ES256"), SigningKey.generate("ES256")),
    "ssf_rs": (RsaKey.generate(), RsaKey.generate()),
}


def rotation(hall: Hall, signer: HubSigning = OLD, coming: HubSigning = NEW, **changes: Any) -> str:
    """The JWS of a rotation, with members of its payload changed."""
    fields = {
        "iss": HUB,
        "iat": hall.now,
        "jti": "0" * 32,
        "act": "key-rotate",
        "name": "events",
        "jwk": coming.public.jwk(),
        "not_before": hall.now,
        "retires_at": hall.now + 7 * DAY,
        "proof": sign_key_proof(iss=HUB, aud=HUB, iat=hall.now, key=coming),
    }
    return sign_hub_act(HubAct.model_validate(fields | changes), signer)


def first(hall: Hall, signer: HubSigning = OLD, **changes: Any) -> HubBody:
    return HubBody(rotation=rotation(hall, signer, **changes), signer=signer.public.jwk())


def refused(hall: Hall, body: HubBody) -> str:
    """The code; the state is what it was."""
    before = hall.state
    with pytest.raises(Refused) as caught:
        hall.append(body)
    assert hall.state == before
    return caught.value.code


def test_both_keys_hold_until_the_old_one_ends() -> None:
    hall = Hall()
    record = hall.append(first(hall))
    assert entry_kind(record) == "key-change"
    assert parse_record(record_bytes(record)) == record
    held = hall.state.hub_keys["events"]
    assert [(key.jwk["kid"], key.not_before, key.not_after) for key in held] == [
        (OLD.public.kid, 0, hall.now + 7 * DAY),
        (NEW.public.kid, hall.now, LATEST),
    ]
    assert hall.state.hub_keys.keys() == {"events"}


def test_the_next_change_is_signed_by_the_newest_key() -> None:
    hall = Hall()
    hall.append(first(hall))
    assert refused(hall, HubBody(rotation=rotation(hall, OLD, NEXT))) == "key-unknown"
    assert (
        refused(hall, HubBody(rotation=rotation(hall, OLD, NEXT), signer=OLD.public.jwk())) == "key-unknown"
    )
    assert refused(hall, HubBody(rotation=rotation(hall, NEW, NEXT, name="token"))) == "key-unknown"
    hall.append(HubBody(rotation=rotation(hall, NEW, NEXT)))
    assert [key.jwk["kid"] for key in hall.state.hub_keys["events"]] == [
        key.public.kid for key in (OLD, NEW, NEXT)
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://other.example"}, "issuer-mismatch"),
        ({"jwk": OLD.public.jwk()}, "key-in-use"),
        ({"jwk": {**NEW.public.jwk(), "use": "sig"}}, "claim-invalid"),
        ({"proof": sign_key_proof(iss=HUB, aud=HUB, iat=0, key=NEXT)}, "key-unproven"),
        ({"proof": sign_key_proof(iss=HUB, aud="https://other.example", iat=0, key=NEW)}, "key-unproven"),
        ({"proof": "a.b.c"}, "key-unproven"),
    ],
)
def test_a_change_that_does_not_follow_is_refused(changes: dict[str, Any], code: str) -> None:
    hall = Hall()
    assert refused(hall, first(hall, **changes)) == code


@pytest.mark.parametrize(
    ("begins", "ends", "iat", "code"),
    [
        (0, 3599, 0, "claim-invalid"),
        (0, 31 * DAY, 0, "claim-invalid"),
        (-1, 7 * DAY, 0, "claim-invalid"),
        (0, 7 * DAY, 1, "iat-too-old"),
        (0, 7 * DAY, -301, "iat-too-old"),
    ],
)
def test_the_times_are_checked(begins: int, ends: int, iat: int, code: str) -> None:
    hall = Hall()
    times: dict[str, Any] = {
        "not_before": hall.now + begins,
        "retires_at": hall.now + ends,
        "iat": hall.now + iat,
    }
    assert refused(hall, first(hall, **times)) == code


@pytest.mark.parametrize("name", PAIRS)
def test_each_of_the_hubs_keys_is_changed_by_one_of_its_kind(name: HubKeyName) -> None:
    hall = Hall()
    old, new = PAIRS[name]
    record = hall.append(first(hall, old, coming=new, name=name))
    assert parse_record(record_bytes(record)) == record
    assert len(record_bytes(record)) < MAX_RECORD
    held = hall.state.hub_keys[name]
    assert [(key.jwk, key.not_after) for key in held] == [
        (old.public.jwk(), hall.now + 7 * DAY),
        (new.public.jwk(), LATEST),
    ]
    assert [hub_public_key(key.jwk) for key in held] == [old.public, new.public]
    assert explain(record).startswith(f"The hub changes its {name} key at 20")


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("kind", [0, 1, 2], ids=["Ed25519", "ES256", "RS256"])
def test_a_key_of_another_kind_is_refused(name: HubKeyName, kind: int) -> None:
    hall = Hall()
    old, new = PAIRS[("events", "token", "ssf_rs")[kind]]
    if old.public.alg == ALGS[name]:
        other = PAIRS["ssf_rs" if kind < 2 else "events"][0]
        assert refused(hall, first(hall, other, coming=new, name=name)) == "claim-invalid"
        return
    assert refused(hall, first(hall, coming=new, name=name)) == "claim-invalid"
    assert refused(hall, first(hall, old, coming=new, name=name)) == "claim-invalid"


def test_an_rsa_key_is_a_hubs_and_nobody_elses() -> None:
    key = RsaKey.generate()
    token = envelope.sign(b"{}", key, HUB_ACT_TYP)
    assert envelope.open_with(token, key.public, HUB_ACT_TYP) == b"{}"
    assert envelope.kid_of(token, HUB_ACT_TYP, rsa=True) == key.public.kid
    for call in (
        lambda: envelope.open_token(token, {}, HUB_ACT_TYP),
        lambda: envelope.kid_of(token, HUB_ACT_TYP),
        lambda: envelope.open_with(token, OLD.public, HUB_ACT_TYP),
    ):
        with pytest.raises(Refused) as caught:
            call()
        assert caught.value.code == "alg-not-allowed"
    with pytest.raises(Refused) as caught:
        public_key(key.public.jwk())
    assert caught.value.code == "claim-invalid"
    other = RsaKey.generate().public
    for public in (other, RsaPublic(other.n, other.e, key.public.kid)):
        with pytest.raises(Refused) as caught:
            envelope.open_with(token, public, HUB_ACT_TYP)
        assert caught.value.code == ("key-unknown" if public is other else "signature-invalid")
    signed = envelope.sign(b"{}", OLD, HUB_ACT_TYP)
    with pytest.raises(Refused) as caught:
        envelope.open_with(signed, RsaPublic(other.n, other.e, OLD.public.kid), HUB_ACT_TYP)
    assert caught.value.code == "alg-key-mismatch"


@pytest.mark.parametrize("signer", [None, NEW.public.jwk(), {**OLD.public.jwk(), "use": "sig"}])
def test_the_first_change_says_whose_key_it_was(signer: dict[str, str] | None) -> None:
    hall = Hall()
    assert refused(hall, HubBody(rotation=rotation(hall), signer=signer)) == "key-unknown"


def test_a_signature_that_does_not_verify_is_refused() -> None:
    hall = Hall()
    jws = rotation(hall)
    spoilt = jws[:-2] + ("A" if jws[-2] != "A" else "B") + jws[-1]
    assert refused(hall, HubBody(rotation=spoilt, signer=OLD.public.jwk())) == "signature-invalid"


def test_what_is_no_rotation_is_refused() -> None:
    hall = Hall()
    jws = envelope.sign(b'{"act":"key-rotate"}', OLD, HUB_ACT_TYP).decode()
    assert refused(hall, HubBody(rotation=jws, signer=OLD.public.jwk())) == "claim-invalid"


def test_it_is_said_in_plain_words() -> None:
    hall = Hall()
    record: Record = hall.append(first(hall))
    assert explain(record).startswith("The hub changes its events key at 20")

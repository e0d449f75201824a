"""What a member's own act cannot do: each reason has a code of its own, and nothing changes."""

from typing import Any

import pytest

from tests.schemas.boards import HUB, PIXEL, START, Chair, Hall, refused
from tocsin_schemas.governance import (
    sign_key_proof,
)
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY

OPEN = ("community.open", "ncii")


@pytest.fixture
def hall() -> Hall:
    return Hall()


@pytest.fixture
def member(hall: Hall) -> Hall:
    hall.admit(PIXEL, "a")
    hall.wait(days=1)
    return hall


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://frame.example"}, "issuer-mismatch"),
        ({"aud": "https://other.example"}, "audience-unknown"),
        ({"iat": START + DAY + 61}, "iat-future"),
        ({"iat": START - 1}, "iat-too-old"),
    ],
)
def test_an_act_that_is_not_this_members_for_this_hub_now(
    member: Hall, changes: dict[str, Any], code: str
) -> None:
    refused(member, code, member.act, PIXEL, "withdraw", **changes)


def test_an_act_twice(member: Hall) -> None:
    record = member.append(member.signed(member.adding(PIXEL, Chair().key), member.keys[PIXEL][0]))
    refused(member, "jti-reused", member.append, record.body)


def test_an_act_with_a_key_that_is_not_in_force(member: Hall) -> None:
    old, new = member.keys[PIXEL][0], Chair().key
    refused(member, "key-unknown", member.append, member.signed(member.said(PIXEL, "withdraw"), new))
    later = member.adding(PIXEL, new, not_before=member.now + DAY, not_after=member.now + 2 * DAY)
    member.append(member.signed(later, old))

    def withdraw(key: SigningKey) -> None:
        member.append(member.signed(member.said(PIXEL, "withdraw"), key))

    refused(member, "key-not-yet-valid", withdraw, new)
    member.wait(days=2)
    refused(member, "key-expired", withdraw, new)
    member.act(PIXEL, "key-revoke", kid=old.public.kid)
    refused(member, "key-revoked", withdraw, old)
    # Naming the key in the record does not make it another one's.
    refused(
        member,
        "key-unknown",
        member.append,
        member.signed(member.said(PIXEL, "withdraw"), old, old.public.jwk()),
    )


def test_a_key_that_does_not_speak_for_itself(member: Hall) -> None:
    new, other, old = Chair().key, Chair().key, member.keys[PIXEL][0]
    now = member.now
    proofs = {
        "by another key": sign_key_proof(iss=PIXEL, aud=HUB, iat=now, key=other),
        "for another member": sign_key_proof(iss="https://frame.example", aud=HUB, iat=now, key=new),
        "for another hub": sign_key_proof(iss=PIXEL, aud="https://other.example", iat=now, key=new),
        "long ago": sign_key_proof(iss=PIXEL, aud=HUB, iat=now - DAY - 1, key=new),
        "in the future": sign_key_proof(iss=PIXEL, aud=HUB, iat=now + 61, key=new),
        "no proof": member.signed(member.said(PIXEL, "withdraw"), new).jws,
    }
    for proof in proofs.values():
        act = member.adding(PIXEL, new, proof=proof)
        refused(member, "key-unproven", member.append, member.signed(act, old))


@pytest.mark.parametrize(
    "times",
    [(-DAY - 1, DAY), (0, 0), (DAY, DAY), (0, 400 * DAY + 1), (-DAY, -1)],
    ids=["from the past", "over at once", "never in force", "too long", "over already"],
)
def test_a_key_has_a_time_that_can_be(member: Hall, times: tuple[int, int]) -> None:
    begins, ends = (member.now + offset for offset in times)
    act = member.adding(PIXEL, Chair().key, not_before=begins, not_after=ends)
    refused(member, "claim-invalid", member.append, member.signed(act, member.keys[PIXEL][0]))


def test_a_key_is_written_in_full_and_used_once(member: Hall) -> None:
    new, old = Chair().key, member.keys[PIXEL][0]
    wordy = member.adding(PIXEL, new, jwk=new.public.jwk() | {"use": "sig"})
    refused(member, "claim-invalid", member.append, member.signed(wordy, old))
    own = member.adding(PIXEL, old)
    refused(member, "key-in-use", member.append, member.signed(own, old))
    refused(
        member,
        "key-in-use",
        member.decide,
        "member.admit",
        "https://frame.example",
        member.admission("b").model_copy(update={"keys": [old.public.kid]}),
    )


def test_a_key_that_is_proved_is_one_that_was_admitted(hall: Hall) -> None:
    hall.decide("member.admit", PIXEL, hall.admission("a"))
    key, other = hall.made[0], Chair().key
    proving = hall.proving(PIXEL)
    for signer, jwk in (
        (other, other.public.jwk()),
        (key, None),
        (key, other.public.jwk()),
        (key, key.public.jwk() | {"use": "sig"}),
    ):
        refused(hall, "key-unknown", hall.append, hall.signed(proving, signer, jwk))
    refused(hall, "conflict", hall.append, hall.signed(hall.said(PIXEL, "withdraw"), key, key.public.jwk()))


@pytest.mark.parametrize(("act", "members"), [("key-revoke", {"kid": "k" * 43}), ("attest", {"year": 2025})])
def test_an_act_about_nothing(member: Hall, act: str, members: dict[str, Any]) -> None:
    code = {"key-revoke": "key-unknown", "attest": "claim-invalid"}[act]
    refused(member, code, member.act, PIXEL, act, **members)

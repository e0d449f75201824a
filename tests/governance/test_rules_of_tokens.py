"""What is signed or said in the proceedings, by the rules alone: which acts, keys, checks and files are good."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.governance.test_rules_of_proceedings import NOW, OFFICERS, check, member, state
from tocsin.governance.rules import founding, motions, people, tokens, vetting
from tocsin.governance.rules.applications import PROOF_SECONDS, KeyOffer, check_proof
from tocsin.governance.rules.people import Seated
from tocsin_schemas import envelope
from tocsin_schemas.board import BoardState, KeyStanding
from tocsin_schemas.governance import PROOF_TYP
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import dump_object

HUB = "https://hub.example"
PIXEL = "https://pixel.example"
KEY = SigningKey.generate()


def signed(key: SigningKey, typ: str, **claims: Any) -> bytes:
    return envelope.sign(dump_object(claims), key, typ)


def refused(code: str, field: str, act: Callable[[], object]) -> None:
    with pytest.raises(Refused) as caught:
        act()
    assert (caught.value.code, caught.value.field) == (code, field)


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"more": 1}, "claim-invalid", "proof"),
        ({"iss": "https://other.example"}, "issuer-mismatch", "proof.iss"),
        ({"aud": "https://other.example"}, "audience-unknown", "proof.aud"),
        ({"kid": SigningKey.generate().public.kid}, "claim-invalid", "proof.kid"),
        ({"iat": NOW + 61}, "iat-future", "proof.iat"),
        ({"iat": NOW - PROOF_SECONDS - 1}, "iat-too-old", "proof.iat"),
    ],
)
def test_a_proof_is_of_this_key_for_this_hub_and_of_this_hour(
    wrong: dict[str, Any], code: str, field: str
) -> None:
    said = {"iss": PIXEL, "aud": HUB, "kid": KEY.public.kid, "iat": NOW}

    def offered(**claims: Any) -> KeyOffer:
        proof = signed(KEY, PROOF_TYP, **claims)
        return KeyOffer(jwk=KEY.public.jwk(), proof=proof.decode())

    assert check_proof(offered(**said), PIXEL, HUB, NOW) == KEY.public
    for edge in (NOW + 60, NOW - PROOF_SECONDS):
        assert check_proof(offered(**{**said, "iat": edge}), PIXEL, HUB, NOW) == KEY.public
    refused(code, field, lambda: check_proof(offered(**{**said, **wrong}), PIXEL, HUB, NOW))


def holding(key: KeyStanding) -> BoardState:
    """A board with one member, and the member's one key."""
    return state(replace(member("pixel", "cg_pixel"), keys={KEY.public.kid: key}))


GOOD = KeyStanding(KEY.public.jwk(), NOW - 10, NOW + 10)
WORD = {"iss": PIXEL, "aud": HUB, "iat": NOW, "jti": "0" * 32, "of": 3}


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (replace(GOOD, not_before=NOW + 1), "key-not-yet-valid"),
        (replace(GOOD, not_after=NOW), "key-expired"),
        (replace(GOOD, revoked_at=NOW), "key-revoked"),
        (replace(GOOD, not_before=NOW + 1, revoked_at=NOW - 1), "key-revoked"),
    ],
)
def test_a_member_speaks_with_a_key_in_force(key: KeyStanding, code: str) -> None:
    token = signed(KEY, tokens.APPEAL_TYP, **WORD)
    opened = tokens.open_member_word(holding(GOOD), token, tokens.APPEAL_TYP, HUB, NOW)
    assert (opened.iss, opened.of) == (PIXEL, 3)
    not_yet = replace(GOOD, not_before=NOW, revoked_at=NOW + 1)
    assert tokens.open_member_word(holding(not_yet), token, tokens.APPEAL_TYP, HUB, NOW) == opened
    refused(
        code, "header.kid", lambda: tokens.open_member_word(holding(key), token, tokens.APPEAL_TYP, HUB, NOW)
    )


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"of": "three"}, "claim-invalid", "payload"),
        ({"application": "ap_" + "0" * 32}, "claim-invalid", "payload"),
        ({"iss": "https://other.example"}, "issuer-mismatch", "iss"),
        ({"aud": "https://other.example"}, "audience-unknown", "aud"),
        ({"iat": NOW + tokens.ACT_FUTURE + 1}, "iat-future", "iat"),
        ({"iat": NOW - tokens.ACT_PAST - 1}, "iat-too-old", "iat"),
    ],
)
def test_a_member_says_one_thing_to_this_hub_now(wrong: dict[str, Any], code: str, field: str) -> None:
    token = signed(KEY, tokens.APPEAL_TYP, **{**WORD, **wrong})
    refused(code, field, lambda: tokens.open_member_word(holding(GOOD), token, tokens.APPEAL_TYP, HUB, NOW))


def test_a_member_does_not_speak_with_the_key_of_a_stranger() -> None:
    token = signed(SigningKey.generate(), tokens.APPEAL_TYP, **WORD)
    refused(
        "key-unknown",
        "header.kid",
        lambda: tokens.open_member_word(holding(GOOD), token, tokens.APPEAL_TYP, HUB, NOW),
    )


OFFLINE = next(held for held in OFFICERS if held.key is not None)
ACT = {
    "seat": OFFLINE.seat.seat, "aud": HUB, "iat": NOW, "jti": "0" * 32, "act": "endorse", "motion": "mo_1",
}  # fmt: skip


def test_a_seat_acts_with_its_offline_key() -> None:
    assert OFFLINE.key is not None
    seat, act = tokens.open_seat_act(state(), signed(OFFLINE.key, tokens.SEAT_ACT_TYP, **ACT), HUB, NOW)
    assert (seat, act.motion) == (OFFLINE.seat, "mo_1")


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"act": "dissolve"}, "claim-invalid", "act"),
        ({"conflict": True}, "claim-invalid", "act"),
        ({"seat": "s2"}, "issuer-mismatch", "seat"),
        ({"aud": "https://other.example"}, "audience-unknown", "aud"),
        ({"iat": NOW + tokens.ACT_FUTURE + 1}, "iat-future", "iat"),
        ({"iat": NOW - tokens.ACT_PAST - 1}, "iat-too-old", "iat"),
    ],
)
def test_an_act_of_a_seat_that_is_none(wrong: dict[str, Any], code: str, field: str) -> None:
    assert OFFLINE.key is not None
    token = signed(OFFLINE.key, tokens.SEAT_ACT_TYP, **{**ACT, **wrong})
    refused(code, field, lambda: tokens.open_seat_act(state(), token, HUB, NOW))


def test_a_key_that_no_seat_has_acts_for_none() -> None:
    token = signed(KEY, tokens.SEAT_ACT_TYP, **ACT)
    refused("key-unknown", "header.kid", lambda: tokens.open_seat_act(state(), token, HUB, NOW))


def test_a_seat_is_its_holders_while_its_organisation_may_vote() -> None:
    sent = OFFICERS[0]
    assert people.seat_of(state(), sent.seated) == sent.seat
    for stranger in (Seated(sent.seat.seat, "somebody"), Seated("s99", sent.seated.handle)):
        refused("role-missing", "seat", partial(people.seat_of, state(), stranger))
    assert sent.seat.issuer is not None
    standing = replace(member("x", sent.seat.control_group or "", "suspended"), issuer=sent.seat.issuer)
    refused("role-missing", "seat", lambda: people.seat_of(state(standing), sent.seated))


def test_a_checker_is_of_another_owner_and_finds_something_new() -> None:
    before = [check("identity", "ada")]

    def judge(one: vetting.Check, group: str | None) -> None:
        vetting.judge_check(
            before, one, checker_groups=[] if group is None else [group], applicant_group="cg_x"
        )

    judge(check("identity", "ben"), None)
    judge(check("identity", "ada", "fail"), "cg_y")
    judge(check("security", "ada"), "cg_y")
    refused("checker-related", "checker", lambda: judge(check("identity", "ben"), "cg_x"))
    refused("checker-repeated", "checker", lambda: judge(check("identity", "ada"), "cg_y"))


def test_a_remark_is_words_of_the_lists_and_a_digest() -> None:
    assert motions.read_remark("support", "evidence", None) == ("support", "evidence", None)
    assert motions.read_remark("support", "evidence", "a" * 64)[2] == b"\xaa" * 32
    for stance, topic, document, field in (
        ("shrug", "evidence", None, "stance"),
        ("support", "weather", None, "topic"),
        ("support", "evidence", "A" * 64, "document"),
    ):
        refused(
            "claim-invalid",
            field,
            lambda said=(stance, topic, document): motions.read_remark(*said),  # type: ignore[misc]  # words of no list
        )


def test_a_founding_file_names_the_place_that_does_not_fit() -> None:
    seats = [
        {
            "seat": f"s{number}",
            "seat_class": "independent",
            "handle": f"person-{number}",
            "term_ends": "2028-01-01",
        }
        for number in (1, 2, 3)
    ]
    assert len(founding.read_founding(json.dumps({"seats": seats}).encode()).everyone()) == 3
    for raw, place in (
        (b"seats: none", "file"),
        (b"\xff", "file"),
        (b"[]", "file"),
        (
            json.dumps({"seats": [{**seats[0], "term_ends": "soon"}, *seats[1:]]}).encode(),
            "seats.0.term_ends",
        ),
    ):
        refused("roster-invalid", place, partial(founding.read_founding, raw))

"""The words of streams, whom they reach, and the tokens they are told by."""

import json
from typing import get_args

import pytest

from tocsin.streams.rules import events
from tocsin.streams.rules.events import STREAM_WORDS, SUPPORTED, URIS, WORD_OF, WORDS, Status, Token, Word
from tocsin_schemas.notifications import CORRECTIONS, ESCALATIONS, EVENT_TYPES
from tocsin_schemas.vocabulary import MemberState


def test_every_word_has_one_uri() -> None:
    assert set(WORDS) == set(URIS) == {*SUPPORTED, *STREAM_WORDS}
    assert {WORD_OF[uri]: uri for uri in WORD_OF} == URIS
    # The hub's own are never under the foundation's names, and mean what the webhook of that word means.
    own = [word for word in SUPPORTED if not URIS[word].startswith("https://schemas.openid.net/")]
    assert all(URIS[word] == f"urn:tocsin:event:v1:{word}" for word in own)
    assert set(own) <= set(EVENT_TYPES)


def test_subjects_are_spelled_in_one_way() -> None:
    assert events.statement_subject(b"\x0a\xff") == "statement:0aff"
    assert events.entry_subject(7) == "entry:7"
    assert events.member_subject("https://pixel.example") == "member:https://pixel.example"
    assert events.subject_digest("a") != events.subject_digest("b")
    assert len(events.subject_digest("a")) == 32


@pytest.mark.parametrize(
    ("word", "lane"),
    [
        ("verification", 0),
        ("stream-updated", 0),
        ("indicator.corroborated", 0),
        ("key.revoked", 0),
        ("signal.recorded", 1),
        ("account-disabled", 1),
    ],
)
def test_lanes(word: Word, lane: int) -> None:
    assert events.lane(word) == lane


@pytest.mark.parametrize("state", get_args(MemberState))
def test_a_state_is_told_the_same_as_by_webhook(state: MemberState) -> None:
    reached = {word for word in SUPPORTED if events.reaches(word, state)}
    corrections = {*(CORRECTIONS & set(SUPPORTED)), "account-enabled"}
    expected = {
        "provisional": set(SUPPORTED) - ESCALATIONS,
        "active": set(SUPPORTED),
        "restricted": set(SUPPORTED),
        "withdrawing": set(SUPPORTED),
        "emergency_suspended": set(),
    }.get(state, corrections)
    assert reached == expected


@pytest.mark.parametrize("verified", [True, False])
@pytest.mark.parametrize("status", get_args(Status))
def test_what_goes_out(status: Status, verified: bool) -> None:
    found = set(events.sendable(status, verified=verified))
    if status != "enabled":
        assert found == {"stream-updated"}
    else:
        assert found == set(WORDS if verified else STREAM_WORDS)


def test_a_token_has_the_claims_of_the_profile_and_no_others() -> None:
    token = Token("https://pixel.example", 7, bytes(16), "board", "decision.recorded", bytes([1] * 16), 6)
    claims = json.loads(events.compose("https://hub.example", token, {"seq": 1, "state": None}))
    assert claims == {
        "iss": "https://hub.example",
        "aud": "https://pixel.example",
        "iat": 7,
        "jti": "00" * 16,
        "txn": "01" * 16,
        "toe": 6,
        "sub_id": {"format": "opaque", "id": "board"},
        "events": {"urn:tocsin:event:v1:decision.recorded": {"seq": 1}},
    }
    bare = json.loads(events.compose("https://hub.example", token._replace(txn=None, toe=None), {}))
    assert bare.keys() == claims.keys() - {"txn", "toe"}

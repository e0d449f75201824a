"""What can be moved, as a list that the models make; and what does not fit, in words."""

from collections.abc import Mapping
from typing import Any

import pytest

from tocsin_schemas.decisions import PARAMS, SUBJECTS
from tocsin_schemas.policy import Policy
from tocsin_schemas.problems import Refused
from tocsin_schemas.proposals import ELSEWHERE, Said, in_short, read_params, read_subject, said
from tocsin_schemas.vocabulary import DECISION_TYPES, DecisionType


def test_every_kind_has_a_subject_and_a_line() -> None:
    assert SUBJECTS.keys() == PARAMS.keys() == set(DECISION_TYPES)
    for kind in DECISION_TYPES:
        assert in_short(kind).startswith(f"{kind} {SUBJECTS[kind]}")
        assert {one.name for one in said(kind)} == PARAMS[kind].model_fields.keys()
    assert ELSEWHERE.keys() < set(DECISION_TYPES)


def test_what_a_kind_says() -> None:
    assert in_short("community.open") == "community.open COMMUNITY"
    assert in_short("member.suspend") == "member.suspend ISSUER {until, [noticed_at]}"
    assert said("member.suspend") == (
        Said("until", "a time in Unix seconds", False),
        Said("noticed_at", "a time in Unix seconds", True),
    )
    assert said("member.sanction")[0].optional
    assert [one.what for one in said("community.grant")] == [
        "the name of a community",
        "true or false",
        "true or false",
    ]
    assert said("agreement.record")[0].what == "one of ncmec_2258c, iwf, stopncii"
    assert said("key.enrol")[0].what == "a list, each the thumbprint of a key"
    assert said("appeal.uphold")[0].what == "a whole number"
    assert said("policy.set")[0].what == f"an object of {', '.join(Policy.model_fields)}"
    assert "a list, each an https origin" in [one.what for one in said("member.admit")]


@pytest.mark.parametrize(
    ("kind", "given", "about"),
    [
        ("member.expel", "https://pixel.example", "https://pixel.example"),
        ("community.open", "lair", "lair"),
        ("policy.set", "", "policy"),
        ("policy.set", "policy", "policy"),
        ("appeal.uphold", "decision:3", "decision:3"),
    ],
)
def test_whom_it_is_about(kind: DecisionType, given: str, about: str) -> None:
    assert read_subject(kind, given) == about


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        ("member.expel", "pixel", "a member or a peer: an https origin"),
        ("member.expel", "", "a member or a peer: an https origin"),
        ("community.open", "https://pixel.example", "a community: a name in lower case"),
        ("community.open", "docket", "a community: a name in lower case"),
        ("policy.set", "roster", "policy"),
        ("appeal.uphold", "3", "a decision, by its number"),
    ],
)
def test_whom_it_is_not_about(kind: DecisionType, given: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        read_subject(kind, given)
    assert (refused.value.field, refused.value.reason) == ("subject", f"{kind} is about {words}")


DAY = {"until": 1}
ROSTER = {"version": 2, "rp_id": "hub.example", "origin": "https://hub.example", "seats": [], "expires_at": 1}


@pytest.mark.parametrize(
    ("kind", "given", "field", "words"),
    [
        ("policy.set", {}, "params.policy", "missing: policy.set says it"),
        ("policy.set", {"policy": {"quorum": 1}}, "params.policy.quorum", "at least 3"),
        ("policy.set", {"policy": {"quorum": 100}}, "params.policy.quorum", "at most 99"),
        ("policy.set", {"policy": {"quorum": 3.5}}, "params.policy.quorum", "a whole number"),
        ("policy.set", {"policy": {"label_packs": 1}}, "params.policy.label_packs", "a list"),
        ("policy.set", {"policy": {"mallory": 1}}, "params.policy", "policy.set says nothing of another name here"),
        ("policy.set", {"policy": []}, "params.policy", "an object"),
        ("agreement.record", {"list": "x"}, "params.list", "one of 'ncmec_2258c', 'iwf' or 'stopncii'"),
        ("peering.set", {"terms": "x"}, "params.terms", "a SHA-256 in 64 lower-case hexadecimal digits"),
        ("peering.set", {"terms": 1}, "params.terms", "a string"),
        ("community.grant", {"community": "a", "read": 1}, "params.read", "true or false"),
        ("key.enrol", {"keys": []}, "params.keys", "at least 1 of them"),
        ("key.enrol", {"keys": ["a" * 43] * 9}, "params.keys", "at most 8 of them"),
        ("roster.set", {"roster": {**ROSTER, "origin": "x"}}, "params.roster.origin", "not in its form"),
        ("roster.set", {"roster": {**ROSTER, "origin": "x" * 301}}, "params.roster.origin", "at most 300 characters"),
        ("appeal.uphold", {"of": 10**9, "filed_at": 1}, "params.of", "less than 1000000000"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_in_words(
    kind: DecisionType, given: Mapping[str, Any], field: str, words: str
) -> None:
    with pytest.raises(Refused) as refused:
        read_params(kind, given)
    assert (refused.value.code, refused.value.field, refused.value.reason) == ("claim-invalid", field, words)


def test_what_fits_is_read() -> None:
    assert read_params("member.suspend", DAY).model_dump(exclude_none=True) == DAY

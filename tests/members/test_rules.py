"""What makes a key, a client, a token good: decided without a database or a server."""

import hashlib
from typing import Any, get_args

import pytest

from tests.support.clock import START
from tocsin.members import rules
from tocsin_schemas.envelope import AuthorKey
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.problems import Refused
from tocsin_schemas.vocabulary import SCOPES, MemberClass

NOW = START
ISSUER = "https://hub.example"
KEY = SigningKey.generate()


def code(caught: pytest.ExceptionInfo[Refused]) -> tuple[str, str]:
    return caught.value.code, caught.value.field


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ((NOW, NOW + 1, None), None),
        ((NOW + 1, NOW + 2, None), "key-not-yet-valid"),
        ((NOW - 1, NOW, None), "key-expired"),
        ((NOW - 9, NOW + 9, NOW), "key-revoked"),
        ((NOW - 9, NOW + 9, NOW + 1), None),
    ],
)
def test_when_a_key_is_in_force(life: tuple[int, int, int | None], expected: str | None) -> None:
    key = AuthorKey(KEY.public, "https://pixel.example", *life)
    if expected is None:
        rules.check_in_force(key, NOW)
        return
    with pytest.raises(Refused) as caught:
        rules.check_in_force(key, NOW)
    assert caught.value.code == expected


def claims(**changes: Any) -> dict[str, Any]:
    members = {"iss": "c", "sub": "c", "aud": ISSUER, "iat": NOW, "exp": NOW + 60, "jti": "j", **changes}
    return {name: value for name, value in members.items() if value is not None}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"iat": NOW + 60, "exp": NOW + 360},
        {"iat": NOW - 299, "exp": NOW + 1},
        {"exp": NOW + 300},
        {"nbf": NOW + 60},
        {"jti": "j" * 128},
        {"extra": "ignored"},
    ],
)
def test_a_good_assertion(changes: dict[str, Any]) -> None:
    found = rules.check_assertion(claims(**changes), ISSUER, NOW)
    jti = hashlib.sha256(changes.get("jti", "j").encode()).digest()
    assert found == rules.Assertion("c", jti, changes.get("exp", NOW + 60))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"iss": None}, ("claim-missing", "iss")),
        ({"sub": None}, ("claim-missing", "sub")),
        ({"aud": None}, ("claim-missing", "aud")),
        ({"iat": None}, ("claim-missing", "iat")),
        ({"exp": None}, ("claim-missing", "exp")),
        ({"jti": None}, ("claim-missing", "jti")),
        ({"sub": 7}, ("claim-invalid", "sub")),
        ({"iat": "now"}, ("claim-invalid", "iat")),
        ({"iat": NOW + 0.5}, ("claim-invalid", "iat")),
        ({"iat": True}, ("claim-invalid", "iat")),
        ({"jti": 7}, ("claim-invalid", "jti")),
        ({"jti": ""}, ("claim-invalid", "jti")),
        ({"jti": "j" * 129}, ("claim-invalid", "jti")),
        ({"jti": "j\0"}, ("claim-invalid", "jti")),
        ({"jti": "\ud800"}, ("claim-invalid", "jti")),
        ({"iss": "c\0", "sub": "c\0"}, ("claim-invalid", "iss")),
        ({"sub": "c\ud800"}, ("claim-invalid", "sub")),
        ({"iss": "d"}, ("claim-invalid", "iss")),
        ({"aud": "https://other.example"}, ("audience-unknown", "aud")),
        ({"aud": ISSUER + "/"}, ("audience-unknown", "aud")),
        ({"aud": ISSUER + "/oauth/token"}, ("audience-unknown", "aud")),
        ({"aud": [ISSUER]}, ("audience-unknown", "aud")),
        ({"aud": [ISSUER, "https://other.example"]}, ("audience-unknown", "aud")),
        ({"iat": NOW + 61, "exp": NOW + 90}, ("iat-future", "iat")),
        ({"iat": NOW - 301, "exp": NOW + 1}, ("iat-too-old", "iat")),
        ({"exp": NOW}, ("token-expired", "exp")),
        ({"exp": NOW + 301}, ("claim-invalid", "exp")),
        ({"nbf": NOW + 61}, ("claim-invalid", "nbf")),
        ({"nbf": "soon"}, ("claim-invalid", "nbf")),
    ],
)
def test_a_bad_assertion(changes: dict[str, Any], expected: tuple[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        rules.check_assertion(claims(**changes), ISSUER, NOW)
    assert code(caught) == expected


ACCESS = rules.AccessToken("cl_1", "https://pixel.example", "kid", frozenset(SCOPES), "jti", NOW, NOW + 300)


def test_an_access_token_says_what_it_was_made_of() -> None:
    assert rules.check_access_token(ACCESS.claims(ISSUER), ISSUER, NOW + 299) == ACCESS


@pytest.mark.parametrize(
    ("changes", "now", "expected"),
    [
        ({}, NOW + 300, "token-expired"),
        ({"iss": "https://other.example"}, NOW, "token-invalid"),
        ({"aud": "https://other.example"}, NOW, "token-invalid"),
    ],
)
def test_an_access_token_of_another_time_or_place(changes: dict[str, Any], now: int, expected: str) -> None:
    with pytest.raises(Refused) as caught:
        rules.check_access_token({**ACCESS.claims(ISSUER), **changes}, ISSUER, now)
    assert caught.value.code == expected


ONE = frozenset({"signals:read"})
BOTH = frozenset({"signals:read", "signals:submit"})


@pytest.mark.parametrize(
    ("requested", "allowed", "granted"),
    [
        (None, BOTH, BOTH),
        (None, ONE, ONE),
        ("signals:read", BOTH, ONE),
        ("signals:submit signals:read", BOTH, BOTH),
        ("signals:read signals:read", BOTH, ONE),
        ("signals:submit", ONE, None),
        ("signals:read signals:submit", ONE, None),
        ("admin", BOTH, None),
        ("", BOTH, None),
        ("signals:read  signals:submit", BOTH, None),
        (None, frozenset(), None),
    ],
)
def test_scopes_are_granted_whole_or_refused(
    requested: str | None, allowed: frozenset[str], granted: frozenset[str] | None
) -> None:
    if granted is not None:
        assert rules.grant_scopes(requested, allowed) == granted
        return
    with pytest.raises(Refused) as caught:
        rules.grant_scopes(requested, allowed)
    assert code(caught) == ("claim-invalid", "scope")


def test_states_and_actions_lead_where_they_are_declared_to() -> None:
    actions = {action for _, action in rules.TRANSITIONS}
    for state in rules.MEMBER_STATES:
        for action in actions:
            if (state, action) in rules.TRANSITIONS:
                assert rules.next_state(state, action) in rules.MEMBER_STATES
                continue
            with pytest.raises(Refused) as caught:
                rules.next_state(state, action)
            assert caught.value.code == "conflict"
    assert {state for state, _ in rules.TRANSITIONS} == {"active", "suspended"}


def test_one_owner_has_one_id_however_it_is_written() -> None:
    group = rules.control_group_id("Aurora Holding")
    assert group.startswith("cg_")
    assert len(group) == 19
    for spelling in ("aurora holding", "  AURORA\tHOLDING ", "Ａｕｒｏｒａ Holding", group):
        assert rules.control_group_id(spelling) == group
    assert rules.control_group_id("Aurora Holdings") != group
    with pytest.raises(Refused) as caught:
        rules.control_group_id("  ")
    assert code(caught) == ("claim-invalid", "control_group")


@pytest.mark.parametrize("issuer", ["https://pixel.example", "https://pixel.example:8443", "https://p"])
def test_a_good_issuer(issuer: str) -> None:
    assert rules.check_issuer(issuer) == issuer


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "pixel.example",
        "http://pixel.example",
        "https://Pixel.example",
        "https://pixel.example/",
        "https://p\n",
    ],
)
def test_a_bad_issuer(issuer: str) -> None:
    with pytest.raises(Refused) as caught:
        rules.check_issuer(issuer)
    assert code(caught) == ("claim-invalid", "issuer")


@pytest.mark.parametrize(
    ("slug", "good"),
    [
        ("a", True),
        ("child-safety", True),
        ("a" * 63, True),
        ("", False),
        ("-a", False),
        ("A", False),
        ("a" * 64, False),
        ("a\n", False),
        ("board", False),
        ("docket", False),
    ],
)
def test_the_name_of_a_community(slug: str, good: bool) -> None:
    if good:
        assert rules.check_slug(slug) == slug
        return
    with pytest.raises(Refused) as caught:
        rules.check_slug(slug)
    assert code(caught) == ("claim-invalid", "community")


def test_closed_words_and_sane_numbers() -> None:
    assert rules.check_member_class("hotline") == "hotline"
    assert rules.check_cap(0) == 0
    assert rules.check_cap(None) is None
    rules.check_life(NOW - 5, NOW + 1, NOW)
    for check, field in (
        (lambda: rules.check_member_class("government"), "class"),
        (lambda: rules.check_scopes([], "platform"), "scopes"),
        (lambda: rules.check_scopes(["signals:read", "admin"], "platform"), "scopes"),
        (lambda: rules.check_cap(-1), "signals_per_hour"),
        (lambda: rules.check_life(NOW + 1, NOW + 1, NOW), "not_after"),
        (lambda: rules.check_life(NOW - 5, NOW, NOW), "not_after"),
    ):
        with pytest.raises(Refused) as caught:
            check()
        assert code(caught) == ("claim-invalid", field)


ALL = frozenset(SCOPES)
TOLD = frozenset({"webhooks:manage", "ssf.read", "ssf.manage"})
HELD: dict[MemberClass, frozenset[str]] = {
    "platform": ALL,
    "model_vendor": ALL,
    "model_host": ALL,
    "hotline": ALL,
    "partner": TOLD,
    "observer": frozenset({"webhooks:manage"}),
    "peer_hub": ALL,
}


@pytest.mark.parametrize("member_class", get_args(MemberClass))
@pytest.mark.parametrize("scope", SCOPES)
def test_which_class_may_hold_which_scope(member_class: MemberClass, scope: str) -> None:
    assert rules.check_scopes(None, member_class) == HELD[member_class]
    if scope in HELD[member_class]:
        assert rules.check_scopes([scope], member_class) == {scope}
        return
    with pytest.raises(Refused) as caught:
        rules.check_scopes([scope], member_class)
    assert code(caught) == ("claim-invalid", "scopes")

"""What makes an endpoint: decided without a database or a network."""

import json
from typing import Any, get_args

import pytest

from tests.support.clock import START
from tocsin.errors import Refused
from tocsin.webhooks import rules
from tocsin.webhooks.rules import Move
from tocsin_schemas.endpoints import CHOOSABLE, EndpointState
from tocsin_schemas.membership import SCOPES_OF
from tocsin_schemas.notifications import ENDPOINT_EVENTS
from tocsin_schemas.signals import LATEST
from tocsin_schemas.vocabulary import MemberClass

DAY = 86_400


def refused(code: str, field: str = "") -> Any:
    return pytest.raises(Refused, match=f"^{code}: {field}")


@pytest.mark.parametrize(
    ("rotated_at", "signing", "until"),
    [
        (None, (3,), None),
        (START, (3, 2), START + DAY),
        (START - DAY + 1, (3, 2), START + 1),
        (START - DAY, (3,), None),
    ],
)
def test_the_secret_before_signs_for_a_day(
    rotated_at: int | None, signing: tuple[int, ...], until: int | None
) -> None:
    assert rules.generations(3, rotated_at, START) == signing
    assert rules.overlap_until(rotated_at, START) == until
    rules.check_rotation(rotated_at, START, again=True)
    if until is None:
        rules.check_rotation(rotated_at, START, again=False)
        return
    with refused("endpoint-rotating") as caught:
        rules.check_rotation(rotated_at, START, again=False)
    assert caught.value.retry_after == until - START


def test_a_member_has_so_many_endpoints() -> None:
    rules.check_room(rules.MOST_ENDPOINTS - 1)
    with refused("endpoint-limit"):
        rules.check_room(rules.MOST_ENDPOINTS)


def test_a_member_has_the_hub_call_so_often() -> None:
    times = [START - 30 + second for second in range(rules.MOST_PROBES)]
    rules.check_pace(times[1:], START)
    rules.check_pace([START - rules.PROBE_WINDOW] * 100, START)
    with refused("rate-limited") as caught:
        rules.check_pace(times, START)
    assert caught.value.retry_after == 30
    rules.check_pace(times, START + 30)


def test_a_replay_waits_for_what_waits() -> None:
    rules.check_backlog(rules.MOST_REPLAYED - 1)
    with refused("rate-limited"):
        rules.check_backlog(rules.MOST_REPLAYED)


@pytest.mark.parametrize("member_class", get_args(MemberClass))
def test_full_bodies_are_for_those_who_read_signals(member_class: MemberClass) -> None:
    rules.check_detail("thin", member_class)
    if "signals:read" in SCOPES_OF[member_class]:
        rules.check_detail("full", member_class)
        return
    with refused("request-invalid", "detail"):
        rules.check_detail("full", member_class)


def test_filters_are_of_what_there_is_and_in_order() -> None:
    assert rules.chosen_types(["signal.retracted", "key.revoked", "key.revoked"]) == [
        "key.revoked",
        "signal.retracted",
    ]
    assert rules.chosen_types([]) == []
    assert set(rules.chosen_types(CHOOSABLE)).isdisjoint(ENDPOINT_EVENTS)
    for word in ("nothing.of_the_kind", *ENDPOINT_EVENTS):
        with refused("request-invalid", "types"):
            rules.chosen_types([word])
    assert rules.chosen_labels(["ncii@1:sextortion", "ncii@1:intimate_image"]) == [
        "ncii@1:intimate_image",
        "ncii@1:sextortion",
    ]
    with refused("request-invalid", "labels"):
        rules.chosen_labels(["ncii@1:nothing"])
    assert rules.chosen_communities(["b", "a", "a"], {"a", "b", "c"}) == ["a", "b"]
    with refused("request-invalid", "communities"):
        rules.chosen_communities(["a", "d"], {"a", "b", "c"})


@pytest.mark.parametrize("state", get_args(EndpointState))
@pytest.mark.parametrize("activated", [False, True])
def test_a_moved_endpoint_proves_itself_anew(state: EndpointState, activated: bool) -> None:
    assert rules.changed(state, None, moved=True, activated=activated) == Move("pending", keep=activated)
    for wanted in ("active", "paused"):
        with refused("endpoint-inactive", "state"):
            rules.changed(state, wanted, moved=True, activated=activated)


@pytest.mark.parametrize("state", get_args(EndpointState))
def test_an_owner_pauses_and_goes_on_and_no_more(state: EndpointState) -> None:
    assert rules.changed(state, None, moved=False, activated=True) is None
    for wanted in ("active", "paused"):
        if state in {"pending", "disabled"}:
            with refused("endpoint-inactive", "state"):
                rules.changed(state, wanted, moved=False, activated=True)
        else:
            expected = Move("active", release=True) if wanted == "active" else Move("paused", keep=True)
            assert rules.changed(state, wanted, moved=False, activated=True) == (
                None if wanted == state else expected
            )


CHALLENGE = "c2hhbGxlbmdl"


@pytest.mark.parametrize(
    ("status", "body", "met"),
    [
        (200, json.dumps({"challenge": CHALLENGE}), True),
        (202, json.dumps({"ok": True, "challenge": CHALLENGE}, indent=2), True),
        (200, CHALLENGE, True),
        (200, f" {CHALLENGE}\n", True),
        (199, CHALLENGE, False),
        (300, CHALLENGE, False),
        (204, "", False),
        (200, json.dumps({"challenge": CHALLENGE + "x"}), False),
        (200, json.dumps({"challenge": [CHALLENGE]}), False),
        (200, json.dumps({"challenge": None}), False),
        (200, '{"challenge":"\\ud800"}', False),
        (200, json.dumps([CHALLENGE]), False),
        (200, f'{{"challenge":"x","challenge":"{CHALLENGE}"}}', False),
        # What an echo would say.
        (200, rules.verification("endpoint:ep_1", CHALLENGE, "2026-11-22T12:00:00Z").decode(), False),
        (200, f"you said: {CHALLENGE}", False),
    ],
)
def test_a_challenge_comes_back_by_itself(status: int, body: str, met: bool) -> None:
    why = rules.met(CHALLENGE, status, body.encode())
    assert (why is None) is met
    assert CHALLENGE not in (why or "")


def test_the_challenge_goes_out_as_an_event() -> None:
    assert json.loads(rules.verification("endpoint:ep_1", CHALLENGE, "2026-11-22T12:00:00Z")) == {
        "type": "endpoint.verification",
        "timestamp": "2026-11-22T12:00:00Z",
        "data": {"subject": "endpoint:ep_1", "challenge": CHALLENGE},
    }


def test_a_secret_ends_with_the_key_that_it_comes_from() -> None:
    first, second = START + 100, START + 200
    lives = [(0, first), (START + 10, second), (START + 150, LATEST)]
    made = (START - 5, START + 10, START + 11, START + 150, START + 151)
    assert [rules.rotate_by(at, lives) for at in made] == [first, first, second, second, None]
    assert rules.rotate_by(START, []) is None

"""What a state means: the table, and what of a member's statements counts."""

from typing import Literal

import pytest

from tocsin_schemas.membership import (
    EFFECTS,
    EMERGENCY_REACH,
    IN_WORDS,
    permit,
    statement_counts,
    withheld_from,
)
from tocsin_schemas.problems import Refused
from tocsin_schemas.vocabulary import MemberState

SINCE = 1_795_305_600
STATES: tuple[MemberState, ...] = tuple(EFFECTS)
COUNTS: dict[MemberState, tuple[bool, bool, bool, bool]] = {
    # state: one recorded long ago, one just outside the thirty days, one just within, one now.
    "provisional": (False, False, False, False),
    "active": (True, True, True, True),
    "restricted": (True, True, True, True),
    "emergency_suspended": (True, True, False, False),
    "suspended": (False, False, False, False),
    "withdrawing": (True, True, True, True),
    "withdrawn": (False, False, False, False),
    "expelled": (False, False, False, False),
}
WHAT: tuple[Literal["submit", "read", "authenticate"], ...] = ("submit", "read", "authenticate")
TIMES = (0, SINCE - EMERGENCY_REACH - 1, SINCE - EMERGENCY_REACH, SINCE)
REFUSALS: dict[MemberState, tuple[str | None, str | None, str | None]] = {
    "provisional": (None, None, None),
    "active": (None, None, None),
    "restricted": ("member-restricted", None, None),
    "emergency_suspended": ("member-suspended", "member-suspended", "member-suspended"),
    "suspended": ("member-suspended", "member-suspended", "member-suspended"),
    "withdrawing": ("member-restricted", None, None),
    "withdrawn": ("membership-ended", "membership-ended", "membership-ended"),
    "expelled": ("membership-ended", "membership-ended", "membership-ended"),
}


@pytest.mark.parametrize("state", STATES)
def test_what_counts(state: MemberState) -> None:
    activated = state != "provisional"
    assert tuple(statement_counts(state, SINCE, at, activated) for at in TIMES) == COUNTS[state]


@pytest.mark.parametrize("state", STATES)
def test_nothing_counts_of_a_member_that_was_never_active(state: MemberState) -> None:
    assert not any(statement_counts(state, SINCE, at, activated=False) for at in TIMES)
    assert withheld_from(state, SINCE, activated=False) == 0


@pytest.mark.parametrize("state", STATES)
def test_what_is_permitted(state: MemberState) -> None:
    for what, code in zip(WHAT, REFUSALS[state], strict=True):
        if code is None:
            permit(state, what)
            continue
        with pytest.raises(Refused) as caught:
            permit(state, what)
        assert caught.value.code == code
        assert IN_WORDS[state] in caught.value.reason


def test_whoever_may_not_read_has_no_live_keys_and_the_other_way_round() -> None:
    assert {state for state in STATES if EFFECTS[state].reads == "none"} == {
        state for state in STATES if EFFECTS[state].keys != "live"
    }

"""When a member is watched: from its coming back until the end, while it is here."""

import pytest

from tocsin.governance.rules.watching import watched_until
from tocsin_schemas.board import MemberStanding
from tocsin_schemas.membership import State

ENDS = 1_800_000_000


def member(state: State, until: int | None) -> MemberStanding:
    return MemberStanding(
        "https://pixel.example", "platform", f"cg_{'a' * 16}", state, 1, 1, (), 1, 1, watch_until=until
    )


@pytest.mark.parametrize("state", ["provisional", "active", "restricted"])
def test_it_lasts_until_its_end(state: State) -> None:
    assert watched_until(member(state, ENDS), ENDS - 1) == ENDS
    assert watched_until(member(state, ENDS), ENDS) is None
    assert watched_until(member(state, None), 0) is None


@pytest.mark.parametrize("state", ["suspended", "emergency_suspended", "withdrawn", "expelled"])
def test_whoever_is_not_here_is_not_watched(state: State) -> None:
    assert watched_until(member(state, ENDS), ENDS - 1) is None

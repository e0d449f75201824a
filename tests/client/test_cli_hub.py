"""`tocsin hub`: where a member stands, in plain words, whatever its state is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.terminal import Terminal, log_in
from tests.support.hub import LiveHub
from tests.support.states import STATES, put
from tocsin_client.cli.hub import IN_PLAIN_WORDS, against_you
from tocsin_schemas.feed import MotionNotice
from tocsin_schemas.membership import EFFECTS
from tocsin_schemas.vocabulary import MemberState


@pytest.mark.parametrize("state", STATES)
def test_it_says_the_state_or_why_the_hub_refuses(
    town: LiveHub, names: Iterator[str], slug: str, tmp_path: Path, state: MemberState
) -> None:
    party = town.party(next(names), communities={slug: "r"})
    terminal = Terminal(tmp_path / "home")
    log_in(terminal, party, town)
    put(town, party.issuer, state)
    if EFFECTS[state].keys == "live":
        row = terminal.row("hub")
        assert (row["state"], row["issuer"], row["sandbox"]) == (state, party.issuer, True)
        text = terminal.run("hub").stdout
        assert IN_PLAIN_WORDS[state] in text
        assert f"  {slug}: read\n" in text
        assert "sandbox" in text
        return
    error = terminal.error("hub", code=3)
    ended = state in {"withdrawn", "expelled"}
    assert error["error"] == ("membership-ended" if ended else "member-suspended")
    assert ("applies again" if ended else "board") in error["next"]


def test_every_state_has_its_words() -> None:
    assert tuple(IN_PLAIN_WORDS) == STATES


def test_a_motion_against_you_is_told_with_its_clocks() -> None:
    moved = MotionNotice(
        motion="mo_1",
        type="member.sanction",
        text="Restrict https://pixel.example.",
        state="proposed",
        proposed_at="2026-12-01T00:00:00Z",
        noticed_at="2026-12-01T00:00:00Z",
        notice_ends="2026-12-08T00:00:00Z",
        opens_at="2026-12-08T00:00:00Z",
        closes_at="2026-12-15T00:00:00Z",
    )
    said = against_you(moved)
    assert said.startswith("Moved against you: Restrict https://pixel.example. Motion mo_1, proposed")
    assert "Notice runs from 2026-12-01T00:00:00Z to 2026-12-08T00:00:00Z." in said
    assert "The ballot opens not before 2026-12-08T00:00:00Z and closes not before 2026-12-15" in said
    assert "tocsin member appeal NUMBER" in said
    opened = moved.model_copy(update={"state": "ballot", "noticed_at": None, "notice_ends": None})
    assert "Notice" not in against_you(opened)
    assert "The ballot opened 2026-12-08T00:00:00Z and closes 2026-12-15" in against_you(opened)

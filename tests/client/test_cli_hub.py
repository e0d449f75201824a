"""`tocsin hub`: where a member stands, in plain words, whatever its state is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.terminal import Terminal, log_in
from tests.support.hub import LiveHub
from tests.support.states import STATES, put
from tocsin_client.cli.hub import IN_PLAIN_WORDS
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

"""One member at a terminal: the `tocsin` command, and the words that tests give it."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from tests.support.hub import LiveHub
from tests.support.parties import Party
from tocsin_client.cli import cli

SLUG = "child-safety"
REPORT = ("--label", "test@1:benign_a", "--basis", "human_confirmed", "--detection-context", "upload")
STRANGER = ("--issuer", "https://stranger.example", "--client-id", "cl_1")
SECRET = "jane.doe@mail.example"


class Terminal:
    """One member at a terminal: a home folder, and what `tocsin` answers there."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def run(self, *words: object, code: int = 0, given: str | bytes | None = None) -> Result:
        env = {"TOCSIN_HOME": str(self.home)}
        result = CliRunner(env=env).invoke(cli, [str(word) for word in words], input=given)
        assert result.exit_code == code, result.output
        return result

    def rows(self, *words: object, code: int = 0, given: str | bytes | None = None) -> list[dict[str, Any]]:
        result = self.run(*words, "--json", code=code, given=given)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def row(self, *words: object, code: int = 0) -> dict[str, Any]:
        (row,) = self.rows(*words, code=code)
        return row

    def error(self, *words: object, code: int) -> dict[str, str]:
        found = json.loads(self.run(*words, "--json", code=code).stderr.splitlines()[-1])
        assert found.keys() == {"error", "what", "next"}
        assert all(found.values())
        return found


def write_key(party: Party, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "member.jwk"
    path.touch(mode=0o600)
    path.write_text(json.dumps(party.key.jwk()))
    return path


def login_words(hub: LiveHub, party: Party) -> tuple[str, ...]:
    return ("login", "--hub", hub.issuer, "--issuer", party.issuer, "--client-id", party.client_id)


def log_in(terminal: Terminal, party: Party, hub: LiveHub, *more: str) -> dict[str, Any]:
    key = write_key(party, terminal.home)
    return terminal.row(*login_words(hub, party), "--key", key, *more)

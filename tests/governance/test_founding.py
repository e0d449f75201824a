"""Founding a board: seats from a file, passkeys by one-time links, and the first record."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import Run, tocsin_hub
from tests.governance.played import governed, state
from tests.support.clock import MovableClock
from tests.support.console import Console
from tests.support.hub import Hub, in_process
from tests.support.invariants import check_hub, unchanged
from tocsin.accounts.service import Accounts
from tocsin.accounts.service.secrets import decode
from tocsin.accounts.store import people
from tocsin.cli.board import EXAMPLE
from tocsin.config import Settings
from tocsin.errors import Misconfigured, Refused
from tocsin.governance.service import founding
from tocsin.members.rules import control_group_id
from tocsin_schemas.governance import record_digest
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.roster import WITHOUT_PANEL


def seats(**changes: Any) -> bytes:
    """The example's three seats; `changes` by handle."""
    named = [{**seat, **changes.get(seat["handle"], {})} for seat in EXAMPLE["seats"]]
    return json.dumps({"seats": named}).encode()


def begin(hub: Hub, raw: bytes) -> dict[str, Any]:
    accounts: Accounts = hub.app.state.accounts
    return {link.handle: link for link in founding.begin(hub.app.state.board, hub.database, accounts, raw)}


def found(hub: Hub) -> bytes:
    return record_digest(founding.found(hub.app.state.board, hub.database, hub.app.state.accounts))


def test_from_a_file_to_the_first_record(settings: Settings, clock: MovableClock) -> None:
    with in_process(governed(settings), clock) as hub:
        key = SigningKey.generate()
        links = begin(hub, seats(alan={"key": key.public.jwk()}))
        assert set(links) == {"ada", "grace"}
        ada, grace = Console(hub).visitor(), Console(hub).visitor()
        assert ada.enrol(links["ada"]).status_code == 303
        with unchanged(hub.database), pytest.raises(Refused, match="grace") as caught:
            found(hub)
        assert caught.value.code == "conflict"
        # A link that ran out is made anew, for those who need one.
        assert set(begin(hub, seats(alan={"key": key.public.jwk()}))) == {"grace"}
        (link,) = begin(hub, seats(alan={"key": key.public.jwk()})).values()
        assert grace.enrol(link).status_code == 303
        # A passkey that may have been copied is no key of the board.
        copied = Console(hub).visitor()
        assert copied.enrol(hub.app.state.accounts.invite("ada")).status_code == 303
        with hub.database.transaction() as uow:
            people.key_cloned(uow, decode(copied.authenticator.id, "credential"))
        genesis = found(hub)
        roster = state(hub).roster
        assert state(hub).genesis == genesis
        assert {seat.handle: [key.kind for key in seat.credentials] for seat in roster.seats} == {
            "ada": ["webauthn"],
            "grace": ["webauthn"],
            "alan": ["ed25519"],
        }
        assert roster.seats[1].control_group == control_group_id("Aurora Holding")
        assert (roster.rp_id, roster.origin) == ("hub.example", "https://hub.example")
        for act in (found, lambda here: begin(here, seats())):
            with unchanged(hub.database), pytest.raises(Refused, match="founded already"):
                act(hub)
        hub.publish()
        check_hub(hub.database, hub.settings)


@pytest.mark.parametrize(
    "changes",
    [
        {"ada": {"chair": False}},
        {"alan": {"duty": False}},
        {"alan": {"control_group": "Aurora  holding"}},
        {"alan": {"handle": "ada"}},
        {"ada": {"seat_class": "platform"}},
        {"ada": {"handle": "Ada"}},
        {"ada": {"name": "Ada"}},
        {"ada": {"key": {"kty": "OKP"}}},
        {"ada": {"term_ends": "2028-02-30"}},
    ],
)
def test_a_file_that_makes_no_board_is_refused(
    settings: Settings, clock: MovableClock, changes: dict[str, Any]
) -> None:
    with in_process(governed(settings), clock) as hub, unchanged(hub.database):
        with pytest.raises(Refused) as caught:
            begin(hub, seats(**changes))
        assert caught.value.code in {"roster-invalid", "claim-invalid"}


def test_a_sandbox_founds_nothing(settings: Settings, clock: MovableClock) -> None:
    with in_process(settings, clock) as hub:
        for act in (found, lambda here: begin(here, seats())):
            with unchanged(hub.database), pytest.raises(Refused) as caught:
                act(hub)
            assert caught.value.code == "board-absent"


def test_passkeys_need_a_name(settings: Settings, clock: MovableClock) -> None:
    numbered = governed(settings).model_copy(update={"issuer": "http://127.0.0.1:8000"})
    with in_process(numbered, clock) as hub, unchanged(hub.database):
        with pytest.raises(Misconfigured) as caught:
            begin(hub, seats())
        assert "http://localhost:8000" in caught.value.advice


class TestCommands:
    @pytest.fixture
    def run(self, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
        for name, value in (
            ("SANDBOX", "false"),
            ("ISSUER", "https://hub.example"),
            ("DATABASE_URL", database_url),
            ("DATA_DIR", str(tmp_path / "data")),
        ):
            monkeypatch.setenv(f"TOCSIN_{name}", value)
        return tocsin_hub

    def test_a_board_with_keys_kept_offline(self, run: Run, tmp_path: Path) -> None:
        assert json.loads(run("board", "bootstrap", "--example").stdout) == EXAMPLE
        assert "board-absent" in run("board", "show", "--json", code=1).stderr
        held = {seat["handle"]: SigningKey.generate() for seat in EXAMPLE["seats"]}
        file = tmp_path / "seats.json"
        file.write_bytes(seats(**{handle: {"key": key.public.jwk()} for handle, key in held.items()}))
        assert json.loads(run("board", "bootstrap", str(file), "--json").stdout)["links"] == []
        assert "keeps its key offline" in run("board", "show").stdout
        genesis = json.loads(run("board", "found", "--json").stdout)["genesis"]
        shown = json.loads(run("board", "show", "--json").stdout)
        assert (shown["genesis"], shown["tip"], shown["records"]) == (genesis, genesis, 1)
        assert genesis in run("board", "show").stdout
        # Three seats and no panel: it is founded, and told what cannot be done then.
        assert shown["warnings"] == [WITHOUT_PANEL]
        assert WITHOUT_PANEL in run("board", "show").stdout
        checked = {item["part"]: item for item in json.loads(run("check", "--json").stdout)}
        assert checked["board"] == {"part": "board", "ok": True, "detail": "1 records replayed", "help": ""}

    def test_links_are_shown_once(self, run: Run, tmp_path: Path) -> None:
        file = tmp_path / "seats.json"
        file.write_bytes(seats())
        told = run("board", "bootstrap", str(file)).stdout
        assert told.count("https://hub.example/console/") == 3
        assert WITHOUT_PANEL in told
        assert WITHOUT_PANEL in run("board", "show").stdout
        panel = [
            {"seat": name, "seat_class": "independent", "handle": f"h-{name}", "term_ends": "2028-01-01"}
            for name in ("p1", "p2")
        ]
        file.write_text(json.dumps({**json.loads(seats()), "panel": panel}))
        assert (
            json.loads(run("board", "bootstrap", str(file), "--json").stdout)["gathering"]["warnings"] == []
        )
        file.write_bytes(seats())
        run("board", "bootstrap", str(file))
        assert "has no passkey yet" in run("board", "show").stdout
        assert "ada, grace, alan" in run("board", "found", code=1).stderr

    def test_the_operators_commands_say_who_decides(self, run: Run) -> None:
        for words in (
            ("community", "add", "child-safety"),
            ("member", "add", "--issuer", "https://pixel.example", "--class", "platform"),
            ("member", "suspend", "https://pixel.example"),
        ):
            failed = run(*words, "--json", code=1)
            assert json.loads(failed.stderr)["error"]["code"] == "decision-required"

    def test_the_policy(self, run: Run, tmp_path: Path) -> None:
        assert json.loads(run("policy", "show", "--json").stdout)["corroborating_groups"] == 2
        file = tmp_path / "changed.json"
        for text, field in (
            ('{"corroborating_groups": "x"}', "corroborating_groups"),
            ("[1]", "policy"),
            ("{", "policy"),
        ):
            file.write_text(text)
            assert (
                json.loads(run("policy", "simulate", str(file), "--json", code=1).stderr)["error"]["field"]
                == field
            )
        file.write_text('{"corroborating_groups": 3}')
        assert "0 indicators would stand elsewhere" in run("policy", "simulate", str(file)).stdout

"""`tocsin board` on a copy, without any network: what it says, and how it ends."""

import time
from pathlib import Path

import pytest

from tests.client.board.conftest import admission
from tests.client.board.simulated import HUB, SimulatedBoard, lines
from tests.client.terminal import Terminal
from tests.client.webserver import Answer, Asked, serving
from tests.support.clock import MovableClock
from tocsin_client.board.reading import BOARD_PREFIX, board_in, log_in
from tocsin_schemas.decisions import Plain
from tocsin_schemas.governance import record_digest
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.vocabulary import DECISION_TYPES


def records(copy: Path) -> Path:
    return board_in(copy) / "records"


def test_a_copy_verifies_without_a_network(terminal: Terminal, copy: Path, board: SimulatedBoard) -> None:
    genesis = record_digest(board.published[0].record).hex()
    done = terminal.run("board", "verify", "--hub", HUB, "--offline", copy)
    text = done.stdout.splitlines()
    assert len(text) == 9
    assert "The board was founded with 3 seats" in text[0]
    assert "hub.example/log: 269 entries" in text[6]
    assert text[7] == f"6 records verified, from the genesis {genesis}."
    assert text[8] == "0 seals of what leads to them verified."
    assert f"Pinned the genesis {genesis}" in done.stderr


def test_the_genesis_is_pinned_at_the_first_look(terminal: Terminal, copy: Path) -> None:
    terminal.run("board", "verify", "--hub", HUB, "--offline", copy)
    again = terminal.run("board", "verify", "--hub", HUB, "--offline", copy)
    assert "Pinned" not in again.stderr


def test_verification_as_json_has_a_line_for_each_record(terminal: Terminal, copy: Path) -> None:
    rows = terminal.rows("board", "verify", "--hub", HUB, "--offline", copy)
    assert [row["record"] for row in rows[:-1]] == [0, 1, 2, 3, 4, 5]
    assert rows[2]["kind"] == "decision"
    assert "https://pixel.example" in rows[2]["says"]
    assert rows[-1]["verified"] is True
    assert rows[-1]["tip"] == rows[5]["digest"]


def test_a_genesis_by_another_channel_is_believed_alone(
    terminal: Terminal, copy: Path, board: SimulatedBoard
) -> None:
    where = ("board", "verify", "--hub", HUB, "--offline", copy)
    assert terminal.error(*where, "--genesis", "0" * 64, code=3)["error"] == "genesis-mismatch"
    assert not (terminal.home / "logs" / "hub.example" / "genesis").exists()
    terminal.run(*where, "--genesis", record_digest(board.published[0].record).hex())
    assert (terminal.home / "logs" / "hub.example" / "genesis").exists()
    assert terminal.error(*where, "--genesis", "zz", code=2)["error"] == "usage"


def test_a_damaged_pin_is_not_believed(terminal: Terminal, copy: Path) -> None:
    (terminal.home / "logs" / "hub.example" / "genesis").write_text("anything\n")
    error = terminal.error("board", "verify", "--hub", HUB, "--offline", copy, code=2)
    assert "--genesis" in error["next"]


def test_what_does_not_fit_is_named_and_ends_with_3(
    terminal: Terminal, copy: Path, board: SimulatedBoard
) -> None:
    records(copy).write_bytes(lines([*board.published[:3], *board.published[4:]]))
    done = terminal.run("board", "verify", "--hub", HUB, "--offline", copy, code=3)
    assert len(done.stdout.splitlines()) == 3
    assert "does not fit: record 4: record-out-of-order" in done.stderr
    assert "does not fit: record-missing: entry 266 of the log" in done.stderr
    assert "error: the decisions do not verify: record 4" in done.stderr
    assert (
        terminal.error("board", "show", "--hub", HUB, "--offline", copy, code=3)["error"]
        == "record-out-of-order"
    )


def test_a_log_that_was_changed_in_the_copy_is_no_log(terminal: Terminal, copy: Path) -> None:
    bundle = next((log_in(copy) / "tile" / "entries").glob("000"))
    bundle.write_bytes(bundle.read_bytes().replace(b'"kind":"decision"', b'"kind":"snapshot"', 1))
    error = terminal.error("board", "verify", "--hub", HUB, "--offline", copy, code=3)
    assert error["error"] == "log-entry-mismatch"


def test_show_tells_what_the_decisions_add_up_to(terminal: Terminal, copy: Path) -> None:
    text = terminal.run("board", "show", "--hub", HUB, "--offline", copy).stdout
    assert "s1   independent chair on duty" in text
    assert "bela for https://bela.example, until 2029-01-01" in text
    assert "Members: 1 approved_pending_keys" in text
    assert "https://pixel.example  approved_pending_keys since" in text
    assert "Communities: archive, child-safety, hotlines" in text
    row = terminal.row("board", "show", "--hub", HUB, "--offline", copy)
    assert row["members"][0]["communities"] == {"child-safety": {"read": True, "write": True}}
    assert row["records"] == 6


def test_a_copy_without_a_board_is_said_to_be_one(terminal: Terminal, copy: Path) -> None:
    records(copy).unlink()
    error = terminal.error("board", "verify", "--hub", HUB, "--offline", copy, code=2)
    assert "has no board" in error["what"]


def test_saving_a_copy_of_a_copy_is_refused(terminal: Terminal, copy: Path) -> None:
    terminal.error("board", "verify", "--hub", HUB, "--offline", copy, "--save", copy, code=2)


def test_a_hub_that_forgets_the_calendar_is_told_on(tmp_path: Path, member_key: SigningKey) -> None:
    """An admission lapses after thirty days; this hub has recorded nothing of it ten days later."""
    then = MovableClock(int(time.time()) - 40 * DAY)
    boards: list[SimulatedBoard] = []

    def answer(asked: Asked) -> Answer:
        path = asked.path
        if path.startswith(f"{BOARD_PREFIX}/"):
            found = boards[0].files.get(path.removeprefix(f"{BOARD_PREFIX}/"))
        else:
            found = boards[0].tlog.read(path.removeprefix("/log/"))
        return Answer(404) if found is None else Answer(200, found)

    with serving(answer) as web:
        boards.append(SimulatedBoard(then, web.url))
        boards[0].decide("community.open", "child-safety", Plain())
        boards[0].decide("member.admit", "https://pixel.example", admission(member_key))
        terminal = Terminal(tmp_path / "home")
        copy = tmp_path / "kept"
        done = terminal.run("board", "verify", "--hub", web.url, "--save", copy)
        assert "The hub should have recorded by now: keys-lapsed." in done.stderr
        assert terminal.rows("board", "verify", "--hub", web.url)[-1]["overdue"] == ["keys-lapsed"]
        # A copy is as old as it is.
        assert terminal.rows("board", "verify", "--hub", web.url, "--offline", copy)[-1]["overdue"] == []
        # Nothing has been founded where there are no records.
        boards[0].files["records"] = None
        assert "no board yet" in terminal.error("board", "show", "--hub", web.url, code=2)["what"]


@pytest.mark.parametrize(
    "words", [("vote", "../../me", "yes"), ("endorse", "mo_1"), ("admit", "AP_" + "0" * 32)]
)
def test_what_is_no_id_becomes_no_address(tmp_path: Path, words: tuple[str, ...]) -> None:
    error = Terminal(tmp_path).error("board", *words, "--key", "seat.jwk", "--hub", HUB, code=2)
    assert error["error"] == "usage"


def test_a_folder_without_a_policy_is_not_believed(copy: Path, tmp_path: Path) -> None:
    error = Terminal(tmp_path / "fresh").error("board", "verify", "--hub", HUB, "--offline", copy, code=2)
    assert "tocsin log trust --policy" in error["next"]


SEATS = (
    "propose",
    "admit",
    "endorse",
    "declare",
    "remark",
    "withdraw",
    "vote",
    "emergency",
    "motions",
    "roster",
)


@pytest.mark.parametrize("name", SEATS)
def test_the_examples_of_a_seat_name_the_hub(tmp_path: Path, name: str) -> None:
    """A seat's holder is no client: there is no profile that could name it."""
    help_ = Terminal(tmp_path).run("board", name, "--help").stdout
    examples = [line for line in help_.splitlines() if line.startswith("    tocsin board")]
    assert examples
    assert all("--hub https://hub.example" in line for line in examples)


@pytest.mark.parametrize(
    "words", [("board", "motions"), ("board", "show"), ("log", "verify"), ("log", "trust")]
)
def test_who_names_no_hub_is_told_to(tmp_path: Path, words: tuple[str, ...]) -> None:
    error = Terminal(tmp_path).error(*words, code=2)
    assert error["next"].startswith("Name the hub with --hub URL.")


def test_who_names_no_organisation_is_told_to(tmp_path: Path) -> None:
    error = Terminal(tmp_path).error("member", "attest", code=2)
    assert error["next"].startswith("Name the hub with --hub URL and your organisation with --issuer URL.")


def test_types_are_listed_by_the_command_and_in_the_help(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    help_ = terminal.run("board", "propose", "--help").stdout
    assert "    member.suspend ISSUER {until, [noticed_at]}" in help_.splitlines()
    assert "emergency_suspend" not in help_
    rows = terminal.rows("board", "types")
    assert [row["type"] for row in rows] == list(DECISION_TYPES)
    assert {row["instead"] for row in rows if row["instead"]} == {
        "`tocsin board admit APPLICATION`",
        "`tocsin board emergency ISSUER`",
        "`tocsin member appeal NUMBER`, by the member",
    }
    text = terminal.run("board", "types", "member.suspend").stdout.splitlines()
    assert text == [
        "member.suspend ISSUER {until, [noticed_at]}  (majority)",
        "  until            a time in Unix seconds",
        "  noticed_at       a time in Unix seconds, may be left out",
    ]
    assert "Not proposed: `tocsin board emergency" in terminal.run("board", "types").stdout


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("member.emergency_suspend", "https://pixel.example"), "duty officers move it, without a discussion"),
        (("policy.set", "--params", "[]"), "What the type says is not a JSON object"),
        (("policy.set", "--params", "{"), "What the type says is not a JSON object"),
        (("community.open", "https://pixel.example"), "community.open is about a community: a name in lower case"),
        (("policy.set", "--params", "{}", "--file", "-"), "these arguments do not fit the command"),
    ],
)  # fmt: skip
def test_what_cannot_be_proposed_is_said_before_anything_is_read(
    tmp_path: Path, words: tuple[str, ...], what: str
) -> None:
    error = Terminal(tmp_path).error("board", "propose", *words, "--key", "seat.jwk", "--hub", HUB, code=2)
    assert error["what"].endswith(what)
    named = ("tocsin board emergency ISSUER", "board-decision.schema.json", "board propose --help")
    assert any(name in error["next"] for name in named)

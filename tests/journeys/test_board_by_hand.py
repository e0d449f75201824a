"""A board and a member at their shells, against a real hub: everything a stranger can verify, and everybody can do."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from tests.client.terminal import Terminal
from tests.support.board import Board, given, governed, seats
from tests.support.clock import MovableClock
from tests.support.hub import Hub
from tocsin.config import Settings
from tocsin_client.board.reading import board_in, log_in
from tocsin_schemas.policy import DAY

PIXEL = "https://pixel.example"


@pytest.fixture
def board(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """A hub with a board of three, two of which vote offline. Its clock stands at the time it is.

    What the commands open leads to it. A motion is not discussed, and over when everybody has voted.
    """
    clock = MovableClock(int(time.time()))
    with governed(settings, clock, seats(3), discussion=0) as made:
        hub = made.hub
        monkeypatch.setattr(httpx2, "Client", lambda **_: TestClient(hub.app, base_url=hub.issuer))
        yield made


@pytest.fixture
def stranger(board: Board, tmp_path: Path) -> Terminal:
    return Terminal(tmp_path / "stranger")


def test_a_stranger_verifies_what_the_board_did(board: Board, stranger: Terminal, tmp_path: Path) -> None:
    hub = board.hub.issuer
    board.member("pixel")
    board.hub.publish()
    copy = tmp_path / "copy"
    done = stranger.run("board", "verify", "--hub", hub, "--save", copy)
    told = [line.partition("Z  ")[2] for line in done.stdout.splitlines()[:4]]
    assert told[0].startswith("The board was founded with 3 seats")
    assert told[1].startswith("Decision 1, to open the community child-safety, passed: 3 yes")
    assert told[2].startswith(f"Decision 2, to admit {PIXEL} as platform")
    assert told[3].startswith(f"{PIXEL} proved that it holds a key")
    assert f"{PIXEL}  provisional since" in stranger.run("board", "show", "--hub", hub).stdout
    # Years later, without the hub.
    shutil.rmtree(stranger.home)
    stranger.run("log", "trust", "--hub", hub, "--policy", log_in(copy) / "policy")
    offline = ("board", "verify", "--hub", hub, "--offline", copy)
    assert stranger.row("board", "show", "--hub", hub, "--offline", copy)["members"][0]["issuer"] == PIXEL
    assert stranger.rows(*offline)[-1]["verified"] is True
    # Whoever passes the copy on cannot change it.
    published = board_in(copy) / "records"
    honest = published.read_bytes().splitlines()
    for change, named in TAMPERINGS.items():
        published.write_bytes(b"\n".join(change(list(honest))) + b"\n")
        error = stranger.error(*offline, code=3)
        assert (change, error["error"]) == (change, named)
    published.write_bytes(b"\n".join(honest) + b"\n")
    stranger.run(*offline)


def test_a_board_and_a_member_at_their_shells(board: Board, tmp_path: Path) -> None:
    """From an empty hub to a member that changes its keys and leaves; seats s1 and s3 have keys kept offline."""
    hub = board.hub
    at = ("--hub", hub.issuer)
    one, three = (seat_at(board, seat, tmp_path) for seat in ("s1", "s3"))
    # A community is opened.
    hub.publish()
    motion = one.row("board", "propose", "community.open", "child-safety", *with_key(one), *at)["id"]
    board.endorse(motion, "s2")
    three.run("board", "endorse", motion, *with_key(three), *at)
    assert [(line["id"], line["state"]) for line in one.rows("board", "motions", *at)] == [(motion, "ballot")]
    said = one.run("board", "vote", motion, "yes", *with_key(one), *at, given="y\n")
    assert "Shall the board open the community child-safety?" in said.stderr
    assert "Seat s1 has voted yes." in said.stdout
    board.vote(motion, "s2")
    last = three.row("board", "vote", motion, "yes", *with_key(three), *at, "--yes")
    assert (last["result"], last["record"]) == ("passes", 1)
    assert one.rows("board", "motions", *at) == []
    # Somebody applies, is vetted, and admitted.
    pixel = Terminal(tmp_path / "pixel")
    key = pixel.row("keys", "new")
    form = tmp_path / "answers.json"
    form.write_text(json.dumps({**FORM, "answers": given(PIXEL)}))
    who = ("--issuer", PIXEL, "--key", key["path"], *at)
    application = pixel.row("member", "apply", form, *who)["id"]
    board.vet(application)
    hub.publish()
    motion = one.row("board", "admit", application, *with_key(one), *at)["id"]
    board.endorse(motion, "s2")
    three.run("board", "endorse", motion, *with_key(three), *at)
    for terminal in (one, three):
        terminal.run("board", "vote", motion, "yes", *with_key(terminal), *at, "--yes")
    assert board.vote(motion, "s2").result == "passes"
    assert pixel.row("member", "prove-keys", *who)["record"] == 3
    # It logs in, and changes its key.
    hub.publish()
    client = hub.members.add_client(PIXEL)
    pixel.run("login", *who, "--client-id", client.client_id)
    new = pixel.row("keys", "rotate")
    assert new["old"] == key["jwk"]["kid"]
    assert {row["kid"]: row["here"] for row in pixel.rows("keys", "list")} == {
        new["old"]: False,
        new["kid"]: True,
    }
    pixel.run("keys", "revoke", "--kid", new["old"])
    assert {row["kid"]: row["state"] for row in pixel.rows("keys", "list")}[new["old"]] == "revoked"
    assert pixel.error("keys", "rotate", "--new", key["path"], code=1)["error"] == "key-in-use"
    # It leaves; everybody can see all of it.
    assert pixel.run("member", "withdraw", given="y\n").stdout.startswith(f"{PIXEL} is leaving: record 6")
    hub.publish()
    rows = one.rows("board", "verify", *at)
    assert [row["kind"] for row in rows[:-1]] == ["genesis", "decision", "decision", *["member"] * 4]
    assert rows[-1]["verified"] is True


FORM = {
    "member_class": "platform",
    "owner": PIXEL,
    "communities": [{"community": "child-safety", "read": True, "write": True}],
}


def seat_at(board: Board, seat: str, folder: Path) -> Terminal:
    """A seat's holder at a terminal, with the seat's key in a file."""
    made = Terminal(folder / seat)
    key = board.officers[seat].key
    assert key is not None
    made.home.mkdir()
    path = made.home / "seat.jwk"
    path.touch(mode=0o600)
    path.write_text(json.dumps(key.jwk()))
    return made


def with_key(terminal: Terminal) -> tuple[str, Path]:
    return ("--key", terminal.home / "seat.jwk")


def edited(line: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    said = json.loads(line)
    change(said)
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def subject(lines: list[bytes]) -> list[bytes]:
    def change(said: dict[str, Any]) -> None:
        said["record"]["body"]["decision"]["subject"] = "https://mallory.example"

    return [*lines[:2], edited(lines[2], change), lines[3]]


def ballot(lines: list[bytes]) -> list[bytes]:
    def change(said: dict[str, Any]) -> None:
        said["record"]["body"]["ballots"][0]["choice"] = "no"

    return [*lines[:2], edited(lines[2], change), lines[3]]


def result(lines: list[bytes]) -> list[bytes]:
    def change(said: dict[str, Any]) -> None:
        said["record"]["body"]["result"] = "fails"

    return [*lines[:2], edited(lines[2], change), lines[3]]


def nonce(lines: list[bytes]) -> list[bytes]:
    other = json.loads(lines[1])["r"]
    return [*lines[:2], edited(lines[2], lambda said: said.update(r=other)), lines[3]]


def dropped(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[3]]


def cut_off(lines: list[bytes]) -> list[bytes]:
    return lines[:3]


def reordered(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1], lines[3]]


def unlogged(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], edited(lines[3], lambda said: said.update(log_seq=10**6))]


def genesis(lines: list[bytes]) -> list[bytes]:
    def change(said: dict[str, Any]) -> None:
        said["record"]["body"]["roster"]["seats"][0]["handle"] = "mallory"

    return [edited(lines[0], change), *lines[1:]]


TAMPERINGS = {
    subject: "commitment-mismatch",
    ballot: "commitment-mismatch",
    result: "commitment-mismatch",
    nonce: "commitment-mismatch",
    dropped: "record-out-of-order",
    cut_off: "record-missing",
    reordered: "record-out-of-order",
    unlogged: "record-unlogged",
    genesis: "genesis-mismatch",
}


def test_a_record_edited_in_the_database_is_named(board: Board, stranger: Terminal) -> None:
    hub = board.hub.issuer
    board.decide("community.open", "child-safety")
    board.hub.publish()
    stranger.run("board", "verify", "--hub", hub)
    with board.hub.database.engine.begin() as connection:
        (raw,) = connection.execute(text("SELECT raw FROM board_record WHERE seq = 1")).one()
        forged = bytes(raw).replace(b'"subject":"child-safety"', b'"subject":"mallory-home"')
        assert forged != bytes(raw)
        connection.execute(text("UPDATE board_record SET raw = :raw WHERE seq = 1"), {"raw": forged})
    assert stranger.error("board", "verify", "--hub", hub, code=3)["error"] == "commitment-mismatch"


def test_a_sandbox_has_nothing_to_verify(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.publish()
    monkeypatch.setattr(httpx2, "Client", lambda **_: TestClient(hub.app, base_url=hub.issuer))
    error = Terminal(tmp_path).error("board", "verify", "--hub", hub.issuer, code=2)
    assert "sandbox" in error["what"]


def test_two_duty_officers_stop_a_member_from_their_shells(board: Board, tmp_path: Path) -> None:
    """The first puts the paper before the others and signs; the second, by the same command, makes it hold."""
    hub = board.hub
    at = ("--hub", hub.issuer)
    board.member("pixel")
    hub.publish()
    one, three = (seat_at(board, seat, tmp_path) for seat in ("s1", "s3"))
    unknown = one.error("board", "emergency", "https://nobody.example", *with_key(one), *at, code=1)
    assert unknown["error"] == "subject-unknown"
    # Who says no to the preview has put nothing before anybody.
    said = one.run("board", "emergency", PIXEL, *with_key(one), *at, given="n\n", code=2)
    assert f"Suspend {PIXEL} at once, for 72 hours at most." in said.stderr
    assert "Keys dead at once                       1" in said.stderr
    assert "Communities it leaves silent            child-safety" in said.stderr
    with hub.database.snapshot() as uow:
        assert uow.conn.execute(text("SELECT count(*) FROM motion")).scalar() == 0
    # Nor has who signs nothing.
    said = one.run("board", "emergency", PIXEL, *with_key(one), *at, given="y\nn\n", code=2)
    assert f"Shall the board suspend {PIXEL} in an emergency, until the board has voted?" in said.stderr
    assert "Digest " in said.stderr
    first = one.row("board", "emergency", PIXEL, *with_key(one), *at, "--yes")
    assert (first["seat"], first["result"], first["stops"]["keys"]) == ("s1", None, 1)
    assert board.state.members[PIXEL].state == "provisional"
    # It is told to nobody before it holds, and nobody signs twice.
    assert one.rows("board", "motions", *at) == []
    again = one.error("board", "emergency", PIXEL, *with_key(one), *at, "--yes", code=1)
    assert again["error"] == "ballot-duplicate"
    second = three.run("board", "emergency", PIXEL, *with_key(three), *at, given="y\ny\n")
    assert f"{PIXEL} is suspended, record" in second.stdout
    assert board.state.members[PIXEL].state == "emergency_suspended"
    assert [line["type"] for line in three.rows("board", "motions", *at)] == ["member.suspend"]


def test_a_seat_remarks_on_a_motion_and_takes_its_own_back(board: Board, tmp_path: Path) -> None:
    hub = board.hub
    at = ("--hub", hub.issuer)
    hub.publish()
    one, three = (seat_at(board, seat, tmp_path) for seat in ("s1", "s3"))
    motion = one.row("board", "propose", "community.open", "lair", *with_key(one), *at)["id"]
    said = ("--stance", "question", "--topic", "evidence", "--document", "a" * 64)
    assert three.row("board", "remark", motion, *said, *with_key(three), *at)["state"] == "proposed"
    error = three.error("board", "withdraw", motion, *with_key(three), *at, code=3)
    assert error["error"] == "role-missing"
    assert one.row("board", "withdraw", motion, *with_key(one), *at)["state"] == "withdrawn"


def test_a_policy_and_a_roster_are_proposed_by_what_changes(
    board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = board.hub
    hub.publish()
    one = seat_at(board, "s1", tmp_path)
    at = (*with_key(one), "--hub", hub.issuer)
    before = board.state.policy
    said = one.run("board", "propose", "policy.set", "--params", '{"quorum": 4}', *at)
    assert "  quorum: 3 -> 4" in said.stderr
    motion = said.stdout.split()[0]
    told = hub.http.get(f"/v1/board/motions/{motion}").json()
    assert told["params"]["policy"] == {
        **before.model_dump(mode="json"),
        "version": before.version + 1,
        "quorum": 4,
    }
    # Named as the type names it, it is the same motion.
    again = one.error("board", "propose", "policy.set", "--params", '{"policy": {"quorum": 4}}', *at, code=1)
    assert again["error"] == "conflict"
    for wrong, what in (
        ('{"quorum": 1}', "params.policy.quorum: at least 3"),
        ('{"mallory": 1}', "params.policy: policy.set says nothing of another name here"),
        ("{}", "params.policy: missing: policy.set says it"),
    ):
        error = one.error("board", "propose", "policy.set", "--params", wrong, *at, code=2)
        assert error["what"] == what
        assert "tocsin board types policy.set" in error["next"]
    # The roster is printed as the next one, edited, and proposed.
    roster = json.loads(one.run("board", "roster", "--hub", hub.issuer).stdout)
    assert roster["version"] == board.state.roster.version + 1
    roster["seats"][2]["term_ends"] = "2037-01-01"
    file = tmp_path / "roster.json"
    file.write_text(json.dumps(roster))
    said = one.run("board", "propose", "roster.set", "--file", file, *at)
    assert "until 2037-01-01" in said.stderr
    assert said.stdout.split()[1] == "proposed;"
    # A motion to sanction is notice by itself, which here, without a discussion, comes too late.
    board.member("pixel")
    board.activate("pixel")
    hub.publish()
    monkeypatch.setattr("tocsin_client.cli.seat.system_clock", board.clock)
    late = one.error("board", "propose", "member.sanction", PIXEL, *at, code=1)
    assert late["error"] == "transition-forbidden"
    noticed = json.dumps({"noticed_at": board.clock() - 20 * DAY})
    moved = one.row("board", "propose", "member.sanction", PIXEL, "--params", noticed, *at)
    assert moved["state"] == "proposed"

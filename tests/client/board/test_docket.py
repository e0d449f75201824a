"""What a stranger can see of the proceedings: that no row was changed, and of each tampering which entry it hit."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client.board.simulated import HUB, SimulatedBoard, lines
from tests.client.terminal import Terminal
from tests.client.webserver import Answer, Asked, serving
from tests.support.clock import MovableClock
from tocsin_client.board.reading import BOARD_PREFIX, board_in
from tocsin_client.board.verify import Replay, look, verify_board
from tocsin_client.log import Log
from tocsin_schemas.decisions import Plain
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.roster import canonical

MOTION, OTHER, APPLICATION = "mo_1", "mo_2", "ap_1"


@pytest.fixture
def board(board: SimulatedBoard, clock: MovableClock) -> SimulatedBoard:
    """Five seals, of two motions and an application; one entry of a community among them."""
    for case, rows in (
        (MOTION, b"proposed"),
        (OTHER, b"proposed"),
        (MOTION, b"endorsed by s2"),
        (APPLICATION, b"submitted"),
        (MOTION, b"endorsed by s2 and s3"),
    ):
        clock.advance(60)
        board.step(case, rows)
        board.chatter(1)
    return board


def replay(log: Log, board: SimulatedBoard) -> Replay:
    _, files, logged = look(log, board)
    return verify_board(files, logged, None)


def faults(log: Log, board: SimulatedBoard) -> list[tuple[str, int]]:
    """The code of each fault, and which seal's entry it names; whatever it is, the decisions hold."""
    found = replay(log, board)
    assert found.misfits == []
    assert found.state == board.state
    places = [held.seal.log_seq for held in board.sealed]
    assert {fault.field for fault in found.faults} <= {"docket"}
    return [(fault.code, places.index(int(fault.reason.split()[1]))) for fault in found.faults]


def test_an_honest_docket_verifies(log: Log, board: SimulatedBoard) -> None:
    found = replay(log, board)
    assert (found.misfits, found.faults, found.seals) == ([], [], 5)


def test_an_edited_row_is_named_with_the_entry_that_sealed_it(
    log: Log, board: SimulatedBoard, clock: MovableClock
) -> None:
    board.rows[MOTION] = b"endorsed by s2 and s5"
    board.publish()
    (fault,) = replay(log, board).faults
    place = board.sealed[4].seal.log_seq
    said = (
        f"case-altered: entry {place} of the log ({rfc3339(clock())}): the rows of a case are not those that"
    )
    assert str(fault) == f"{said} were sealed (docket)"


def test_rows_of_an_older_state_are_named(log: Log, board: SimulatedBoard) -> None:
    board.rows[MOTION] = b"endorsed by s2"
    board.publish()
    assert faults(log, board) == [("case-altered", 4)]


def test_a_case_removed_with_its_seals_is_named(log: Log, board: SimulatedBoard) -> None:
    board.files["docket"] = lines(
        [seal for held, seal in zip(board.sealed, board.seals(), strict=True) if held.case != OTHER]
    )
    assert faults(log, board) == [("case-missing", 1)]


def test_an_older_state_with_its_own_seal_is_named(log: Log, board: SimulatedBoard) -> None:
    """The newest seal is removed, and the rows are those of the seal before."""
    board.sealed.pop()
    board.rows[MOTION] = b"endorsed by s2"
    board.publish()
    last = max(seq for seq, raw in enumerate(board.tlog.leaves) if b'"docket"' in raw)
    (fault,) = replay(log, board).faults
    assert (fault.code, f"entry {last} of the log" in fault.reason) == ("case-missing", True)


def test_seals_of_two_cases_swapped_are_named(log: Log, board: SimulatedBoard) -> None:
    board.rows[OTHER], board.rows[MOTION] = board.rows[MOTION], board.rows[OTHER]
    board.publish()
    assert faults(log, board) == [("case-altered", 1), ("case-altered", 4)]


def test_another_place_in_a_cases_history_is_named(log: Log, board: SimulatedBoard) -> None:
    """What a seal replaces is part of what was logged."""
    first = board.sealed[0].seal.log_seq
    board.sealed[4] = board.sealed[4]._replace(
        seal=board.sealed[4].seal.model_copy(update={"replaces": first})
    )
    board.publish()
    assert faults(log, board) == [("case-altered", 4)]


def test_a_history_that_the_hub_itself_logged_twice_is_named(log: Log, board: SimulatedBoard) -> None:
    kept = list(board.sealed)
    board.sealed[4:] = []
    board.step(MOTION, b"endorsed by s4")
    board.sealed[4:4] = kept[4:]
    board.publish()
    # Both claim to replace the same seal; the second of them stands out of order. Its rows are the case's newest.
    assert ("seal-out-of-order", 5) in faults(log, board)


def test_a_seal_that_was_never_logged_is_named(log: Log, board: SimulatedBoard) -> None:
    kept = list(board.tlog.leaves)
    board.step("mo_3", b"proposed")
    board.tlog.leaves[:] = kept
    assert faults(log, board) == [("seal-unlogged", 5)]


def test_a_seal_of_a_records_entry_is_named(log: Log, board: SimulatedBoard) -> None:
    seal = board.sealed[0].seal.model_copy(update={"log_seq": board.published[-1].log_seq})
    board.files["docket"] = lines([seal, *board.seals()[1:]])
    found = replay(log, board)
    assert (found.misfits, {fault.code for fault in found.faults}) == (
        [],
        {"seal-unlogged", "case-missing", "seal-out-of-order"},
    )


@pytest.mark.parametrize("line", [b"{}", b"[1]", b"\xff", b'{"log_seq":-1,"r":"00","state":"00"}'])
def test_a_line_that_is_no_seal_is_named(log: Log, board: SimulatedBoard, line: bytes) -> None:
    said = (board.files["docket"] or b"").splitlines()
    board.files["docket"] = b"\n".join([said[0], line, *said[2:]])
    found = replay(log, board)
    assert [fault.code for fault in found.faults] == ["seal-malformed", "case-missing"]
    assert found.faults[0].reason == "line 2 is no seal of this version"


def test_a_hub_that_sealed_and_shows_no_seals_does_not_fit(log: Log, board: SimulatedBoard) -> None:
    board.files["docket"] = None
    (fault,) = replay(log, board).faults
    assert (fault.code, fault.reason) == (
        "case-missing",
        "5 entries of the log seal proceedings, and no seals are served",
    )


def test_a_hub_that_never_sealed_need_not_serve_the_file(clock: MovableClock, log: Log) -> None:
    older = SimulatedBoard(clock)
    older.files["docket"] = None
    log.source = older.tlog
    log.pin(older.tlog.policy())
    found = replay(log, older)
    assert (found.misfits, found.faults, found.seals) == ([], [], 0)


# Reading while the hub seals.


def test_what_is_sealed_while_one_reads_is_waited_for(log: Log, board: SimulatedBoard) -> None:
    """The checkpoint lags behind the files at first."""
    board.tlog.shown = board.sealed[-1].seal.log_seq

    def catch_up(_seconds: float) -> None:
        board.tlog.shown = None

    log._pause = catch_up
    found = replay(log, board)
    assert (found.faults, found.seals) == ([], 5)


class Busy:
    """A hub that seals a step before and after each reading of its seals, `steps` in all."""

    name = "a busy hub"

    def __init__(self, board: SimulatedBoard, steps: int) -> None:
        self.board = board
        self.steps = steps
        self.reads = 0

    def read(self, path: str) -> bytes | None:
        if path != "docket":
            return self.board.read(path)
        self.reads += 1
        self._step("before")
        said = self.board.files[path]
        self._step("after")
        return said

    def _step(self, when: str) -> None:
        if self.steps:
            self.steps -= 1
            self.board.step(MOTION, f"{when} {self.reads}".encode())


def test_seals_older_than_the_log_are_read_again(log: Log, board: SimulatedBoard) -> None:
    busy = Busy(board, 2)
    view, files, logged = look(log, busy)
    assert busy.reads == 2
    assert max(logged.entries) < view.size
    assert verify_board(files, logged, None).faults == []


def test_a_hub_that_seals_all_the_time_is_not_accused(log: Log, board: SimulatedBoard) -> None:
    """What the log got after the files were asked for is nobody's fault; what it had before is."""
    busy = Busy(board, 1000)
    _, files, logged = look(log, busy)
    assert busy.reads == 3
    assert verify_board(files, logged, None).faults == []
    kept = board.sealed.pop(1)
    board.publish()
    _, files, logged = look(log, busy)
    (fault,) = verify_board(files, logged, None).faults
    assert (fault.code, f"entry {kept.seal.log_seq} " in fault.reason) == ("case-missing", True)


# At a shell.


def test_seals_are_counted(terminal: Terminal, copy: Path) -> None:
    where = ("board", "verify", "--hub", HUB, "--offline", copy)
    assert terminal.run(*where).stdout.splitlines()[-1] == "5 seals of what leads to them verified."
    assert terminal.rows(*where)[-1]["seals"] == 5


def test_what_does_not_fit_of_the_proceedings_is_told_apart(
    terminal: Terminal, copy: Path, board: SimulatedBoard
) -> None:
    """The decisions verify and are told, the exit code is 3; whoever wants the decisions alone gets them."""
    board.rows[MOTION] = b"endorsed by nobody"
    board.publish()
    (board_in(copy) / "docket").write_bytes(board.files["docket"] or b"")
    where = ("board", "verify", "--hub", HUB, "--offline", copy)
    done = terminal.run(*where, code=3)
    assert len(done.stdout.splitlines()) == 6
    place = board.sealed[4].seal.log_seq
    assert f"does not fit: case-altered: entry {place} of the log (" in done.stderr
    assert (
        "error: the decisions verify, but what leads to them is not what the log says: case-altered"
        in done.stderr
    )
    error = terminal.error(*where, code=3)
    assert error["error"] == "case-altered"
    assert "look again" in error["next"]
    shown = terminal.run("board", "show", "--hub", HUB, "--offline", copy)
    assert "Communities: archive, child-safety, hotlines" in shown.stdout
    assert "what leads to them is not what the log says" in shown.stderr


def test_a_record_that_does_not_fit_comes_first(
    terminal: Terminal, copy: Path, board: SimulatedBoard
) -> None:
    board.rows[MOTION] = b"endorsed by nobody"
    board.publish()
    (board_in(copy) / "docket").write_bytes(board.files["docket"] or b"")
    (board_in(copy) / "records").write_bytes(lines(board.published[:-1]))
    error = terminal.error("board", "verify", "--hub", HUB, "--offline", copy, code=3)
    assert error["error"] == "record-missing"
    assert error["what"].startswith("the decisions do not verify: ")
    assert error["what"].endswith(", and 1 more")


@pytest.mark.parametrize("change", [lambda said: said[:-1], lambda said: [], lambda said: said[1:]])
def test_whoever_passes_a_copy_on_cannot_leave_a_seal_out(
    terminal: Terminal, copy: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    published = board_in(copy) / "docket"
    published.write_bytes(b"".join(line + b"\n" for line in change(published.read_bytes().splitlines())))
    error = terminal.error("board", "verify", "--hub", HUB, "--offline", copy, code=3)
    assert error["error"] == "case-missing"


def test_a_copy_is_saved_with_its_seals(tmp_path: Path, clock: MovableClock) -> None:
    boards: list[SimulatedBoard] = []

    def answer(asked: Asked) -> Answer:
        board, path = boards[0], asked.path
        if path.startswith(f"{BOARD_PREFIX}/"):
            found = board.read(path.removeprefix(f"{BOARD_PREFIX}/"))
        else:
            found = board.tlog.read(path.removeprefix("/log/"))
        return Answer(404) if found is None else Answer(200, found)

    with serving(answer) as web:
        boards.append(board := SimulatedBoard(clock, web.url))
        board.decide("community.open", "child-safety", Plain())
        board.step(MOTION, b"proposed")
        terminal, copy = Terminal(tmp_path / "home"), tmp_path / "copy"
        terminal.run("board", "verify", "--hub", web.url, "--save", copy)
        assert (board_in(copy) / "docket").read_bytes() == canonical(board.sealed[0].seal) + b"\n"
    offline = ("board", "verify", "--hub", board.name, "--offline", copy)
    assert terminal.rows(*offline)[-1]["seals"] == 1
    # A copy that somebody took the file from is none of a hub that never sealed: the log knows.
    (board_in(copy) / "docket").unlink()
    assert terminal.error(*offline, code=3)["error"] == "case-missing"
    assert terminal.row("board", "show", *offline[2:])["records"] == 2

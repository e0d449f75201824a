"""Records that a clock has dated ahead: however that shows, each is named, and what was decided stays readable."""

from pathlib import Path

import pytest

from tests.client.board.conftest import PIXEL
from tests.client.board.simulated import HUB, SimulatedBoard
from tests.client.terminal import Terminal
from tests.support.clock import MovableClock
from tocsin_client.board.reading import log_in
from tocsin_client.board.verify import Replay, look, verify_board
from tocsin_client.log import Log
from tocsin_schemas.governance import Act, MemberBody, sign_act
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.log_times import SKEW, WITNESS_BEHIND
from tocsin_schemas.policy import DAY


@pytest.fixture
def board(board: SimulatedBoard, clock: MovableClock, member_key: SigningKey) -> SimulatedBoard:
    """The member has proved its key, as record 6."""
    said = {"iss": PIXEL, "aud": HUB, "iat": clock.now, "jti": "1" * 32, "act": "prove-key"}
    act = Act.model_validate({**said, "not_before": clock.now, "not_after": clock.now + 300 * DAY})
    board.log(MemberBody(jws=sign_act(act, member_key), key=member_key.public.jwk()))
    return board


def leap(board: SimulatedBoard, clock: MovableClock, days: int = 91) -> None:
    """The hub's clock is ahead for a moment, and its rules of the calendar come true: record 7."""
    clock.advance(days * DAY)
    assert board.state is not None
    board.log(board.state.due(clock.now)[0])
    clock.advance(-days * DAY)


def replay(log: Log, board: SimulatedBoard) -> Replay:
    _, files, logged = look(log, board)
    return verify_board(files, logged, None)


def ahead(found: Replay) -> list[tuple[int | None, str, str]]:
    """What is named; all of it is of the clock, and everything was told."""
    assert (found.misfits, found.faults) == ([], [])
    assert [told.record.seq for told in found.told] == list(range(8))
    assert {(item.code, item.field) for item in found.ahead} <= {("record-ahead", "at")}
    return [(item.record, *item.reason.partition(", ")[::2]) for item in found.ahead]


def test_a_record_later_than_the_verifiers_clock_is_named(
    log: Log, board: SimulatedBoard, clock: MovableClock
) -> None:
    leap(board, clock)
    assert ahead(replay(log, board)) == [(7, "dated 2027-02-21T12:05:00Z", "later than this machine's clock")]
    clock.advance(91 * DAY - SKEW)
    assert ahead(replay(log, board)) == []


def test_years_later_an_entry_behind_it_still_shows_it(
    log: Log, board: SimulatedBoard, clock: MovableClock
) -> None:
    leap(board, clock)
    board.chatter(1)
    clock.advance(900 * DAY)
    found = ahead(replay(log, board))
    reason = "but an entry behind it in the log is of 2026-11-22T12:05:00Z"
    assert found == [(7, "dated 2027-02-21T12:05:00Z", reason)]


def test_entries_a_minute_apart_are_of_two_honest_clocks(
    log: Log, board: SimulatedBoard, clock: MovableClock
) -> None:
    clock.advance(91 * DAY)
    assert board.state is not None
    board.log(board.state.due(clock.now)[0])
    clock.advance(-SKEW)
    board.chatter(1)
    assert ahead(replay(log, board)) == []
    clock.advance(-1)
    board.chatter(1)
    clock.advance(DAY)
    assert [record for record, *_ in ahead(replay(log, board))] == [7]


def test_years_later_the_witness_of_its_checkpoint_shows_it(
    board: SimulatedBoard, log: Log, clock: MovableClock, tmp_path: Path
) -> None:
    """Nothing was logged behind it: a copy was saved, and cosignatures have times."""
    board.tlog.add_witness("w1.example")
    board.tlog.add_witness("w2.example")
    leap(board, clock)
    board.tlog.cosigned_at = clock.now
    clock.advance(3000)
    (found,) = ahead(replay(log, board))
    assert found[0] == 7
    board.tlog.cosigned_at = clock.now + 900 * DAY
    clock.advance(91 * DAY)
    assert ahead(replay(log, board)) == []  # of a time that has not come: it says nothing
    board.tlog.cosigned_at = None
    assert ahead(replay(log, board)) == []
    board.tlog.cosigned_at = clock.now - 3000 - WITNESS_BEHIND
    assert ahead(replay(log, board)) == []
    board.tlog.cosigned_at -= 1
    ((record, _, reason),) = ahead(replay(log, board))
    assert (record, reason.partition(" at ")[0]) == (7, "but the checkpoint with it was cosigned")


def test_at_a_shell_it_ends_with_3_and_show_says_so(
    board: SimulatedBoard, clock: MovableClock, tmp_path: Path
) -> None:
    leap(board, clock, 3000)
    board.chatter(3)
    copy, terminal = board.write(tmp_path / "copy"), Terminal(tmp_path / "home")
    terminal.run("log", "trust", "--hub", HUB, "--policy", log_in(copy) / "policy")
    where = ("--hub", HUB, "--offline", copy)
    done = terminal.run("board", "verify", *where, code=3)
    assert len(done.stdout.splitlines()) == 8
    assert "does not fit: record 7: record-ahead: dated 2035-02-08" in done.stderr
    assert "error: the decisions verify, but they were dated by a clock that was ahead" in done.stderr
    shown = terminal.run("board", "show", *where)
    assert "The decisions verify, but they were dated by a clock that was ahead" in shown.stderr
    board.rows["mo_1"] = b""
    board.step("mo_1", b"proposed")
    board.rows["mo_1"] = b"edited"
    board.publish()
    board.write(copy)
    done = terminal.run("board", "verify", *where, code=3)
    assert "is not what the log says, and they were dated" in done.stderr

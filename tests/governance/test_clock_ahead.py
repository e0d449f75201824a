"""A clock that is set ahead: what it dated is named by hub and verifier, and the hub goes no further on it."""

import logging
from collections.abc import Iterator

import pytest

from tests.support.board import Board, governed
from tests.support.clock import MovableClock
from tests.support.invariants import BOOKKEEPING, unchanged
from tests.support.officers import panel, seats
from tocsin.config import Settings
from tocsin.governance.service import startup
from tocsin.governance.service.chain import open_chain
from tocsin.members.service import Difference
from tocsin_schemas.policy import DAY

PIXEL = "https://pixel.example"


@pytest.fixture
def board(settings: Settings, clock: MovableClock) -> Iterator[Board]:
    """A member is provisional, and will be active in ninety days."""
    with governed(settings, clock, [*seats(9), *panel()]) as found:
        found.member("pixel")
        yield found


def dated(board: Board) -> list[str]:
    """Records that a start finds dated ahead, and so does the next look of the process that runs."""
    hub = board.hub
    found = startup.start(open_chain(hub.members, hub.settings), hub.ledger)
    assert startup.audit(board.chain, hub.ledger) == found
    assert {(item.table, item.column) for item in found} <= {("board_record", "at")}
    return [item.key for item in found]


def leap(board: Board, days: int) -> str:
    """The clock goes ahead, a rule of the calendar comes true, and the clock is back: the record that was written."""
    board.clock.advance(days * DAY)
    assert board.hub.run_job("governance.tick") == 1
    board.clock.advance(-days * DAY)
    return str(board.state.size - 1)


def test_a_clock_that_is_right_names_nothing(board: Board) -> None:
    board.clock.advance(91 * DAY)
    assert board.hub.run_job("governance.tick") == 1
    assert board.state.members[PIXEL].state == "active"
    board.clock.advance(-30)
    board.propose("community.open", "behind")
    board.hub.publish()
    assert dated(board) == []


def test_a_record_ahead_of_the_clock_is_named_until_the_clock_is_there(
    board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    record = leap(board, 91)
    with caplog.at_level(logging.ERROR):
        assert dated(board) == [record]
    (said, _) = [line for line in caplog.records if "dated ahead" in line.message]
    assert (said.records, said.first, said.last) == (1, record, record)  # type: ignore[attr-defined]
    board.clock.advance(91 * DAY)
    assert dated(board) == []


def test_an_entry_behind_it_names_it_for_good(board: Board) -> None:
    before = dated(board)
    record = leap(board, 91)
    board.propose("community.open", "behind")
    board.hub.publish()
    assert (before, dated(board)) == ([], [record])
    board.clock.advance(900 * DAY)
    assert dated(board) == [record]
    assert startup.audit(board.chain, board.hub.ledger) == [Difference("board_record", record, "at")]


def test_the_calendar_waits_until_the_clock_is_where_the_newest_record_is(board: Board) -> None:
    """Two were due, and the hub was ended behind the first: the second is not written before its time is certain."""
    board.member("other")
    board.clock.advance(95 * DAY)
    with board.hub.database.transaction() as uow:
        board.chain.append(uow, board.state.due(uow.now)[0])
    board.clock.advance(-4 * DAY)
    assert len(board.state.due(board.clock.now)) == 1
    with unchanged(board.hub.database, BOOKKEEPING):
        assert board.hub.run_job("governance.tick") == 0
    board.clock.advance(4 * DAY - 60)
    assert board.hub.run_job("governance.tick") == 1
    assert {member.state for member in board.state.members.values()} == {"active"}

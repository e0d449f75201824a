"""Suspensions on a hub: what they find they leave, and leaving is no way out of one."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from tests.support.board import Board, governed
from tests.support.clock import MovableClock
from tests.support.officers import panel, seats
from tocsin.config import Settings
from tocsin_schemas.policy import DAY

ALPHA = "https://alpha.example"


@pytest.fixture
def board(settings: Settings, clock: MovableClock) -> Iterator[Board]:
    """A board with a panel, and two active members."""
    with governed(settings, clock, [*seats(5), *panel(2)]) as made:
        made.member("alpha")
        made.member("beta")
        made.activate("alpha", "beta")
        yield made


def row(board: Board) -> str:
    """The state of alpha's row, which requests are answered by."""
    with board.hub.database.snapshot() as uow:
        found = uow.conn.execute(
            text("SELECT state FROM organisation WHERE issuer = :issuer"), {"issuer": ALPHA}
        ).scalar_one()
    assert found == board.state.members[ALPHA].state
    return str(found)


def tick(board: Board) -> None:
    board.hub.run_job("governance.tick")


def suspend(board: Board, days: int = 20) -> None:
    now = board.clock.now
    board.enact("member.suspend", ALPHA, {"until": now + days * DAY, "noticed_at": now - 10 * DAY})


def test_a_sanction_outlives_a_suspension(board: Board) -> None:
    board.enact("member.sanction", ALPHA, {"noticed_at": board.clock.now - 10 * DAY})
    assert row(board) == "restricted"
    suspend(board)
    assert row(board) == "suspended"
    board.clock.advance(20 * DAY)
    tick(board)
    assert (row(board), board.state.members[ALPHA].sanctioned) == ("restricted", True)
    board.enact("member.reinstate", ALPHA)
    assert row(board) == "active"

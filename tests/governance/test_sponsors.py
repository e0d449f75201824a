"""Sponsors on a hub whose members are suspended: an admission is not moved without two active ones."""

import pytest

from tests.support.board import VETTERS, Board, governed
from tests.support.clock import MovableClock
from tocsin.config import Settings
from tocsin.governance.service import applications, motions
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused


def refused(board: Board, application: str) -> None:
    before = board.state
    with pytest.raises(Refused) as caught:
        motions.propose_admission(board.chamber, board.seated("s1"), application)
    assert caught.value.code == "sponsors-missing"
    view = applications.application(board.chamber, application, VETTERS[0])
    assert (board.state, view.state, view.motion, view.missing) == (before, "vetting", None, ("sponsors",))


def test_a_suspension_lets_nobody_in_without_sponsors(settings: Settings, clock: MovableClock) -> None:
    with governed(settings, clock) as board:
        board.member("alpha")
        board.member("beta")
        board.clock.advance(91 * DAY)
        board.hub.run_job("governance.tick")
        waiting = board.apply("newcomer", SigningKey.generate())
        board.vet(waiting)
        refused(board, waiting)
        board.suspend_in_emergency("alpha")
        refused(board, waiting)
        board.clock.advance(72 * 3600)
        board.hub.run_job("governance.tick")
        board.sponsor(waiting)
        moved = motions.propose_admission(board.chamber, board.seated("s1"), waiting)
        assert motions.motion(board.chamber, moved).state == "proposed"

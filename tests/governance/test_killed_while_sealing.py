"""A process that dies while it acts leaves a step and its seal, or neither."""

import multiprocessing
import os
import signal

import pytest
from sqlalchemy import event, text

from tests.governance.sealed import ask, audit, faults, state_of
from tests.support.board import governed
from tests.support.clock import MovableClock
from tests.support.invariants import check_hub, dump
from tocsin import keys
from tocsin.config import Settings
from tocsin.db import Database
from tocsin.governance.service import motions
from tocsin.governance.service.chain import open_chain
from tocsin.governance.service.context import open_chamber
from tocsin.governance.service.proceedings import proceedings
from tocsin.ledger.service import open_ledger
from tocsin.members.service import Members

ADD = "INSERT INTO motion_endorsement (motion_id, seat, endorsed_at) VALUES (:motion, 's2', :now)"


def _kill(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die(settings: Settings, motion: str, at: int, *, committed: bool) -> None:
    """Endorse, and end as a machine that loses its power does: when all is written, before or after it is committed."""
    database = Database(settings.database(), clock=lambda: at)
    chain = open_chain(Members(database, settings), settings)
    log = open_ledger(settings, database, keys.load(settings))
    chamber = open_chamber(database, chain, settings.issuer, log)
    with proceedings(chamber) as uow:
        uow.conn.execute(text(ADD), {"motion": motion, "now": at})
        if not committed:
            event.listen(database.engine, "commit", _kill)
    _kill()


@pytest.mark.parametrize("committed", [False, True])
def test_killed_before_and_after_the_commit(
    settings: Settings, clock: MovableClock, unmeasured: None, *, committed: bool
) -> None:
    with governed(settings, clock) as board:
        motion = board.propose("community.open", "killed")
        before = dump(board.hub.database)
        spawn = multiprocessing.get_context("spawn")
        said = (board.hub.settings, motion, clock.now)
        process = spawn.Process(target=_die, args=said, kwargs={"committed": committed})
        process.start()
        process.join(120)
        assert process.exitcode == -signal.SIGKILL
        assert (dump(board.hub.database) == before) is not committed
        assert len(ask(board, "SELECT * FROM board_seal")) == 1 + committed
        assert (audit(board), faults(board), state_of(board, motion)) == ([], [], "proposed")
        # The next one goes on from there.
        motions.endorse(board.chamber, board.seated("s3"), motion)
        assert state_of(board, motion) == ("discussion" if committed else "proposed")
        check_hub(board.hub.database)

"""Rows of the proceedings that are wrong have no power, even where they are sealed so: signatures do."""

import json
import logging

import pytest
from sqlalchemy import text

from tests.support.board import Board, edit, found, rewrite
from tests.support.hub import Hub
from tests.support.officers import seats
from tocsin.governance.service import motions
from tocsin_schemas.problems import Refused


@pytest.fixture(scope="module")
def board(module_hub: Hub) -> Board:
    return found(module_hub, seats())


def ballot_of(board: Board, motion: str, seat: str) -> dict[str, object]:
    with board.hub.database.engine.connect() as conn:
        query = text("SELECT ballot FROM motion_ballot WHERE motion_id = :motion AND seat = :seat")
        found: dict[str, object] = json.loads(
            bytes(conn.execute(query, {"motion": motion, "seat": seat}).scalar_one())
        )
    return found


def opened(board: Board, slug: str) -> str:
    motion = board.propose("community.open", slug)
    board.endorse(motion)
    board.discuss(motion)
    return motion


@pytest.mark.parametrize("seat", ["s1", "s2"])
def test_a_ballot_that_was_turned_does_not_count(
    board: Board, caplog: pytest.LogCaptureFixture, seat: str
) -> None:
    motion = opened(board, f"turned-{seat}")
    board.vote(motion, seat, "no")
    board.vote(motion, "s4")
    turned = {**ballot_of(board, motion, seat), "choice": "yes"}
    rewrite(
        board.chamber,
        "UPDATE motion_ballot SET ballot = :ballot, choice = 'yes' WHERE motion_id = :motion AND seat = :seat",
        ballot=json.dumps(turned, sort_keys=True, separators=(",", ":")).encode(),
        motion=motion,
        seat=seat,
    )
    with caplog.at_level(logging.ERROR):
        closed = board.close(motion)
    assert (closed.result, [ballot.seat for ballot in closed.ballots]) == ("inquorate", ["s4"])
    assert f"motion {motion}, seat {seat}" in caplog.text
    assert f"turned-{seat}" not in board.state.communities


def test_a_ballot_for_another_seat_does_not_count(board: Board) -> None:
    motion = opened(board, "borrowed")
    for seat in ("s1", "s3", "s5"):
        board.vote(motion, seat)
    rewrite(
        board.chamber,
        "INSERT INTO motion_ballot (motion_id, seat, credential, choice, ballot, cast_at)"
        " SELECT motion_id, 's4', credential, choice, ballot, cast_at FROM motion_ballot"
        " WHERE motion_id = :motion AND seat = 's1'",
        motion=motion,
    )
    rewrite(
        board.chamber,
        "UPDATE motion_ballot SET choice = 'no' WHERE motion_id = :motion AND seat = 's1'",
        motion=motion,
    )
    # Three of five are not two thirds of the eligible, which this kind of decision takes.
    closed = board.close(motion)
    assert (closed.result, closed.meter.yes, closed.meter.no) == ("fails", 3, 0)


def test_a_decision_that_was_altered_carries_no_vote(board: Board) -> None:
    motion = opened(board, "altered")
    for seat in ("s1", "s2", "s3", "s4"):
        board.vote(motion, seat)
    view = motions.motion(board.chamber, motion)
    assert view.decision is not None
    other = {**view.decision, "subject": "smuggled"}
    rewrite(
        board.chamber,
        "UPDATE motion SET decision = :decision, subject = 'smuggled' WHERE id = :motion",
        decision=json.dumps(other, sort_keys=True, separators=(",", ":")).encode(),
        motion=motion,
    )
    assert board.close(motion).result == "inquorate"
    assert not {"altered", "smuggled"} & board.state.communities.keys()


@pytest.mark.parametrize("column", ["decision", "params"])
def test_what_cannot_be_read_any_more_lapses(board: Board, column: str) -> None:
    slug = f"broken-{column}"
    motion = opened(board, slug) if column == "decision" else board.propose("community.open", slug)
    if column == "params":
        board.endorse(motion)
    rewrite(board.chamber, f"UPDATE motion SET {column} = :junk WHERE id = :motion", junk=b"{", motion=motion)
    assert isinstance(motions.docket(board.chamber), list)
    board.clock.advance(7 * 86_400)
    assert board.hub.run_job("governance.tick")
    with board.hub.database.engine.connect() as conn:
        state = conn.execute(
            text("SELECT state FROM motion WHERE id = :motion"), {"motion": motion}
        ).scalar_one()
    assert state == "lapsed"
    if column == "params":
        with pytest.raises(Refused, match="record-malformed"):
            motions.motion(board.chamber, motion)
    assert slug not in board.state.communities


def test_a_motion_that_says_it_has_passed_has_no_record(board: Board) -> None:
    motion = board.propose("community.open", "claimed")
    rewrite(
        board.chamber,
        "UPDATE motion SET state = 'closed', result = 'passes', record_seq = 1 WHERE id = :motion",
        motion=motion,
    )
    assert board.hub.run_job("governance.tick") == 0
    assert "claimed" not in board.state.communities


def test_what_another_hand_wrote_counts_for_nothing(board: Board, caplog: pytest.LogCaptureFixture) -> None:
    """A vote that was deleted counts, and an endorser that somebody put in the place of another is none."""
    motion = board.propose("community.open", "silenced")
    board.endorse(motion, "s2", "s3")
    edit(
        board.hub,
        "UPDATE motion_endorsement SET seat = 's5' WHERE motion_id = :motion AND seat = 's3'",
        motion=motion,
    )
    board.discuss(motion)
    board.vote(motion, "s5", "no")
    edit(board.hub, "DELETE FROM motion_ballot WHERE motion_id = :motion AND seat = 's5'", motion=motion)
    with caplog.at_level(logging.WARNING):
        for seat in ("s1", "s2", "s3", "s4"):
            board.vote(motion, seat)
        closed = board.close(motion)
        assert board.hub.run_job("governance.audit") == 0
    assert "changed by another hand" in caplog.text
    assert (closed.result, closed.endorsers) == ("passes", ("s2", "s3"))
    assert {ballot.seat for ballot in closed.ballots} == {"s1", "s2", "s3", "s4", "s5"}

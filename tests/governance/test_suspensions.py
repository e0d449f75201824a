"""Suspensions on a hub: what they find they leave, and leaving is no way out of one."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from tests.support.board import VETTERS, Board, governed
from tests.support.clock import MovableClock
from tests.support.officers import panel, seats
from tocsin.config import Settings
from tocsin.governance.rules.people import Caller
from tocsin.governance.service import appeals, applications, motions
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused

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


def leave(board: Board) -> None:
    board.act("alpha", board.parties["alpha"].key, "withdraw")
    assert row(board) == "withdrawing"


def test_an_emergency_stops_who_is_leaving_and_its_days_go_on(board: Board) -> None:
    leave(board)
    board.clock.advance(29 * DAY)
    board.suspend_in_emergency("alpha")
    assert row(board) == "emergency_suspended"
    board.clock.advance(3 * DAY)
    tick(board)
    tick(board)
    member = board.state.members[ALPHA]
    assert (row(board), member.again_at(board.state.policy)) == ("withdrawn", member.since)


def test_a_motion_to_suspend_goes_on_after_its_subject_has_withdrawn(board: Board) -> None:
    until = board.clock.now + 100 * DAY
    motion = board.propose("member.suspend", ALPHA, {"until": until})
    leave(board)
    assert board.carry(motion).result == "passes"
    assert row(board) == "suspended"
    board.act("alpha", board.parties["alpha"].key, "withdraw")
    refused_for_a_year(board)


def test_a_ballot_that_was_open_when_its_subject_was_out_counts(board: Board) -> None:
    leave(board)
    board.clock.advance(20 * DAY)
    motion = board.propose("member.suspend", ALPHA, {"until": board.clock.now + 100 * DAY})
    board.endorse(motion)
    board.discuss(motion)
    board.clock.advance(4 * DAY)
    tick(board)
    assert row(board) == "withdrawn"
    for seat in ("s1", "s2", "s3", "s4", "s5"):
        board.vote(motion, seat)
    assert board.close(motion).result == "passes"
    assert row(board) == "withdrawn"
    refused_for_a_year(board)
    with pytest.raises(Refused) as caught:
        board.propose("member.suspend", ALPHA, {"until": board.clock.now + 100 * DAY})
    assert caught.value.code == "transition-forbidden"


def refused_for_a_year(board: Board) -> None:
    """Out as one that left suspended: it may not apply until a year after."""
    assert row(board) == "withdrawn"
    since, before = board.state.members[ALPHA].since, board.state
    board.clock.now = since + 365 * DAY - 1
    with pytest.raises(Refused) as caught:
        board.apply("alpha", SigningKey.generate())
    assert (caught.value.code, board.state) == ("conflict", before)
    board.clock.advance(1)
    made = board.apply("alpha", SigningKey.generate())
    assert applications.application(board.chamber, made, VETTERS[0]).state == "submitted"
    board.clock.now = since + DAY


def test_who_signed_the_emergency_does_not_hear_the_appeal(board: Board) -> None:
    independents = [name for name, held in board.officers.items() if held.seat.seat_class == "independent"]
    signing = next(name for name in independents if name.startswith("s") and board.officers[name].seat.duty)
    other = next(name for name in board.officers if board.officers[name].seat.duty and name != signing)
    board.suspend_in_emergency("alpha", signing, other)
    (confirming,) = [line.id for line in motions.docket(board.chamber) if line.type == "member.suspend"]
    for name in ("s1", "s2", "s3", "s4", "s5"):
        if name != signing:
            board.vote(confirming, name)
    assert board.close(confirming).result == "passes"
    assert row(board) == "suspended"
    of = max(board.state.decisions)
    caller = Caller("adam", frozenset({"org_admin"}), ALPHA)
    appeal = appeals.appeal(board.chamber, of, caller)
    board.discuss(appeal)
    before = motions.motion(board.chamber, appeal)
    with pytest.raises(Refused) as caught:
        board.vote(appeal, signing)
    assert caught.value.code in {"ballot-seat-unknown", "role-missing"}
    assert motions.motion(board.chamber, appeal) == before
    for name in ("p1", "p2"):
        board.vote(appeal, name)
    assert board.close(appeal).result == "passes"
    assert row(board) == "active"


def test_a_shorter_longest_suspension_voids_no_ballot_that_is_open(board: Board) -> None:
    noticed = board.clock.now - 10 * DAY
    motion = board.propose(
        "member.suspend", ALPHA, {"until": board.clock.now + 150 * DAY, "noticed_at": noticed}
    )
    board.endorse(motion)
    board.discuss(motion)
    for name in ("s1", "s2", "s3", "s4"):
        board.vote(motion, name)
    policy = board.state.policy.model_copy(update={"version": 2, "suspension": 60 * DAY})
    board.enact("policy.set", "policy", {"policy": policy.model_dump(mode="json")})
    assert board.close(motion).result == "passes"
    assert row(board) == "suspended"

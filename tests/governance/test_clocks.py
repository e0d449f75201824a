"""Time on the chain: two requests, or two clocks, that do not agree on it never make what a verifier refuses."""

import threading
from collections.abc import Iterator

import pytest

from tests.support.board import Board, governed
from tests.support.clock import MovableClock
from tests.support.officers import panel, seats
from tocsin.config import Settings
from tocsin.governance.rules.people import Caller
from tocsin.governance.service import appeals, emergency, motions, reading
from tocsin.ledger import service as ledger
from tocsin_client.board.entries import Logged
from tocsin_client.board.reading import Published
from tocsin_client.board.verify import verify_board
from tocsin_schemas.governance import MemberBody
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused

PIXEL = "https://pixel.example"


@pytest.fixture
def board(settings: Settings, clock: MovableClock) -> Iterator[Board]:
    with governed(settings, clock, [*seats(9), *panel()]) as found:
        yield found


def verify(board: Board) -> None:
    """What `tocsin board verify` finds in what this hub publishes: nothing."""
    database = board.hub.database
    files = Published(
        reading.genesis(board.chain, database),
        reading.records(board.chain, database)[0],
        reading.roster(board.chain, database),
        reading.docket(board.chain, database),
    )
    with database.snapshot() as uow:
        entries = dict(ledger.of_the_board(uow)) | dict(ledger.of_the_docket(uow))
    found = verify_board(files, Logged(entries), None)
    assert (found.misfits, found.faults) == ([], [])


def test_a_clock_that_runs_behind_writes_what_verifies(board: Board) -> None:
    board.clock.advance(100)
    board.enact("community.open", "first")
    board.clock.advance(-1)
    board.enact("community.open", "second")
    assert board.state.at == board.clock.now + 1
    verify(board)


def test_a_whole_motion_by_clocks_a_second_apart(board: Board) -> None:
    motion = board.propose("community.open", "apart")
    board.endorse(motion)
    board.clock.advance(7 * DAY)
    assert motions.motion(board.chamber, motion).state == "ballot"
    # Every vote is taken by a worker whose clock is behind the one that opened the ballot.
    board.clock.advance(-1)
    for seat in [seat for seat in board.officers if seat.startswith("s")]:
        view = board.vote(motion, seat)
    assert (view.state, view.result) == ("closed", "passes")
    verify(board)


def test_an_emergency_begun_by_a_clock_that_is_behind(board: Board) -> None:
    board.member("pixel", communities={})
    board.clock.advance(100)
    board.enact("community.open", "newest")
    board.clock.advance(-1)
    view = board.suspend_in_emergency("pixel")
    assert (view.state, view.result) == ("closed", "passes")
    (confirming,) = [line for line in motions.docket(board.chamber) if line.type == "member.suspend"]
    for seat in ("s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"):
        board.vote(confirming.id, seat)
    assert board.state.members[PIXEL].state == "suspended"
    seq = max(board.state.decisions)
    filed = appeals.appeal(board.chamber, seq, Caller("adam", frozenset({"org_admin"}), PIXEL))
    assert motions.motion(board.chamber, filed).state == "discussion"
    verify(board)


def test_an_emergency_that_nobody_can_sign_any_more_is_begun_anew(board: Board) -> None:
    """The roster is replaced between the first signature and the second."""
    board.member("pixel", communities={})
    first = emergency.begin(board.chamber, board.seated("s1"), PIXEL)
    assert emergency.begin(board.chamber, board.seated("s1"), PIXEL) == first
    roster = board.state.roster.model_copy(update={"version": 2})
    board.enact("roster.set", "roster", {"roster": roster.model_dump(mode="json", exclude_none=True)})
    with pytest.raises(Refused) as caught:
        board.vote(first, "s1")
    assert caught.value.code == "roster-mismatch"
    assert board.suspend_in_emergency("pixel").result == "passes"


def test_of_two_requests_at_once_the_later_may_be_first(board: Board) -> None:
    """The one that began first gets the lock second; SQLite has one writer at a time from its beginning."""
    if board.hub.database.dialect == "sqlite":
        pytest.skip("two transactions that write cannot be open at once")
    pixel, kiosk = (board.member(name, communities={}) for name in ("pixel", "kiosk"))
    board.clock.advance(10)
    acts = [
        MemberBody(jws=board.signed_act(name, party.key, "withdraw"))
        for name, party in (("pixel", pixel), ("kiosk", kiosk))
    ]
    locked, errors = threading.Event(), []

    def second() -> None:
        try:
            with board.hub.database.transaction() as uow:
                board.chain.lock(uow)
                locked.set()
                board.chain.append(uow, acts[1])
        except Refused as refused:
            errors.append(refused)

    with board.hub.database.transaction() as uow:
        board.clock.advance(1)
        other = threading.Thread(target=second)
        other.start()
        assert locked.wait(30)
        # Waits for the lock, and comes to write a second after it read its clock.
        record = board.chain.append(uow, acts[0])
        assert record.at == uow.now + 1
    other.join()
    assert errors == []
    verify(board)

"""The calendar decides only by a clock that is to be believed, and otherwise waits for it, or for the operator."""

import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.board import Board, governed
from tests.support.clock import MovableClock
from tocsin.config import Settings
from tocsin.jobs import metronome
from tocsin.jobs.service import JOBS, Job
from tocsin.jobs.service.calendar import AWAY, FRESH, QUIET, Calendar, confirm, steady, waits_since
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.log_times import SKEW
from tocsin_schemas.policy import DAY


class Steady:
    """A clock that nobody sets; it goes with the wall clock until a test says otherwise."""

    def __init__(self, wall: MovableClock) -> None:
        self.wall = wall
        self.leapt = 0

    def __call__(self) -> float:
        return self.wall.now - self.leapt + 0.25

    def leap(self, seconds: int) -> None:
        """Somebody sets the wall clock."""
        self.wall.advance(seconds)
        self.leapt += seconds


@pytest.fixture
def board(settings: Settings, clock: MovableClock) -> Iterator[Board]:
    with governed(settings, clock) as found:
        yield found


@pytest.fixture
def clocks(clock: MovableClock) -> Steady:
    return Steady(clock)


def process(board: Board, clocks: Steady) -> Calendar:
    """The calendar of a process that has just started."""
    return Calendar(board.hub.database, clocks)


def test_time_that_passes_is_believed(board: Board, clocks: Steady) -> None:
    of = process(board, clocks)
    for seconds in (0, 60, 3600, 90 * DAY):
        board.clock.advance(seconds)
        assert of.may_run()
        assert waits_since(board.hub.database) is None


def test_a_clock_that_leaps_is_not_believed_until_it_is_back(
    board: Board, clocks: Steady, caplog: pytest.LogCaptureFixture
) -> None:
    of = process(board, clocks)
    ran = board.clock.now
    assert of.may_run()
    clocks.leap(90 * DAY)
    assert not of.may_run()
    assert waits_since(board.hub.database) == ran
    board.clock.advance(3600)
    assert not of.may_run()
    clocks.leap(-90 * DAY)
    assert of.may_run()
    assert waits_since(board.hub.database) is None
    said = [line.message for line in caplog.records if line.name == "tocsin.jobs.service.calendar"]
    assert [text.partition(":")[0] for text in said] == ["the clock has leapt ahead", "the calendar goes on"]


@pytest.mark.parametrize(("seconds", "believed"), [(SKEW, True), (SKEW + 1, False), (-DAY, True)])
def test_a_minute_is_what_clocks_are_set_by(
    board: Board, clocks: Steady, seconds: int, believed: bool
) -> None:
    of = process(board, clocks)
    assert of.may_run()
    clocks.leap(seconds)
    assert of.may_run() is believed


def test_a_machine_that_was_paused_waits_for_the_operator(board: Board, clocks: Steady) -> None:
    """Its clock is right, and no other clock of the machine says so."""
    of = process(board, clocks)
    assert of.may_run()
    clocks.leap(2 * DAY)
    assert not of.may_run()
    confirm(board.hub.database)
    board.clock.advance(FRESH)
    assert of.may_run()
    assert of.may_run()


def test_another_process_confirms_nothing_by_running(board: Board, clock: MovableClock) -> None:
    """Two run the jobs, and the clock of one is wrong."""
    right, wrong = Steady(MovableClock(clock.now)), Steady(clock)
    of = process(board, wrong)
    assert of.may_run()
    wrong.leap(2 * DAY)
    assert not of.may_run()
    clock.advance(-2 * DAY)
    assert Calendar(board.hub.database, right).may_run()
    clock.advance(2 * DAY)
    assert not of.may_run()


@pytest.mark.parametrize(("away", "believed"), [(AWAY, True), (AWAY + 1, False)])
def test_a_hub_that_was_off_for_weeks_asks(board: Board, clocks: Steady, away: int, believed: bool) -> None:
    assert process(board, clocks).may_run()
    board.clock.advance(away)
    again = process(board, clocks)
    assert again.may_run() is believed
    confirm(board.hub.database)
    assert again.may_run()


def test_a_hub_where_it_never_ran_goes_by_its_log(board: Board, clocks: Steady) -> None:
    """What is logged while it waits is of the clock that is not believed."""
    ran = board.clock.now
    board.clock.advance(AWAY + 1)
    of = process(board, clocks)
    assert not of.may_run()
    board.propose("community.open", "meanwhile")
    board.hub.publish()
    assert not of.may_run()
    assert not process(board, clocks).may_run()
    assert waits_since(board.hub.database) == ran
    board.clock.advance(-DAY)
    assert of.may_run()


def test_people_are_told_after_minutes(board: Board, clocks: Steady) -> None:
    assert waits_since(board.hub.database) is None
    assert process(board, clocks).may_run()
    ran = board.clock.now
    board.clock.advance(QUIET)
    assert waits_since(board.hub.database) is None
    assert board.hub.http.get("/readyz").json() == {"status": "ready"}
    board.clock.advance(1)
    assert waits_since(board.hub.database) == ran
    said = board.hub.http.get("/readyz")
    assert (said.status_code, said.json()["calendar"]) == (200, f"waits since {rfc3339(ran)}")


def test_the_steady_clock_counts_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    before = steady()
    assert before <= steady() < before + 60
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    before = steady()
    assert before <= steady() < before + 60


def test_the_metronome_leaves_out_what_the_calendar_says(
    board: Board, clocks: Steady, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats: list[str] = []
    twice = threading.Semaphore(0)

    def job(name: str, *, calendar: bool) -> None:
        def beat(_means: object) -> int:
            beats.append(name)
            if not calendar:
                twice.release()
            return 0

        monkeypatch.setitem(JOBS, name, Job(name, 1, "beats", beat, lease=None, calendar=calendar))

    assert [held.name for held in JOBS.values() if held.calendar] == ["governance.tick"]
    for name in list(JOBS):
        monkeypatch.delitem(JOBS, name)
    job("test.rule", calendar=True)
    job("test.other", calendar=False)
    assert process(board, clocks).may_run()
    board.clock.advance(90 * DAY)
    scheduler = metronome.start(board.hub.means)
    for _ in range(2):
        assert twice.acquire(timeout=60)
    assert set(beats) == {"test.other"}
    confirm(board.hub.database)
    while "test.rule" not in beats:
        assert twice.acquire(timeout=60)
    scheduler.shutdown()

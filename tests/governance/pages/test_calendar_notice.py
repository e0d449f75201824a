"""The operator is told on every page that the calendar waits; nobody else is."""

from tests.governance.pages.sitting import Room
from tocsin.jobs.service.calendar import QUIET, confirm
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import DAY

WAITS = "The calendar has not run since"
AHEAD = "The newest record of the board is dated"


def test_an_operator_is_told_that_the_calendar_does_not_run(room: Room) -> None:
    confirm(room.hub.database)
    ran = room.board.clock.now
    assert WAITS not in room.people["opal"].read("/console").text
    room.board.clock.advance(QUIET + 1)
    for path in ("/console", "/console/members"):
        assert f"{WAITS} {rfc3339(ran)}" in room.people["opal"].read(path).text
        assert WAITS not in room.people["s1"].read(path).text
    confirm(room.hub.database)
    assert WAITS not in room.people["opal"].read("/console").text


def test_an_operator_is_told_of_a_record_ahead_of_the_clock(room: Room) -> None:
    confirm(room.hub.database)
    assert AHEAD not in room.people["opal"].read("/console").text
    room.board.clock.advance(DAY)
    room.board.enact("community.open", "ahead")
    room.board.clock.advance(-DAY)
    assert f"{AHEAD} {rfc3339(room.board.state.at)}" in room.people["opal"].read("/console").text
    assert AHEAD not in room.people["s1"].read("/console").text
    room.board.clock.advance(DAY)
    assert AHEAD not in room.people["opal"].read("/console").text

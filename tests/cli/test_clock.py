"""`tocsin-hub clock`: what time it is, whether the calendar waits, and that the clock is right."""

import json

import pytest

from tests.cli.running import Run
from tocsin.db import Database, system_clock
from tocsin.jobs import store
from tocsin.jobs.service.calendar import QUIET
from tocsin_schemas.ledger import rfc3339


@pytest.fixture
def ran(database_url: str) -> int:
    """The calendar last ran an hour ago."""
    at = system_clock() - 3600
    database = Database(database_url)
    with database.transaction() as uow:
        store.note_calendar(uow, at)
    database.dispose()
    return at


def test_a_hub_whose_calendar_never_ran(run: Run) -> None:
    assert "The calendar has never run." in run("clock").stdout
    said = json.loads(run("clock", "--json").stdout)
    assert (said["calendar_ran"], said["waits"]) == (None, False)


def test_a_calendar_that_waits_goes_on_when_the_clock_is_confirmed(run: Run, ran: int) -> None:
    shown = run("clock").stdout
    assert f"The calendar last ran at {rfc3339(ran)}. It waits" in shown
    assert json.loads(run("clock", "--json").stdout)["waits"] is True
    assert "Confirmed" in run("clock", "--confirm").stdout
    said = json.loads(run("clock", "--json").stdout)
    assert (said["waits"], said["calendar_ran"] > rfc3339(ran + 3600 - QUIET)) == (False, True)
    assert "It waits" not in run("clock").stdout

"""What a member is told that something is moved against, and an applicant that was admitted, in a real browser: for an
accessibility checker and, where TOCSIN_SHOTS names a folder, for a look.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pydantic import SecretStr

from tests.governance.pages.sitting import Room, seat_people, served
from tests.support.browser import running
from tests.support.clock import MovableClock
from tests.support.console import axe, browser_person, browser_sign_in, shots
from tests.support.databases import Databases
from tocsin.config import Settings
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY

PIXEL = "https://pixel.example"


@pytest.fixture
def room(databases: Databases, tmp_path: Path) -> Iterator[Room]:
    with databases.migrated("sqlite", tmp_path) as url:
        settings = Settings(
            data_dir=tmp_path / "data", database_url=SecretStr(url), ingest_processes=0, run_jobs=False
        )
        with served(settings, MovableClock()) as hub:
            yield seat_people(hub, others={})


def look(page: Page, path: str, name: str) -> None:
    page.goto(path)
    shots(page, name)
    axe(page)


def test_an_applicant_and_a_member_see_their_clocks(room: Room) -> None:
    board, key = room.board, SigningKey.generate()
    for name in ("one", "two"):
        board.member(name)
    board.activate("one", "two")
    number = board.admit("pixel", key, communities={}).application
    with running() as browser:
        page = browser.new_context(base_url=room.hub.issuer).new_page()
        look(page, f"/apply/{number}", "admitted-pending")
        expect(page.locator("pre")).to_contain_text(f"--hub {room.hub.issuer} --issuer {PIXEL} --key FILE")
        board.act("pixel", key, "prove-key", not_before=board.clock.now, not_after=board.clock.now + 99 * DAY)
        look(page, f"/apply/{number}", "admitted-member")
        page.get_by_role("link", name="In the list of members").click()
        expect(page.locator("tr:target")).to_contain_text(PIXEL)

        browser_person(page, room.hub, "oda", ("org_admin",), "https://one.example")
        board.propose("member.sanction", "https://one.example")
        noticed = board.clock.now - 7 * DAY
        moved = {"until": board.clock.now + 60 * DAY, "noticed_at": noticed}
        board.endorse(board.propose("member.suspend", "https://one.example", moved))
        look(page, "/console", "home-against")
        expect(page.get_by_role("heading", name="Moved against you")).to_be_visible()
        look(page, "/console/organisation", "organisation-against")
        board.clock.advance(7 * DAY)
        browser_sign_in(page)
        look(page, "/console/organisation", "organisation-against-ballot")
        expect(page.get_by_text("Ballot opened")).to_be_visible()

        number = board.admit("late", SigningKey.generate(), communities={}).application
        board.clock.advance(31 * DAY)
        room.hub.run_job("governance.tick")
        look(page, f"/apply/{number}", "admitted-lapsed")
        expect(page.get_by_role("link", name="apply again")).to_be_visible()
        page.context.close()

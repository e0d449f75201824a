"""Forms that do not fit, or come too late, in a real browser: for an accessibility checker and, where TOCSIN_SHOTS
names a folder, for a look.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from tests.governance.pages.sitting import seat_people, served
from tests.support.board import DOCUMENT, VETTERS
from tests.support.browser import running
from tests.support.clock import MovableClock
from tests.support.console import SHOTS, axe, browser_approve, browser_person, shots
from tests.support.databases import Databases
from tests.support.hub import Hub
from tocsin.accounts.rules import CHALLENGE_SECONDS, IDLE_SECONDS
from tocsin.config import Settings
from tocsin.governance.service import vetting
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as started:
        yield started


@pytest.fixture
def hub(databases: Databases, tmp_path: Path) -> Iterator[Hub]:
    """A hub behind a port."""
    with databases.migrated("sqlite", tmp_path) as url:
        settings = Settings(
            data_dir=tmp_path / "data", database_url=SecretStr(url), ingest_processes=0, run_jobs=False
        )
        with served(settings, MovableClock()) as made:
            yield made


def look(page: Page, name: str) -> None:
    if os.environ.get(SHOTS):
        shots(page, name)
    axe(page)


def unasked(page: Page) -> None:
    """Send forms as they are, as a browser does that asks nothing first."""
    page.evaluate("document.querySelectorAll('form').forEach((form) => { form.noValidate = true; })")


def test_no_page_is_wider_than_a_telephone_whatever_a_member_is_called(hub: Hub, browser: Browser) -> None:
    name = ".".join(["a" * 60] * 3 + ["b" * 20])
    board = seat_people(hub, {}, {}).board
    board.member(name)
    board.activate(name)
    noticed = {"until": board.clock.now + 60 * DAY, "noticed_at": board.clock.now - 8 * DAY}
    board.enact("member.suspend", f"https://{name}.example", noticed)
    page = browser.new_context(base_url=hub.issuer).new_page()
    browser_person(page, hub, "aud", ("auditor",))
    for path in (
        "/console/members",
        f"/console/members/{name}.example",
        "/console",
        "/console/audit",
        "/members",
    ):
        page.goto(path)
        axe(page)
    page.goto(f"/console/members/{name}.example")
    look(page, "long-name")
    page.goto("/console/policy/change")
    page.get_by_label("Life of a sighting").fill("21")
    quorum = page.get_by_label("Fewest votes")
    quorum.fill("0")
    unasked(page)
    page.get_by_role("button", name="See what").click()
    expect(page.get_by_label("Life of a sighting")).to_have_value("21")
    expect(quorum).to_have_value("0")
    expect(quorum).to_have_accessible_description("Give a whole number from 3 to 99")
    look(page, "policy-misfit")
    page.get_by_role("alert").get_by_role("link").click()
    expect(quorum).to_be_in_viewport()


def test_a_motion_that_does_not_fit_is_mended_in_a_browser(hub: Hub, browser: Browser) -> None:
    page = browser.new_context(base_url=hub.issuer).new_page()
    browser_person(page, hub, "ada")
    room = seat_people(hub, {"s1": "ada"}, {"vera": ("vetter",)})
    page.goto("/console/motions/new/peering.set")
    page.get_by_label("The other hub").fill("https://hub.other.example")
    page.get_by_label("SHA-256").fill("short")
    unasked(page)
    page.get_by_role("button", name="Propose it").click()
    expect(page.get_by_label("The other hub")).to_have_value("https://hub.other.example")
    digest = page.get_by_label("SHA-256")
    expect(digest).to_have_attribute("aria-invalid", "true")
    look(page, "motion-misfit")
    page.get_by_role("alert").get_by_role("link", name="SHA-256").click()
    expect(digest).to_be_in_viewport()
    digest.fill(DOCUMENT)
    page.get_by_role("button", name="Propose it").click()
    room.hub.clock.advance(CHALLENGE_SECONDS)
    browser_approve(page)
    expect(page.get_by_role("alert")).to_contain_text("This answer was not taken.")
    look(page, "approval-late")
    browser_approve(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Peer")
    number = room.board.apply("checked", SigningKey.generate(), communities={})
    vetting.begin(room.board.chamber, number, VETTERS[0])
    page.goto(f"/console/applications/{number}")
    page.get_by_label("Vetting").check()
    page.get_by_role("button", name="Read on").click()
    opened = page.locator("details.item[open]").first
    opened.get_by_label("wanting").check()
    opened.get_by_label("SHA-256 of the evidence").fill("short")
    unasked(page)
    opened.get_by_role("button", name="Record my finding").click()
    expect(opened.get_by_label("wanting")).to_be_checked()
    look(page, "finding-misfit")
    page.get_by_role("alert").get_by_role("link").click()
    expect(opened.get_by_label("SHA-256 of the evidence")).to_be_in_viewport()
    room.hub.clock.advance(IDLE_SECONDS)
    unasked(page)
    opened.get_by_role("button", name="Record my finding").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in")
    look(page, "signed-out-form")
    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    page.get_by_role("button", name="passkey").first.click()
    page.wait_for_url(f"**/console/applications/{number}")

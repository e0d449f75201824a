"""The board's pages in a real browser: a vote signed by a virtual authenticator, and every page for an accessibility
checker and, where TOCSIN_SHOTS names a folder, for a look.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from tests.governance.pages.sitting import Room, seat_people, served
from tests.support.board import DOCUMENT, VETTERS
from tests.support.browser import running
from tests.support.clock import MovableClock
from tests.support.console import SHOTS, axe, browser_approve, browser_person, browser_sign_in, shots
from tests.support.databases import Databases
from tocsin.config import Settings
from tocsin.governance.rules.vetting import ITEMS
from tocsin.governance.service import motions, vetting
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.vocabulary import DecisionType, VettingResult

PIXEL = "https://pixel.example"
ALIKE = frozenset({"home-first", "propose-key.revoke", "propose-member.suspend", "propose-community.grant"})
"""Pages made of the same parts as another one: pictures are taken of them, and that is all."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as started:
        yield started


class Seen:
    """A board, and the browser of the person in seat s1."""

    def __init__(self, page: Page, room: Room) -> None:
        self.page = page
        self.room = room
        self.board = room.board
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def propose(self, kind: DecisionType, subject: str, **params: object) -> str:
        """A motion by s5, so that s1 is asked."""
        return motions.propose(self.board.chamber, self.board.seated("s5"), kind, subject, params)

    def open(self, motion: str) -> str:
        self.board.endorse(motion, "s2", "s3")
        self.board.discuss(motion)
        return motion

    def look(self, path: str, name: str) -> None:
        """Nothing to complain about on a page, whose browser complains of nothing either."""
        if name in ALIKE and SHOTS not in os.environ:
            return
        if path:
            self.page.goto(path)
        if os.environ.get(SHOTS):
            shots(self.page, name)
        if name not in ALIKE:
            axe(self.page)
        assert [text for text in self.complaints if "status of 4" not in text] == []


@pytest.fixture(scope="module")
def ada(browser: Browser, databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """A board whose seat s1 is a person with a browser."""
    folder = tmp_path_factory.mktemp("board")
    with databases.migrated("sqlite", folder) as url:
        settings = Settings(
            data_dir=folder / "data", database_url=SecretStr(url), ingest_processes=0, run_jobs=False
        )
        with served(settings, MovableClock()) as hub:
            page = browser.new_context(base_url=hub.issuer).new_page()
            browser_person(page, hub, "ada")
            yield Seen(page, seat_people(hub, {"s1": "ada"}, {}))
            page.context.close()


def test_the_board_does_its_work_in_a_browser(ada: Seen) -> None:
    page, board = ada.page, ada.board
    ada.look("/console", "home-first")
    for slug in ("child-safety", "deepfakes"):
        motion = ada.open(ada.propose("community.open", slug))
        for seat in ("s2", "s3", "s4", "s5"):
            board.vote(motion, seat)
        board.close(motion)
    key = SigningKey.generate()
    admission = board.apply("pixel", key)
    board.vet(admission)
    motion = ada.open(motions.propose_admission(board.chamber, board.seated("s5"), admission))
    browser_sign_in(page)

    # 1. Whoever votes says first that there is no conflict, then sees what is decided, and signs it.
    ada.look(f"/console/motions/{motion}", "motion-closed")
    expect(page.get_by_text("Vetting report")).to_have_count(0)
    page.get_by_role("button", name="I have no conflict").click()
    ada.look("", "approve-declaration")
    browser_approve(page)
    for seat in ("s2", "s3", "s4"):
        board.vote(motion, seat)
    ada.look(f"/console/motions/{motion}", "motion-ballot")
    page.get_by_role("button", name="Sign my vote with a passkey").click()
    expect(page.get_by_role("row", name="s1")).to_have_count(0)
    page.get_by_label("Yes").check()
    page.get_by_role("button", name="Sign my vote with a passkey").click()
    expect(page.get_by_role("row", name="s1")).to_contain_text("passkey")
    board.vote(motion, "s5", "no")
    ada.room.hub.publish()
    ada.look(f"/console/motions/{motion}", "motion-result")
    page.get_by_role("link", name="and its proof").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Entry")
    board.act("pixel", key, "prove-key", not_before=board.clock.now, not_after=board.clock.now + 20 * DAY)

    # 2. Everything else that a seat looks at.
    talked = ada.propose("key.revoke", PIXEL, kid=key.public.kid)
    board.endorse(talked, "s2", "s3")
    motions.remark(board.chamber, board.seated("s2"), talked, "concern", "proportionality", DOCUMENT)
    page.goto(f"/console/motions/{talked}")
    page.get_by_role("button", name="I have no conflict").click()
    browser_approve(page)
    page.get_by_label("Remark", exact=True).select_option("support")
    page.get_by_label("About").select_option("urgency")
    page.get_by_role("button", name="Add the remark").click()
    expect(page.get_by_role("row", name="s1 Support Urgency")).to_be_visible()
    ada.look("", "motion-discussion")
    ada.propose("community.grant", PIXEL, community="deepfakes", read=True, write=False)
    ada.look("/console/docket", "docket")
    page.get_by_role("link", name="Your ties").click()
    ada.look("", "ties-none")
    for issuer, ended in (("https://frame.example", ""), ("https://once.example", "2025-06-30")):
        page.get_by_label("Organisation").fill(issuer)
        page.get_by_label("Ended on").fill(ended)
        page.get_by_role("button", name="Declare it").click()
        browser_approve(page)
        expect(page.get_by_role("listitem").filter(has_text=issuer)).to_be_visible()
    page.get_by_label("Organisation").fill("https://pixel.example")
    page.get_by_label("Ended on").fill("2099-01-01")
    page.get_by_role("button", name="Declare it").click()
    expect(page.get_by_role("alert")).to_contain_text("Ended on")
    ada.look("", "ties")
    for kind in ("", "/key.revoke", "/member.suspend", "/roster.set", "/community.grant"):
        ada.look(f"/console/motions/new{kind}", f"propose{kind.replace('/', '-')}")

    # 3. Applications: the purpose first, then the list and the workbench.
    board.apply("waiting", SigningKey.generate())
    halfway = board.apply("halfway", SigningKey.generate())
    vetting.begin(board.chamber, halfway, VETTERS[0])
    for place, item in enumerate(ITEMS[:8]):
        vetting.check(board.chamber, halfway, VETTERS[0], item, "pass", DOCUMENT)
        if place < 5:
            found: VettingResult = "fail" if place == 4 else "pass"
            vetting.check(board.chamber, halfway, VETTERS[1], item, found, DOCUMENT)
    page.goto("/console/applications")
    page.get_by_label("Vetting").check()
    page.get_by_role("button", name="Read on").click()
    ada.look("", "applications")
    ada.look(f"/console/applications/{halfway}", "application")
    opened = page.locator("details.item[open]")
    opened.get_by_label("good").check()
    opened.get_by_label("SHA-256 of the evidence").fill(DOCUMENT)
    opened.get_by_role("button", name="Record my finding").click()
    ada.look("", "approve-finding")
    browser_approve(page)
    expect(page.locator("#item-appeal_works tr", has_text="ada")).to_have_count(1)
    ada.look("/console", "home")

    # 4. An emergency: what it would stop, two signatures, the clock.
    ada.look(f"/console/emergency?member={PIXEL}", "emergency-preview")
    page.get_by_role("button", name="Begin the emergency suspension").click()
    browser_approve(page)
    page.get_by_label("Yes: suspend it now").check()
    page.get_by_role("button", name="Sign my vote with a passkey").click()
    expect(page.get_by_role("row", name="s1")).to_contain_text("passkey")
    board.vote(page.url.rpartition("/")[2], "s5")
    board.clock.advance(600)
    ada.look("/console/emergency", "emergency")
    expect(page.get_by_text("2 days and 23 hours left")).to_be_visible()


def test_an_applicant_needs_no_script(ada: Seen, browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context(base_url=ada.room.hub.issuer, java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto("/apply")
        page.get_by_label("Your issuer").fill("https://scriptless.example")
        page.get_by_label("What you are").select_option("platform")
        page.get_by_label("Your ultimate owner").fill("https://scriptless.example/")
        page.get_by_label("Origins you run").fill("no origin")
        page.get_by_role("button", name="Keep it as a draft").click()
        expect(page.get_by_role("alert")).to_contain_text("1 thing needs another look.")
        expect(page.get_by_label("Your issuer")).to_have_value("https://scriptless.example")
        expect(page.get_by_label("Origins you run")).to_have_value("")
        page.get_by_role("button", name="Keep it as a draft").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Kept as a draft")
        page.get_by_role("link", name="Where your application stands").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Application of https://scriptless.example")
        status = page.url
    finally:
        context.close()
    for path, name in (("/apply", "apply"), (status, "apply-status"), ("/members", "members")):
        ada.look(path, name)
    ada.page.goto("/apply")
    ada.page.get_by_role("button", name="Keep it as a draft").click()
    ada.look("", "apply-wrong")


def test_the_keys_of_a_seat_are_chosen_by_their_thumbprints(ada: Seen) -> None:
    page = ada.page
    browser_sign_in(page)
    nina = ada.room.console.person("nina")
    page.goto("/console/motions/new/roster.set")
    for name, value in {"seat": "s2", "seat_class": "platform", "issuer": "https://seat-s2.example"}.items():
        page.locator(f"[name={name}]").select_option(value)
    page.locator("[name=handle]").fill("nina")
    page.locator("[name=term_ends]").fill("2036-01-01")
    page.get_by_role("button", name="Propose it").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose them below")
    ada.look("", "propose-roster-keys")
    page.get_by_label(nina.authenticator.jwk["kid"]).check()
    page.get_by_role("button", name="Propose it").click()
    ada.look("", "approve-roster")
    browser_approve(page)
    expect(page.get_by_text("After: platform, nina until 2036-01-01")).to_be_visible()
    ada.look("", "motion-roster")
    page.get_by_role("button", name="Withdraw my motion").click()
    browser_approve(page)
    expect(page.get_by_text("Withdrawn", exact=True)).to_be_visible()
    page.goto("/console/security")
    ada.look("", "security")

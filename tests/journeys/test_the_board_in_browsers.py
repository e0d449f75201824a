"""The whole life of a member in real browsers: each of five seats, two checkers and the applicant has one.

Everything a person does is done on a page; a vote is signed by the browser's own authenticator. Only time is moved by
hand, and what a member signs with its own key it signs without a browser.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from tests.governance.pages.sitting import served
from tests.support.board import DOCUMENT, Board, found
from tests.support.browser import running
from tests.support.clock import MovableClock
from tests.support.console import browser_approve, browser_person
from tests.support.databases import Databases
from tests.support.hub import Hub
from tests.support.officers import Officer, panel, seats
from tocsin.config import Settings
from tocsin.governance.rules.applications import QUESTIONS
from tocsin.governance.rules.vetting import ITEMS
from tocsin_schemas.governance import sign_key_proof
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.roster import Credential

PIXEL = "https://pixel.example"
SIGN = "Sign my vote with a passkey"
MOTION = re.compile(r"/console/motions/(?!new)")


class Person:
    """Somebody with a browser of their own, who signs in again whenever that is needed."""

    def __init__(
        self, browser: Browser, hub: Hub, handle: str, *roles: str, issuer: str | None = None
    ) -> None:
        self.page: Page = browser.new_context(base_url=hub.issuer).new_page()
        browser_person(self.page, hub, handle, roles, issuer)

    def at(self, path: str) -> Page:
        """On a page of the console."""
        self.page.goto(path)
        if "/console/sign-in" in self.page.url:
            self.page.get_by_role("button", name="passkey").first.click()
            expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()
            self.page.goto(path)
        return self.page

    def reading(self, path: str, why: str) -> Page:
        """On a page that asks first why one reads it."""
        page = self.at(path)
        if page.get_by_role("button", name="Read on").count():
            page.get_by_label(why).first.check()
            page.get_by_role("button", name="Read on").click()
        return page

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def approve(self, name: str) -> None:
        """Press it, read what it would do, and approve that with the passkey."""
        self.press(name)
        browser_approve(self.page)


class House:
    """A hub whose board of five sits in browsers; the panel signs without one."""

    def __init__(self, hub: Hub, browser: Browser) -> None:
        self.hub = hub
        self.browser = browser
        self.people: dict[str, Person] = {}
        officers: list[Officer] = []
        for held in seats(5):
            handle = held.seat.handle
            assert handle is not None
            self.people[held.seat.seat] = Person(browser, hub, handle)
            made = [
                Credential(id=key.id, kind="webauthn", jwk=key.jwk)
                for key in hub.app.state.accounts.passkeys(handle)
            ]
            seat = held.seat.model_copy(update={"credentials": made})
            officers.append(Officer(seat, origin=hub.issuer))
        self.board: Board = found(
            hub, [*officers, *(replace(held, origin=hub.issuer) for held in panel(3))], Policy()
        )
        for handle in ("vera", "viktor"):
            self.people[handle] = Person(browser, hub, handle, "vetter")
        self.duty = [held.seat.seat for held in officers if held.seat.duty]

    @property
    def seats(self) -> list[str]:
        return [name for name in self.people if name.startswith("s")]

    def wait(self, days: float) -> None:
        """Time passes, and the hub looks at the calendar."""
        self.hub.clock.advance(round(days * DAY))
        self.hub.run_job("governance.tick")

    def state(self, issuer: str) -> str:
        return str(self.board.state.members[issuer].state)

    def propose(self, seat: str, kind: str, **chosen: str) -> str:
        """By the form; the motion's path."""
        page = self.people[seat].at(f"/console/motions/new/{kind}")
        for label, value in chosen.items():
            field = page.get_by_label(label.replace("_", " "), exact=False).first
            if field.evaluate("field => field.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)
        self.people[seat].approve("Propose it")
        page.wait_for_url(MOTION)
        return page.url.removeprefix(self.hub.issuer)

    def discuss(self, motion: str, *endorsers: str) -> None:
        """Two endorse it, one has something to say, and a week passes."""
        for seat in endorsers:
            page = self.people[seat].at(motion)
            self.people[seat].approve("I have no conflict")
            self.people[seat].approve("Endorse")
        page.get_by_label("Remark", exact=True).select_option("support")
        page.get_by_label("About").select_option("urgency")
        self.people[endorsers[-1]].press("Add the remark")
        expect(page.get_by_role("row", name=f"{endorsers[-1]} Support Urgency")).to_be_visible()
        self.wait(7)

    def vote(self, motion: str, *, by: list[str] | None = None, choice: str = "Yes") -> None:
        """Each seat reads the decision and signs its vote."""
        for seat in by or self.seats:
            page = self.people[seat].at(motion)
            if page.get_by_role("button", name="I have no conflict").count():
                self.people[seat].approve("I have no conflict")
            page.get_by_label(choice).check()
            self.people[seat].press(SIGN)
            expect(page.get_by_role("row", name=seat).first).to_contain_text("passkey")

    def decide(self, kind: str, **chosen: str) -> Page:
        """Proposed, endorsed, discussed and voted on by everybody; the page with the result."""
        motion = self.propose("s1", kind, **chosen)
        self.discuss(motion, "s2", "s3")
        self.vote(motion)
        return self.people["s5"].at(motion)

    def apply(self, name: str, key: SigningKey) -> str:
        """The public form, filled in as its questions ask; the application's number."""
        page = self.browser.new_context(base_url=self.hub.issuer).new_page()
        issuer = f"https://{name}.example"
        page.goto("/apply")
        page.get_by_label("Your issuer").fill(issuer)
        page.get_by_label("What you are").select_option("platform")
        page.get_by_label("Your ultimate owner").fill(issuer)
        for question, asked in QUESTIONS.items():
            if asked.kind == "code" and (asked.many or len(asked.choices) == 1):
                page.locator(f"#q-{question} input").first.check()
            elif asked.kind == "code":
                page.locator(f"#q-{question}").select_option(asked.choices[0])
            else:
                page.locator(f"#q-{question}").fill(issuer if asked.kind == "origin" else DOCUMENT)
        proof = sign_key_proof(iss=issuer, aud=self.hub.issuer, iat=self.hub.clock(), key=key)
        page.get_by_label("Your keys").fill(json.dumps({"jwk": key.public.jwk(), "proof": proof}))
        page.get_by_role("button", name="Hand it in").click()
        number = page.get_by_text("Number", exact=True).locator("xpath=following-sibling::*[1]").inner_text()
        page.context.close()
        return number.strip()

    def vet(self, application: str) -> None:
        """Two people look at every item."""
        path = f"/console/applications/{application}"
        for place, handle in enumerate(("vera", "viktor")):
            page = self.people[handle].reading(path, "Vetting")
            if place == 0:
                self.people[handle].approve("Begin with the checks")
            for item in ITEMS:
                part = page.locator(f"#item-{item}")
                if part.get_attribute("open") is None:
                    part.locator("summary").click()
                part.get_by_label("good").check()
                part.get_by_label("SHA-256 of the evidence").fill(DOCUMENT)
                part.get_by_role("button", name="Record my finding").click()
                browser_approve(page)
        expect(page.get_by_text("13 of 13 items are checked by two people")).to_be_visible()

    def admit(self, name: str, key: SigningKey) -> None:
        """From the form to a provisional member."""
        application = self.apply(name, key)
        self.vet(application)
        page = self.people["s1"].reading(f"/console/applications/{application}", "Vetting")
        self.people["s1"].approve("Propose the admission to the board")
        motion = page.url.removeprefix(self.hub.issuer)
        self.discuss(motion, "s2", "s3")
        self.vote(motion)
        expect(self.people["s4"].at(motion).get_by_text("5 yes, 0 no, 0 abstained")).to_be_visible()
        now = self.hub.clock()
        self.board.act(name, key, "prove-key", not_before=now, not_after=now + 300 * DAY)

    def suspend_at_once(self, issuer: str) -> str:
        """Two duty officers; the path of the ballot that follows."""
        first, second = self.duty[:2]
        page = self.people[first].at(f"/console/emergency?member={issuer}")
        expect(page.get_by_role("heading", name="What it would stop")).to_be_visible()
        self.people[first].approve("Begin the emergency suspension")
        motion = page.url.removeprefix(self.hub.issuer)
        self.vote(motion, by=[first, second], choice="Yes: suspend it now")
        page = self.people["s1"].at("/console/docket")
        row = page.get_by_role("row", name="Suspend a member").first
        return str(row.get_by_role("link").first.get_attribute("href"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def house(
    browser: Browser, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with databases.migrated("sqlite", folder) as url:
        settings = Settings(
            data_dir=folder / "data", database_url=SecretStr(url), ingest_processes=0, run_jobs=False
        )
        with served(settings, MovableClock()) as hub:
            yield House(hub, browser)


def test_the_life_of_a_member(house: House) -> None:
    key = SigningKey.generate()
    house.admit("pixel", key)
    assert house.state(PIXEL) == "provisional"

    # Thirty days, and then a ballot.
    house.wait(30)
    expect(house.decide("member.activate", Member=PIXEL).get_by_text("Passes.").first).to_be_visible()
    assert house.state(PIXEL) == "active"

    # Two of the duty officers stop it; nobody confirms, and after 72 hours it is as before.
    house.suspend_at_once(PIXEL)
    assert house.state(PIXEL) == "emergency_suspended"
    expect(house.people["s1"].at("/console/emergency").get_by_text("Suspended now")).to_be_visible()
    house.wait(3.01)
    assert house.state(PIXEL) == "active"
    page = house.people["s4"].at("/console")
    expect(page.get_by_text("ended without a ballot").first).to_be_visible()

    # Again when that may be, and this time the board confirms it, and then expels.
    house.wait(30)
    olga = Person(house.browser, house.hub, "olga", "org_admin", issuer=PIXEL)
    house.vote(house.suspend_at_once(PIXEL))
    assert house.state(PIXEL) == "suspended"
    house.decide("member.expel", Member=PIXEL)
    assert house.state(PIXEL) == "expelled"

    # The member appeals; the panel, none of whom voted, hears it.
    page = olga.at("/console/appeals/new")
    page.get_by_role("button", name="Appeal decision").last.click()
    expect(page.get_by_text("The independent panel discusses the appeal")).to_be_visible()
    house.wait(7)
    docket = house.people["s1"].at("/console/docket")
    link = docket.get_by_role("link", name="Appeal").first.get_attribute("href")
    motion = str(link).rpartition("/")[2]
    for seat in ("p1", "p2", "p3"):
        house.board.vote(motion, seat)
    assert house.state(PIXEL) == "suspended"
    expect(house.people["s1"].at("/console").get_by_text("uphold an appeal").first).to_be_visible()

"""Members, policy, keys, audit, signals and an organisation's settings in a real browser, for an accessibility checker
and, where TOCSIN_SHOTS names a folder, for a look.
"""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from tests.governance.pages.sitting import Room, seat_people, served
from tests.signals.material import md5, report
from tests.support.browser import running
from tests.support.clock import MovableClock
from tests.support.console import SHOTS, axe, browser_approve, browser_person, browser_sign_in, shots
from tests.support.databases import Databases
from tocsin.config import Settings
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY

PIXEL = "https://pixel.example"
COMMUNITY = "child-safety"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as started:
        yield started


@pytest.fixture
def room(browser: Browser, databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A board behind a port, with an active member whose administrator has a browser."""
    folder = tmp_path_factory.mktemp("records")
    with databases.migrated("sqlite", folder) as url:
        settings = Settings(
            data_dir=folder / "data", database_url=SecretStr(url), ingest_processes=0, run_jobs=False
        )
        with served(settings, MovableClock()) as hub:
            yield seat_people(hub, {}, {})


def look(page: Page, path: str, name: str) -> None:
    if path:
        page.goto(path)
    if os.environ.get(SHOTS):
        shots(page, name)
    axe(page)


def test_everything_on_record_can_be_looked_at(room: Room, browser: Browser) -> None:
    board = room.board
    board.decide("community.open", COMMUNITY)
    party = board.member("pixel")
    board.member("frame")
    board.activate("pixel", "frame")
    changed = board.state.policy.model_copy(update={"version": 2, "sighting": 14 * DAY})
    board.decide("policy.set", "policy", {"policy": changed.model_dump(mode="json")})
    party.sdk().report(COMMUNITY, [md5(9)], report(board.clock() + 20 * DAY))
    room.hub.publish()
    member = browser.new_context(base_url=room.hub.issuer).new_page()
    browser_person(member, room.hub, "olga", ("org_admin",), PIXEL)
    look(member, "/console/organisation", "organisation")
    look(member, "/console/policy", "policy")
    look(member, "/console/audit", "audit")
    member.goto("/console/signals")
    member.get_by_label("Own").check()
    member.get_by_role("button", name="Read on").click()
    member.get_by_label("Indicator").fill(str(md5(9)))
    member.get_by_role("button", name="Look").click()
    expect(member.get_by_text("candidate")).to_be_visible()
    look(member, "", "signals")
    member.get_by_role("button", name="Show").click()
    expect(member.get_by_role("row", name="test@1:benign_a")).to_have_count(1)
    look(member, "", "signals-lately")

    # A member stands up for an applicant, and asks for a decision about itself to be heard again.
    application = board.apply("newcomer", SigningKey.generate())
    look(member, "/console/sponsorship", "sponsorship")
    member.get_by_label("Number of the application").fill(application)
    member.get_by_role("button", name="Show it").click()
    look(member, "", "sponsorship-found")
    member.get_by_role("button", name="Sponsor it for").click()
    look(member, "", "approve-sponsorship")
    browser_approve(member)
    expect(member.get_by_role("status")).to_contain_text("now sponsors https://newcomer.example")
    look(member, "/console/appeals/new", "appeal-none")
    board.decide("member.sanction", PIXEL)
    browser_sign_in(member)
    look(member, "/console/appeals/new", "appeal")
    member.get_by_role("button", name="Appeal decision").click()
    expect(member.get_by_role("status")).to_contain_text("independent panel")
    look(member, "", "appeal-filed")
    member.context.close()

    auditor = browser.new_context(base_url=room.hub.issuer).new_page()
    browser_person(auditor, room.hub, "aud", ("auditor",))
    look(auditor, "/console/members", "standings")
    look(auditor, "/console/members/pixel.example", "standing")
    look(auditor, "/console/keys", "keys")
    look(auditor, "/console/audit", "audit-export")
    auditor.get_by_role("search", name="Records").get_by_label("Member or community").fill(PIXEL)
    auditor.get_by_role("button", name="Search the records").click()
    expect(auditor.get_by_role("link", name="Download all that this finds")).to_have_count(1)
    look(auditor, "", "audit-records-found")
    auditor.get_by_role("search", name="Entries").get_by_label("Kind").select_option("report")
    auditor.get_by_role("button", name="Search the log").click()
    expect(auditor.get_by_role("row", name=COMMUNITY)).to_have_count(1)
    look(auditor, "", "audit-entries")
    look(auditor, "/console/audit/entries?day=1999-12-31", "audit-entries-none")
    look(auditor, "/console/audit?subject=nowhere&day=x", "audit-wrong")
    auditor.goto("/console/members/pixel.example/scorecard")
    auditor.get_by_label("Audit").check()
    auditor.get_by_role("button", name="Read on").click()
    look(auditor, "", "scorecard")
    auditor.context.close()

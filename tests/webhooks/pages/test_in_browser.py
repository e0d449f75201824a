"""Endpoints in a real browser: from nothing to a message, through failure and back; every page is looked at."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from tests.client.webserver import Answer
from tests.governance.pages.sitting import served
from tests.support.browser import running
from tests.support.clock import MovableClock
from tests.support.console import SHOTS, axe, browser_person, browser_sign_in, shots
from tests.support.databases import Databases
from tests.support.hub import Hub
from tests.webhooks.receiving import Receiver, receiving
from tocsin.config import Settings
from tocsin.webhooks.service.replay import send_test
from tocsin_schemas.policy import DAY

PIXEL = "https://pixel.example"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as started:
        yield started


@pytest.fixture
def hub(browser: Browser, databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("endpoints")
    with databases.migrated("sqlite", folder) as url:
        settings = Settings(
            data_dir=folder / "data",
            database_url=SecretStr(url),
            ingest_processes=0,
            run_jobs=False,
            egress_allow_subnets="127.0.0.0/8",
        )
        with served(settings, MovableClock(), sandbox=True) as made:
            made.party("pixel")
            yield made


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def look(page: Page, path: str, name: str) -> None:
    if path:
        page.goto(path)
    if os.environ.get(SHOTS):
        shots(page, name)
    axe(page)


def send(hub: Hub, seconds: int = 0) -> None:
    """What the jobs do, after some time."""
    hub.clock.advance(seconds)
    hub.run_job("webhooks.fanout")
    hub.run_job("delivery.send")


def test_an_endpoint_from_its_first_day_to_its_last(browser: Browser, hub: Hub, there: Receiver) -> None:
    # Nothing here needs a script but the passkey.
    page = browser.new_context(base_url=hub.issuer).new_page()
    browser_person(page, hub, "olga", ("org_admin",), PIXEL)

    # 1. Empty, and an address that is refused.
    look(page, "/console/endpoints", "endpoints-none")
    page.get_by_label("Address").fill("https://169.254.169.254/latest")
    page.get_by_text("Only some kinds of message").click()
    page.get_by_label("Signals recalled").check()
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("alert")).to_contain_text("Address")
    expect(page.get_by_label("Signals recalled")).to_be_checked()
    expect(page.get_by_label("Address")).to_have_value("")
    look(page, "", "endpoints-wrong")

    # 2. One is made; its secret is shown once, and it does not answer yet.
    page.goto("/console/endpoints")
    page.get_by_label("Address").fill(there.url)
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(there.url)
    expect(page.get_by_text("whsec_")).to_be_visible()
    look(page, "", "endpoint-new")
    there.script = lambda _asked: Answer(404)
    page.get_by_role("button", name="Activate it").click()
    expect(page.get_by_role("alert")).to_contain_text("404")
    expect(page.get_by_text("whsec_")).to_have_count(0)
    look(page, "", "endpoint-unverified")
    there.script = None
    page.get_by_role("button", name="Activate it").click()
    expect(page.get_by_role("heading", name="All is well")).to_be_visible()
    home = page.url

    # 3. A test arrives.
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Test")
    look(page, "", "message-waiting")
    send(hub)
    page.reload()
    expect(page.get_by_role("row").filter(has_text="Status 204")).to_be_visible()
    look(page, "", "message-delivered")

    # 4. It fails, and is given up; the log says so, and it can be sent again.
    there.script = lambda _asked: Answer(503)
    page.goto(home)
    page.get_by_role("button", name="Send a test").click()
    failing = page.url
    for _ in range(6):
        send(hub, 3 * 3600)
    browser_sign_in(page)
    look(page, failing, "message-failing")
    look(page, home, "endpoint-failing")
    at, organisation = hub.app.state.webhooks, hub.members.list_members()[0].org.id
    for _ in range(5):
        send_test(at, organisation, home.rpartition("/")[2])
        for _ in range(2):
            send(hub, DAY // 2)
    browser_sign_in(page)
    look(page, f"{home}/messages", "messages")
    look(page, f"{home}/messages?state=dead", "messages-dead")
    look(page, "/console/endpoints", "endpoints")
    page.goto(home)
    look(page, "", "endpoint-disabled")
    look(page, "/console", "home-notice")
    there.script = None
    page.get_by_role("link", name="See what to do").click()
    page.get_by_role("button", name="Activate it again").click()
    expect(page.get_by_role("heading", name="All is well")).to_be_visible()
    look(page, f"{home}/messages", "messages-replay")
    page.goto(failing)
    page.get_by_role("button", name="Send it again").click()
    send(hub)
    page.reload()
    expect(page.get_by_text("Delivered").first).to_be_visible()

    # 5. Settings: other filters, a new secret, the end.
    look(page, f"{home}/settings", "endpoint-settings")
    page.get_by_label("Only what is urgent").check()
    page.get_by_role("button", name="Keep these settings").click()
    expect(page.get_by_text("only what is urgent")).to_be_visible()
    page.goto(f"{home}/settings")
    page.get_by_role("button", name="Make a new secret").click()
    expect(page.get_by_role("heading", name="The new secret")).to_be_visible()
    look(page, "", "endpoint-rotated")
    page.get_by_role("button", name="Pause it").click()
    look(page, "", "endpoint-paused")
    look(page, f"{home}/settings", "endpoint-settings-later")
    page.get_by_label("I want it gone for good.").check()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("You have none yet")).to_be_visible()
    page.context.close()

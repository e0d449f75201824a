"""The console's own pages in a real browser, with a virtual authenticator; and without JavaScript, but for passkeys."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.accounts.asking import PASSWORD
from tests.support.browser import running
from tests.support.console import Console, axe, browser_approve, browser_person, shots, virtual_authenticator
from tests.support.databases import Databases
from tests.support.hub import LiveHub, in_own_process
from tocsin.web.console import COOKIE


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def hub(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """A hub as operators run it, on a loopback address; its console is at localhost."""
    folder = tmp_path_factory.mktemp("console")
    with (
        databases.migrated("sqlite", folder) as url,
        in_own_process(url, folder, sandbox="true", run_jobs="false") as live,
    ):
        yield live


@contextmanager
def opened(browser: Browser, hub: LiveHub, *, scripts: bool = True) -> Iterator[Page]:
    """A page that must not have complained or asked for anything elsewhere when the block is done."""
    origin = Console(hub).accounts.party.origin
    context = browser.new_context(
        base_url=origin, viewport={"width": 1280, "height": 900}, java_script_enabled=scripts
    )
    page = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    try:
        yield page
        # Chromium advises to take RS256 as well; a roster carries ES256 and Ed25519 alone.
        expected = ("status of 4", "pubKeyCredParams")
        assert [text for text in complaints if not any(word in text for word in expected)] == []
        assert [url for url in asked if not url.startswith((origin, hub.issuer))] == []
    finally:
        context.close()


def test_from_a_link_to_everything_an_operator_does(browser: Browser, hub: LiveHub) -> None:
    with opened(browser, hub) as page:
        virtual_authenticator(page)
        # The address that the server prints leads to the one that passkeys work at.
        page.goto(f"{hub.issuer}/console")
        expect(page).to_have_url(f"{page.url.partition('/console')[0]}/console/sign-in")
        assert page.url.startswith("http://localhost:")
        axe(page)
        shots(page, "sign-in")

        page.goto(Console(hub).accounts.invite("ada", ("operator",)).url)
        expect(page.get_by_role("heading", level=1)).to_have_text("Welcome, ada")
        page.get_by_text("Set a password and codes instead").click()
        axe(page)
        shots(page, "enrol")
        page.get_by_role("button", name="Make a passkey").click()
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        (cookie,) = [found for found in page.context.cookies() if found["name"] == COOKIE]
        assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
        assert page.evaluate("document.cookie") == ""

        page.get_by_role("link", name="People").click()
        page.get_by_label("Handle").fill("grace")
        page.get_by_label("Role").select_option("auditor")
        page.get_by_role("button", name="Make a link").click()
        axe(page)
        shots(page, "link-asked")
        browser_approve(page)
        link = page.get_by_role("region", name="The link for grace").locator("pre").inner_text()
        axe(page)
        shots(page, "people")
        page.get_by_role("link", name="grace").click()
        axe(page)
        shots(page, "person")
        page.get_by_role("link", name="Security").click()
        axe(page)
        shots(page, "security")
        page.get_by_role("link", name="Set a password and codes").click()
        axe(page)
        page.get_by_role("button", name="Go on").click()
        browser_approve(page)
        axe(page)
        shots(page, "codes")
        page.get_by_role("link", name="How you sign in").click()
        page.get_by_role("button", name="Make another passkey").click()
        browser_approve(page)
        expect(page.get_by_role("heading", level=1)).to_have_text("Another passkey")
        axe(page)
        shots(page, "another-passkey")
        with opened(browser, hub) as other:
            virtual_authenticator(other)
            other.goto(link)
            other.get_by_role("button", name="Make a passkey").click()
            other.get_by_role("link", name="Reads").click()
            axe(other)
            shots(other, "reads")

        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_a_passkey_that_is_refused_is_explained_and_can_be_tried_again(
    browser: Browser, hub: LiveHub
) -> None:
    with opened(browser, hub) as page:
        authenticator = browser_person(page, hub, "eve")
        page.get_by_role("button", name="Sign out").click()
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        session.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": authenticator})
        unverified = virtual_authenticator(page)
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.get_by_role("status")).to_contain_text("The passkey was not used")
        expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_enabled()
        assert unverified


def test_everything_but_a_passkey_works_without_javascript(browser: Browser, hub: LiveHub) -> None:
    with opened(browser, hub, scripts=False) as page:
        page.goto(Console(hub).accounts.invite("noel", ("operator",)).url)
        expect(page.get_by_text("Passkeys need JavaScript.").first).to_be_visible()
        page.get_by_text("Set a password and codes instead").click()
        seed = page.locator("details code").inner_text().replace(" ", "")
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_label("Code of the app").fill("000000")
        page.get_by_role("button", name="Set password and codes").click()
        expect(page.get_by_role("alert")).to_contain_text("not the code of this moment")
        seed = page.locator("details code").inner_text().replace(" ", "")
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_label("Code of the app").fill(pyotp.TOTP(seed).at(int(time.time()) - 30))
        page.get_by_role("button", name="Set password and codes").click()
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()

        page.get_by_role("link", name="People").click()
        expect(page.get_by_text("A link is approved with a passkey")).to_be_visible()
        page.get_by_role("link", name="Security").click()
        page.get_by_label("Code of the app").fill(pyotp.TOTP(seed).at(int(time.time())))
        page.get_by_role("button", name="Make ten new ones").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Your recovery codes")
        assert page.locator("ul.codes li").count() == 10
        recovery = page.locator("ul.codes li").first.inner_text()

        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Handle").fill("noel")
        page.get_by_role("textbox", name="Password").fill(PASSWORD)
        page.get_by_role("textbox", name="Code").fill(recovery)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()

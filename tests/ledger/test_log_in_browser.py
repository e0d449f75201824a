"""The log's page in a real browser: without JavaScript, in both colour schemes, on a desktop and on a phone."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.signals.material import OUTCOME, RETRACTION, SIGHTING, Voice, md5
from tests.support.browser import running
from tests.support.databases import Databases
from tests.support.hub import LiveHub, in_own_process
from tocsin_schemas.ledger import Entry
from tocsin_schemas.merkle import leaf_hash
from tocsin_schemas.notes import NoteVerifier
from tocsin_schemas.tlog_policy import Log, LogPolicy
from tocsin_schemas.tlog_proof import Proof

REPORTS = 300
SIZE = REPORTS + 3
DESKTOP, PHONE = (1100, 800), (360, 740)
PAGES = ("/log", "/log?by=month", "/log/entry?number=17", "/log/entry?number=many")
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def hub(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """A hub as operators run it, with a log that its own job has published."""
    folder = tmp_path_factory.mktemp("log")
    with databases.migrated("sqlite", folder) as url, in_own_process(url, folder) as live:
        pixel, frame = Voice(live, "pixel"), Voice(live, "frame")
        receipts = pixel.batch([pixel.report(md5(n)) for n in range(REPORTS)])
        pixel.say(RETRACTION, bytes.fromhex(receipts[0]["statement"]))
        frame.say(SIGHTING, md5(1))
        last = frame.say(OUTCOME, md5(2))["seq"]
        # The SDK asks again until the job has published it.
        frame.party.sdk(retries=20).receipt(last)
        yield live


@contextmanager
def opened(
    browser: Browser,
    hub: LiveHub,
    size: tuple[int, int] = DESKTOP,
    scheme: Scheme = "light",
    *,
    scripts: bool = False,
) -> Iterator[Page]:
    """A page that must not have complained, asked for anything elsewhere, or set a cookie when the block is done."""
    context = browser.new_context(
        base_url=hub.issuer,
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        java_script_enabled=scripts,
    )
    page = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    try:
        yield page
        assert [text for text in complaints if "status of 40" not in text] == []
        assert [url for url in asked if not url.startswith(hub.issuer)] == []
        assert context.cookies() == []
    finally:
        context.close()


def test_a_visitor_finds_an_entry_and_its_proof_without_any_script(
    browser: Browser, hub: LiveHub, tmp_path: Path
) -> None:
    with opened(browser, hub) as page:
        page.goto("/log")
        expect(page).to_have_title(f"Public log of {hub.issuer.removeprefix('http://')} · Tocsin")
        expect(page.get_by_role("heading", level=1)).to_have_text("Public log")
        now = page.get_by_role("region", name="The log now")
        expect(now).to_contain_text(f"Entries {SIZE}")
        key = now.locator("dt:has-text('Key of the log') + dd").inner_text()
        page.get_by_role("link", name="12 months").click()
        expect(page.get_by_role("link", name="12 months")).to_have_attribute("aria-current", "true")
        summary = page.get_by_text("The numbers of this chart")
        table = page.get_by_role("table", name="Entries by kind and month (UTC).")
        expect(table).to_be_hidden()
        summary.click()
        expect(table.get_by_role("row").last).to_contain_text(f"{REPORTS}")

        page.get_by_label("Number of the entry").fill(str(REPORTS))
        page.get_by_role("button", name="Show the entry").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Entry {REPORTS}")
        text = page.locator("pre").inner_text()
        entry = Entry.decode(text.encode())
        assert entry.kind == "retraction"
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the proof").click()
        assert download.value.suggested_filename == f"{REPORTS}.tlog-proof"
        proof = Proof.decode(Path(download.value.path()).read_bytes())
        policy = LogPolicy(logs=(Log(NoteVerifier.parse(key)),))
        proof.verify(leaf_hash(text.encode()), policy, hub.clock())

        page.get_by_role("link", name=f"Entry {REPORTS + 1}").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Entry {REPORTS + 1}")
        page.get_by_role("link", name="Public log").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Public log")


def test_a_number_that_does_not_fit_is_explained_where_it_was_asked_for(
    browser: Browser, hub: LiveHub
) -> None:
    with opened(browser, hub) as page:
        page.goto("/log/entry?number=many")
        field = page.get_by_label("Number of the entry")
        expect(field).to_be_focused()
        expect(field).to_have_value("")
        expect(field).to_have_accessible_description(
            f"Give a whole number, in digits alone. From 0 to {SIZE - 1}. It is the seq of a receipt."
        )
        field.fill(str(SIZE))
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("The published log does not reach that far.")
        field.fill("0")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Entry 0")


def test_the_keyboard_reaches_everything_and_shows_where_it_is(browser: Browser, hub: LiveHub) -> None:
    with opened(browser, hub, scripts=True) as page:
        page.goto("/log")
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        stops = []
        while (stop := page.evaluate(FOCUSED)) is not None:
            assert stop["outline"] >= 2, stop
            stops.append(stop["name"])
            page.keyboard.press("Tab")
        wanted = ("Tocsin", "Checkpoint", "Policy for followers", "12 months", "The numbers of this chart")
        assert set(wanted) <= set(stops)
        assert "number" in stops
        page.goto("/log")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Checkpoint")).to_be_focused()


SCROLLING = "getComputedStyle(document.documentElement).scrollBehavior"
FOCUSED = """() => {
    const found = document.activeElement
    if (found === document.body) return null
    const outline = parseFloat(getComputedStyle(found).outlineWidth)
    return {name: found.name || found.innerText.trim(), outline}
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_page_is_accessible(
    browser: Browser, hub: LiveHub, size: tuple[int, int], scheme: Scheme
) -> None:
    """By axe-core: landmarks, names, contrast of at least 4.5:1, and what else WCAG 2.2 AA lets a machine find."""
    with opened(browser, hub, size, scheme, scripts=True) as page:
        for path in PAGES:
            page.goto(path)
            for details in page.locator("details").all():
                details.locator("summary").click()
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_shows_a_page_whole(browser: Browser, hub: LiveHub, path: str) -> None:
    with opened(browser, hub, (320, 600), scripts=True) as page:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        small = page.evaluate(
            """() => [...document.querySelectorAll("a, button, input, summary")]
                .filter(found => !found.closest("p") && found.className !== "skip")
                .map(found => [found.innerText || found.name, found.getBoundingClientRect().height])
                .filter(([, height]) => height < 24)"""
        )
        assert small == []


def test_the_chart_follows_the_colour_scheme_and_the_width(browser: Browser, hub: LiveHub) -> None:
    seen = {}
    for size, form in ((DESKTOP, "wide"), (PHONE, "narrow")):
        for scheme in ("light", "dark"):
            with opened(browser, hub, size, scheme, scripts=True) as page:
                page.goto("/log")
                chart = page.locator("figure img")
                expect(chart).to_have_js_property("complete", value=True)
                source = chart.evaluate("found => found.currentSrc")
                assert source.endswith(f"form={form}")
                assert chart.evaluate("found => found.naturalWidth") > 0
                assert f"{REPORTS} report" in (chart.get_attribute("alt") or "")
                seen[size, scheme] = chart.screenshot()
    assert len(set(seen.values())) == len(seen)


def test_a_chart_that_is_opened_by_itself_runs_nothing(browser: Browser, hub: LiveHub) -> None:
    with opened(browser, hub, scripts=True) as page:
        page.goto("/log/chart.svg")
        assert page.locator("svg rect").count() > 30
        blue = page.locator(".bar rect").first.evaluate("found => getComputedStyle(found).fill")
        assert blue == "rgb(11, 92, 173)"


def test_nothing_moves_for_those_who_want_no_motion(browser: Browser, hub: LiveHub) -> None:
    with opened(browser, hub, scripts=True) as page:
        page.emulate_media(reduced_motion="reduce")
        page.goto("/log")
        assert page.evaluate(SCROLLING) == "auto"
        page.emulate_media(reduced_motion="no-preference")
        assert page.evaluate(SCROLLING) == "smooth"
        assert json.loads(page.evaluate("JSON.stringify(document.getAnimations())")) == []

"""The operator's page of deliveries: what it counts, whom it is for, and how it looks in a browser."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from pydantic import SecretStr

from tests.accounts.asking import assert_refused_page
from tests.delivery.carrying import Post
from tests.governance.pages.sitting import served
from tests.support.browser import running
from tests.support.clock import MovableClock
from tests.support.console import SHOTS, Console, Visitor, axe, browser_person, shots
from tests.support.databases import Databases
from tests.support.hub import Hub, in_process
from tests.support.pages import Reader
from tests.support.sink import Sink, sink
from tocsin.config import Settings

HERE = "/console/delivery"
CHART = f"{HERE}/chart.svg"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def there() -> Iterator[Sink]:
    with sink() as made:
        yield made


@pytest.fixture
def hub(settings: Settings, clock: MovableClock) -> Iterator[Hub]:
    with in_process(settings, clock) as made:
        yield made


def people(hub: Hub) -> dict[str, Visitor]:
    console = Console(hub)
    granted = {"opal": ("operator",), "aud": ("auditor",), "vera": ("vetter",)}
    made = {handle: console.person(handle, roles) for handle, roles in granted.items()}
    made["olga"] = console.person("olga", ("org_admin",), "https://pixel.example")
    return made


def busy(hub: Hub, there: Sink) -> Post:
    """A healthy receiver, two that fail, and something that waits."""
    post = Post(hub.database)
    well, ill, odd = (post.receiver(there.url(*way)) for way in (("ok", 1), ("status", 500, 2), ("cut", 3)))
    for minute in range(12):
        post.queue(well, range(100 * minute, 100 * minute + 3 + minute % 5))
        post.queue(well, range(100 * minute + 50, 100 * minute + 52), lane=0)
        if minute % 3 == 0:
            post.queue(ill, [minute])
            post.queue(odd, [minute])
        post.courier.send_due()
        hub.clock.advance(60)
    return post


def test_nothing_yet(hub: Hub) -> None:
    found = people(hub)
    for name in ("opal", "aud"):
        text = found[name].read(HERE).text
        assert "Nothing was sent in the last hour" in text
        assert "There are none yet." in text
        assert found[name].get(CHART).headers["content-type"] == "image/svg+xml"
    for name in ("vera", "olga"):
        assert_refused_page(found[name].get(HERE), "role-missing")
        assert_refused_page(found[name].get(CHART), "role-missing")


def test_what_waits_and_who_fails(hub: Hub, there: Sink) -> None:
    post = busy(hub, there)
    late = post.receiver(there.url("ok", 9))
    post.queue(late, [7_000_001], lane=0)
    hub.clock.advance(61)
    visitor = people(hub)["opal"]
    page = visitor.read(HERE)
    assert "Urgent within 5 seconds Late the oldest has waited 1 minute and 1 second 1 The rest" in page.text
    assert "The rest within 1 minute In time 0 and 8 to be tried again" in page.text
    assert "endpoint of https://member-1.example" in page.text
    assert page.text.index("ep_2") < page.text.index("ep_3")
    assert "ep_1 " not in page.text
    assert "7000001" not in page.text
    post.courier.send_due()
    assert "Urgent within 5 seconds In time 0 The rest" in visitor.read(HERE).text


def test_the_chart_and_its_numbers(hub: Hub, there: Sink) -> None:
    busy(hub, there)
    visitor = people(hub)["opal"]
    page = visitor.read(HERE)
    (said,) = page.attributes("img", "alt")[1:]
    for form in ("wide", "narrow"):
        drawn = visitor.get(f"{CHART}?form={form}")
        assert drawn.headers["cache-control"] == "no-store"
        assert "sandbox" in drawn.headers["content-security-policy"]
        assert said in drawn.text
    assert visitor.get(f"{CHART}?form=round").status_code == 400
    assert Reader(visitor.get(HERE).text).attributes("source", "srcset") == [f"{CHART}?form=narrow"]


def test_it_is_looked_at(
    browser: Browser, there: Sink, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("delivery")
    with databases.migrated("sqlite", folder) as url:
        settings = Settings(
            data_dir=folder / "data", database_url=SecretStr(url), ingest_processes=0, run_jobs=False
        )
        with served(settings, MovableClock()) as hub:
            page = browser.new_context(base_url=hub.issuer).new_page()
            browser_person(page, hub, "opal", ("operator",))
            for name in ("delivery-none", "delivery"):
                page.goto(HERE)
                if os.environ.get(SHOTS):
                    shots(page, name)
                axe(page)
                if name == "delivery-none":
                    busy(hub, there)
            page.get_by_text("The numbers of this chart").click()
            expect(page.get_by_role("row", name="12:00 5 2")).to_be_visible()
            page.context.close()

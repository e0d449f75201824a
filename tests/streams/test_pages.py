"""Streams at the console: how they fare, what can be done with them and by whom, and how they look in a browser."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from pydantic import SecretStr

from tests.accounts.asking import SESSIONS, assert_refused_page, refuses
from tests.client.webserver import Answer
from tests.governance.pages.sitting import served
from tests.support.browser import running
from tests.support.clock import MovableClock
from tests.support.console import SHOTS, Console, Visitor, axe, browser_person, shots
from tests.support.databases import Databases
from tests.support.hub import Hub, in_process
from tests.webhooks.receiving import Receiver, receiving
from tocsin.config import Settings
from tocsin.streams.rules.events import URIS
from tocsin.streams.service import looking, managing
from tocsin.streams.service.context import Transmitter
from tocsin_schemas.policy import DAY

HERE = "/console/streams"
PIXEL, FRAME = "https://pixel.example", "https://frame.example"
EVENTS = [URIS[word] for word in ("account-disabled", "account-enabled", "indicator.corroborated")]
ASKED = SESSIONS | {"passkey"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as started:
        yield started


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiving() as made:
        made.script = lambda _asked: Answer(202)
        yield made


@dataclass
class Desk:
    """A hub with two members, whose streams are made as their software would."""

    hub: Hub
    there: Receiver

    @property
    def transmitter(self) -> Transmitter:
        found: Transmitter = self.hub.app.state.transmitter
        return found

    def org(self, issuer: str = PIXEL) -> int:
        return next(view.org.id for view in self.hub.members.list_members() if view.org.issuer == issuer)

    def stream(self, *, push: bool = True, issuer: str = PIXEL) -> str:
        """The id of a new stream."""
        delivery: dict[str, Any] = {"method": "urn:ietf:rfc:8936"}
        if push:
            delivery = {
                "method": "urn:ietf:rfc:8935",
                "endpoint_url": self.there.url,
                "authorization_header": "Bearer sealed-and-never-shown",
            }
        body = {"delivery": delivery, "events_requested": EVENTS}
        return str(managing.create(self.transmitter, self.org(issuer), body)["stream_id"])

    def status(self, stream: str) -> str:
        return looking.look(self.transmitter, self.org(), stream).stream.status


@pytest.fixture
def desk(settings: Settings, clock: MovableClock, there: Receiver) -> Iterator[Desk]:
    chosen = settings.model_copy(update={"egress_allow_subnets": "127.0.0.0/8"})
    with in_process(chosen, clock) as hub:
        hub.party("pixel")
        hub.party("frame")
        yield Desk(hub, there)


@pytest.fixture
def people(desk: Desk) -> dict[str, Visitor]:
    console = Console(desk.hub)
    return {
        "olga": console.person("olga", ("org_admin",), PIXEL),
        "otto": console.person("otto", ("org_analyst",), PIXEL),
        "fred": console.person("fred", ("org_admin",), FRAME),
        "nora": console.person("nora", ("org_admin",), "https://nobody.example"),
        "opal": console.person("opal", ("operator",)),
    }


def test_a_member_sees_its_own(desk: Desk, people: dict[str, Visitor]) -> None:
    assert "There are none yet" in people["olga"].read(HERE).text
    assert "is no member of this hub yet" in people["nora"].read(HERE).text
    assert_refused_page(people["opal"].get(HERE), "role-missing")
    pushed, polled = desk.stream(), desk.stream(push=False)
    for name in ("olga", "otto"):
        text = people[name].read(HERE).text
        for part in (pushed, polled, desk.there.url, "Fetched by your software", "account-disabled"):
            assert part in text
        assert "sealed" not in text
    assert "Remove it" not in people["otto"].read(HERE).text
    assert pushed not in people["fred"].read(HERE).text
    assert "has not answered the first event yet" in people["olga"].read(HERE).text
    desk.hub.run_job("delivery.send")
    assert "has not answered the first event yet" not in people["olga"].read(HERE).text


def test_an_administrator_checks_pauses_and_ends_a_stream(desk: Desk, people: dict[str, Visitor]) -> None:
    stream, olga = desk.stream(), people["olga"]
    desk.hub.run_job("delivery.send")
    desk.hub.clock.advance(31)
    assert olga.post(f"{HERE}/{stream}/verification").headers["location"] == f"{HERE}#{stream}"
    desk.hub.run_job("delivery.send")
    assert len(desk.there.asked) == 2
    with refuses(desk.hub, ASKED):
        assert_refused_page(olga.post(f"{HERE}/{stream}/verification"), "rate-limited")
    for status, said in (("paused", "Events are kept"), ("enabled", "go out"), ("disabled", "neither sent")):
        assert olga.post(f"{HERE}/{stream}/status", status=status).status_code == 303
        assert desk.status(stream) == status
        assert said in olga.read(HERE).text
    with refuses(desk.hub, ASKED):
        assert_refused_page(olga.post(f"{HERE}/{stream}/removal"), "request-invalid")
        assert_refused_page(olga.post(f"{HERE}/{stream}/status", status="gone"), "request-invalid")
    assert olga.post(f"{HERE}/{stream}/removal", sure="yes").headers["location"] == HERE
    assert stream not in olga.read(HERE).text


def test_nobody_else_touches_it(desk: Desk, people: dict[str, Visitor]) -> None:
    mine, unknown = desk.stream(), f"st_{'0' * 32}"
    acts = {"verification": {}, "status": {"status": "paused"}, "removal": {"sure": "yes"}}
    with refuses(desk.hub, ASKED):
        for act, fields in acts.items():
            for stream in (mine, unknown, "%00"):
                assert_refused_page(people["fred"].post(f"{HERE}/{stream}/{act}", **fields), "not-found")
            for name, code in (("otto", "role-missing"), ("opal", "role-missing"), ("nora", "not-found")):
                assert_refused_page(people[name].post(f"{HERE}/{mine}/{act}", **fields), code)


def test_people_are_told_of_a_stream_that_was_stopped(desk: Desk, people: dict[str, Visitor]) -> None:
    stream = desk.stream(push=False)
    assert "has stopped a stream" not in people["otto"].read("/console").text
    desk.hub.clock.advance(31 * DAY)
    desk.hub.run_job("streams.tick")
    assert desk.status(stream) == "paused"
    for visitor in people.values():
        assert visitor.sign_in().status_code == 303
    page = people["otto"].read("/console")
    assert "has stopped a stream of https://pixel.example. Nobody has asked for events" in page.text
    assert f"{HERE}#{stream}" in page.attributes("a", "href")
    assert "has stopped a stream" not in people["fred"].read("/console").text
    people["olga"].post(f"{HERE}/{stream}/status", status="enabled")
    assert "has stopped a stream" not in people["otto"].read("/console").text


def test_it_is_looked_at(
    browser: Browser, there: Receiver, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("streams")
    with databases.migrated("sqlite", folder) as url:
        settings = Settings(
            data_dir=folder / "data",
            database_url=SecretStr(url),
            ingest_processes=0,
            run_jobs=False,
            egress_allow_subnets="127.0.0.0/8",
        )
        with served(settings, MovableClock(), sandbox=True) as hub:
            hub.party("pixel")
            desk = Desk(hub, there)
            page = browser.new_context(base_url=hub.issuer).new_page()
            browser_person(page, hub, "olga", ("org_admin",), PIXEL)
            for name in ("streams-none", "streams"):
                page.goto(HERE)
                if os.environ.get(SHOTS):
                    shots(page, name)
                axe(page)
                if name == "streams-none":
                    stopped = desk.stream(push=False)
                    there.script = lambda _asked: Answer(500)
                    desk.stream()
                    hub.run_job("delivery.send")
                    managing.set_status(
                        desk.transmitter, desk.org(), {"stream_id": stopped, "status": "paused"}
                    )
            page.get_by_role("button", name="Enable it").click()
            expect(page.get_by_role("button", name="Enable it")).to_have_count(0)
            page.get_by_text("Stop or remove it").first.click()
            page.get_by_label("I want it gone for good.").first.check()
            page.get_by_role("button", name="Remove it").first.click()
            expect(page.get_by_role("article")).to_have_count(1)
            page.context.close()

"""A seat changes hands at the console: whoever is to hold it votes on the roster that seats them, then sits there."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from pydantic import SecretStr

from tests.accounts.asking import assert_refused_page, refuses
from tests.governance.pages.sitting import (
    ASKED,
    Room,
    challenges,
    forms,
    landed,
    seat_people,
    served,
    sitting,
)
from tests.support.browser import running
from tests.support.clock import MovableClock
from tests.support.console import SHOTS, Console, Visitor, axe, browser_person, shots
from tests.support.databases import Databases
from tests.support.hub import Hub
from tocsin.config import Settings
from tocsin.governance.service import motions
from tocsin_schemas.roster import Credential


@pytest.fixture
def room(settings: Settings, clock: MovableClock) -> Iterator[Room]:
    with sitting(settings, clock) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as started:
        yield started


def held_by(hub: Hub, handle: str) -> dict[str, Any]:
    """A seat's holder, with the passkeys they made."""
    keys = Console(hub).accounts.passkeys(handle)
    made = [Credential(id=key.id, kind="webauthn", jwk=key.jwk) for key in keys]
    return {"handle": handle, "credentials": [key.model_dump(mode="json") for key in made]}


def moved(room: Room, changed: Mapping[str, str]) -> str:
    """The open ballot on a roster in which the seats named are held by others."""
    roster = room.board.state.roster.model_dump(mode="json", exclude_none=True)
    for seat in roster["seats"]:
        if seat["seat"] in changed:
            seat.update(held_by(room.hub, changed[seat["seat"]]))
    roster["version"] += 1
    motion = room.board.propose("roster.set", "roster", {"roster": roster})
    room.board.endorse(motion, "s3", "s4")
    assert room.board.discuss(motion).state == "ballot"
    return motion


def everybody_votes(room: Room, motion: str) -> None:
    """Every seat of the roster in force, on the page of the motion."""
    for name in room.seats:
        if name != "s1":
            landed(room.people[name].post(f"/console/motions/{motion}/declaration", conflict="no"))
        landed(room.vote(name, motion))


def accept(visitor: Visitor, motion: str, choice: str = "yes", **more: str) -> Any:
    page = visitor.read(f"/console/seats/{motion}")
    signed = visitor.sign(challenges(page)[choice])
    return visitor.post(f"/console/seats/{motion}/ballots", choice=choice, **{**signed, **more})


def test_two_seats_of_five_change_hands_only_with_the_votes_of_who_comes(room: Room) -> None:
    for handle in ("nina", "grace"):
        room.people[handle] = room.console.person(handle)
    motion = moved(room, {"s2": "nina", "s5": "grace"})
    everybody_votes(room, motion)
    # Five of five in the roster in force, three of five in the next one: not enough.
    assert motions.motion(room.board.chamber, motion).state == "ballot"
    nina, grace = room.people["nina"], room.people["grace"]
    assert "You are asked to take seat s2: vote" in nina.read("/console").text
    assert_refused_page(nina.get(f"/console/motions/{motion}"), "role-missing")
    shown = nina.read(f"/console/seats/{motion}")
    assert "Seat s5 Before: independent on duty, handle-s5 until 2036-01-01" in shown.text
    assert nina.authenticator.jwk["kid"] in shown.text
    with refuses(room.hub, ASKED):
        for name in ("s2", "vera"):
            assert_refused_page(room.people[name].get(f"/console/seats/{motion}"), "not-found")
        # Who audits takes no seat, whoever offers it.
        assert_refused_page(room.people["aud"].get(f"/console/seats/{motion}"), "role-missing")
        assert_refused_page(nina.get("/console/seats/mo_0"), "not-found")
        papers = challenges(shown)
        others = nina.post(f"/console/seats/{motion}/ballots", choice="yes", **grace.sign(papers["yes"]))
        assert_refused_page(others, "ballot-credential-unknown")
        turned = nina.post(f"/console/seats/{motion}/ballots", choice="no", **nina.sign(papers["yes"]))
        assert_refused_page(turned, "ballot-invalid")
    assert landed(accept(nina, motion)) == "/console"
    again = nina.read(f"/console/seats/{motion}")
    assert "You have voted" in again.text
    assert f"/console/seats/{motion}/ballots" not in forms(again)
    assert "You are asked" not in nina.read("/console").text
    assert room.board.state.roster.version == 1
    landed(accept(grace, motion))
    assert motions.motion(room.board.chamber, motion).result == "passes"
    assert room.board.state.roster.version == 2
    # They sit there now; who sat there before does not.
    assert nina.get("/console/docket").status_code == 200
    assert_refused_page(room.people["s2"].get("/console/docket"), "role-missing")


def test_who_comes_takes_no_vote_from_who_goes(room: Room) -> None:
    room.people["nina"] = room.console.person("nina")
    motion = moved(room, {"s2": "nina"})
    landed(accept(room.people["nina"], motion, "abstain"))
    # The seat has not voted in the roster in force, and still says whether it has a conflict.
    landed(room.people["s2"].post(f"/console/motions/{motion}/declaration", conflict="no"))
    landed(room.vote("s2", motion, "no"))
    said = {(ballot.seat, ballot.choice) for ballot in motions.motion(room.board.chamber, motion).ballots}
    assert said == {("s2", "abstain"), ("s2", "no")}


def test_whoever_signed_in_without_a_passkey_takes_no_seat(room: Room) -> None:
    room.people["nina"] = room.console.person("nina")
    motion = moved(room, {"s2": "nina"})
    taker = room.console.visitor()
    assert taker.enrol(room.console.accounts.invite("nina")).status_code == 303
    with refuses(room.hub, ASKED):
        # A passkey made since, with a link of the operator: the roster that is voted on does not name it.
        assert_refused_page(accept(taker, motion), "ballot-credential-unknown")


def test_a_seat_changes_hands_in_a_browser(browser: Browser, databases: Databases, tmp_path: Path) -> None:
    with databases.migrated("sqlite", tmp_path) as url:
        settings = Settings(
            data_dir=tmp_path / "data", database_url=SecretStr(url), ingest_processes=0, run_jobs=False
        )
        with served(settings, MovableClock()) as hub:
            page = browser.new_context(base_url=hub.issuer).new_page()
            room = seat_people(hub)
            browser_person(page, hub, "nina")
            complaints: list[str] = []
            page.on("console", lambda message: complaints.append(message.text))
            motion = moved(room, {"s2": "nina"})
            browser_again(page)
            page.goto("/console")
            look(page, "home-asked")
            page.get_by_role("link", name="You are asked to take seat s2: vote").click()
            look(page, "seat-vote")
            page.get_by_label("Yes").check()
            page.get_by_role("button", name="Sign my vote with a passkey").click()
            expect(page.get_by_role("heading", name="Home")).to_be_visible()
            page.goto(f"/console/seats/{motion}")
            expect(page.get_by_text("You have voted.")).to_be_visible()
            look(page, "seat-voted")
            everybody_votes(room, motion)
            assert motions.motion(room.board.chamber, motion).result == "passes"
            page.goto("/console/docket")
            expect(page.get_by_role("heading", name="Docket")).to_be_visible()
            assert complaints == []


def browser_again(page: Any) -> None:
    page.goto("/console/sign-in")
    page.get_by_role("button", name="passkey").first.click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def look(page: Any, name: str) -> None:
    if os.environ.get(SHOTS):
        shots(page, name)
    axe(page)

"""A board whose people sit at the console: each seat votes with the passkey its person made there.

with sitting(settings, clock) as room:      five seats, two vetters, an auditor, an operator; all signed in
    room.people["s1"].get("/console")       whose session is over signs in anew
with served(settings, clock) as hub:        the same app behind a port, for a browser (`seat_people`)
"""

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Final
from urllib.parse import urlsplit

import httpx2
import uvicorn

from tests.accounts.asking import SESSIONS
from tests.support.board import Board, Officer, found, seats
from tests.support.clock import MovableClock
from tests.support.console import Console, Visitor
from tests.support.hub import Hub, in_process
from tests.support.pages import Reader
from tocsin import keys
from tocsin.accounts.rules import IDLE_SECONDS
from tocsin.app import create_app
from tocsin.config import Settings
from tocsin_schemas.policy import Policy
from tocsin_schemas.roster import Credential

OTHERS = {"vera": ("vetter",), "viktor": ("vetter",), "aud": ("auditor",), "opal": ("operator",)}


ASKED: Final = SESSIONS | {"passkey"}
"""Tables that change when somebody merely signs in and asks."""


class People(dict[str, Visitor]):
    """Visitors by seat or handle. Tests move the clock, and sessions end: whoever is asked for is signed in."""

    def __init__(self, clock: MovableClock) -> None:
        super().__init__()
        self.clock = clock
        self.seen: dict[str, int] = {}

    def __setitem__(self, name: str, visitor: Visitor) -> None:
        self.seen[name] = self.clock()
        super().__setitem__(name, visitor)

    def __getitem__(self, name: str) -> Visitor:
        visitor = super().__getitem__(name)
        if self.clock() >= self.seen[name] + IDLE_SECONDS:
            answer = visitor.sign_in()
            assert answer.status_code == 303, answer.text
        self.seen[name] = self.clock()
        return visitor


@dataclass
class Room:
    """A hub, its board, and the visitors by seat or handle."""

    hub: Hub
    board: Board
    console: Console
    people: People

    @property
    def seats(self) -> list[str]:
        return [name for name in self.people if re.fullmatch("s[1-9]", name)]

    def again(self, *names: str) -> None:
        """Sign in now whose session is over, of everybody or of those named."""
        for name in names or list(self.people):
            assert self.people[name].secret

    def purpose(self, name: str, action: str = "application.read", purpose: str = "vetting") -> None:
        """Say why one reads what is sensitive."""
        answer = self.people[name].post("/console/purpose", action=action, purpose=purpose)
        assert answer.status_code == 303, answer.text

    def vote(self, name: str, motion: str, choice: str = "yes") -> httpx2.Response:
        """Sign the paper that the page shows, and send the form."""
        visitor = self.people[name]
        papers = challenges(visitor.read(f"/console/motions/{motion}"))
        return visitor.post(
            f"/console/motions/{motion}/ballots", choice=choice, **visitor.sign(papers[choice])
        )


def challenges(page: Reader) -> dict[str, str]:
    """What each choice of a ballot would sign."""
    return {
        str(attrs["value"]): str(attrs["data-challenge"])
        for tag, attrs in page.tags
        if tag == "input" and attrs.get("name") == "choice" and attrs.get("data-challenge")
    }


def forms(page: Reader) -> set[str]:
    """Where the forms of a page post to."""
    return {
        str(attrs["action"]) for tag, attrs in page.tags if tag == "form" and attrs.get("method") == "post"
    }


def landed(answer: httpx2.Response) -> str:
    """Where a form that did something leads."""
    assert answer.status_code == 303, Reader(answer.text).text
    return urlsplit(answer.headers["location"]).path


@contextmanager
def sitting(
    settings: Settings, clock: MovableClock, others: Mapping[str, tuple[str, ...]] = OTHERS
) -> Iterator[Room]:
    """A hub with a founded board of five whose seats have made their passkeys at the console."""
    with in_process(settings.model_copy(update={"sandbox": False}), clock) as hub:
        yield seat_people(hub, others=others)


def seat_people(
    hub: Hub, browsers: Mapping[str, str] | None = None, others: Mapping[str, tuple[str, ...]] = OTHERS
) -> Room:
    """Found a board whose seats sign in over HTTP; but for those in `browsers` (seat to handle), enrolled already."""
    console = Console(hub)
    people = People(hub.clock)
    officers = []
    for held in seats(5):
        name, handle = held.seat.seat, (browsers or {}).get(held.seat.seat, held.seat.handle)
        assert handle is not None
        if handle == held.seat.handle:
            people[name] = console.person(handle)
        made = [
            Credential(id=key.id, kind="webauthn", jwk=key.jwk) for key in console.accounts.passkeys(handle)
        ]
        seat = held.seat.model_copy(update={"handle": handle, "credentials": made})
        passkey = people[name].authenticator if name in people else None
        officers.append(Officer(seat, passkey=passkey, origin=hub.issuer))
    for handle, roles in others.items():
        people[handle] = console.person(handle, roles)
    return Room(hub, found(hub, officers, Policy()), console, people)


@contextmanager
def served(settings: Settings, clock: MovableClock, *, sandbox: bool = False) -> Iterator[Hub]:
    """A hub in this process, behind a port that a browser can reach; its clock can be moved."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        issuer = f"http://localhost:{listening.getsockname()[1]}"
        chosen = settings.model_copy(update={"issuer": issuer, "sandbox": sandbox})
        keys.ensure(chosen)
        app = create_app(chosen, clock=clock)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
        thread = Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            with httpx2.Client(base_url=issuer, trust_env=False) as http:
                assert http.get("/healthz").status_code == 200
                yield Hub(app, http, chosen, clock)  # type: ignore[arg-type]  # a client like any other
        finally:
            server.should_exit = True
            thread.join()

"""A sandbox with two members whose people sit at the console, and a receiver that their endpoints can be at."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.clock import MovableClock
from tests.support.console import Console, Visitor
from tests.support.hub import Hub, in_process
from tests.support.pages import Reader
from tests.webhooks.receiving import Receiver, receiving
from tocsin.config import Settings

PIXEL, FRAME = "https://pixel.example", "https://frame.example"
PEOPLE = {
    "olga": ("org_admin", PIXEL),
    "otto": ("org_analyst", PIXEL),
    "fred": ("org_admin", FRAME),
    "pete": ("org_admin", "https://partner.example"),
    "nora": ("org_admin", "https://nobody.example"),
    "opal": ("operator", None),
    "aud": ("auditor", None),
}


class People(dict[str, Visitor]):
    """Those of `PEOPLE` by handle, each enrolled when first asked for."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def __missing__(self, handle: str) -> Visitor:
        role, issuer = PEOPLE[handle]
        self[handle] = self._console.person(handle, (role,), issuer)
        return self[handle]


@dataclass
class Desk:
    """The hub, its people by handle, and where endpoints can be."""

    hub: Hub
    people: People
    there: Receiver

    def __getitem__(self, handle: str) -> Visitor:
        return self.people[handle]

    def add(self, handle: str = "olga", **fields: str) -> tuple[str, str]:
        """Make an endpoint by its form: the path of its page, and its secret."""
        form = {"url": self.there.url, "severity": "info", "detail": "thin", **fields}
        answer = self[handle].post("/console/endpoints", **form)
        assert answer.status_code == 200, Reader(answer.text).text
        found = Reader(answer.text)
        (path,) = {one for one in found.attributes("a", "href") if one.endswith("/messages")}
        secret = next(word for word in found.text.split() if word.startswith("whsec_"))
        return path.removesuffix("/messages"), secret

    def active(self, handle: str = "olga", **fields: str) -> str:
        """The path of an endpoint that has answered."""
        path, _ = self.add(handle, **fields)
        answer = self[handle].post(f"{path}/activation")
        assert answer.status_code == 303, Reader(answer.text).text
        return path

    def test(self, path: str, handle: str = "olga") -> str:
        """Ask for a test message; the path of its page."""
        answer = self[handle].post(f"{path}/test")
        assert answer.status_code == 303, Reader(answer.text).text
        return str(answer.headers["location"])

    def send(self, seconds: int = 0) -> None:
        """What the jobs do, after some time."""
        self.hub.clock.advance(seconds)
        self.hub.run_job("webhooks.fanout")
        self.hub.run_job("delivery.send")


@pytest.fixture
def desk(settings: Settings, clock: MovableClock) -> Iterator[Desk]:
    chosen = settings.model_copy(update={"egress_allow_subnets": "127.0.0.0/8"})
    with receiving() as there, in_process(chosen, clock) as hub:
        hub.party("pixel", communities={"child-safety": "rw", "deepfakes": "w"})
        hub.party("frame")
        hub.party("partner", member_class="partner", communities={"child-safety": "r"})
        yield Desk(hub, People(Console(hub)), there)

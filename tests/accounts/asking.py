"""What tests of accounts ask for again and again."""

import re
from dataclasses import dataclass

import httpx2
import pyotp

from tests.support.console import Console, Visitor
from tests.support.hub import Hub
from tests.support.invariants import unchanged
from tests.support.pages import Reader
from tocsin.accounts.service.enrolling import new_seed
from tocsin.web.html import POLICY, SCRIPT_POLICY
from tocsin_schemas.problems import REGISTRY

PASSWORD = "twelve bells at midnight"
SESSIONS = frozenset(
    {"console_session", "session_purpose", "used_challenge", "sign_in_try", "assertion", "quota"}
)


def assert_page(answer: httpx2.Response, status: int = 200) -> Reader:
    """A page of the console with the headers each has."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] in {POLICY, SCRIPT_POLICY}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    return Reader(answer.text)


def assert_refused_page(answer: httpx2.Response, code: str) -> Reader:
    """A page that says why not."""
    problem = REGISTRY[code]
    found = assert_page(answer, problem.status)
    alerts = [attrs for _, attrs in found.tags if attrs.get("role") == "alert"]
    assert problem.title in found.text or alerts, answer.text
    return found


def assert_signed_out(visitor: Visitor) -> None:
    answer = visitor.get("/console")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in")


def refuses(hub: Hub, leave_out: frozenset[str] = SESSIONS):
    """Assert that the block changes nothing but what every request of somebody may."""
    return unchanged(hub.database, leave_out)


@dataclass
class Codes:
    """An authenticator app."""

    hub: Hub
    seed: str

    def now(self, steps: int = 0) -> str:
        return pyotp.TOTP(self.seed).at(self.hub.clock() + 30 * steps)


def with_codes(console: Console, hub: Hub, handle: str, roles: tuple[str, ...] = ()) -> tuple[Visitor, Codes]:
    """Somebody enrolled with a password and codes, and signed in; the code of that moment is used."""
    visitor = console.visitor()
    link = console.accounts.invite(handle, roles)
    path = link.url.removeprefix(console.accounts.party.origin)
    visitor.read(path)
    seed, sealed = new_seed(console.accounts.context, handle)
    codes = Codes(hub, seed)
    answer = visitor.post(path, seed=sealed, password=PASSWORD, code=codes.now())
    assert answer.status_code == 303, answer.text
    return visitor, codes


def approved_seed(visitor: Visitor) -> tuple[str, str]:
    """A new seed that the passkey of somebody answers for, and the same as the form brings it back."""
    page = assert_page(visitor.post("/console/security/codes/new"))
    (sealed,) = [str(attrs["value"]) for tag, attrs in page.tags if attrs.get("name") == "seed"]
    found = re.search(r"\b([A-Z2-7]{4} ){7}[A-Z2-7]{4}\b", page.text)
    assert found is not None
    return found.group(0).replace(" ", ""), sealed


def code_sign_in(console: Console, handle: str, password: str, code: str) -> tuple[Visitor, httpx2.Response]:
    """Somebody at the sign-in page with these words."""
    visitor = console.visitor()
    visitor.read("/console/sign-in")
    return visitor, visitor.post("/console/sign-in/code", handle=handle, password=password, code=code)

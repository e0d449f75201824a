"""People at the console: over HTTP with an authenticator in software, and in Chromium with a virtual one.

Console(hub).person("ada", roles=("vetter",))     enrolled with a passkey and signed in over HTTP
    .get("/console/people")  .post("/console/sign-out", name="value")  .sign(challenge)
    .offer("/console/ties", issuer="…")           a form as it is; `post` approves as well what it does, when asked
seat(hub, {"ada": Seated("s1", "platform", False, True)})   a roster for tests that have none; a seat's passkeys are
                                                            those its person has made
browser_person(page, hub, "ada")                  the same in a browser page with a virtual authenticator
browser_approve(page)                             what a form did is asked about, and the page's passkey approves it
shots(page, "people")                             four pictures, 1280 and 390 px, light and dark, in the folder that
                                                  the environment names in TOCSIN_SHOTS
axe(page)                                         nothing for an accessibility checker to complain about
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Protocol
from urllib.parse import urlencode, urlsplit

import httpx2
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.support.authenticator import Authenticator
from tests.support.pages import Reader
from tocsin.accounts.service import Accounts, Link, open_accounts
from tocsin.accounts.service.secrets import decode
from tocsin.web.console import COOKIE, MEDIA_TYPE, csrf
from tocsin.web.people import RelyingParty, Seated
from tocsin_schemas.problems import REGISTRY

SHOTS = "TOCSIN_SHOTS"
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
SIZES = {"1280": (1280, 900), "390": (390, 844)}


class AnyHub(Protocol):
    """A hub in this process or in one of its own."""

    @property
    def issuer(self) -> str: ...
    @property
    def http(self) -> httpx2.Client: ...


class Visitor:
    """Somebody with a browser that runs no scripts but knows passkeys. Every answer is given back as it came."""

    def __init__(self, http: httpx2.Client, party: RelyingParty) -> None:
        self.http = http
        self.party = party
        self.cookies: dict[str, str] = {}
        self.authenticator = Authenticator()

    def get(self, path: str, **headers: str) -> httpx2.Response:
        return self.send("GET", path, headers=headers)

    def post(self, path: str, /, **fields: str) -> httpx2.Response:
        """Send a form and approve with the passkey what it does, if the hub asks for that."""
        return self.approve(self.offer(path, **fields))

    def approve(self, answer: httpx2.Response) -> httpx2.Response:
        """Approve what a page asks about, if it asks."""
        asked = approval_asked(answer)
        if asked is None:
            return answer
        return self.offer(asked.path, **asked.fields, **self.sign(asked.challenge))

    def offer(self, path: str, /, **fields: str) -> httpx2.Response:
        """Send a form as one of our pages would: with its token and origin."""
        return self.send("POST", path, {"csrf": csrf(self.secret), **fields}, {"origin": self.party.origin})

    def send(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Exactly this, with the cookies there are."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {**({"cookie": cookies} if cookies else {}), **(headers or {})}
        content = None
        if fields is not None:
            content = urlencode(fields).encode()
            sent["content-type"] = MEDIA_TYPE
        self.http.cookies.clear()
        answer = self.http.request(method, path, content=content, headers=sent, follow_redirects=False)
        self.http.cookies.clear()
        for line in answer.headers.get_list("set-cookie"):
            self._keep(line)
        return answer

    @property
    def secret(self) -> str:
        """The cookie of this visitor."""
        return self.cookies.get(COOKIE, "")

    def read(self, path: str) -> Reader:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return Reader(answer.text)

    def enrol(self, link: Link) -> httpx2.Response:
        """Make a passkey with a link."""
        path = urlsplit(link.url).path
        return self.post(path, **self.make(self._challenge(path, "create")))

    def sign_in(self) -> httpx2.Response:
        """Sign in with that passkey."""
        challenge = self._challenge("/console/sign-in", "get")
        return self.post("/console/sign-in/passkey", **self.sign(challenge))

    def make(self, challenge: str, **more: Any) -> dict[str, str]:
        """The fields of a form that registers the passkey."""
        made = self.authenticator.create_json(
            decode(challenge, "challenge"), self.party.rp_id, self.party.origin, **more
        )
        return {
            "credential": made["rawId"],
            "client_data": made["response"]["clientDataJSON"],
            "attestation": made["response"]["attestationObject"],
        }

    def sign(self, challenge: str, **more: Any) -> dict[str, str]:
        """The four fields of a form that a passkey answers, for a challenge in base64url."""
        return {
            "credential": self.authenticator.id,
            **self.authenticator.get(
                decode(challenge, "challenge"), self.party.rp_id, self.party.origin, **more
            ),
        }

    def _challenge(self, path: str, kind: str) -> str:
        forms = [attrs for tag, attrs in self.read(path).tags if tag == "form"]
        (challenge,) = [form["data-challenge"] for form in forms if form.get("data-passkey") == kind]
        assert challenge is not None
        return challenge

    def _keep(self, line: str) -> None:
        name, _, rest = line.partition("=")
        value, *attributes = rest.split("; ")
        assert name.startswith("__Host-tocsin"), name
        wanted = {"httponly", "path=/", "samesite=lax", "secure"}
        assert wanted <= {attribute.lower() for attribute in attributes}, line
        if re.search(r"max-age=0", line, re.IGNORECASE):
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value


class Asked(NamedTuple):
    """What a page asks to approve: where its form goes, the fields it carries, and what a passkey has to answer."""

    path: str
    fields: dict[str, str]
    challenge: str


def approval_asked(answer: httpx2.Response) -> Asked | None:
    """What somebody is asked to approve, if they are."""
    title = REGISTRY["approval-needed"].title
    if answer.status_code != REGISTRY["approval-needed"].status or title not in answer.text:
        return None
    tags = Reader(answer.text).tags
    (at,) = [place for place, (tag, attrs) in enumerate(tags) if tag == "form" and "data-passkey" in attrs]
    form = tags[at][1]
    fields = {
        str(attrs["name"]): str(attrs["value"])
        for tag, attrs in tags[at:]
        if tag == "input" and "value" in attrs and attrs["name"] != "csrf"
    }
    return Asked(str(form["action"]), fields, str(form["data-challenge"]))


class Console:
    """The people of a hub."""

    def __init__(self, hub: AnyHub) -> None:
        self.hub = hub
        self.accounts = _accounts(hub)

    def visitor(self) -> Visitor:
        """Somebody who is not signed in."""
        return Visitor(self.hub.http, self.accounts.party)

    def person(self, handle: str, roles: Iterable[str] = (), issuer: str | None = None) -> Visitor:
        """Somebody enrolled and signed in with a passkey."""
        visitor = self.visitor()
        answer = visitor.enrol(self.accounts.invite(handle, roles, issuer))
        assert answer.status_code == 303, answer.text
        return visitor


def seat(hub: Any, seats: Mapping[str, Seated]) -> None:
    """Seat people as if a roster said so, each with the passkeys they have made by then."""
    accounts: Accounts = hub.app.state.accounts

    def seat_of(handle: str) -> Seated | None:
        found = seats.get(handle)
        if found is None or found.credentials:
            return found
        return replace(found, credentials=frozenset(key.id for key in accounts.passkeys(handle)))

    accounts.context.seats = seat_of
    accounts.context.named = seats.__contains__


def browser_person(
    page: Page, hub: AnyHub, handle: str, roles: Iterable[str] = (), issuer: str | None = None
) -> str:
    """Enrol somebody in a browser, with a virtual authenticator that stays with the page; its CDP id."""
    authenticator = virtual_authenticator(page)
    page.goto(_accounts(hub).invite(handle, roles, issuer).url)
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return authenticator


def browser_sign_in(page: Page) -> None:
    """Sign in with the page's passkey."""
    page.goto("/console/sign-in")
    page.get_by_role("button", name="passkey").first.click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def browser_approve(page: Page) -> None:
    """Approve with the page's passkey what it asks about, and see what comes of it."""
    with page.expect_navigation():
        page.get_by_role("button", name="Approve with my passkey").click()


def virtual_authenticator(page: Page) -> str:
    """Give a page an authenticator that asks nobody and says that it has (CDP, domain WebAuthn)."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return str(made["authenticatorId"])


def shots(page: Page, name: str) -> list[Path]:
    """Pictures of a page as it is now, whole: 1280 and 390 px, light and dark; none when nobody wants to look."""
    if not os.environ.get(SHOTS):
        return []
    folder = Path(os.environ[SHOTS])
    folder.mkdir(parents=True, exist_ok=True)
    before = page.viewport_size
    made = []
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            path = folder / f"{name}-{size}-{scheme}.png"
            page.screenshot(path=path, full_page=True)
            made.append(path)
    page.emulate_media(color_scheme="light")
    if before is not None:
        page.set_viewport_size(before)
    return made


def axe(page: Page) -> None:
    """Assert that axe-core finds nothing on a wide light page and on a narrow dark one, and that nothing sticks out."""
    before = page.viewport_size
    for (width, height), scheme in zip(SIZES.values(), SCHEMES, strict=True):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    page.emulate_media(color_scheme="light")
    if before is not None:
        page.set_viewport_size(before)


def _accounts(hub: Any) -> Accounts:
    """The accounts of a hub in this process; those of another are opened on its database."""
    if hasattr(hub, "app"):
        found: Accounts = hub.app.state.accounts
        return found
    from tocsin import keys

    return open_accounts(hub.settings, hub.database, keys.load(hub.settings))

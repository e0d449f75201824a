"""Script in every field of every form: shown by no page, there and then or later.

A hub with a board, a member with endpoints and streams, an applicant and open motions is walked through by everybody
who may see any of it. Each field of each form that was found is sent once with script in it and the others as they
stood, filled in where they were empty; then all pages are read once more. Pages are the same on both databases: one
will do. Nothing that somebody typed comes back before it fits, so no page may have as much as the text of it.
"""

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode, urljoin, urlsplit

import httpx2
import pytest
from pydantic import SecretStr

from tests.governance.pages.sitting import Room, sitting
from tests.governance.pages.test_admission import apply, filled, handed_in
from tests.signals.material import md5, report
from tests.support.clock import MovableClock
from tests.support.console import Visitor
from tests.support.databases import Databases
from tests.support.hub import ISSUER
from tests.support.pages import Reader
from tests.webhooks.receiving import receiving
from tocsin.accounts.rules import REASONS
from tocsin.config import Settings
from tocsin.governance.rules.people import Caller
from tocsin.governance.service import motions, vetting
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY

WORD: Final = "planted-words-of-mine"
SCRIPT: Final = f"\"'><script>alert('{WORD}')</script>{{{{7*7}}}}"
MEMBER: Final = "https://pixel.example"
COMMUNITY: Final = "child-safety"
FITTING: Final[Mapping[str, str]] = {
    "issuer": MEMBER,
    "owner": MEMBER,
    "subject": "a-new-place",
    "complainant": "https://kiosk.example",
    "document": "0" * 64,
    "evidence": "0" * 64,
    "handle": "somebody-else",
    "ended_at": "2026-01-01",
    "until": "2027-01-01",
    "url": "https://9.9.9.9/",
    "value": str(md5(1)),
    "of": "1",
}
"""What fits a field that is empty, by its name: so that a refusal is of the field with script in it."""
LAST: Final = re.compile(r"removal|remove|withdraw|revo|rotation|state|status|lock|revoke|people|security")
"""What such a form might take away is needed by the others: they come last."""
LEFT_OUT: Final = {
    "/console/sign-out": "has no field, and ends the walk",
    "/console/security/sessions/end": "the same",
}
ALONE: Final[Mapping[str, str]] = {
    "/console/sign-in/passkey": "tests/accounts/test_forms.py",
    "/console/sign-in/code": "tests/accounts/test_forms.py",
    "/console/sign-in/openid": "has no field, and is there where a provider is",
    "/console/enrol/{token}": "tests/accounts/test_forms.py",
    "/console/security/openid": "there where a provider is",
    "/console/security/openid/remove": "the same",
    "/console/security/codes/remove": "has no field",
    "/console/security/recovery": "has no field",
    "/console/security/codes": "comes after a passkey's answer: tests/accounts/test_forms.py",
    "/console/security/passkeys": "comes after a passkey's answer: the fields of enrolment",
    "/console/seats/{motion_id}/ballots": "the ballot of who is to be seated: the fields of a motion's",
    "/apply/{application_id}/appeal": "there after a rejection: the field of a withdrawal",
    "/apply/{application_id}/answers": "there while something is asked: the fields of an application",
}
"""Forms that the walk does not come by, and where they are tried or why they need not be."""


class Form(NamedTuple):
    """A form that a page showed somebody: where it goes, and its fields as they stood."""

    who: str
    method: str
    action: str
    fields: tuple[tuple[str, str], ...]


class Forms(HTMLParser):
    """The forms of a page, each field with what a browser would send, and the page's links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, dict[str, str]]] = []
        self.links: list[str] = []
        self._select = ""
        self.feed(page)

    def leads(self) -> Iterator[str]:
        """Where links go, and forms that only ask."""
        yield from self.links
        for method, action, fields in self.found:
            if method == "get":
                yield f"{action}?{urlencode({name: value or fitting(name) for name, value in fields.items()})}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        name = said.get("name", "")
        if tag == "a":
            self.links.append(said.get("href", ""))
        elif tag == "form":
            self.found.append((said.get("method", "get").lower(), said.get("action", ""), {}))
        elif tag == "option" and self._select and self.found:
            fields = self.found[-1][2]
            if not fields[self._select] or "selected" in said:
                fields[self._select] = said.get("value", "")
        elif name and name != "csrf" and tag in {"input", "select", "textarea", "button"} and self.found:
            fields = self.found[-1][2]
            kept = said.get("type") in {"radio", "checkbox"} and "checked" not in said
            fields[name] = fields.get(name) or ("" if kept else said.get("value", ""))
        if "formaction" in said and self.found:
            self.found.append(("post", said["formaction"], self.found[-1][2]))
        self._select = name if tag == "select" else self._select if tag == "option" else ""


class Walk:
    """Who is there, and what each of them was shown."""

    def __init__(self, room: Room, people: Mapping[str, Visitor]) -> None:
        self.room = room
        self.people = people
        self.pages: dict[tuple[str, str], str] = {}
        self.shown: set[str] = set()
        self.forms: dict[tuple[str, str, frozenset[str]], Form] = {}

    def walk(self, who: str) -> Iterator[tuple[str, httpx2.Response]]:
        """Every page that links lead to, of each sort a few."""
        waiting, seen, sorts = ["/console", "/apply"], set[str](), dict[str, int]()
        while waiting:
            path = waiting.pop(0)
            if path in seen:
                continue
            seen.add(path)
            answer = self.people[who].get(path)
            yield path, answer
            if not answer.headers.get("content-type", "").startswith("text/html"):
                continue
            for link in Forms(answer.text).leads():
                found = urlsplit(urljoin(path, link))
                where = found.path + (f"?{found.query}" if found.query else "")
                if found.netloc or not found.path.startswith(("/console", "/apply")) or where in seen:
                    continue
                sort = re.sub(r"(?<=[/=])(?:[a-z]{2,3}_)?[0-9a-f-]{4,}|\d+", "*", where)
                sorts[sort] = sorts.get(sort, 0) + 1
                if sorts[sort] <= 5:
                    waiting.append(where)

    def gather(self) -> None:
        """Read everything, and remember each form once, whoever saw it first."""
        for who in self.people:
            for path, answer in self.walk(who):
                assert answer.status_code < 500, (who, path)
                self.pages[who, path] = answer.text
                for method, action, fields in Forms(answer.text).found:
                    target = urlsplit(urljoin(path, action or path)).path
                    sort = re.sub(r"/[a-z]{2,3}_[0-9a-f]{32}", "/*", target)
                    filled = {name: value or fitting(name) for name, value in fields.items()}
                    form = Form(who, method, target, tuple(filled.items()))
                    self.shown.add(target)
                    if fields and target not in LEFT_OUT:
                        self.forms.setdefault((method, sort, frozenset(fields)), form)

    def send(self, form: Form, name: str) -> httpx2.Response:
        fields = {**dict(form.fields), name: SCRIPT}
        if form.method == "get":
            return self.people[form.who].get(f"{form.action}?{urlencode(fields)}")
        asked = self.people[form.who].offer(form.action, **fields)
        assert WORD not in asked.text, (form, name)
        return self.people[form.who].approve(asked)


def fitting(name: str) -> str:
    return FITTING.get(name.rpartition(".")[2], "")


@pytest.fixture(scope="module")
def walk(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    folder = tmp_path_factory.mktemp("script")
    with databases.migrated("sqlite", folder) as url, receiving() as there:
        settings = Settings(
            issuer=ISSUER,
            data_dir=folder / "data",
            database_url=SecretStr(url),
            ingest_processes=0,
            run_jobs=False,
            egress_allow_subnets="127.0.0.0/8",
        )
        with sitting(settings, MovableClock()) as room:
            yield furnished(room, there.url)


def furnished(room: Room, url: str) -> Walk:
    """Something on every page."""
    board, hub = room.board, room.hub
    party = board.member("pixel", communities={COMMUNITY: "rw"})
    board.activate("pixel")
    number, secret = handed_in(room, "newcomer")
    vetting.begin(board.chamber, number, Caller("vera", frozenset({"vetter"})))
    held = apply(room, filled(room, "patient", SigningKey.generate(), do="draft"))
    draft = next(word for word in Reader(held.text).text.split() if word.startswith("ap_"))
    ready, _ = handed_in(room, "ready")
    handed_in(room, "waiting")
    board.vet(ready)
    for kind in ("proposed", "discussed", "voted-on"):
        made = board.propose("community.open", f"place-{kind}")
        if kind == "proposed":
            motions.declare(board.chamber, board.seated("s2"), made, conflict=False)
        else:
            board.endorse(made)
        if kind == "voted-on":
            board.discuss(made)
    other = board.propose("community.open", "place-later")
    board.endorse(other)
    motions.declare(board.chamber, board.seated("s3"), other, conflict=False)
    room.again()
    people = {name: room.people[name] for name in ("s1", "s2", "s4", "vera", "aud", "opal")}
    for handle, role in (("olga", "org_admin"), ("otto", "org_analyst")):
        people[handle] = room.people[handle] = room.console.person(handle, (role,), MEMBER)
    people["applicant"] = room.console.visitor()
    people["applicant"].get("/apply")
    for action, reasons in REASONS.items():
        for name, visitor in people.items():
            if name not in {"applicant", "s4"}:
                visitor.post("/console/purpose", action=action, purpose=reasons[0])
    headers = party.bearer()
    party.sdk().report(COMMUNITY, [md5(1)], report(hub.clock() + DAY))
    made_endpoint = hub.http.post("/v1/webhooks/endpoints", json={"url": url}, headers=headers).json()["id"]
    hub.http.post(f"/v1/webhooks/endpoints/{made_endpoint}/activation", headers=headers)
    hub.http.post(f"/v1/webhooks/endpoints/{made_endpoint}/test", headers=headers)
    hub.run_job("delivery.send")
    hub.http.post("/v1/webhooks/endpoints", json={"url": url}, headers=headers)
    stream = hub.http.post("/ssf/stream", json={"events_requested": []}, headers=headers)
    assert stream.status_code == 201, stream.text
    board.enact("member.sanction", MEMBER, {"noticed_at": board.clock.now - 8 * DAY})
    found = Walk(room, people)
    found.people["applicant"].get(f"/apply/{draft}")
    for path in (f"/apply/{number}", f"/apply/{draft}"):
        answer = people["applicant"].get(path)
        for method, leads, fields in Forms(answer.text).found:
            sent = tuple((name, value or secret) for name, value in fields.items())
            target = urlsplit(urljoin(path, leads or path)).path
            found.shown.add(target)
            found.forms[method, target, frozenset(fields)] = Form("applicant", method, target, sent)
    found.gather()
    return found


def test_script_in_a_field_is_shown_by_no_page(walk: Walk) -> None:
    tried = 0
    for form in sorted(walk.forms.values(), key=lambda form: bool(LAST.search(form.action))):
        for name, _ in form.fields:
            answer = walk.send(form, name)
            assert answer.status_code < 500, (form, name)
            assert WORD not in answer.text, (form, name)
            assert WORD not in str(answer.headers), (form, name)
            assert "{{7*7}}" not in answer.text, (form, name)
            tried += 1
    assert tried > 200
    walk.room.again()
    read = 0
    for who in walk.people:
        for path, answer in walk.walk(who):
            assert WORD not in answer.text, (who, path)
            read += 1
    assert read > 100


def test_script_in_an_address_is_shown_by_no_page(walk: Walk) -> None:
    planted = quote(SCRIPT, safe="")
    for who, path in walk.pages:
        bare = path.partition("?")[0]
        for asked in (f"{bare}?{planted}={planted}", f"{bare.rpartition('/')[0]}/{planted}"):
            answer = walk.people[who].get(asked)
            assert answer.status_code < 500, (who, asked)
            assert WORD not in answer.text, (who, asked)


def test_no_form_is_forgotten(walk: Walk) -> None:
    """Every form was shown, and so tried if it has fields; or its address stands in a list with the reason."""
    missing = []
    for route in walk.room.hub.app.routes:
        path = str(getattr(route, "path", ""))
        if "POST" not in (getattr(route, "methods", None) or ()) or not path.startswith(
            ("/console", "/apply")
        ):
            continue
        takes = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))
        if path not in {*LEFT_OUT, *ALONE} and not any(takes.fullmatch(action) for action in walk.shown):
            missing.append(path)
    assert missing == [], "\n".join(missing)

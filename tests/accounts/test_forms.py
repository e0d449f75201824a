"""Forms: from the console's own pages, by whom they were made for, and nothing sent is ever shown again."""

import re
from urllib.parse import urlencode

from tests.accounts.asking import assert_refused_page, refuses, with_codes
from tests.support.console import Console, approval_asked
from tests.support.hub import Hub
from tests.support.pages import Reader
from tocsin.web.console import MAX_FORM_BYTES, MEDIA_TYPE, csrf
from tocsin.web.html import POLICY, SCRIPT_POLICY

ORIGIN = "https://hub.example"
SCRIPT = "\"><script>alert('tocsin')</script>"


ELSEWHERE: tuple[dict[str, str], ...] = (
    {},
    {"origin": "https://evil.example"},
    {"origin": "https://hub.example.evil.example"},
    {"origin": "http://hub.example"},
    {"origin": "https://hub.example:444"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "https://evil.example", "sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "none"},
)


def test_a_form_from_elsewhere_does_nothing(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle, ("operator",))
    fields = {"csrf": csrf(visitor.secret), "handle": f"{handle}-new", "role": "", "issuer": ""}
    with refuses(site, frozenset()):
        for headers in ELSEWHERE:
            answer = visitor.send("POST", "/console/people", fields, headers)
            assert_refused_page(answer, "origin-mismatch")
    for headers in ({"origin": ORIGIN}, {"sec-fetch-site": "same-origin"}):
        assert approval_asked(visitor.send("POST", "/console/people", fields, headers)) is not None


def test_a_form_needs_the_token_of_its_visitor(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle, ("operator",))
    other = console.person(f"{handle}-b", ("operator",))
    stranger = console.visitor()
    stranger.read("/console/sign-in")
    sent = {"origin": ORIGIN}
    with refuses(site, frozenset()):
        for token in (
            "",
            "x",
            csrf(other.secret),
            csrf(stranger.secret),
            csrf(visitor.secret)[:-1],
            "\u00e9",
        ):
            fields = {"csrf": token, "handle": f"{handle}-new"}
            answer = visitor.send("POST", "/console/people", fields, sent)
            assert_refused_page(answer, "form-token-invalid")
        assert_refused_page(
            visitor.send("POST", "/console/people", {"handle": "x"}, sent), "form-token-invalid"
        )
        nobody = console.visitor()
        answer = nobody.send("POST", "/console/sign-in/code", {"csrf": csrf(""), "handle": handle}, sent)
        assert_refused_page(answer, "form-token-invalid")
    # Signing in anew voids the forms of before.
    before = csrf(visitor.secret)
    visitor.sign_in()
    answer = visitor.send("POST", "/console/people", {"csrf": before, "handle": "x"}, sent)
    assert_refused_page(answer, "form-token-invalid")


def test_what_is_no_form(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle, ("operator",))
    token = csrf(visitor.secret)

    def send(content: bytes, media_type: str = MEDIA_TYPE):
        cookie = f"__Host-tocsin={visitor.secret}"
        headers = {"origin": ORIGIN, "content-type": media_type, "cookie": cookie}
        return visitor.http.post("/console/people", content=content, headers=headers)

    good = urlencode({"csrf": token, "handle": "x"}).encode()
    with refuses(site, frozenset()):
        assert_refused_page(send(good, "text/plain"), "unsupported-media-type")
        assert_refused_page(send(good, "multipart/form-data; boundary=x"), "unsupported-media-type")
        assert_refused_page(send(b"{}", "application/json"), "unsupported-media-type")
        assert_refused_page(send(b"x" * (MAX_FORM_BYTES + 1)), "payload-too-large")
        for content in (
            good + b"&handle=y",
            good + b"&csrf=" + token.encode(),
            b"\xff",
            b"csrf=%ff&x=1",
            b"a&b",
            b"&",
        ):
            assert_refused_page(send(content), "request-invalid")
        assert_refused_page(send(urlencode({"csrf": token}).encode()), "request-invalid")
        assert_refused_page(send(b""), "form-token-invalid")


def test_every_page_runs_at_most_the_one_script(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle, ("operator",))
    link = console.accounts.invite(f"{handle}-b").url.removeprefix(ORIGIN)
    seen = set()
    for path in (
        "/console",
        "/console/people",
        f"/console/people/{handle}",
        "/console/security",
        "/console/security/codes",
        "/console/sign-in",
        link,
        "/console/nothing",
        "/console/reads",
    ):
        answer = visitor.get(path)
        found = Reader(answer.text)
        scripts = [attrs for tag, attrs in found.tags if tag == "script"]
        policy = answer.headers["content-security-policy"]
        assert policy == (SCRIPT_POLICY if scripts else POLICY)
        assert "unsafe" not in policy
        assert "*" not in policy
        for attrs in scripts:
            assert set(attrs) == {"src", "defer"}
            seen.add(attrs["src"])
        assert not [
            name for _, attrs in found.tags for name in attrs if name.startswith("on") or name == "style"
        ]
        assert {tag for tag, _ in found.tags} & {"style", "iframe", "object", "embed", "base"} == set()
        asked = [
            *found.attributes("script", "src"),
            *found.attributes("link", "href"),
            *found.attributes("img", "src"),
        ]
        for address in asked:
            assert visitor.get(address).status_code == 200
        for tag, attrs in found.tags:
            if tag == "form" and attrs.get("method") == "post":
                assert (attrs.get("action") or "/").startswith("/")
    assert len(seen) == 1
    (script,) = seen
    answer = visitor.get(str(script))
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert not re.search(r"eval|innerHTML|fetch\(|XMLHttp|document\.write", answer.text)


def test_script_in_every_field_of_every_form_is_shown_nowhere(
    console: Console, site: Hub, handle: str
) -> None:
    """Stored and reflected: each field of each form of each page, each alone, with the others as they were."""
    visitor, _ = with_codes(console, site, handle, ("operator",))
    console.accounts.invite(f"{handle}-b")
    link = console.accounts.invite(f"{handle}-c").url.removeprefix(ORIGIN)
    paths = [
        "/console/sign-in",
        link,
        "/console/people",
        f"/console/people/{handle}-b",
        "/console/security",
        "/console/security/codes",
    ]
    tried = 0
    for path in paths:
        for action, names in _forms(visitor.get(path).text, path):
            if action in {"/console/sign-out", "/console/security/sessions/end"}:
                continue
            for name in names:
                fields = dict.fromkeys(names, "aaaa") | {name: SCRIPT}
                answer = visitor.post(action, **fields)
                assert answer.status_code in {200, 303, 400, 401, 403, 404, 409, 410, 422, 429}, (
                    action,
                    name,
                )
                assert "alert(" not in answer.text, (action, name)
                assert "aaaa" not in answer.text.replace("aaaa-", ""), (action, name)
                tried += 1
    assert tried >= 19
    for path in (
        *paths,
        "/console/people/%3Cscript%3E",
        "/console?x=%3Cscript%3Ealert(1)%3C/script%3E",
        "/console/reads",
    ):
        assert "<script>" not in visitor.get(path).text
        assert "alert(" not in visitor.get(path).text


def _forms(text: str, path: str) -> list[tuple[str, list[str]]]:
    """Each form's action, and the names of its fields."""
    found: list[tuple[str, list[str]]] = []
    for tag, attrs in Reader(text).tags:
        if tag == "form":
            found.append((attrs.get("action") or path, []))
        elif tag in {"input", "select"} and attrs.get("name") not in {None, "csrf"}:
            found[-1][1].append(str(attrs["name"]))
    return found

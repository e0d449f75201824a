"""The console over HTTP: who calls, what they sent, and pages in one layout. Pages of every feature are made with it.

Rules: every route of a person names its action in `person(action)`; every form goes through `form`, which wants the
console's own origin and a token bound to the visitor's cookie; a form that approves something goes through
`tocsin.web.approving`. The cookie is a secret of 256 random bits; before somebody has signed in it stands for nothing,
and signing in gives a new one. A page runs no script but passkey.js, and that only where it says so. What somebody sent
is never shown again before it fits.

The person is found by `app.state.accounts` (see `Desk`), what they are told on every page by `app.state.notices` (see
`Notice`); the composition root puts both there.
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Annotated, Any, Final, NamedTuple, Protocol, TypeVar
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.routing import Match

from tocsin.errors import Refused
from tocsin.web import html
from tocsin.web.body import Body, body
from tocsin.web.people import Action, ApprovalNeeded, Halted, Person, PurposeNeeded, RelyingParty
from tocsin_schemas.problems import REGISTRY

HOME: Final = "/console"
SIGN_IN: Final = "/console/sign-in"
PREFIXES: Final = (HOME, "/apply", "/members")
"""Where a refusal is a page for people and not a problem document."""
COOKIE: Final = "__Host-tocsin"
RETURN_COOKIE: Final = "__Host-tocsin-return"
RETURN_SECONDS: Final = 600
SECRET_BYTES: Final = 32
MEDIA_TYPE: Final = "application/x-www-form-urlencoded"
MAX_FORM_BYTES: Final = 32 * 1024
MAX_FIELDS: Final = 200
SAFE: Final = frozenset({"GET", "HEAD"})
"""The methods that only read (RFC 9110 §9.2.1)."""
_RETURN: Final = re.compile(r"/console(/[A-Za-z0-9][A-Za-z0-9._~-]{0,79}){0,6}")
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_Word = TypeVar("_Word", bound=str)


class Item(NamedTuple):
    """A page in the navigation, for those who may do `action`."""

    label: str
    path: str
    action: Action


NAV: Final[tuple[Item, ...]] = (
    Item("Home", HOME, "home.read"),
    Item("Docket", "/console/docket", "docket.read"),
    Item("Applications", "/console/applications", "application.read"),
    Item("Emergency", "/console/emergency", "emergency.read"),
    Item("Sponsor", "/console/sponsorship", "application.sponsor"),
    Item("Appeal", "/console/appeals/new", "appeal.file"),
    Item("Members", "/console/members", "member.read"),
    Item("Organisation", "/console/organisation", "organisation.read"),
    Item("Signals", "/console/signals", "signal.read"),
    Item("Endpoints", "/console/endpoints", "endpoint.read"),
    Item("Streams", "/console/streams", "stream.read"),
    Item("Delivery", "/console/delivery", "delivery.read"),
    Item("Policy", "/console/policy", "policy.read"),
    Item("Keys", "/console/keys", "key.read"),
    Item("Audit", "/console/audit", "audit.read"),
    Item("People", "/console/people", "people.read"),
    Item("Reads", "/console/reads", "readlog.read"),
    Item("Security", "/console/security", "security.manage"),
)


class Notice(NamedTuple):
    """What somebody is told on every page until it is settled: in a sentence, and where to settle it."""

    words: str
    link: str
    path: str


Tell = Callable[[Request, Person], Iterable[Notice]]
"""What a feature has to tell a person; it looks at the roles and the organisations they hold."""


class Desk(Protocol):
    """What the console asks about people."""

    @property
    def party(self) -> RelyingParty:
        """What passkeys are bound to."""

    def identify(self, secret: str) -> Person:
        """Who has the cookie `secret`; raises `signed-out`."""

    def admit(self, person: Person, secret: str, action: Action, subject: str) -> Person:
        """The same, with the purpose they read for, if they may do `action`; `subject` is the path that is logged."""

    def may(self, person: Person, action: Action) -> bool:
        """Whether somebody may do it, as they and their members stand now."""

    def approves(self, action: Action) -> bool:
        """Whether doing it is approved with a passkey each time."""

    def approval(self, person: Person, action: Action, subject: str) -> tuple[str, tuple[str, ...]]:
        """A fresh challenge, and the passkeys that may answer it, all in base64url."""

    def approve(self, person: Person, action: Action, subject: str, fields: Mapping[str, str]) -> str:
        """Check the answer, once; the credential that gave it."""


class Form(dict[str, str]):
    """The fields of a form, each sent once."""

    def __missing__(self, name: str) -> str:
        raise Refused("request-invalid", name, "missing")

    def one_of(self, name: str, words: Collection[_Word]) -> _Word:
        """A field that holds one of `words`.

        Raises:
            Refused: `request-invalid`.
        """
        for word in words:
            if self[name] == word:
                return word
        raise Refused("request-invalid", name, "not one of what can be chosen")

    def ticked(self, name: str) -> bool:
        """Whether a box is ticked.

        Raises:
            Refused: `request-invalid` for what no box sends.
        """
        return name in self and bool(self.one_of(name, ("on",)))


def desk(request: Request) -> Desk:
    """The accounts of this hub."""
    found: Desk = request.app.state.accounts
    return found


def person(action: Action) -> Callable[[Request], Person]:
    """A dependency that gives the person signed in, who must be allowed `action`.

    Raises (when used):
        Refused: as `admitted`.
        RuntimeError: for a form that does what is approved each time: only `tocsin.web.approving.approver` takes it.
    """

    def found(request: Request) -> Person:
        who = admitted(request, action)
        if request.method not in SAFE and desk(request).approves(action):
            raise RuntimeError(f"{action} is approved each time")
        return who

    found.action = action  # type: ignore[attr-defined]  # the tests of the matrix find every guarded route by it
    return found


def admitted(request: Request, action: Action) -> Person:
    """The person signed in, as far as they may do `action`.

    Raises:
        Refused: `signed-out`, `role-missing`, `member-suspended`, `membership-ended`, `passkey-needed`,
            `purpose-needed`.
    """
    secret = request.cookies.get(COOKIE, "")
    who = desk(request).identify(secret)
    # Whoever may not do this is told so on a page of theirs.
    request.state.person = who
    return desk(request).admit(who, secret, action, request.url.path)


_read: Final[Callable[[Request], Awaitable[Body]]] = body({MEDIA_TYPE: MAX_FORM_BYTES})


async def form(request: Request, content: Annotated[Body, Depends(_read)]) -> Form:
    """A dependency that gives the fields of a form that one of our own pages sent.

    Raises (when used):
        Refused: `origin-mismatch`, `form-token-invalid`, `request-invalid`, and as `tocsin.web.body.body`.
    """
    check_origin(request)
    try:
        pairs = parse_qsl(
            content.content.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(content.content),
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise Refused("request-invalid", "body", "not a form in UTF-8") from None
    fields = Form(pairs)
    if len(fields) != len(pairs):
        raise Refused("request-invalid", "body", "a field is repeated")
    token = fields.pop("csrf", "")
    secret = request.cookies.get(COOKIE, "")
    if not _SECRET.fullmatch(secret) or not hmac.compare_digest(token.encode(), csrf(secret).encode()):
        raise Refused(
            "form-token-invalid", "csrf", "this form was not made for you, or you signed in anew since"
        )
    return fields


Sent = Annotated[Form, Depends(form)]


def check_origin(request: Request) -> None:
    """See that a request comes from the console's own pages (Fetch: `Origin`, else `Sec-Fetch-Site`).

    Raises:
        Refused: `origin-mismatch`.
    """
    origin = request.headers.get("origin")
    if origin is None:
        same = request.headers.get("sec-fetch-site") == "same-origin"
    else:
        same = origin == desk(request).party.origin
    if not same:
        raise Refused("origin-mismatch", "origin", "forms are taken from the console's own pages alone")


def csrf(secret: str) -> str:
    """The token of forms for the visitor with that cookie."""
    digest = hashlib.sha256(b"tocsin/console-form/v1\n" + secret.encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def new_secret() -> str:
    """The cookie of a visitor: 256 random bits."""
    return secrets.token_urlsafe(SECRET_BYTES)


def visit(request: Request) -> str:
    """The visitor's cookie, or a new one, which `page` then sets."""
    secret = request.cookies.get(COOKIE, "")
    made: str | None = getattr(request.state, "secret", None)
    if made is None:
        made = secret if _SECRET.fullmatch(secret) else new_secret()
        request.state.secret = made
    return made


def page(
    request: Request,
    who: Person | None,
    template: str,
    *,
    status: int = 200,
    passkeys: bool = False,
    forms: bool = True,
    **shown: Any,
) -> Response:
    """A page of the console for `who`, or for a visitor; `passkeys` lets passkey.js run on it.

    Without `forms` it sets no cookie.
    """
    secret = visit(request) if forms else ""
    at = desk(request)
    settings = request.app.state.settings

    def may(action: Action) -> bool:
        return who is not None and at.may(who, action)

    tells: Iterable[Tell] = request.app.state.notices
    answer = html.page(
        template,
        status=status,
        policy=html.SCRIPT_POLICY if passkeys else html.POLICY,
        host=urlsplit(at.party.origin).netloc,
        sandbox=bool(getattr(settings, "sandbox", False)),
        person=who,
        nav=[item for item in NAV if may(item.action)],
        notices=[] if who is None else [notice for tell in tells for notice in tell(request, who)],
        here=request.url.path,
        may=may,
        csrf_token=csrf(secret) if forms else "",
        rp_id=at.party.rp_id,
        passkeys=passkeys,
        now=request.app.state.database.clock(),
        **shown,
    )
    # Forms carry their origin only if the referrer policy lets them (Fetch, "append a request Origin header").
    answer.headers["Referrer-Policy"] = "same-origin"
    if forms and request.cookies.get(COOKIE) != secret:
        set_cookie(answer, COOKIE, secret)
    return answer


def to(path: str) -> Response:
    """The answer to a form that did something: go to a page of our own and look."""
    return RedirectResponse(path, 303)


def signed_in(request: Request, secret: str) -> Response:
    """The answer to whoever has just signed in: a new cookie, and on to where they were going."""
    wanted = request.cookies.get(RETURN_COOKIE, "")
    answer = to(wanted if _RETURN.fullmatch(wanted) else HOME)
    set_cookie(answer, COOKIE, secret)
    answer.delete_cookie(RETURN_COOKIE, secure=True, httponly=True, samesite="lax")
    return answer


def signed_out() -> Response:
    """The answer to whoever has signed out."""
    answer = to(SIGN_IN)
    answer.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax")
    return answer


def allowed(request: Request, who: Person, action: Action) -> bool:
    """Whether somebody may do it, as they and their members stand now."""
    return desk(request).may(who, action)


def is_page(request: Request) -> bool:
    """Whether whoever asks is a person with a browser, to whom a refusal is a page."""
    path = request.url.path
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in PREFIXES)


def form_page(request: Request) -> str:
    """The page that has the form which was sent: the path itself or the nearest one above it that can be read."""
    path = request.url.path
    while path.startswith(f"{HOME}/"):
        asked = {**request.scope, "path": path, "method": "GET"}
        routes = request.app.router.routes
        if _RETURN.fullmatch(path) and any(route.matches(asked)[0] is Match.FULL for route in routes):
            return path
        path = path.rpartition("/")[0]
    return HOME


def refused(request: Request, error: Refused) -> Response:
    """A refusal as a page; who is not signed in goes to do so, and comes back: to the page that has the form sent."""
    reading = request.method in SAFE
    path = request.url.path if reading else form_page(request)
    who: Person | None = getattr(request.state, "person", None)
    problem = REGISTRY[error.code]
    if reading and error.code == "signed-out":
        answer = to(SIGN_IN)
    elif reading and isinstance(error, PurposeNeeded):
        action, reasons, status = error.action, error.reasons, problem.status
        answer = page(request, who, "console/purpose.html", status=status, action=action, reasons=reasons)
    elif isinstance(error, ApprovalNeeded):
        return page(
            request,
            who,
            "console/approval.html",
            status=problem.status if error.again is None else REGISTRY[error.again.code].status,
            passkeys=True,
            problem=problem,
            needed=error,
            again=None if error.again is None else REGISTRY[error.again.code],
        )
    else:
        out, back = error.code == "signed-out", "" if reading or path == HOME else path
        answer = page(
            request,
            who,
            "console/refused.html",
            status=problem.status,
            problem=problem,
            error=error,
            back=back,
            out=out,
            halt=error.halt if isinstance(error, Halted) else None,
        )
        if error.retry_after is not None:
            answer.headers["Retry-After"] = str(error.retry_after)
        if not (out and back):
            return answer
    if _RETURN.fullmatch(path):
        set_cookie(answer, RETURN_COOKIE, path, max_age=RETURN_SECONDS)
    return answer


def set_cookie(answer: Response, name: str, value: str, *, max_age: int | None = None) -> None:
    """A cookie for this host alone, out of reach of scripts, which no other site can send with a form (RFC 6265bis)."""
    answer.set_cookie(name, value, max_age=max_age, path="/", secure=True, httponly=True, samesite="lax")


def returning(request: Request) -> str:
    """Where somebody was going before they were asked something: a path of the console."""
    wanted = request.cookies.get(RETURN_COOKIE, "")
    return wanted if _RETURN.fullmatch(wanted) else HOME

"""Signing in and out, and saying why one reads what is sensitive."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from tocsin.accounts.pages.shared import accounts, passkeys_work
from tocsin.accounts.service import entering, factors, openid, signing_in
from tocsin.errors import Refused
from tocsin.web import console
from tocsin.web.console import COOKIE, SIGN_IN, Sent, page, person, to, visit
from tocsin.web.people import ACTIONS, PURPOSES, Person
from tocsin_schemas.problems import REGISTRY

router: Final = APIRouter(include_in_schema=False)
_JOIN: Final = "join."


@router.get(SIGN_IN)
def sign_in(request: Request) -> Response:
    """The ways in."""
    origin = accounts(request).party.origin
    if origin.startswith("http:") and f"{request.url.scheme}://{request.url.netloc}" != origin:
        # A loopback address: the same machine has a name that passkeys can be bound to.
        return to(origin + SIGN_IN)
    return _sign_in(request)


@router.post(f"{SIGN_IN}/passkey")
def with_passkey(request: Request, sent: Sent) -> Response:
    """Sign in with a passkey."""
    try:
        secret = signing_in.sign_in_with_passkey(accounts(request).context, visit(request), sent)
    except Refused as error:
        return _sign_in(request, passkey=error)
    return console.signed_in(request, secret)


@router.post(f"{SIGN_IN}/code")
def with_code(request: Request, sent: Sent) -> Response:
    """Sign in with a password and a one-time or recovery code."""
    try:
        secret = signing_in.sign_in_with_code(
            accounts(request).context, sent["handle"], sent["password"], sent["code"]
        )
    except Refused as error:
        return _sign_in(request, code=error)
    return console.signed_in(request, secret)


@router.get(f"{SIGN_IN}/openid")
def with_provider(request: Request) -> Response:
    """Go to the OpenID provider."""
    at = accounts(request)
    if at.provider is None:
        raise Refused("not-found")
    address = at.provider.address(at.context.secrets, visit(request), "enter", at.context.database.clock())
    answer = to(address)
    console.set_cookie(answer, COOKIE, visit(request))
    return answer


@router.get(openid.CALLBACK_PATH)
def back_from_provider(request: Request) -> Response:
    """Come back from the OpenID provider, to sign in or to join two accounts."""
    at = accounts(request)
    params = dict(request.query_params)
    if at.provider is None or len(params) != len(request.query_params.multi_items()):
        raise Refused("not-found")
    if params.get("state", "").startswith(_JOIN):
        who = person("security.manage")(request)
        identity = openid.joined(at.context, at.provider, visit(request), params)
        factors.join_provider(at.context, who, visit(request), identity)
        return to("/console/security")
    return console.signed_in(request, openid.enter(at.context, at.provider, visit(request), params))


@router.post("/console/sign-out")
def sign_out(request: Request, _sent: Sent) -> Response:
    """End this session."""
    entering.sign_out(accounts(request).context, visit(request))
    return console.signed_out()


@router.post("/console/purpose")
def state_purpose(
    request: Request, sent: Sent, who: Annotated[Person, Depends(person("home.read"))]
) -> Response:
    """Say why one reads, and go on to what one wanted to read."""
    entering.state_purpose(
        accounts(request).context,
        visit(request),
        who,
        sent.one_of("action", ACTIONS),
        sent.one_of("purpose", PURPOSES),
    )
    return to(console.returning(request))


def _sign_in(request: Request, passkey: Refused | None = None, code: Refused | None = None) -> Response:
    at = accounts(request)
    error = passkey or code
    answer = page(
        request,
        None,
        "accounts/sign_in.html",
        status=200 if error is None else REGISTRY[error.code].status,
        passkeys=True,
        challenge=signing_in.sign_in_challenge(at.context, visit(request)),
        passkey_works=passkeys_work(request),
        provider=None if at.provider is None else at.provider.issuer,
        passkey_wrong=passkey,
        code_wrong=code,
    )
    if error is not None and error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer

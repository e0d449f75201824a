"""Enrolment with a one-time link: a passkey, or a password and codes."""

from typing import Final

from fastapi import APIRouter, Request, Response

from tocsin.accounts.pages.shared import accounts, codes, passkeys_work
from tocsin.accounts.service import enrolling
from tocsin.accounts.service.enrolling import ENROL_PATH
from tocsin.accounts.service.secrets import decode
from tocsin.errors import Refused
from tocsin.web import console
from tocsin.web.console import Sent, page
from tocsin_schemas.problems import REGISTRY

router: Final = APIRouter(include_in_schema=False)
_LINK: Final = ENROL_PATH + "{token}"


@router.get(_LINK)
def link(request: Request, token: str) -> Response:
    """Where a link leads. Opening it does not use it up."""
    return _page(request, token)


@router.post(_LINK)
def enrol(request: Request, token: str, sent: Sent) -> Response:
    """Register what one will sign in with, and be signed in."""
    context = accounts(request).context
    try:
        if "attestation" in sent:
            secret = enrolling.enrol_with_passkey(context, token, sent)
        else:
            sealed = decode(sent["seed"], "seed")
            secret = enrolling.enrol_with_code(context, token, sent["password"], sealed, sent["code"])
    except Refused as error:
        if error.code == "link-invalid":
            raise
        return _page(request, token, error)
    return console.signed_in(request, secret)


def _page(request: Request, token: str, wrong: Refused | None = None) -> Response:
    offer = enrolling.offer(accounts(request).context, token)
    return page(
        request,
        None,
        "accounts/enrol.html",
        status=200 if wrong is None else REGISTRY[wrong.code].status,
        passkeys=True,
        offer=offer,
        wrong=wrong,
        passkey_works=passkeys_work(request),
        **codes(request, offer.handle),
    )

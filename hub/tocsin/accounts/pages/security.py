"""What somebody signs in with, looked at and changed by themselves."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from tocsin.accounts.pages.shared import accounts, codes, passkeys_work
from tocsin.accounts.service import enrolling, entering, factors
from tocsin.accounts.service.secrets import decode
from tocsin.errors import Refused
from tocsin.web import console
from tocsin.web.approving import Approver, approver
from tocsin.web.console import Sent, page, person, to, visit
from tocsin.web.people import Approval, ApprovalNeeded, Person
from tocsin_schemas.problems import REGISTRY

router: Final = APIRouter(prefix="/console/security", include_in_schema=False)
HERE: Final = "/console/security"

Who = Annotated[Person, Depends(person("security.manage"))]
Owner = Annotated[Approver, Depends(approver("passkey.manage"))]
Changer = Annotated[Approver, Depends(approver("security.manage"))]
"""Who changes password or codes: a passkey answers for whoever signed in with one."""


@router.get("")
def overview(request: Request, who: Who) -> Response:
    """Passkeys, password and codes, recovery codes, the OpenID provider, sessions."""
    return _overview(request, who)


@router.post("/passkeys/new")
def offer_passkey(request: Request, by: Owner) -> Response:
    """One more passkey is offered once one that there is has answered."""
    context = accounts(request).context
    try:
        factors.check_change(context, by.person)
    except Refused as error:
        return _overview(request, by.person, error)
    said = "One more passkey, made on the next page, does all that yours do. Your other sessions end."
    who = by.approve(Approval("Make another passkey", said, (("Handle", by.person.handle),), HERE))
    return page(
        request,
        who,
        "accounts/new_passkey.html",
        passkeys=True,
        offer=enrolling.offer_more(context, who, visit(request)),
    )


@router.post("/passkeys")
def add_passkey(request: Request, who: Who, sent: Sent) -> Response:
    """One more passkey, as it was offered."""
    try:
        enrolling.add_passkey(accounts(request).context, who, visit(request), sent)
    except Refused as error:
        return _overview(request, who, error)
    return to(HERE)


@router.post("/passkeys/remove")
def remove_passkey(request: Request, by: Owner) -> Response:
    """One passkey less."""
    context = accounts(request).context
    try:
        found = factors.check_removal(context, by.person, by.sent["passkey"])
    except Refused as error:
        return _overview(request, by.person, error)
    said = (
        "The passkey signs you in no more, and approves nothing. Your other sessions end, and those it began."
    )
    who = by.approve(Approval("Remove a passkey", said, (("Passkey", found.jwk["kid"]),), HERE), "passkey")
    factors.remove_passkey(context, who, visit(request), found.id)
    return to(HERE)


@router.get("/codes")
def new_codes(request: Request, who: Who) -> Response:
    """The form for a new password and codes, or what comes before it: the answer of a passkey."""
    return _codes(request, who)


@router.post("/codes/new")
def approve_codes(request: Request, by: Changer) -> Response:
    """The form, once a passkey has answered: for who signed in with one."""
    if by.person.method != "passkey":
        return to(f"{HERE}/codes")
    try:
        factors.check_change(accounts(request).context, by.person)
    except Refused as error:
        return _overview(request, by.person, error)
    said = "A password and codes, set on the next page, sign you in to read. Any older ones and other sessions end."
    who = by.approve(Approval("Set a password and codes", said, (("Handle", by.person.handle),), HERE))
    return _codes(request, who, approved=True)


@router.post("/codes")
def set_codes(request: Request, who: Who, sent: Sent) -> Response:
    """Set password and codes."""
    try:
        sealed = decode(sent["seed"], "seed")
        factors.set_password(
            accounts(request).context,
            who,
            visit(request),
            sent["password"],
            sealed,
            sent["code"],
            sent.get("current", ""),
        )
    except Refused as error:
        # What a passkey answered for is not asked again for a slip of the finger.
        return _codes(request, who, error, approved=error.code in {"claim-invalid", "code-wrong"})
    return to(HERE)


@router.post("/codes/remove")
def remove_codes(request: Request, who: Who, _sent: Sent) -> Response:
    """Sign in without a password."""
    try:
        factors.remove_password(accounts(request).context, who, visit(request))
    except Refused as error:
        return _overview(request, who, error)
    return to(HERE)


@router.post("/recovery")
def recovery(request: Request, by: Changer) -> Response:
    """New recovery codes, shown this once."""
    context, who = accounts(request).context, by.person
    try:
        factors.check_password(context, who)
        if who.method == "passkey":
            said = "Ten new recovery codes instead of the old ones. It ends your other sessions."
            by.approve(Approval("Make recovery codes", said, (("Handle", who.handle),), HERE))
        made = factors.new_recovery_codes(context, who, visit(request), by.sent.get("current", ""))
    except ApprovalNeeded:
        raise
    except Refused as error:
        return _overview(request, who, error)
    return page(request, who, "accounts/recovery.html", codes=made)


@router.post("/openid")
def join_provider(request: Request, who: Who, _sent: Sent) -> Response:
    """Begin to join one's account at the OpenID provider to this one: a page with the way there."""
    at = accounts(request)
    if at.provider is None:
        raise Refused("not-found")
    address = at.provider.address(at.context.secrets, visit(request), "join", at.context.database.clock())
    return page(request, who, "accounts/join.html", address=address, provider=at.provider.issuer)


@router.post("/openid/remove")
def part_from_provider(request: Request, who: Who, _sent: Sent) -> Response:
    """Sign in at the provider no more."""
    try:
        factors.part_from_provider(accounts(request).context, who, visit(request))
    except Refused as error:
        return _overview(request, who, error)
    return to(HERE)


@router.post("/sessions/end")
def end_sessions(request: Request, who: Who, _sent: Sent) -> Response:
    """Sign out everywhere."""
    entering.sign_out_everywhere(accounts(request).context, who)
    return console.signed_out()


def _overview(request: Request, who: Person, wrong: Refused | None = None) -> Response:
    at = accounts(request)
    return page(
        request,
        who,
        "accounts/security.html",
        status=200 if wrong is None else REGISTRY[wrong.code].status,
        factors=factors.factors(at.context, who),
        passkey_works=passkeys_work(request),
        provider=None if at.provider is None else at.provider.issuer,
        wrong=wrong,
    )


def _codes(
    request: Request, who: Person, wrong: Refused | None = None, *, approved: bool = False
) -> Response:
    """With a passkey's answer, or for who signed in with a code and gives another: the form."""
    asks = who.method == "passkey" and not approved
    session = visit(request) if who.method == "passkey" else ""
    return page(
        request,
        who,
        "accounts/new_codes.html",
        status=200 if wrong is None else REGISTRY[wrong.code].status,
        wrong=wrong,
        asks=asks,
        **({} if asks else codes(request, who.handle, session)),
    )

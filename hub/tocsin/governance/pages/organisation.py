"""A member's own settings: how it stands, its people and their roles, its API clients, its keys and acts."""

from collections.abc import Iterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from tocsin.accounts.pages import invitation
from tocsin.accounts.rules import OF_A_MEMBER
from tocsin.accounts.service import Accounts, directory
from tocsin.accounts.service.enrolling import Link
from tocsin.errors import Refused
from tocsin.governance.pages import actors, against, words
from tocsin.governance.service import member_acts
from tocsin.members.service import ClientView, Members, MemberView
from tocsin.web.approving import Approver, approver
from tocsin.web.console import Notice, Sent, allowed, page, person, to
from tocsin.web.people import Person
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.membership import SCOPES_OF
from tocsin_schemas.vocabulary import SCOPES

router: Final = APIRouter(prefix="/console/organisation", include_in_schema=False)
HERE: Final = "/console/organisation"
APPEAL: Final = "/console/appeals/new"

Reader = Annotated[Person, Depends(person("organisation.read"))]
Admin = Annotated[Person, Depends(person("organisation.manage"))]
Inviter = Annotated[Approver, Depends(approver("organisation.invite"))]
Speaker = Annotated[Person, Depends(person("organisation.act"))]


@router.get("")
def organisation(request: Request, who: Reader) -> Response:
    """The member somebody acts for."""
    return _shown(request, who)


@router.post("/people")
def invite(request: Request, by: Inviter) -> Response:
    """A person of the member, new or known, and a link for them, shown this once."""
    at, issuer = _accounts(request), _issuer(by.person)
    try:
        role = by.sent.one_of("role", OF_A_MEMBER)
        what = invitation(at, by, by.sent["handle"], role, issuer, HERE)
    except Refused as error:
        return _shown(request, by.person, wrong=error)
    who = by.approve(what, "handle", "role")
    try:
        made = at.invite(by.sent["handle"], (role,), issuer, who)
    except Refused as error:
        return _shown(request, who, wrong=error)
    return _shown(request, who, link=made)


@router.post("/people/{handle}/revoke")
def revoke(request: Request, who: Admin, handle: str, sent: Sent) -> Response:
    """Take a role from somebody, at once."""
    try:
        issuer = actors.admin(who).org_issuer
        directory.revoke(_accounts(request).context, handle, sent["role"], issuer, who)
    except Refused as error:
        return _shown(request, who, wrong=error)
    return to(HERE)


@router.post("/clients")
def add_client(request: Request, who: Admin, sent: Sent) -> Response:
    """One more API client: it authenticates with any key of the member."""
    try:
        scopes = [scope for scope in SCOPES if sent.get(scope) == "yes"]
        _members(request).add_client(_issuer(who), scopes)
    except Refused as error:
        return _shown(request, who, wrong=error)
    return to(f"{HERE}#clients")


@router.post("/clients/revoke")
def revoke_client(request: Request, who: Admin, sent: Sent) -> Response:
    """Revoke a client of the member; its tokens are dead with this."""
    client = _client(_view(request, _issuer(who)), sent["client_id"])
    if client is None:
        return _shown(request, who, wrong=Refused("not-found", "client_id", "not a client of yours"))
    _members(request).revoke_client(client.client_id)
    return to(f"{HERE}#clients")


@router.post("/acts")
def act(request: Request, who: Speaker, sent: Sent) -> Response:
    """Record an act that the member has signed with its own key: the console has no key of a member."""
    try:
        member_acts.act(actors.chamber(request), sent["act"].strip())
    except Refused as error:
        return _shown(request, who, wrong=error)
    return to(f"{HERE}#keys")


def notices(request: Request, who: Person) -> Iterator[Notice]:
    """That a member of theirs is halted, and what is left to do."""
    may = (APPEAL, "Appeal") if allowed(request, who, "appeal.file") else (HERE, "See how it stands")
    for halt in who.halts:
        since = rfc3339(halt.since)[:16].replace("T", " ")
        said = f"Since {since} (UTC) {halt.reason}. Nobody reads signals or manages anything for it here."
        yield Notice(said, may[1], may[0])


def _shown(
    request: Request, who: Person, *, link: Link | None = None, wrong: Refused | None = None
) -> Response:
    issuer = min(who.organisations, default=None)
    view = None if issuer is None else _view(request, issuer)
    state = actors.board(request)
    standing = None if state is None or issuer is None else state.members.get(issuer)
    parts = {
        "handle": "Handle",
        "role": "Role",
        "act": "Signed act",
        "scopes": "Scopes",
        "client_id": "Client",
    }
    advice = None if wrong is None else words.advice(wrong, parts)
    governed = state is not None
    return page(
        request,
        who,
        "governance/organisation.html",
        status=200 if advice is None else advice.status,
        issuer=issuer,
        view=view,
        due=None if standing is None or state is None else standing.due_at(state.policy),
        governed=governed,
        # With several members, what can be managed may be another's than the one shown.
        manages=allowed(request, who, "organisation.manage")
        and all(halt.issuer != issuer for halt in who.halts),
        people=[] if issuer is None else directory.everyone(_accounts(request).context, issuer),
        reminders=member_acts.reminders(actors.chamber(request), issuer) if governed and issuer else [],
        roles=OF_A_MEMBER,
        scopes=[] if view is None else [one for one in SCOPES if one in SCOPES_OF[view.org.member_class]],
        CLIENTS=words.CLIENTS,
        link=link,
        wrong=advice,
        MEMBERS=words.MEMBERS,
        CLOCKS=words.CLOCKS,
        **against.told(request, state, [] if issuer is None else [issuer]),
    )


def _issuer(who: Person) -> str:
    issuer = actors.admin(who).org_issuer
    if issuer is None:
        raise Refused("role-missing", "role", "an administrator of a member speaks for it")
    return issuer


def _view(request: Request, issuer: str) -> MemberView | None:
    return next((view for view in _members(request).list_members() if view.org.issuer == issuer), None)


def _client(view: MemberView | None, client_id: str) -> ClientView | None:
    clients = () if view is None else view.clients
    return next((client for client in clients if client.client_id == client_id), None)


def _members(request: Request) -> Members:
    found: Members = request.app.state.members
    return found


def _accounts(request: Request) -> Accounts:
    found: Accounts = request.app.state.accounts
    return found

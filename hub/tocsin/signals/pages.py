"""The signals explorer: what a member may see of one indicator, why it stands where it does, and why it is seen at all.

A value is typed into a form that is sent, so that it stands in no address and no log; it is shown again only shortened.
An auditor looks at what a member would see, which counts as no delivery to that member, and which is nothing while the
member's state lets it read nothing.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Depends, Request, Response

from tocsin.errors import Refused
from tocsin.members.service import MemberView
from tocsin.signals.service import feed, read
from tocsin.signals.service.context import Context
from tocsin.web.console import Sent, page, person
from tocsin.web.people import Person
from tocsin_schemas.envelope import payload_of
from tocsin_schemas.feed import IndicatorView, Live, parse_record
from tocsin_schemas.membership import EFFECTS, permit
from tocsin_schemas.problems import REGISTRY
from tocsin_schemas.vocabulary import HUB_KINDS

router: Final = APIRouter(prefix="/console/signals", include_in_schema=False)

SHORT: Final = 8
"""Characters of a value that are shown."""
LATEST: Final = 25
REACH: Final = 500
"""Log entries that are looked through for the latest signals."""
RULES: Final[Mapping[str, str]] = {
    "reported/v1": "At least one member whose word counts reports it.",
    "corroborated/v1": "Members of independent owners reported it within the time that the policy sets.",
    "human-confirmed/v1": "It is corroborated, and a person has confirmed it.",
    "disputed/v1": "Members of several owners say that it is wrong.",
    "quarantined/v1": "It is reported, and no report of it counts.",
    "expired/v1": "Nothing about it is live any more.",
}

Reader = Annotated[Person, Depends(person("signal.read"))]


class Latest(NamedTuple):
    """A signal of the feed, as the list shows it."""

    seq: int
    kind: str
    author: str
    indicators: tuple[str, ...]
    labels: tuple[str, ...]
    recorded_at: str
    expires_at: str


@router.get("")
def explorer(request: Request, who: Reader, community: str = "") -> Response:
    """The form, and what came in lately in a community that is chosen."""
    return _shown(request, who, community=community)


@router.post("")
def find(request: Request, who: Reader, sent: Sent) -> Response:
    """One indicator."""
    context: Context = request.app.state.signals
    try:
        member = _reads_as(request, who, sent.get("member", ""))
        own = member.org.issuer in who.organisations
        slug = sent.one_of("community", [slug for slug, reads, _ in member.communities if reads])
        view = read.indicator_view(context, member.org.id, slug, sent["indicator"].strip(), delivered=own)
    except Refused as error:
        return _shown(request, who, wrong=error)
    return _shown(request, who, view=view, member=member)


def short(indicator: str) -> str:
    """An indicator with its value shortened: enough to tell two apart, too little to match with."""
    kind, _, value = indicator.partition(":")
    return f"{kind}:{value[:SHORT]}…"


def _shown(
    request: Request,
    who: Person,
    *,
    community: str = "",
    view: IndicatorView | None = None,
    member: MemberView | None = None,
    wrong: Refused | None = None,
) -> Response:
    choices = _offered(_choices(request, who))
    member = member or (choices[0] if choices else None)
    slugs = sorted({slug for one in choices for slug, reads, _ in one.communities if reads})
    own = member is not None and member.org.issuer in who.organisations
    lately = []
    if member is not None and own and community in slugs:
        lately = _latest(request, member.org.id, community)
    return page(
        request,
        who,
        "signals/explorer.html",
        status=200 if wrong is None else REGISTRY[wrong.code].status,
        wrong=wrong,
        members=[one.org.issuer for one in choices],
        own=own,
        communities=slugs,
        community=community if community in slugs else "",
        lately=lately,
        view=view,
        member=member,
        short=short,
        rules=RULES,
    )


def _choices(request: Request, who: Person) -> list[MemberView]:
    """The members whose sight somebody may have: their own; for an auditor, every one."""
    views: list[MemberView] = request.app.state.members.list_members()
    return [view for view in views if "auditor" in who.roles or view.org.issuer in who.organisations]


def _offered(choices: list[MemberView]) -> list[MemberView]:
    """Those that see anything in their state: nobody looks at what others do not see."""
    return [view for view in choices if EFFECTS[view.org.state].reads != "none"]


def _reads_as(request: Request, who: Person, issuer: str) -> MemberView:
    choices = _choices(request, who)
    for view in choices:
        if view.org.issuer == issuer:
            permit(view.org.state, "read")
            return view
    offered = _offered(choices)
    if not issuer and len(offered) == 1:
        return offered[0]
    raise Refused("request-invalid", "member", "choose the member whose sight it is")


def _latest(request: Request, reader_id: int, slug: str) -> list[Latest]:
    context: Context = request.app.state.signals
    size = read.log_size(context)
    known = feed.member(context, reader_id)
    found = feed.page(context, known, slug, after=max(size - REACH, 0) - 1, limit=REACH, stored=False)
    if found.new:
        feed.remember(context, found)
    records = [parse_record(line) for line in found.rendered.splitlines()]
    return [
        made
        for record in reversed(records)
        if isinstance(record, Live) and (made := _line(record)) is not None
    ][:LATEST]


def _line(record: Live) -> Latest | None:
    claims = json.loads(payload_of(record.jws.encode()))
    ((urn, event),) = claims["events"].items()
    kind = urn.rpartition(":")[2]
    if kind in HUB_KINDS:
        return None
    named = claims.get("sub_id", {})
    ids = [item["id"] for item in named.get("identifiers", [named])]
    return Latest(
        record.seq,
        kind,
        claims["iss"],
        tuple(short(one) for one in ids),
        tuple(event.get("labels", ())),
        record.recorded_at,
        record.expires_at or "",
    )

"""How delivery goes in the whole hub, for its operator and for auditors: counts and times, and nobody's messages.

The operator can stop any receiver here. What that means belongs to the features above: they give their `Acts`, by how
the ids of their receivers begin.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, NamedTuple

from fastapi import APIRouter, Depends, Query, Request, Response

from tocsin.db import Database
from tocsin.delivery import service
from tocsin.delivery.pages import words
from tocsin.delivery.service import Overview
from tocsin.errors import Refused
from tocsin.governance.pages.words import Advice, advice
from tocsin.members.service import Members
from tocsin.web import charts
from tocsin.web.charts import Colour, Series, Shape
from tocsin.web.console import Sent, page, person
from tocsin.web.people import Person

router: Final = APIRouter(prefix="/console/delivery", include_in_schema=False)
HERE: Final = "/console/delivery"

Form = Literal["wide", "narrow"]
SHAPES: Final[Mapping[Form, Shape]] = {"wide": Shape(880, 260, 2, 12), "narrow": Shape(320, 300, 2, 4)}
ENDS: Final = (
    ("delivered", Colour("#1a7f4b", "#5fd39a")),
    ("failed", Colour("#c2410c", "#ff9e64")),
)
TROUBLED: Final = 50
PARTS: Final = {"receiver": "Endpoint or stream", "endpoint": "Endpoint", "stream_id": "Stream"}
"""The names of fields, as the form has them."""
GOALS: Final[Mapping[int, int]] = {0: 5, 1: 60}
"""Seconds within which a healthy receiver has a message, by lane (delivery.md §1)."""


class Acts(NamedTuple):
    """What the operator does to a receiver by its public id, whoever owns it; each gives the id of its member."""

    stop: Callable[[Database, str], int]
    allow: Callable[[Database, str], int]


class Done(NamedTuple):
    """What was just done to a receiver, and whose it is."""

    act: str
    receiver: str
    issuer: str


class Lane(NamedTuple):
    """A lane: what waits for a first try, how long the oldest has, how long it may, and what is to be tried again."""

    title: str
    fresh: int
    lag: int
    goal: int
    retrying: int


@router.get("")
def overview(request: Request, who: Annotated[Person, Depends(person("delivery.read"))]) -> Response:
    """Lag and backlog by lane, receivers by how they fare, and attempts over the last hour."""
    return _shown(request, who)


@router.post("/receivers")
def act(request: Request, who: Annotated[Person, Depends(person("delivery.stop"))], sent: Sent) -> Response:
    """Stop an endpoint or a stream, or allow it again; whose it was, or what was wrong."""
    receiver, do = sent["receiver"].strip(), sent.one_of("do", ("stop", "allow"))
    stopping: Mapping[str, Acts] = request.app.state.stopping
    database: Database = request.app.state.database
    members: Members = request.app.state.members
    acts = stopping.get(receiver[:3])
    try:
        if acts is None:
            raise Refused("not-found", "receiver", "no such endpoint or stream")
        owner = (acts.stop if do == "stop" else acts.allow)(database, receiver)
    except Refused as error:
        return _shown(request, who, wrong=advice(error, PARTS))
    with database.snapshot() as uow:
        issuer = members.orgs(uow)[owner].issuer
    return _shown(request, who, done=Done(do, receiver, issuer))


def _shown(
    request: Request, who: Person, *, done: Done | None = None, wrong: Advice | None = None
) -> Response:
    database: Database = request.app.state.database
    members: Members = request.app.state.members
    with database.snapshot() as uow:
        shown = service.overview(uow)
        troubled = service.troubled(uow, TROUBLED)
    issuers = {view.org.id: view.org.issuer for view in members.list_members()} if troubled else {}
    titles = {0: "Urgent", 1: "The rest"}
    return page(
        request,
        who,
        "delivery/overview.html",
        status=200 if wrong is None else wrong.status,
        done=done,
        wrong=wrong,
        lanes=[
            Lane(titles[lane.lane], lane.fresh, lane.lag_seconds, GOALS[lane.lane], lane.retrying)
            for lane in shown.lanes
        ],
        shown=shown,
        troubled=[(issuers.get(one.organisation_id, ""), one) for one in troubled],
        most=TROUBLED,
        chart=_chart(shown),
        BREAKERS=words.BREAKERS,
    )


@router.get("/chart.svg")
def chart(
    request: Request,
    _who: Annotated[Person, Depends(person("delivery.read"))],
    form: Annotated[Form, Query()] = "wide",
) -> Response:
    """Attempts of the last hour by minute, as a picture."""
    database: Database = request.app.state.database
    with database.snapshot() as uow:
        shown = service.overview(uow)
    labels = tuple(_clock(at) for at, *_ in shown.minutes)
    series = tuple(
        Series(name, colour, tuple(row[1 + place] for row in shown.minutes))
        for place, (name, colour) in enumerate(ENDS)
    )
    drawn = charts.stacked_bars(_said(shown), labels, series, SHAPES[form])
    headers = {"Content-Security-Policy": charts.POLICY, "Cache-Control": "no-store"}
    return Response(drawn, headers=headers, media_type=charts.MEDIA_TYPE)


def _chart(shown: Overview) -> dict[str, Any] | None:
    if not any(delivered or failed for _, delivered, failed in shown.minutes):
        return None
    return {
        "said": _said(shown),
        "rows": [(_clock(at), delivered, failed) for at, delivered, failed in reversed(shown.minutes)],
        "sources": {form: f"{HERE}/chart.svg?form={form}" for form in SHAPES},
        "shapes": SHAPES,
    }


def _said(shown: Overview) -> str:
    """The chart in a sentence, for whoever does not see it."""
    delivered = sum(row[1] for row in shown.minutes)
    failed = sum(row[2] for row in shown.minutes)
    first, last = _clock(shown.minutes[0][0]), _clock(shown.minutes[-1][0])
    return f"Attempts by minute from {first} to {last} UTC: {delivered:,} delivered, {failed:,} failed."


def _clock(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M}"

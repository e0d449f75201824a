"""The log for people: what stands in it, who has seen it, and each entry with its proof. Public, and without values.

Everything shown is of the last published tree, so whoever reads a page can check it against the checkpoint it names.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request, Response

from tocsin.errors import Refused
from tocsin.ledger.service import explore
from tocsin.ledger.service.explore import Activity, Unit
from tocsin.objects.shape import CACHE_CONTROL
from tocsin.web import charts
from tocsin.web.charts import Colour, Series, Shape
from tocsin.web.html import page
from tocsin_schemas.ledger import BUNDLE_ENTRIES, bundle_path

router: Final = APIRouter(prefix="/log", include_in_schema=False)

CHART: Final = "public, max-age=60"
MAX_DIGITS: Final = 15
"""As many as the paths of the log's bundles have."""

Form = Literal["wide", "narrow"]
SHAPES: Final[Mapping[Form, Shape]] = {"wide": Shape(880, 320, 7, 12), "narrow": Shape(320, 370, 2, 4)}
PERIODS: Final[Mapping[Unit, str]] = {"day": "30 days", "month": "12 months"}


class Kind(NamedTuple):
    """How a kind of entry is drawn, and what it says."""

    colour: Colour
    meaning: str


KINDS: Final[Mapping[str, Kind]] = {
    "report": Kind(Colour("#0b5cad", "#6cb0ff"), "A member reports something abusive."),
    "sighting": Kind(Colour("#1a7f4b", "#5fd39a"), "A member met something that is reported already."),
    "dispute": Kind(Colour("#c2410c", "#ff9e64"), "A member says that a report is wrong."),
    "retraction": Kind(Colour("#8250df", "#c8a2ff"), "A member takes back a statement of its own."),
    "outcome": Kind(Colour("#0e7490", "#5ad1e6"), "A member says what it did about something."),
    "expiry": Kind(Colour("#57606a", "#a7b0ba"), "The hub says how much ran out on a day."),
    "snapshot": Kind(Colour("#9a6700", "#e3b341"), "The hub says what was live, for matching."),
    "release": Kind(
        Colour("#a63a7b", "#f07cc0"), "The hub shows what a new member said, since others bear it out."
    ),
    "decision": Kind(Colour("#24292f", "#d0d7de"), "The board decided something."),
    "member-state": Kind(
        Colour("#6e5494", "#b39ddb"), "A member's state changed by its own word or by the calendar."
    ),
    "key-change": Kind(Colour("#3d6b35", "#8fcf83"), "A member's key was proved, added or revoked."),
    "proceeding": Kind(
        Colour("#7a4a1e", "#d9a066"), "A step of the board's proceedings, which stay closed, was sealed."
    ),
}


@router.get("")
def overview(request: Request, by: Annotated[Unit, Query()] = "day") -> Response:
    """The state of the log, its cosignatures, the way to each entry, and entries by kind over time."""
    shown = explore.overview(request.app.state.ledger, by)
    periods = [
        {"name": name, "address": "/log" if unit == "day" else f"/log?by={unit}", "chosen": unit == by}
        for unit, name in PERIODS.items()
    ]
    return page(
        "log/index.html",
        cache=CACHE_CONTROL["brief"],
        **_place(request),
        log=shown.log,
        now=shown.now,
        totals=[(kind, count, KINDS[kind].meaning) for kind, count in shown.totals.items()],
        chart=_chart(shown.activity),
        periods=periods,
        wrong=None,
    )


@router.get("/chart.svg")
def chart(
    request: Request, by: Annotated[Unit, Query()] = "day", form: Annotated[Form, Query()] = "wide"
) -> Response:
    """Entries by kind over time, as a picture."""
    activity = explore.activity(request.app.state.ledger, by)
    drawn = charts.stacked_bars(_said(activity), _short(activity), _series(activity), SHAPES[form])
    headers = {"Content-Security-Policy": charts.POLICY, "Cache-Control": CHART}
    return Response(drawn, headers=headers, media_type=charts.MEDIA_TYPE)


@router.get("/entry")
def entry(request: Request, number: str = "") -> Response:
    """One entry by its number. What is no number, or beyond the log, is answered with the form again."""
    ledger = request.app.state.ledger
    # A person typed it, so the answer is a page and not a problem document.
    if not (number.isascii() and number.isdigit() and len(number) <= MAX_DIGITS):
        return _not_found(request, "Give a whole number, in digits alone.", 400)
    try:
        found = explore.find(ledger, int(number))
    except Refused:
        return _not_found(request, "The published log does not reach that far.", 404)
    bundle = found.number // BUNDLE_ENTRIES
    return page(
        "log/entry.html",
        cache=CACHE_CONTROL["brief"],
        **_place(request),
        entry=found,
        meaning=KINDS[found.entry.kind].meaning,
        bundle=bundle_path(bundle, min(BUNDLE_ENTRIES, found.size - bundle * BUNDLE_ENTRIES)),
        size=found.size,
        now=found.now,
        wrong=None,
    )


def _not_found(request: Request, why: str, status: int) -> Response:
    size = explore.size(request.app.state.ledger)
    return page("log/entry.html", status=status, **_place(request), entry=None, size=size, wrong=why)


def _place(request: Request) -> dict[str, Any]:
    """Whose log the page shows."""
    settings = request.app.state.settings
    return {"host": urlsplit(settings.issuer).netloc, "sandbox": settings.sandbox}


def _short(activity: Activity) -> tuple[str, ...]:
    """The labels as there is room for them below a bar."""
    if activity.unit == "month":
        return tuple(f"{date.fromisoformat(f'{label}-01'):%b}" for label in activity.labels)
    days = [date.fromisoformat(label) for label in activity.labels]
    return tuple(f"{day.day} {day:%b}" for day in days)


def _series(activity: Activity) -> tuple[Series, ...]:
    return tuple(
        Series(kind, KINDS[kind].colour, tuple(row[at] for row in activity.counts))
        for at, kind in enumerate(activity.kinds)
    )


def _said(activity: Activity) -> str:
    """The chart in a sentence, for whoever does not see it."""
    sums = {kind: sum(row[at] for row in activity.counts) for at, kind in enumerate(activity.kinds)}
    total = sum(sums.values())
    span = f"from {activity.labels[0]} to {activity.labels[-1]}"
    parts = ", ".join(f"{count:,} {kind}" for kind, count in sums.items() if count)
    return f"Entries by {activity.unit} {span}: {total:,} in all{f' ({parts})' if parts else ''}."


def _chart(activity: Activity) -> dict[str, Any] | None:
    if not any(map(any, activity.counts)):
        return None
    return {
        "said": _said(activity),
        "unit": activity.unit,
        "kinds": activity.kinds,
        "rows": list(zip(activity.labels, activity.counts, strict=True)),
        "sources": {form: f"/log/chart.svg?by={activity.unit}&form={form}" for form in SHAPES},
        "shapes": SHAPES,
    }

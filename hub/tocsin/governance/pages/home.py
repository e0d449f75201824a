"""Home: what waits for the person, which clocks run, which keys expire, and what changed lately."""

from collections.abc import Iterator
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Depends, Request, Response

from tocsin.governance.pages import actors, against, words
from tocsin.governance.pages.docket import about, waiting
from tocsin.governance.service import applications, history, incoming, member_acts, motions
from tocsin.governance.service.views import ApplicationView, DocketLine
from tocsin.web.console import HOME, allowed, page, person
from tocsin.web.people import Action, Person
from tocsin_schemas.board import BoardState
from tocsin_schemas.ledger import instant
from tocsin_schemas.policy import DAY

router: Final = APIRouter(include_in_schema=False)

CHANGES: Final = 10
CLOCK_DAYS: Final = 35
"""How far ahead a member's clock is shown: a month, with some days to spare."""
TERM_NOTICE: Final = 60 * DAY
"""A roster takes two weeks of discussion and ballot; this leaves time to find people first."""


class Task(NamedTuple):
    """Something that waits for a person: in words, where it is done, and until when (Unix seconds).

    `number` tells it from others of the same words.
    """

    words: str
    path: str
    at: int | None
    detail: str = ""
    number: str = ""


class Clock(NamedTuple):
    """What happens to a member by itself, and when."""

    issuer: str
    words: str
    at: int


@router.get(HOME)
def home(request: Request, who: Annotated[Person, Depends(person("home.read"))]) -> Response:
    """What waits for this person, and what changed lately."""
    at = actors.chamber(request)
    state = actors.board(request)
    tasks = [] if state is None else [*_tasks(request, who, state)]
    mine = None if allowed(request, who, "key.read") else who.issuer
    asks = allowed(request, who, "key.read") or mine is not None
    return page(
        request,
        who,
        "governance/home.html",
        governed=state is not None,
        tasks=sorted(tasks, key=lambda task: (task.at is None, task.at)),
        clocks=[] if state is None else _clocks(request, who, state),
        days=CLOCK_DAYS,
        SEATS=words.SEATS,
        keys=member_acts.reminders(at, mine) if asks and state is not None else [],
        changes=[] if state is None else history.recent(at, CHANGES),
        **against.told(request, state, who.organisations),
    )


def _tasks(request: Request, who: Person, state: BoardState) -> Iterator[Task]:
    def may(action: Action) -> bool:
        return allowed(request, who, action)

    if may("seat.accept"):
        for call in incoming.calls(actors.chamber(request), who.handle):
            said = f"You are asked to take seat {call.seat}: vote"
            yield Task(
                said, f"/console/seats/{call.motion}", call.closes_at, "", _number("motion", call.motion)
            )
    seat = actors.seat(who)
    if seat is not None and may("docket.read"):
        for line in motions.docket(actors.chamber(request), seat):
            yield from _motion(line)
        yield from _terms(state, who.handle, actors.now(request))
    if may("application.vet"):
        proposes = seat is not None and may("motion.propose")
        by = actors.caller(who)
        for found in applications.applications(actors.chamber(request), by, "submitted", "vetting"):
            if found.file is not None:
                yield from _application(found.file, who, proposes=proposes)


def _motion(line: DocketLine) -> Iterator[Task]:
    asked = {"vote": "Vote", "endorse": "Endorse, if you agree", "declare": "Say whether you have a conflict"}
    for act in waiting(line)[:1]:
        detail = f"{line.meter.cast} of {line.meter.quorum} votes are in" if act == "vote" else ""
        path, number = f"/console/motions/{line.id}", _number("motion", line.id)
        yield Task(f"{asked[act]}: {about(line)}", path, line.until, detail, number)


def _number(kind: str, number: str) -> str:
    return f"{kind} {words.short(number)}"


def _application(view: ApplicationView, who: Person, *, proposes: bool) -> Iterator[Task]:
    path, number = f"/console/applications/{view.id}", _number("application", view.id)
    if view.state == "submitted":
        yield Task("Begin to check an application", path, view.stands.lapses_at, "", number)
        return
    if not view.missing and not view.open_motion:
        if proposes:
            yield Task("Propose an admission", path, view.stands.lapses_at, "Its vetting is complete", number)
        return
    mine = sum(
        not item.complete and all(check.checker != who.handle for check in item.checks) for item in view.items
    )
    if mine:
        what = "1 item" if mine == 1 else f"{mine} items"
        yield Task(f"Check {what} of an application", path, view.stands.lapses_at, "", number)


def _terms(state: BoardState, handle: str, now: int) -> Iterator[Task]:
    path = "/console/motions/new/roster.set"
    seat = state.seat_of(handle)
    if seat is not None and (ends := instant(f"{seat.term_ends}T00:00:00Z")) <= now + TERM_NOTICE:
        yield Task("Your term ends", path, ends, f"Seat {seat.seat} is vacant afterwards")
    if state.roster.expires_at <= now + TERM_NOTICE:
        detail = "Afterwards the board can decide nothing but the next one"
        yield Task("The roster expires", path, state.roster.expires_at, detail)
    if seat is not None and seat.chair and not state.roster.has_panel:
        detail = "Without two people on it some appeals can never be heard"
        yield Task("Seat a panel with the next roster", path, None, detail)


def _clocks(request: Request, who: Person, state: BoardState) -> list[Clock]:
    """The clocks of every member, for those who may see members, else of the person's own organisation."""
    everyone = allowed(request, who, "member.read")
    horizon = actors.now(request) + CLOCK_DAYS * DAY
    found = [
        Clock(issuer, words.CLOCKS[rule], at)
        for issuer, member in state.members.items()
        if everyone or issuer in who.organisations
        for rule, at, _ in filter(None, [member.due_at(state.policy)])
        if at <= horizon
    ]
    return sorted(found, key=lambda clock: clock.at)

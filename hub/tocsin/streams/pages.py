"""Streams at the console: how each of a member's fares, and checking, pausing and ending it.

A stream is made by the software that receives it (SSF 1.0 §8.1.1.1); the page says how that begins.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Final, get_args

from fastapi import APIRouter, Depends, Request, Response

from tocsin.delivery.pages import words as delivery
from tocsin.errors import Refused
from tocsin.governance.pages import actors
from tocsin.governance.pages.words import Titled, advice, demand_words
from tocsin.members.service import Org
from tocsin.streams.rules.asking import INACTIVITY_TIMEOUT, KEPT_SECONDS, REASONS, STATUSES, SetError
from tocsin.streams.service import looking, managing
from tocsin.streams.service.context import Transmitter
from tocsin.web.console import Notice, Sent, page, person, to
from tocsin.web.html import span
from tocsin.web.people import Person

router: Final = APIRouter(prefix="/console/streams", include_in_schema=False)
HERE: Final = "/console/streams"
DISCOVERY: Final = "/.well-known/ssf-configuration"
MANAGEMENT: Final = "/ssf/stream"

WORDS: Final[Mapping[str, Titled]] = {
    "enabled": Titled("Enabled", "Events go out as they come."),
    "paused": Titled("Paused", f"Events are kept, for {span(KEPT_SECONDS)} at most, until it goes on."),
    "disabled": Titled("Disabled", "Events are neither sent nor kept."),
}
WHY: Final[Mapping[str, str]] = {
    "receiver": "You, or your receiver, asked for it.",
    "inactivity": f"Nobody has asked for events for {span(INACTIVITY_TIMEOUT)}.",
    "undeliverable": "For five days nothing but failures came back.",
    "operator": "by the operator",
}
REFUSALS: Final[Mapping[str, str]] = {
    "invalid_request": "not readable to it",
    "invalid_key": "signed with a key it does not know: let it load the keys again",
    "invalid_issuer": "not from an issuer it expects",
    "invalid_audience": "not meant for it, it says",
    "authentication_failed": "its address wants another authorization header",
    "access_denied": "not allowed, it says",
    "invalid_state": "with a state it does not know",
    "other": "for a reason of its own",
}
"""Why a receiver could not use an event."""

Reader = Annotated[Person, Depends(person("stream.read"))]
Admin = Annotated[Person, Depends(person("stream.manage"))]


@router.get("")
def streams(request: Request, who: Reader) -> Response:
    """A member's streams, and how a receiver begins one."""
    return _shown(request, who)


@router.post("/{stream_id}/verification")
def verify(request: Request, stream_id: str, who: Admin, _sent: Sent) -> Response:
    """Send an event that its receiver can check the stream with."""
    return _act(
        request, who, lambda at, org: managing.verify(at, org.id, {"stream_id": stream_id}), stream_id
    )


@router.post("/{stream_id}/status")
def status(request: Request, stream_id: str, who: Admin, sent: Sent) -> Response:
    """Enable, pause or disable it."""
    wanted = {"stream_id": stream_id, "status": sent.one_of("status", STATUSES)}
    return _act(request, who, lambda at, org: managing.set_status(at, org.id, wanted), stream_id)


@router.post("/{stream_id}/removal")
def remove(request: Request, stream_id: str, who: Admin, sent: Sent) -> Response:
    """End it with everything that waits on it, if that is meant."""
    sent.one_of("sure", ("yes",))
    return _act(request, who, lambda at, org: managing.delete(at, org.id, stream_id))


def notices(request: Request, who: Person) -> Iterator[Notice]:
    """What people of a member are told on every page: that streams of theirs were stopped."""
    for org in actors.orgs(request, sorted(who.organisations)):
        for one in looking.stopped(request.app.state.transmitter, org.id):
            said = f"The hub has stopped a stream of {org.issuer}. {WHY[one.reason or 'receiver']}"
            yield Notice(said, "See what to do", f"{HERE}#{one.public_id}")


def _act(
    request: Request, who: Person, act: Callable[[Transmitter, Org], object], place: str = ""
) -> Response:
    """Do it and show the streams, or show them with what was wrong."""
    org = actors.administered(request, who)
    try:
        act(request.app.state.transmitter, org)
    except Refused as error:
        if error.code == "not-found":
            raise
        return _shown(request, who, error)
    return to(f"{HERE}#{place}" if place else HERE)


def _shown(request: Request, who: Person, wrong: Refused | None = None) -> Response:
    org = actors.organisation(request, who)
    said = None if wrong is None else advice(wrong)
    return page(
        request,
        who,
        "streams/streams.html",
        status=200 if said is None else said.status,
        issuer=who.issuer if org is None else org.issuer,
        looks=None if org is None else looking.looks(request.app.state.transmitter, org.id),
        discovery=request.app.state.settings.issuer + DISCOVERY,
        management=request.app.state.settings.issuer + MANAGEMENT,
        wrong=said,
        STATUS=WORDS,
        WHY=WHY,
        REFUSALS=REFUSALS,
        BREAKERS=delivery.BREAKERS,
    )


demand_words(WORDS, STATUSES)
demand_words(WHY, REASONS)
demand_words(REFUSALS, get_args(SetError))

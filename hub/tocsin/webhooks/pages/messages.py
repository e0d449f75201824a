"""What an endpoint was sent: the log with every try, what was given up, and sending again."""

import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ValidationError

from tocsin.delivery.pages import words as delivery
from tocsin.errors import Refused
from tocsin.governance.pages.words import advice
from tocsin.web.console import Form, Sent, page, person, to
from tocsin.web.people import Person
from tocsin.webhooks.pages import forms, words
from tocsin.webhooks.pages.place import Place, found, managing
from tocsin.webhooks.service import endpoints, log, replay
from tocsin_schemas.endpoints import DeliveryState, Replay

router: Final = APIRouter(prefix="/console/endpoints/{endpoint_id}/messages", include_in_schema=False)

SHOWN: Final = 50
_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?")

Reader = Annotated[Person, Depends(person("endpoint.read"))]
Admin = Annotated[Person, Depends(person("endpoint.manage"))]


@router.get("")
def messages(
    request: Request,
    endpoint_id: str,
    who: Reader,
    state: Annotated[DeliveryState | None, Query()] = None,
    before: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """What it was sent, the newest first."""
    return _listed(request, who, found(request, who), endpoint_id, state, before)


@router.get("/{message}")
def one(request: Request, endpoint_id: str, message: str, who: Reader) -> Response:
    """One message, with every try."""
    return _one(request, who, found(request, who), endpoint_id, message)


@router.post("/{message}/replay")
def again(request: Request, endpoint_id: str, message: str, who: Admin, _sent: Sent) -> Response:
    """Send one message again."""
    place = managing(request, who)
    try:
        replay.replay(place.webhooks, place.org.id, endpoint_id, _wanted(message=message))
    except Refused as error:
        if error.code == "not-found":
            raise
        return _one(request, who, place, endpoint_id, message, error)
    return to(f"/console/endpoints/{endpoint_id}/messages/{message}")


@router.post("")
def replayed(request: Request, endpoint_id: str, who: Admin, sent: Sent) -> Response:
    """Send several again: what was kept back, those since an instant, or those from one to another."""
    place = managing(request, who)
    try:
        done = replay.replay(place.webhooks, place.org.id, endpoint_id, _asked(sent))
    except Refused as error:
        if (error.code, error.field) == ("not-found", "endpoint"):
            raise
        return _listed(request, who, place, endpoint_id, wrong=error)
    return _listed(request, who, place, endpoint_id, done=done)


def _asked(sent: Form) -> Replay:
    """Which messages a form wants to be sent again.

    Raises:
        Refused: `claim-invalid` for what is no instant, or no id of a message.
    """
    ways = {"kept": _kept, "since": _since, "range": _range}
    return ways[sent.one_of("what", tuple(ways))](sent)


def _kept(_sent: Form) -> Replay:
    return _wanted(since_disabled=True)


def _since(sent: Form) -> Replay:
    text = sent["since"]
    at = _INSTANT.fullmatch(text)
    return _wanted(since="" if at is None else f"{text}Z" if at[1] else f"{text}:00Z")


def _range(sent: Form) -> Replay:
    last = sent.get("last", "").strip()
    return _wanted(first=sent["first"].strip(), **({"last": last} if last else {}))


def _wanted(**said: Any) -> Replay:
    try:
        return Replay.model_validate(said)
    except ValidationError:
        field = next(iter(said))
        what = "a date and a time" if field == "since" else "the id of a message: msg_ and 32 characters"
        raise Refused("claim-invalid", field, f"give {what}") from None


def _one(
    request: Request,
    who: Person,
    place: Place,
    endpoint_id: str,
    message: str,
    wrong: Refused | None = None,
) -> Response:
    shown = endpoints.shown(place.webhooks, place.org.id, endpoint_id)
    delivered = log.delivery(place.webhooks, place.org.id, endpoint_id, message)
    said = None if wrong is None else advice(wrong, forms.PARTS)
    return page(
        request,
        who,
        "webhooks/message.html",
        status=200 if said is None else said.status,
        endpoint=shown,
        standing=shown.standing,
        delivery=delivered,
        attempts=log.attempts(place.webhooks, place.org.id, endpoint_id, message=message, limit=SHOWN),
        wrong=said,
        ended=delivery.ended,
        advice=delivery.advice,
        **words.SAID,
    )


def _listed(
    request: Request,
    who: Person,
    place: Place,
    endpoint_id: str,
    state: DeliveryState | None = None,
    before: str | None = None,
    *,
    done: Any = None,
    wrong: Refused | None = None,
) -> Response:
    shown = endpoints.shown(place.webhooks, place.org.id, endpoint_id)
    found = log.deliveries(place.webhooks, place.org.id, endpoint_id, state=state, before=before, limit=SHOWN)
    said = None if wrong is None else advice(wrong, forms.PARTS)
    return page(
        request,
        who,
        "webhooks/messages.html",
        status=200 if said is None else said.status,
        endpoint=shown,
        standing=shown.standing,
        deliveries=found,
        state=state,
        before=before,
        older=found[-1].message if len(found) == SHOWN else None,
        done=done,
        wrong=said,
        ended=delivery.ended,
        **words.SAID,
    )

"""For whom somebody looks after endpoints, and what people of that member are told on every page."""

from collections.abc import Iterator
from typing import NamedTuple

from fastapi import Request

from tocsin.errors import Refused
from tocsin.governance.pages import actors
from tocsin.members.service import Org
from tocsin.web.console import Notice
from tocsin.web.people import Person
from tocsin.webhooks.pages import words
from tocsin.webhooks.service import endpoints
from tocsin.webhooks.service.context import Webhooks


class Place(NamedTuple):
    """The service, and the member that somebody acts for."""

    webhooks: Webhooks
    org: Org


def reading(request: Request, who: Person) -> Place | None:
    """The member whose endpoints somebody looks at; None if its issuer is no member of this hub yet."""
    org = actors.organisation(request, who)
    return None if org is None else Place(request.app.state.webhooks, org)


def found(request: Request, who: Person) -> Place:
    """As `reading`.

    Raises:
        Refused: `not-found` where there is no member.
    """
    place = reading(request, who)
    if place is None:
        raise Refused("not-found")
    return place


def managing(request: Request, who: Person) -> Place:
    """The member whose endpoints somebody looks after.

    Raises:
        Refused: as `actors.administered`.
    """
    return Place(request.app.state.webhooks, actors.administered(request, who))


def notices(request: Request, who: Person) -> Iterator[Notice]:
    """That the hub has stopped sending to endpoints of theirs, or that the secret of one ends."""
    webhooks: Webhooks = request.app.state.webhooks
    for org in actors.orgs(request, sorted(who.organisations)):
        for one in endpoints.warnings(webhooks, org.id):
            place = f"/console/endpoints/{one.public_id}"
            if one.disabled:
                why = words.REASONS[one.reason or "operator"]
                said = f"The hub has stopped sending to an endpoint of {org.issuer}. {why}"
                yield Notice(said, "See what to do", place)
            elif one.rotate_by is not None and webhooks.database.clock() < one.rotate_by:
                said = f"The hub changes a key: the secret of an endpoint of {org.issuer} ends soon."
                yield Notice(said, "See what to do", f"{place}#rotate-by")

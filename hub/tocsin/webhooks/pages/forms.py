"""The form of an endpoint: what it asks, what can be chosen, and what was.

Whatever can be chosen is chosen from closed lists, and comes back in the form; an address that was refused does not.
"""

from typing import Any, Final, NamedTuple

from fastapi import Request

from tocsin.errors import Refused
from tocsin.members.service import Members
from tocsin.web.console import Form
from tocsin.webhooks.pages import words
from tocsin.webhooks.pages.place import Place
from tocsin.webhooks.service.records import Endpoint
from tocsin_schemas.membership import SCOPES_OF
from tocsin_schemas.vocabulary import LABEL_PACKS

LABELS: Final = tuple(f"{pack}:{code}" for pack, codes in LABEL_PACKS.items() for code in sorted(codes))
PARTS: Final = {
    "url": "Address",
    "types": "Kinds of message",
    "communities": "Communities",
    "labels": "Labels",
    "severity": "How much",
    "detail": "What is in a message",
    "state": "State",
    "since": "Since",
    "first": "First message",
    "last": "Last message",
    "message": "Message",
}
"""The names of fields, as the forms have them."""


class Chosen(NamedTuple):
    """What an endpoint has, or a form has chosen for it so far."""

    url: str = ""
    types: tuple[str, ...] = ()
    communities: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    severity: str = "info"
    detail: str = "thin"

    def wanted(self) -> dict[str, Any]:
        """The same as the API would be asked."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in self._asdict().items()
        }


class Offered(NamedTuple):
    """What there is to choose from; `full`: whether the member may have signals themselves in messages."""

    communities: tuple[str, ...]
    labels: tuple[str, ...]
    full: bool


NO_ADDRESS: Final = Refused("claim-invalid", "url", "give an address that begins with https://")


def chosen(endpoint: Endpoint) -> Chosen:
    """What an endpoint has."""
    filters = (tuple(endpoint.types), tuple(endpoint.communities), tuple(endpoint.labels))
    return Chosen(endpoint.url, *filters, endpoint.severity, endpoint.detail)


def offered(request: Request, place: Place) -> Offered:
    """What the member can choose for an endpoint."""
    members: Members = request.app.state.members
    readable = (view.community for view in members.communities_of(place.org.id) if view.may_read)
    return Offered(tuple(sorted(readable)), LABELS, "signals:read" in SCOPES_OF[place.org.member_class])


def read(sent: Form, offers: Offered) -> Chosen:
    """What a form says; of lists, what is offered and ticked.

    Raises:
        Refused: `request-invalid` for what is missing, or cannot be chosen.
    """

    def ticked(prefix: str, listed: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(word for word in listed if sent.get(f"{prefix}.{word}") == "on")

    return Chosen(
        sent["url"].strip(),
        ticked("type", words.CHOICES),
        ticked("community", offers.communities),
        ticked("label", offers.labels),
        sent.one_of("severity", tuple(words.SEVERITY)),
        sent.one_of("detail", tuple(words.DETAIL)),
    )

"""Plain words for the codes of delivery, for every page that shows how something was delivered.

Every code of a list has its words here; one without would be an error at import and not an empty place on a page.
"""

from collections.abc import Mapping
from typing import Final, get_args

from tocsin.delivery.rules import ATTEMPTS, SCHEDULE, Breaker
from tocsin.egress import Why
from tocsin.governance.pages.words import Titled, demand_words
from tocsin.web.html import span

ITEMS: Final[Mapping[str, Titled]] = {
    "pending": Titled("Waiting", "It is sent as soon as its turn comes, or tried again."),
    "delivered": Titled("Delivered", "It was answered with a status from 200 to 299."),
    "dead": Titled(
        "Given up", f"It failed {ATTEMPTS} times, over {span(sum(SCHEDULE))}. Replay it to try again."
    ),
    "held": Titled(
        "Kept back", "Nothing was sent while this was paused or disabled. Replay it to send it now."
    ),
    "dropped": Titled("Dropped", "When its turn came, it was no longer for you."),
}
"""What has become of a message for a receiver."""

FAILURES: Final[Mapping[str, Titled]] = {
    "timeout": Titled("No answer in time", "Answer first, and do the work afterwards."),
    "tls": Titled(
        "No secure connection", "Look whether the certificate is in date, whole and for this name."
    ),
    "unreachable": Titled("Nobody there", "The connection was refused or broke off."),
    "too-large": Titled("Too long an answer", "A status is enough."),
    "encoded": Titled("A compressed answer", "Answer without compression."),
    "refused": Titled("Address not allowed", "It leads to a network that is not public, or to another port."),
    "dns": Titled("Name not found", "The name of its host has no address."),
}
"""Why there was no answer, and what to do about it."""

BREAKERS: Final[Mapping[str, Titled]] = {
    "closed": Titled("Sending", "Messages go out as they come."),
    "open": Titled("Resting", "It failed again and again, so the hub leaves it alone for some minutes."),
    "half-open": Titled(
        "Trying again", "After a rest one message is sent; if that works, the others follow."
    ),
}
"""How the hub treats a receiver at the moment."""


def ended(status: int | None, failure: str | None) -> str:
    """How an attempt ended, in a word or two."""
    if failure is not None:
        return FAILURES[failure].title
    return "" if status is None else f"Status {status}"


def advice(status: int | None, failure: str | None) -> str:
    """What the owner of a receiver can do about how an attempt ended; empty where it went well."""
    if failure is not None:
        return FAILURES[failure].meaning
    if status is None or 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return "Redirects are not followed: give the address that answers itself."
    return {
        401: "Take the request without a login: its signature shows that it is from the hub.",
        403: "Let the hub's requests pass: their signature shows that they are from it.",
        404: "Nothing answers at this path.",
        405: "Take requests with the method POST.",
        410: "This says that the endpoint is gone, and the hub stops.",
        413: "Take requests of up to 20 kB.",
        429: "It asked the hub to come more slowly.",
    }.get(status, "Look into the log of the service that answered.")


demand_words(ITEMS, ("pending", "delivered", "dead", "held", "dropped"))
demand_words(FAILURES, get_args(Why))
demand_words(BREAKERS, get_args(Breaker))

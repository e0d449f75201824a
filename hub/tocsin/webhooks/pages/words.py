"""Plain words for the codes of webhooks: what a page says where the wire has one word of a closed list."""

from collections.abc import Mapping
from typing import Any, Final

from tocsin.delivery.pages import words as delivery
from tocsin.governance.pages.words import Titled, demand_words
from tocsin_schemas.notifications import DETAILS, ENDPOINT_EVENTS, EVENT_TYPES, SEVERITIES, EventType

EVENTS: Final[Mapping[str, Titled]] = {
    "signal.recorded": Titled("Signals recorded", "Members have said something new."),
    "signal.expired": Titled("Signals expired", "Their time was over."),
    "signal.retracted": Titled("Signals taken back", "Their authors no longer stand by them."),
    "signal.recalled": Titled(
        "Signals recalled", "The hub or its board takes them out: stop using them now."
    ),
    "indicator.corroborated": Titled("Indicator corroborated", "Independent members have reported the same."),
    "indicator.disputed": Titled("Indicator disputed", "Members of several owners say that it is wrong."),
    "subject.escalated": Titled("Subject escalated", "Independent members report the same account."),
    "subject.reappeared": Titled("Subject reappeared", "An account that was ended seems to be back."),
    "subject.cleared": Titled("Subject cleared", "An account was reported wrongly: undo what followed."),
    "cluster.novel": Titled("New cluster", "Several members met variants of the same within a day."),
    "notice.upstream": Titled("Upstream notice", "Several members trace something to your model."),
    "notice.overdue": Titled("Notice overdue", "A notice was not answered in time."),
    "incident.declared": Titled("Incident declared", "Something threatens the hub or its members."),
    "incident.closed": Titled("Incident closed", "It is over."),
    "member.state_changed": Titled("Member's state changed", "Somebody came, left, or was stopped."),
    "key.rotating": Titled(
        "Key changes", "A member has added a key to sign with, or the hub changes its own."
    ),
    "key.revoked": Titled("Key revoked", "Believe nothing more that is signed with it."),
    "appeal.opened": Titled("Appeal opened", "A member asks for a decision to be heard again."),
    "appeal.decided": Titled("Appeal decided", "The independent panel has decided."),
    "decision.recorded": Titled("Decision recorded", "The board has decided something."),
    "endpoint.verification": Titled("Activation", "The hub asks whether the endpoint is yours."),
    "endpoint.test": Titled("Test", "You asked for it."),
    "endpoint.disabled": Titled("Endpoint disabled", "Another endpoint of yours was stopped."),
}
"""What a message tells."""

GROUPS: Final[tuple[tuple[str, tuple[EventType, ...]], ...]] = (
    ("Signals", ("signal.recorded", "signal.expired", "signal.retracted", "signal.recalled")),
    ("Indicators and clusters", ("indicator.corroborated", "indicator.disputed", "cluster.novel")),
    ("Accounts", ("subject.escalated", "subject.reappeared", "subject.cleared")),
    ("Notices and incidents", ("notice.upstream", "notice.overdue", "incident.declared", "incident.closed")),
    ("Members and keys", ("member.state_changed", "key.rotating", "key.revoked")),
    ("The board", ("decision.recorded", "appeal.opened", "appeal.decided")),
)
"""What an endpoint can ask for; what is about endpoints themselves comes in any case."""
CHOICES: Final[tuple[EventType, ...]] = tuple(kind for _, kinds in GROUPS for kind in kinds)

STATES: Final[Mapping[str, Titled]] = {
    "pending": Titled("Not active yet", "Nothing is sent before it has answered the hub once."),
    "active": Titled("Active", "Messages are sent as they come."),
    "paused": Titled("Paused", "You have paused it: nothing is sent."),
    "disabled": Titled("Disabled", "The hub has stopped sending."),
}
REASONS: Final[Mapping[str, str]] = {
    "gone": "It answered with status 410, which says that it is gone for good.",
    "failing": "For five days nothing but failures came back.",
    "operator": "The operator of this hub disabled it.",
}
"""Why the hub has stopped."""
SEVERITY: Final[Mapping[str, Titled]] = {
    "info": Titled("Everything", "Whatever the ticks below let through."),
    "notice": Titled(
        "What matters and what is urgent", "Not the steady stream of what is recorded and expires."
    ),
    "urgent": Titled("Only what is urgent", "What several agree on, recalls, revoked keys, incidents."),
}
"""The least urgent message that is sent."""
DETAIL: Final[Mapping[str, Titled]] = {
    "thin": Titled(
        "Thin", "Says that something happened, and where to read it. Nothing in it is worth stealing."
    ),
    "full": Titled("Full", "Carries the signals themselves, as their authors signed them."),
}

SAID: Final[Mapping[str, Any]] = {
    "EVENTS": EVENTS,
    "GROUPS": GROUPS,
    "STATES": STATES,
    "REASONS": REASONS,
    "SEVERITY": SEVERITY,
    "DETAIL": DETAIL,
    "BREAKERS": delivery.BREAKERS,
    "ITEMS": delivery.ITEMS,
}
"""The words that the templates of endpoints use, by the names they have there."""

demand_words(EVENTS, EVENT_TYPES)
demand_words(dict.fromkeys(CHOICES), set(EVENT_TYPES) - ENDPOINT_EVENTS)
demand_words(SEVERITY, SEVERITIES)
demand_words(DETAIL, DETAILS)

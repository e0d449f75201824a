"""Webhook endpoints as their members manage them: what is asked, and what a hub answers.

A filter is a list of closed words or of communities; an empty one lets everything pass. The secret and the public key
of an endpoint stand in two answers alone: when it is made, and when it is rotated.
"""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from tocsin_schemas.feed import Answer, Timestamp
from tocsin_schemas.notifications import ENDPOINT_EVENTS, EVENT_TYPES, Detail, EventType, Severity
from tocsin_schemas.signals import Closed, Label
from tocsin_schemas.vocabulary import LABELS

EndpointState = Literal["pending", "active", "paused", "disabled"]
"""Has to answer a challenge first; is sent to; rests because its owner says so; is sent nothing for a `reason`."""
DisabledReason = Literal["gone", "failing", "operator"]
"""It answered 410; for five days nothing but failures came back; the operator of the hub has stopped it."""
DeliveryState = Literal["pending", "delivered", "dead", "held", "dropped"]
"""Being sent or waiting; accepted; given up; kept back until the endpoint is active; nothing to send any more."""
Failure = Literal["timeout", "tls", "unreachable", "too-large", "encoded", "refused", "dns"]
"""Why there is no status: late, TLS not trusted, no whole answer, too large, compressed, not let out, no address."""

CHOOSABLE: Final[tuple[EventType, ...]] = tuple(word for word in EVENT_TYPES if word not in ENDPOINT_EVENTS)
"""What an endpoint can ask for. What concerns itself it is told anyway."""
MAX_URL: Final = 2000
MAX_COMMUNITIES: Final = 50
ENDPOINT_ID_PATTERN: Final = r"^ep_[0-9a-f]{32}$"
MESSAGE_ID_PATTERN: Final = r"^msg_[0-9a-f]{32}$"

Url = Annotated[str, Field(min_length=1, max_length=MAX_URL)]
Types = Annotated[
    list[Annotated[EventType, Field(json_schema_extra={"enum": list(CHOOSABLE)})]],
    Field(max_length=len(CHOOSABLE)),
]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Communities = Annotated[list[Slug], Field(max_length=MAX_COMMUNITIES)]
Labels = Annotated[list[Label], Field(max_length=len(LABELS))]
MessageId = Annotated[str, Field(pattern=MESSAGE_ID_PATTERN)]


class NewEndpoint(Closed):
    """An endpoint to make: where to send, how much, and of what.

    `severity` is the least that is sent. `full` puts the signals themselves into the body, for members that read them.
    """

    url: Url
    detail: Detail = "thin"
    types: Types = Field(default_factory=list)
    communities: Communities = Field(default_factory=list)
    labels: Labels = Field(default_factory=list)
    severity: Severity = "info"


class EndpointChange(Closed):
    """What is to be different. A changed `url` must answer a challenge before anything else goes there."""

    url: Url | None = None
    state: Literal["active", "paused"] | None = None
    detail: Detail | None = None
    types: Types | None = None
    communities: Communities | None = None
    labels: Labels | None = None
    severity: Severity | None = None


class Replay(Closed):
    """What to send again: one message, those from `first` to `last`, those since an instant, or what was kept back."""

    message: MessageId | None = None
    first: MessageId | None = None
    last: MessageId | None = None
    since: Timestamp | None = None
    since_disabled: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = (self.message, self.first, self.since, self.since_disabled)
        if sum(way is not None for way in ways) != 1 or (self.last is not None and self.first is None):
            raise ValueError("one of message, first (with last or without), since and since_disabled")
        return self


class EndpointView(Answer):
    """An endpoint as it stands.

    `failures` in a row since `failing_since`; `backlog` messages wait to be sent, `held` are kept back. `p50_ms` and
    `p99_ms` are how long it took to answer lately. Until `overlap_until` the secret before the newest signs too.
    `public_keys` are those that verify requests now, the newest first. With `rotate_by` the hub is changing the key
    that its secrets come from: the newest secret ends then, unless the endpoint is rotated before.
    """

    id: str
    url: str
    state: EndpointState
    reason: DisabledReason | None = None
    detail: Detail
    types: list[EventType]
    communities: list[str]
    labels: list[str]
    severity: Severity
    created_at: Timestamp
    activated_at: Timestamp | None = None
    disabled_at: Timestamp | None = None
    overlap_until: Timestamp | None = None
    public_keys: list[str]
    rotate_by: Timestamp | None = None
    backlog: int
    held: int
    failures: int
    failing_since: Timestamp | None = None
    succeeded_at: Timestamp | None = None
    p50_ms: int | None = None
    p99_ms: int | None = None


class EndpointRevealed(EndpointView):
    """The same, with what verifies its requests: `public_key` for `v1a`, and `secret` for `v1`, shown this once."""

    secret: str
    public_key: str


class DeliveryView(Answer):
    """One message for an endpoint: where it stands, how often it was tried, and how the last try ended."""

    message: str
    type: EventType
    subject: str
    seq: int
    state: DeliveryState
    urgent: bool
    attempts: int
    queued_at: Timestamp
    next_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    status: int | None = None
    failure: Failure | None = None


class AttemptView(Answer):
    """One try: when, which one of its message, how long it took (ms), and its status or why there was none.

    What was answered is kept nowhere. `id` grows, and is where the next page begins.
    """

    id: int
    message: str
    number: int
    at: Timestamp
    duration_ms: int
    status: int | None = None
    failure: Failure | None = None


class DeliveryPage(Answer):
    """Messages, the newest first; `before` asks for the next page."""

    deliveries: list[DeliveryView]
    before: str | None = None


class AttemptPage(Answer):
    """Tries, the newest first; `before` asks for the next page."""

    attempts: list[AttemptView]
    before: int | None = None


class ReplayedView(Answer):
    """How many messages go out again; `next` is where to go on, when there were more than go at a time."""

    queued: int
    next: str | None = None


class TestedView(Answer):
    """The id of the test message that was queued."""

    message: str

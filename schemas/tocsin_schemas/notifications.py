"""What the hub tells a receiver by webhook: the types of event, how urgent each is, and the bodies that travel.

- A body is `{type, timestamp, data}` (Standard Webhooks). It is thin: it says that something happened, where it stands
  in the log and where it can be read. No indicator, no author and no free text is in it.
- `data.subject` is `community:<slug>`, `board` or `endpoint:<id>`, followed by `:urgent` where the message goes by the
  fast lane and overtakes the others; `data.seq` counts the messages about it that are meant for this endpoint, without
  a hole. A receiver that misses a number pulls the feed behind the `data.cursor` of the last message before the hole.
- A full body, for endpoints that asked for it, is the thin one with `data.records`: the feed's own lines about it.
- Every event is told at least once, with the same webhook-id each time, and in any order.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tocsin_schemas.feed import Timestamp
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import Label

HappeningType = Literal[
    "signal.recorded",
    "signal.expired",
    "signal.retracted",
    "signal.recalled",
    "indicator.corroborated",
    "indicator.disputed",
    "subject.escalated",
    "subject.reappeared",
    "subject.cleared",
    "cluster.novel",
    "notice.upstream",
    "notice.overdue",
    "incident.declared",
    "incident.closed",
    "member.state_changed",
    "key.rotating",
    "key.revoked",
    "appeal.opened",
    "appeal.decided",
    "decision.recorded",
]
"""What happens in a community, or at the board."""
EndpointType = Literal["endpoint.verification", "endpoint.test", "endpoint.disabled"]
"""About an endpoint itself: told to its owner alone, whatever its filters say."""
EventType = Literal[HappeningType, EndpointType]
Severity = Literal["info", "notice", "urgent"]
Detail = Literal["thin", "full"]

EVENT_TYPES: Final[tuple[EventType, ...]] = get_args(EventType)
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
"""The least urgent first."""
DETAILS: Final[tuple[Detail, ...]] = get_args(Detail)

ENDPOINT_EVENTS: Final[frozenset[EventType]] = frozenset(get_args(EndpointType))
ESCALATIONS: Final[frozenset[EventType]] = frozenset(
    {"indicator.corroborated", "subject.escalated", "subject.reappeared"}
)
"""What several have come to agree on; a provisional member is not told (trust.md §1)."""
CORRECTIONS: Final[frozenset[EventType]] = frozenset(
    {"signal.expired", "signal.retracted", "signal.recalled", "indicator.disputed", "subject.cleared"}
)
"""What takes back something told before: all that a suspended member, or one that left, is still told."""

SEVERITY: Final[Mapping[EventType, Severity]] = {
    "signal.recorded": "info",
    "signal.expired": "info",
    "signal.retracted": "notice",
    "signal.recalled": "urgent",
    "indicator.corroborated": "urgent",
    "indicator.disputed": "notice",
    "subject.escalated": "urgent",
    "subject.reappeared": "urgent",
    "subject.cleared": "notice",
    "cluster.novel": "notice",
    "notice.upstream": "notice",
    "notice.overdue": "notice",
    "incident.declared": "urgent",
    "incident.closed": "notice",
    "member.state_changed": "notice",
    "key.rotating": "info",
    "key.revoked": "urgent",
    "appeal.opened": "notice",
    "appeal.decided": "notice",
    "decision.recorded": "info",
    "endpoint.verification": "notice",
    "endpoint.test": "info",
    "endpoint.disabled": "urgent",
}
LANES: Final[Mapping[Severity, int]] = {"urgent": 0, "notice": 1, "info": 1}
"""The lane an event goes by: 0 is for what must arrive within seconds."""

RELEASED: Final = "released/v1"
"""The rule of a `signal.recorded` about the hub's own event that names what is shown from now on."""
MAX_RECORDS: Final = 24
"""Records in a full body at most; what is about more is sent thin."""

URGENT: Final = ":urgent"
"""What the subject of a message by the fast lane ends in: it overtakes the others, and is numbered apart from them."""
SUBJECT_PATTERN: Final = r"^((board|community:[a-z0-9][a-z0-9-]{0,62})(:urgent)?|endpoint:ep_[0-9a-f]{32})$"
Place = Annotated[int, Field(ge=0, description="A log index.")]
Seq = Annotated[int, Field(ge=1, description="Counts the messages about this subject for this endpoint.")]
Subject = Annotated[str, Field(pattern=SUBJECT_PATTERN)]
Word = Annotated[str, Field(pattern=r"^[a-z_]{1,24}$")]
Link = Annotated[str, Field(pattern=r"^https?://[!-~]+$", max_length=2000)]


class _Said(BaseModel):
    """Closed where it is written; a receiver takes members that it does not know from a newer hub."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ShownRecord(_Said):
    """A record as the feed has it: a signal byte for byte, with what opens its entry in the log."""

    seq: Place
    recorded_at: Timestamp
    expires_at: Timestamp | None = None
    r: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    jws: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$")]


class EventData(_Said):
    """What happened: to `count` of the log entries `first` to `last` that are of this community or of the board.

    `cursor` is the newest log index when it happened: a receiver that missed the message before pulls the feed behind
    the cursor of the last one it has. `status` and `expires_at` are told of one entry alone. `rule` is the one that
    fired, under version `policy_version` of the policy. `labels` are those that the entries carry between them.
    """

    subject: Subject
    community: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] | None = None
    cursor: Place | None = None
    first: Place | None = None
    last: Place | None = None
    count: Annotated[int, Field(ge=1)]
    status: Word | None = None
    rule: Annotated[str, Field(pattern=r"^[a-z-]+/v[0-9]+$")] | None = None
    policy_version: Annotated[int, Field(ge=1)] | None = None
    expires_at: Timestamp | None = None
    labels: list[Label] | None = None
    link: Link | None = None
    records: Annotated[list[ShownRecord], Field(min_length=1, max_length=MAX_RECORDS)] | None = None
    seq: Seq


class ChallengeData(_Said):
    """What an endpoint answers with, to prove that it is meant to be one."""

    subject: Subject
    challenge: Annotated[str, Field(min_length=1, max_length=100)]


class TestData(_Said):
    """Nothing happened; the member asked for this."""

    __test__ = False

    subject: Subject
    seq: Seq


class DisabledData(_Said):
    """The hub sends nothing more to the endpoint that is the subject: it is `gone`, or has failed for days."""

    subject: Subject
    reason: Literal["gone", "failing", "operator"]
    link: Link | None = None
    seq: Seq


class EventNotification(_Said):
    """An event about a community or about the board."""

    type: HappeningType
    timestamp: Timestamp
    data: EventData


class EndpointVerification(_Said):
    """The challenge that an endpoint answers with."""

    type: Literal["endpoint.verification"]
    timestamp: Timestamp
    data: ChallengeData


class EndpointTest(_Said):
    """A test that the member asked for."""

    type: Literal["endpoint.test"]
    timestamp: Timestamp
    data: TestData


class EndpointDisabled(_Said):
    """Another endpoint of the same member is sent nothing any more."""

    type: Literal["endpoint.disabled"]
    timestamp: Timestamp
    data: DisabledData


Notification = Annotated[
    EventNotification | EndpointVerification | EndpointTest | EndpointDisabled, Field(discriminator="type")
]
NOTIFICATION: Final[TypeAdapter[Notification]] = TypeAdapter(Notification)


def parse_notification(body: bytes) -> Notification:
    """What a body says.

    Raises:
        Refused: `request-invalid` when it is none of the types above, or not in their form.
    """
    try:
        return NOTIFICATION.validate_json(body)
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors(include_input=False, include_url=False)[0]["loc"])
        raise Refused("request-invalid", field, "not a notification") from None


def subject_of(kind: EventType, community: str | None) -> str:
    """What an event of that type in a community (None: of the board) counts as being about."""
    about = "board" if community is None else f"community:{community}"
    return about if LANES[SEVERITY[kind]] else about + URGENT


def compose(kind: EventType, at: int, data: Mapping[str, Any]) -> bytes:
    """The bytes of a body that still lacks its number; `at` is Unix seconds, what is None in `data` is left out."""
    said = {name: value for name, value in data.items() if value is not None}
    body = {"type": kind, "timestamp": rfc3339(at), "data": said}
    return json.dumps(body, separators=(",", ":"), ensure_ascii=True).encode()


def numbered(body: bytes, seq: int, records: Sequence[bytes] = ()) -> bytes:
    """A composed body with its number, and with records as the feed writes them, where there are any."""
    shown = b',"records":[' + b",".join(records) + b"]" if records else b""
    return b'%s%s,"seq":%d}}' % (body[:-2], shown, seq)

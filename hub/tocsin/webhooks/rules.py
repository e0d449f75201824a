"""What makes an endpoint: who may have how many, what it asks for and is told, which secrets sign, when it is proved.

Pure: same input and same instant, same answer. Instants are Unix seconds.
"""

import hmac
import json
from collections.abc import Collection, Sequence
from typing import Any, Final, Literal, NamedTuple

from tocsin.errors import Refused
from tocsin_schemas.endpoints import CHOOSABLE, DisabledReason, EndpointState
from tocsin_schemas.membership import EFFECTS, SCOPES_OF
from tocsin_schemas.notifications import (
    CORRECTIONS,
    ENDPOINT_EVENTS,
    ESCALATIONS,
    SEVERITIES,
    Detail,
    EventType,
    Severity,
)
from tocsin_schemas.policy import DAY
from tocsin_schemas.signals import LATEST, load_object
from tocsin_schemas.vocabulary import LABELS, MemberClass, MemberState

Audience = Literal["any", "full", "free"]
"""Whom a message is for: any reader, those who may read everything, those given only what travels freely."""

MOST_ENDPOINTS: Final = 20
"""Endpoints of one member."""
PROBE_WINDOW: Final = 60
MOST_PROBES: Final = 10
"""Times a member may have the hub look up or call an address of its choice within a window (seconds)."""
OVERLAP_SECONDS: Final = DAY
"""How long the secret before the newest signs too."""
CHALLENGE_SECONDS: Final = 10.0
CHALLENGE_BYTES: Final = 32
ANSWER_BYTES: Final = 4096
MOST_REPLAYED: Final = 10_000
"""Messages that one replay queues, of whatever kind; and so many may not wait before it. Resuming queues all there are,
in parts of as many."""
BUSY_SECONDS: Final = 60
"""When to come back where too much waits already."""


def generations(newest: int, rotated_at: int | None, now: int) -> tuple[int, ...]:
    """The generations of secrets that sign at `now`, the newest first: two for a day after a rotation, else one."""
    if rotated_at is None or now >= rotated_at + OVERLAP_SECONDS:
        return (newest,)
    return (newest, newest - 1)


def overlap_until(rotated_at: int | None, now: int) -> int | None:
    """Until when the secret before the newest signs too; None when it does not."""
    if rotated_at is None or now >= rotated_at + OVERLAP_SECONDS:
        return None
    return rotated_at + OVERLAP_SECONDS


def rotate_by(made_at: int, lives: Sequence[tuple[int, int]]) -> int | None:
    """When a secret made at `made_at` ends because the hub has changed its own key since; None when it has not.

    `lives` are since when and until when each of those keys holds, the oldest first. In the second of a change the key
    before may still have been at work.
    """
    ends = [until for since, until in lives if since < made_at or since == 0]
    return None if not ends or ends[-1] == LATEST else ends[-1]


def check_rotation(rotated_at: int | None, now: int, *, again: bool) -> None:
    """Whether the secrets may be changed now. Within the overlap only if asked for, for it stops the oldest at once.

    Raises:
        Refused: `endpoint-rotating`.
    """
    until = overlap_until(rotated_at, now)
    if until is not None and not again:
        raise Refused(
            "endpoint-rotating",
            "",
            "the secret before the newest still signs; to rotate again ends that at once",
            retry_after=until - now,
        )


def check_room(held: int) -> None:
    """Whether a member that has `held` endpoints may have one more.

    Raises:
        Refused: `endpoint-limit`.
    """
    if held >= MOST_ENDPOINTS:
        raise Refused("endpoint-limit", "", f"a member has {MOST_ENDPOINTS} endpoints at most")


def check_pace(since: Sequence[int], now: int) -> None:
    """Whether a member may have the hub call an address again, having done so at each of `since`, oldest first.

    Raises:
        Refused: `rate-limited`.
    """
    recent = [at for at in since if at > now - PROBE_WINDOW]
    if len(recent) >= MOST_PROBES:
        wait = recent[-MOST_PROBES] + PROBE_WINDOW - now
        raise Refused(
            "rate-limited",
            "",
            f"{MOST_PROBES} addresses a minute are looked up or called for a member",
            retry_after=wait,
        )


def check_backlog(waiting: int) -> None:
    """Whether more may be queued again for an endpoint for which so many messages wait.

    Raises:
        Refused: `rate-limited`.
    """
    if waiting >= MOST_REPLAYED:
        raise Refused("rate-limited", "", f"{waiting} messages wait for it already", retry_after=BUSY_SECONDS)


def check_detail(detail: Detail, member_class: MemberClass) -> None:
    """Whether a member of that class may be sent signals in full: only who may read them in the feed (trust.md §7).

    Raises:
        Refused: `request-invalid`.
    """
    if detail == "full" and "signals:read" not in SCOPES_OF[member_class]:
        raise Refused(
            "request-invalid", "detail", "full bodies name authors: they are for members that read signals"
        )


def chosen_types(types: Collection[str]) -> list[str]:
    """The types an endpoint asks for, in order.

    Raises:
        Refused: `request-invalid` for what is no type, or concerns endpoints themselves.
    """
    if not set(types) <= set(CHOOSABLE):
        raise Refused("request-invalid", "types", "only types that an endpoint can ask for")
    return sorted(set(types))


def chosen_labels(labels: Collection[str]) -> list[str]:
    """The labels an endpoint asks for, in order.

    Raises:
        Refused: `request-invalid` for what stands in no pack.
    """
    if not set(labels) <= LABELS:
        raise Refused("request-invalid", "labels", "only labels of the packs that there are")
    return sorted(set(labels))


def chosen_communities(slugs: Collection[str], readable: Collection[str]) -> list[str]:
    """The communities an endpoint asks for, in order.

    Raises:
        Refused: `request-invalid` when the member may not read one; whether that exists makes no difference.
    """
    if not set(slugs) <= set(readable):
        raise Refused("request-invalid", "communities", "only communities that you may read")
    return sorted(set(slugs))


class Move(NamedTuple):
    """What a change comes to: the state, and whether what is kept back goes out (`release`) or all is kept (`keep`)."""

    state: EndpointState
    release: bool = False
    keep: bool = False


def changed(state: EndpointState, wanted: str | None, *, moved: bool, activated: bool) -> Move | None:
    """What follows when the owner wants another state, or has moved the endpoint to another URL; None for nothing.

    A moved endpoint proves itself anew. Until then nothing is lost if it was active before: it is kept.

    Raises:
        Refused: `endpoint-inactive` when it has to answer its challenge first.
    """
    if moved:
        if wanted is not None:
            raise Refused("endpoint-inactive", "state", "a changed URL answers its challenge first")
        return Move("pending", keep=activated)
    if wanted is None or wanted == state:
        return None
    if state in {"pending", "disabled"}:
        raise Refused("endpoint-inactive", "state", "it has to answer its challenge: activate it")
    return Move("active", release=True) if wanted == "active" else Move("paused", keep=True)


def check_allowed(reason: DisabledReason | None) -> None:
    """Whether the owner of an endpoint that was stopped for this reason may activate it.

    Raises:
        Refused: `endpoint-inactive` for what the operator has stopped.
    """
    if reason == "operator":
        raise Refused("endpoint-inactive", "", "the operator of the hub has stopped it: ask them")


def met(challenge: str, status: int, body: bytes) -> str | None:
    """Why a challenge is not met by an answer, or None when it is.

    It is in a 2xx, as the whole body or as `challenge` of a JSON object at its top: an answer that only repeats the
    request does not do, or a service that echoes what it is sent would be made an endpoint by anybody.
    """
    if not 200 <= status < 300:
        return f"it answered with status {status}"
    given = body.strip()
    try:
        said: Any = load_object(given, "body").get("challenge")
    except Refused:
        said = given.decode("ascii", "replace")
    # A string of JSON may hold what UTF-8 cannot write.
    if isinstance(said, str) and hmac.compare_digest(said.encode(errors="replace"), challenge.encode()):
        return None
    return "its answer is not the challenge"


def verification(subject: str, challenge: str, at: str) -> bytes:
    """The body of an `endpoint.verification`."""
    data = {"subject": subject, "challenge": challenge}
    return json.dumps(
        {"type": "endpoint.verification", "timestamp": at, "data": data}, separators=(",", ":")
    ).encode()


SUSPENDED: Final[frozenset[MemberState]] = frozenset({"emergency_suspended", "suspended"})
"""The states from which a member may come back without having left."""
UNANSWERED: Final = {
    "timeout": f"nothing came back within {CHALLENGE_SECONDS:.0f} s",
    "tls": "its certificate is not trusted",
    "unreachable": "no connection, or it broke",
    "too-large": f"its answer is larger than {ANSWER_BYTES} bytes",
    "encoded": "its answer is compressed",
    "refused": "its address is not one that the hub calls",
    "dns": "its host name stands for no address",
}
"""Why there was no answer to a challenge, in words."""


class Reader(NamedTuple):
    """Whose endpoint it is: the member, its class and state, and the communities that it may read (their ids)."""

    organisation_id: int
    member_class: MemberClass
    state: MemberState
    reads: frozenset[int]


class Filter(NamedTuple):
    """What an endpoint asks for; an empty set lets everything pass. `severity` is the least."""

    types: frozenset[str]
    communities: frozenset[int]
    labels: frozenset[str]
    severity: Severity


class Notice(NamedTuple):
    """A message, as far as it decides to whom it goes (`MessageRow`)."""

    type: EventType
    severity: Severity
    audience: Audience
    community_id: int | None
    organisation_id: int | None
    labels: frozenset[str]


def reads_freely(reader: Reader) -> bool:
    """Whether a member is given only what may travel freely."""
    return EFFECTS[reader.state].reads == "green"


def may_be_shown(reader: Reader) -> bool:
    """Whether signals themselves may be sent to a member: it reads in its state, and its class reads at all."""
    return EFFECTS[reader.state].reads != "none" and "signals:read" in SCOPES_OF[reader.member_class]


def is_barred(reader: Reader, community_id: int) -> bool:
    """Whether a member is told of a community what corrects the past, and may read nothing there any more."""
    effects = EFFECTS[reader.state]
    reads = community_id in reader.reads and reader.member_class != "observer"
    return reads and effects.reads == "none" and effects.webhooks == "corrections"


def may_be_told(reader: Reader, notice: Notice) -> bool:
    """Whether a member may be sent a message in the state that it is in (trust.md §1).

    What concerns one member goes to no other. Observers are given no data; what the board does is public.
    """
    sent = EFFECTS[reader.state].webhooks
    if sent == "none":
        return False
    if notice.organisation_id is not None:
        return notice.organisation_id == reader.organisation_id
    if sent == "corrections" and notice.type not in CORRECTIONS:
        return False
    if sent == "no_escalations" and notice.type in ESCALATIONS:
        return False
    if notice.community_id is None:
        return True
    if notice.community_id not in reader.reads or reader.member_class == "observer":
        return False
    return notice.audience != "full" or not reads_freely(reader)


def asked_for(wanted: Filter, notice: Notice) -> bool:
    """Whether a message passes an endpoint's filters.

    What concerns endpoints passes all of them. What the board does has no community and no label: there the types
    choose. An event of a community that carries no label passes no filter of labels.
    """
    if notice.type in ENDPOINT_EVENTS:
        return True
    if wanted.types and notice.type not in wanted.types:
        return False
    if SEVERITIES.index(notice.severity) < SEVERITIES.index(wanted.severity):
        return False
    if notice.community_id is None:
        return True
    if wanted.communities and notice.community_id not in wanted.communities:
        return False
    return not wanted.labels or not wanted.labels.isdisjoint(notice.labels)


def addressed(reader: Reader, wanted: Filter, notice: Notice) -> bool:
    """Whether a message that was just made is for an endpoint: permitted, asked for, and the one for such readers.

    What members say is told to a member that may read nothing any more only in messages of its own: about what it was
    given while it could.
    """
    if (
        EFFECTS[reader.state].reads == "none"
        and notice.community_id is not None
        and notice.organisation_id is None
    ):
        return False
    theirs = notice.audience == "any" or (notice.audience == "free") == reads_freely(reader)
    return theirs and may_be_told(reader, notice) and asked_for(wanted, notice)


def missed(reader: Reader, wanted: Filter, notice: Notice) -> bool:
    """Whether a message would be for an endpoint if its member were active, and is not because it is suspended.

    It is counted and not queued: a member that comes back notices that something lies between.
    """
    if reader.state not in SUSPENDED or addressed(reader, wanted, notice):
        return False
    return addressed(reader._replace(state="active"), wanted, notice)

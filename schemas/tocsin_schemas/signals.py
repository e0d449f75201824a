"""What a member can say: the claims of a signal and its five events.

The claims are those of a Security Event Token (RFC 8417) profile: `iss aud iat jti sub_id events`, optionally `toe`
(the time the thing was observed) and `txn`; never `exp`, `sub` or anything else. Every object is closed. Instants are
NumericDate integers (RFC 7519 §2). An optional member that has nothing to say is left out, never null.
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final, Literal, NamedTuple, cast

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tocsin_schemas import indicators
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.problems import Refused
from tocsin_schemas.published import never_null
from tocsin_schemas.vocabulary import (
    EVENT_PREFIX,
    HUMAN_BASES,
    LABELS,
    AiOrigin,
    ArtefactKind,
    Basis,
    Conduct,
    ConsequentialAction,
    CountBucket,
    DecisionMode,
    DetectionContext,
    DisputeReason,
    GeneratorFamily,
    OriginEvidence,
    OutcomeResult,
    Relevance,
    RetractionReason,
    SignalKind,
    SourceRestriction,
    Tlp,
)

MAX_ALIASES: Final = 16
MAX_LABELS: Final = 8
MAX_EVIDENCE: Final = 4
STATEMENT_TYPE: Final = "statement"
LATEST: Final = 253402300799  # 9999-12-31T23:59:59Z, the last instant RFC 3339 can write

ISSUER_PATTERN: Final = r"^https://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$"
AUDIENCE_PATTERN: Final = (
    r"^https?://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?/communities/[a-z0-9][a-z0-9-]{0,62}$"
)
SUBJECT_PATTERN: Final = (
    f"^({indicators.pattern('media', 'artefact', 'account')}|{STATEMENT_TYPE}:[0-9a-f]{{64}})$"
)
_HEX64: Final = re.compile(r"[0-9a-f]{64}")

Instant = Annotated[int, Field(ge=0, le=LATEST)]
Issuer = Annotated[str, Field(max_length=300, pattern=ISSUER_PATTERN)]
Audience = Annotated[str, Field(max_length=400, pattern=AUDIENCE_PATTERN)]
Jti = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Label = Annotated[str, Field(max_length=64, json_schema_extra={"enum": sorted(LABELS)})]


class Closed(BaseModel):
    """A closed object: unknown members, wrong types and later changes are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, json_schema_extra=never_null)


class Media(Closed):
    """What a media report must add (trust.md §3). `pdq_quality` (0-100) is required beside a `pdq` indicator."""

    ai_origin: AiOrigin
    origin_evidence: OriginEvidence
    detection_context: DetectionContext
    generator_family: GeneratorFamily | None = None
    pdq_quality: Annotated[int, Field(ge=0, le=100)] | None = None


class Account(Closed):
    """The four things an account report must show: grounds, conduct, relevance, and the reporter's own action."""

    reviewers: Annotated[int, Field(ge=0, le=99)]
    conduct: Conduct
    relevance: Relevance
    action: ConsequentialAction
    attempts: CountBucket | None = None
    minor_suspected: bool = False
    """The owner of the account may be a minor: the report is kept, and shown to nobody (trust.md §4)."""


class Artefact(Closed):
    """What a report of a model artefact must add."""

    kind: ArtefactKind


class Report(Closed):
    """A member reports an indicator. One of `media`, `account`, `artefact` fits the indicators' family."""

    basis: Basis
    labels: Annotated[list[Label], Field(min_length=1, max_length=MAX_LABELS)]
    tlp: Tlp
    valid_until: Instant
    media: Media | None = None
    account: Account | None = None
    artefact: Artefact | None = None
    source_restriction: SourceRestriction | None = None
    evidence: Annotated[list[Digest], Field(min_length=1, max_length=MAX_EVIDENCE)] | None = None
    """Salted digests of evidence the author holds; a renewal must bring one that is new."""


class Sighting(Closed):
    """A member met an indicator that somebody has reported. Renews nothing, corroborates nothing."""

    detection_context: DetectionContext
    count: CountBucket


class Dispute(Closed):
    """A member says a reported indicator is wrong. Two control groups move it to `disputed`."""

    reason: DisputeReason
    basis: Basis


class Retraction(Closed):
    """An author withdraws one of its own statements; the subject is `statement:<payload digest>`."""

    reason: RetractionReason


class Outcome(Closed):
    """What a member did about an indicator."""

    result: OutcomeResult
    decision_mode: DecisionMode


Event = Report | Sighting | Dispute | Retraction | Outcome

EVENTS: Final[dict[SignalKind, type[Event]]] = {
    "report": Report,
    "sighting": Sighting,
    "dispute": Dispute,
    "retraction": Retraction,
    "outcome": Outcome,
}


_KIND_OF: Final[dict[str, SignalKind]] = {EVENT_PREFIX + kind: kind for kind in EVENTS}


class OpaqueId(Closed):
    """RFC 9493 opaque subject identifier: an indicator, or `statement:<payload digest>`."""

    format: Literal["opaque"]
    id: Annotated[
        str, Field(max_length=indicators.MAX_INDICATOR_CHARS, json_schema_extra={"pattern": SUBJECT_PATTERN})
    ]


class Aliases(Closed):
    """RFC 9493 aliases: several hashes of one thing."""

    format: Literal["aliases"]
    identifiers: Annotated[list[OpaqueId], Field(min_length=2, max_length=MAX_ALIASES)]


class Events(Closed):
    """The `events` claim: exactly one event, named by its URN."""

    report: Report | None = Field(default=None, alias=EVENT_PREFIX + "report")
    sighting: Sighting | None = Field(default=None, alias=EVENT_PREFIX + "sighting")
    dispute: Dispute | None = Field(default=None, alias=EVENT_PREFIX + "dispute")
    retraction: Retraction | None = Field(default=None, alias=EVENT_PREFIX + "retraction")
    outcome: Outcome | None = Field(default=None, alias=EVENT_PREFIX + "outcome")


class Claims(Closed):
    """The payload of a signal, as it travels."""

    iss: Issuer
    aud: Audience
    iat: Instant
    jti: Jti
    txn: Jti | None = None
    toe: Instant | None = None
    sub_id: Annotated[OpaqueId | Aliases, Field(discriminator="format")]
    events: Events


class Signal(NamedTuple):
    """A signal that fits the schema: its claims, with the subject parsed.

    `indicators` holds 1-16 indicators of one family, or none for a retraction, whose `target` is the SHA-256 of the
    payload of the statement it withdraws. `toe` falls back to `iat`.
    """

    iss: str
    aud: str
    iat: int
    jti: bytes
    toe: int
    kind: SignalKind
    event: Event
    indicators: tuple[Indicator, ...]
    target: bytes | None = None

    @property
    def report(self) -> Report | None:
        """The event, if it is a report. (`isinstance` of a pydantic model costs a microsecond.)"""
        return cast(Report, self.event) if self.kind == "report" else None


def parse(payload: bytes) -> Signal:
    """Read the payload of a signal whose signature has been verified.

    Raises:
        Refused: with the field and the reason; never with the value.
    """
    claims = load_object(payload, "payload")
    events = claims.get("events")
    if not isinstance(events, dict) or len(events) != 1:
        raise Refused("event-unknown", "events", "exactly one event is needed")
    (urn,) = events
    kind = _KIND_OF.get(urn)
    if kind is None or events[urn] is None:
        raise Refused("event-unknown", "events", "not an event a member can send")
    try:
        model = Claims.model_validate(claims)
    except ValidationError as error:
        raise _refusal(error) from None
    if b"null" in payload:
        _refuse_null(claims, "")
    event: Event = getattr(model.events, kind)
    found, target = _subject(model.sub_id, kind)
    if kind == "report":
        _check_report(cast(Report, event), found)
    return Signal(
        iss=model.iss,
        aud=model.aud,
        iat=model.iat,
        jti=bytes.fromhex(model.jti),
        toe=model.iat if model.toe is None else model.toe,
        kind=kind,
        event=event,
        indicators=found,
        target=target,
    )


def compose(
    event: Event,
    subject: Sequence[Indicator] | bytes,
    *,
    iss: str,
    aud: str,
    iat: int,
    jti: bytes,
    toe: int | None = None,
) -> bytes:
    """The payload of a new signal: compact JSON, ready to sign.

    `subject` is one or more indicators, or the 32-byte payload digest of the statement that a retraction withdraws.
    """
    kind = next(name for name, model in EVENTS.items() if isinstance(event, model))
    claims: dict[str, Any] = {"iss": iss, "aud": aud, "iat": iat, "jti": jti.hex()}
    if toe is not None:
        claims["toe"] = toe
    if isinstance(subject, bytes):
        claims["sub_id"] = {"format": "opaque", "id": f"{STATEMENT_TYPE}:{subject.hex()}"}
    else:
        opaque = [{"format": "opaque", "id": str(item)} for item in subject]
        claims["sub_id"] = opaque[0] if len(opaque) == 1 else {"format": "aliases", "identifiers": opaque}
    claims["events"] = {EVENT_PREFIX + kind: event.model_dump(exclude_none=True)}
    return dump_object(claims)


def dump_object(value: Mapping[str, Any]) -> bytes:
    """Compact JSON in ASCII: what `load_object` reads fastest."""
    return json.dumps(value, separators=(",", ":")).encode()


def load_object(raw: bytes, field: str) -> dict[str, Any]:
    """One JSON object in ASCII without a duplicate member anywhere (RFC 8259 §4 leaves those undefined).

    Raises:
        Refused: `json-invalid` or `json-duplicate-key`, naming `field`.
    """
    with suppress(orjson.JSONDecodeError, orjson.JSONEncodeError):
        # Compact JSON written back is the same bytes, unless a member stood twice: orjson keeps the last. What is
        # written in another style, or deeper than orjson writes, is read by the slower decoder below, which looks at
        # every member.
        found = orjson.loads(raw)
        if isinstance(found, dict) and raw.isascii() and orjson.dumps(found) == raw:
            return found
    try:
        value = _DECODER.decode(raw.decode("ascii"))
    except (ValueError, RecursionError):
        # ValueError is bad ASCII, bad JSON, NaN, and an integer of more digits than Python reads.
        raise Refused("json-invalid", field, "not one JSON object in ASCII") from None
    except _DuplicateMember:
        raise Refused("json-duplicate-key", field, "an object names a member twice") from None
    if not isinstance(value, dict):
        raise Refused("json-invalid", field, "not a JSON object")
    return value


class _DuplicateMember(Exception):
    """An object named a member twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateMember
    return found


def _no_constant(_name: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def _refuse_null(value: dict[str, Any], path: str) -> None:
    """Refuse a null in claims that fit the schema otherwise: no member of another name is among them any more."""
    for name, member in value.items():
        where = path + name.removeprefix(EVENT_PREFIX)
        if member is None:
            raise Refused("claim-invalid", where, "left out when there is nothing to say, never null")
        if isinstance(member, dict):
            _refuse_null(member, where + ".")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _subject(sub_id: OpaqueId | Aliases, kind: SignalKind) -> tuple[tuple[Indicator, ...], bytes | None]:
    if kind == "retraction":
        digest = sub_id.id.removeprefix(STATEMENT_TYPE + ":") if isinstance(sub_id, OpaqueId) else ""
        if not _HEX64.fullmatch(digest):
            raise Refused("claim-invalid", "sub_id", "a retraction's subject is statement:<64 hex digits>")
        return (), bytes.fromhex(digest)
    if isinstance(sub_id, OpaqueId):
        return (indicators.parse(sub_id.id, "sub_id.id"),), None
    found = tuple(
        indicators.parse(item.id, f"sub_id.identifiers.{place}.id")
        for place, item in enumerate(sub_id.identifiers)
    )
    if len(set(found)) != len(found):
        raise Refused("claim-invalid", "sub_id.identifiers", "the same indicator stands twice")
    if len({item.family for item in found}) != 1:
        raise Refused("indicator-family-mixed", "sub_id.identifiers", "aliases are hashes of one thing")
    return found, None


def _check_report(report: Report, found: tuple[Indicator, ...]) -> None:
    family = found[0].family
    stated = {"media": report.media, "account": report.account, "artefact": report.artefact}
    for name, value in stated.items():
        if (value is not None) != (name == family):
            code = "claim-missing" if name == family else "claim-invalid"
            raise Refused(code, f"events.report.{name}", f"a report of {family} indicators has only {family}")
    has_pdq = any(item.type == "pdq" for item in found)
    if report.media is not None and (report.media.pdq_quality is not None) != has_pdq:
        raise Refused("claim-invalid", "events.report.media.pdq_quality", "stands beside pdq, and only there")
    if report.account is not None and report.basis in HUMAN_BASES and not report.account.reviewers:
        raise Refused("claim-invalid", "events.report.account.reviewers", "a human basis names its reviewers")
    for place, label in enumerate(report.labels):
        if label not in LABELS:
            raise Refused("label-unknown", f"events.report.labels.{place}", "not in a label pack in force")
    if len(set(report.labels)) != len(report.labels):
        raise Refused("claim-invalid", "events.report.labels", "the same label stands twice")


_FORMATS: Final = frozenset({"opaque", "aliases"})
_CODES: Final = {"extra_forbidden": "claim-unknown", "missing": "claim-missing"}


def _refusal(error: ValidationError) -> Refused:
    """The first schema error, without anything the sender wrote: an unknown member's name is cut from the path."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    code = _CODES.get(first["type"], "claim-invalid")
    path = first["loc"][:-1] if code == "claim-unknown" else first["loc"]
    # A subject's format is part of pydantic's path and of no path in the JSON.
    field = ".".join(str(part).removeprefix(EVENT_PREFIX) for part in path if part not in _FORMATS)
    reasons = {"claim-unknown": "an unknown member stands here", "claim-missing": "required"}
    return Refused(code, field, reasons.get(code, f"not acceptable here ({first['type']})"))

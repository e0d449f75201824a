"""What a hub answers with: receipts, feed records, the directory, an indicator's view.

A feed record is one line of NDJSON in one of three shapes (protocol.md §6): a signal byte for byte, a tombstone that is
kept for good, or an open statement that something is withheld.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema

from tocsin_schemas.jwk import JWK_SCHEMA, PublicKey, public_key
from tocsin_schemas.membership import State
from tocsin_schemas.policy import Policy
from tocsin_schemas.published import never_null
from tocsin_schemas.vocabulary import (
    Band,
    DecisionType,
    EntryKind,
    GoneReason,
    MemberClass,
    MemberState,
    Status,
    WithheldReason,
)

FEED_MEDIA_TYPE: Final = "application/x-ndjson"
SEGMENT: Final = 8192
"""How many log indexes a stored segment of a feed spans; segment k begins at index k * SEGMENT."""
MAX_PAGE: Final = 32 * SEGMENT
"""The most records that one answer gives."""
Seq = Annotated[int, Field(ge=0)]
Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Timestamp = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]


class Answer(BaseModel):
    """A closed answer."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=never_null)


class Receipt(Answer):
    """The hub recorded a signal. `entry` is the log entry's exact bytes; `statement` names the signal from now on.

    `proof` is a C2SP tlog-proof, where the author waited for it.
    """

    seq: Seq
    entry: str
    recorded_at: Timestamp
    expires_at: Timestamp
    status: Status
    statement: Hex32
    jws_digest: Hex32
    proof: str | None = None


class DryRun(Answer):
    """What submitting would have done; nothing was stored."""

    dry_run: Literal[True] = True
    would: Literal["record", "duplicate", "quarantine"]
    status: Status
    statement: Hex32


class Live(Answer):
    """A signal, byte for byte, with the nonce that opens its commitment."""

    seq: Seq
    recorded_at: Timestamp
    expires_at: Timestamp | None = None
    r: Hex32
    jws: str


class Gone(Answer):
    """A tombstone."""

    seq: Seq
    gone: GoneReason


class Withheld(Answer):
    """Recorded, and not for this reader now."""

    seq: Seq
    withheld: WithheldReason


Record = Live | Gone | Withheld
_RECORD: Final[TypeAdapter[Record]] = TypeAdapter(Record)


def parse_record(line: bytes) -> Record:
    """Read one line of a feed.

    Raises:
        pydantic.ValidationError: when it has none of the three shapes.
    """
    return _RECORD.validate_json(line)


class MemberKey(Answer):
    """A member's public key and the time in which it is in force."""

    jwk: Annotated[dict[str, str], WithJsonSchema(JWK_SCHEMA)]
    not_before: Timestamp
    not_after: Timestamp
    revoked_at: Timestamp | None = None

    def public(self) -> PublicKey:
        """The verification key.

        Raises:
            Refused: as `jwk.public_key`.
        """
        return public_key(self.jwk)


class DirectoryMember(Answer):
    """A member as its community sees it. `control_group` is an opaque id: the same for brands of one owner.

    `since` is when it came into its `state`; `activated` says that it is active, or was. With these a follower knows
    what of its statements counts (`tocsin_schemas.membership.statement_counts`).
    """

    issuer: str
    member_class: MemberClass
    control_group: str
    state: MemberState
    since: Timestamp
    activated: bool = True
    may_write: bool
    keys: list[MemberKey]


class Directory(Answer):
    """The members of one community, and the hub's own keys."""

    community: str
    audience: str
    hub: str
    members: list[DirectoryMember]
    hub_keys: list[MemberKey]


class StatementView(Answer):
    """One statement about an indicator, with its author's signed bytes."""

    seq: Seq
    kind: EntryKind
    author: str
    statement: Hex32
    recorded_at: Timestamp
    expires_at: Timestamp
    counts: bool
    r: Hex32 | None = None
    jws: str | None = None


class ReasonView(Answer):
    """A rule that fired and the statements it fired on."""

    rule: str
    statements: list[Hex32]


class IndicatorView(Answer):
    """One indicator in one community: its standing, why, and every live statement about it."""

    indicator: str
    community: str
    status: Status
    reasons: list[ReasonView]
    reporters: Band
    disputes: int
    first_seen: Timestamp
    last_seen: Timestamp
    policy_version: int
    statements: list[StatementView]


class CommunityView(Answer):
    """A community as one member sees it."""

    community: str
    audience: str
    may_read: bool
    may_write: bool


class MotionNotice(Answer):
    """A motion against the member, which it is hereby told of: `text` is what the board is asked to do.

    `noticed_at` is since when notice runs and `notice_ends` when it is over, where the rules give notice. While it is
    only proposed, its ballot opens and closes at `opens_at` and `closes_at` at the earliest.
    """

    motion: str
    type: DecisionType
    text: str
    state: Literal["proposed", "discussion", "ballot"]
    proposed_at: Timestamp
    noticed_at: Timestamp | None = None
    notice_ends: Timestamp | None = None
    opens_at: Timestamp
    closes_at: Timestamp


class Me(Answer):
    """Who the caller is to this hub, and what is left of its cap in this hour.

    `disabled_endpoints` are those of its webhook endpoints to which the hub has stopped sending, `motions` those of the
    board against it: to suspend, sanction, expel or refuse it.
    """

    issuer: str
    client_id: str
    state: MemberState
    since: Timestamp
    scopes: list[str]
    communities: list[CommunityView]
    signals_per_hour: int
    signals_left: int
    log_size: int
    disabled_endpoints: list[str] = Field(default_factory=list)
    motions: list[MotionNotice] = Field(default_factory=list)


class MemberStandingView(Answer):
    """A member, or somebody who was admitted and has not proved its keys yet, as anybody may know it.

    `watched_until` is there while a member is watched that came back from a suspension.
    """

    issuer: str
    member_class: MemberClass
    control_group: str
    state: State
    since: Timestamp
    watched_until: Timestamp | None = None


class BoardView(Answer):
    """Where the board stands: derived from its records, which anybody can replay to the same (`records` of them).

    `tip` is the digest of the newest record and `genesis` that of the first, `at` when the newest was made.
    """

    records: Seq
    tip: Hex32
    genesis: Hex32
    at: Timestamp
    roster_version: Annotated[int, Field(ge=1)]
    policy: Policy
    communities: list[str]
    members: list[MemberStandingView]

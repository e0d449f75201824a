"""What the proceedings hand out: frozen, instants in Unix seconds, digests in hexadecimal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, get_args

from tocsin.governance.rules.applications import Answer, Wish
from tocsin.governance.rules.motions import MotionState, OpenState
from tocsin_schemas.changes import Change
from tocsin_schemas.membership import FINAL, State
from tocsin_schemas.roster import Credential
from tocsin_schemas.tally import Result, RuleName
from tocsin_schemas.vocabulary import (
    ApplicationState,
    Choice,
    DecisionType,
    MemberClass,
    RecusalReason,
    RemarkStance,
    RemarkTopic,
    VettingItem,
    VettingResult,
)

UNDECIDED: Final[frozenset[State]] = frozenset(get_args(ApplicationState)).difference(FINAL)
"""The states in which something may still come of an application."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A new application; `secret` is shown this once, and the applicant's later acts need it."""

    id: str
    secret: str
    state: ApplicationState


class Admission(NamedTuple):
    """What became of an application that the board admitted: of its organisation, as the chain has it now.

    `decision` is the number of the decision, `at` when it was recorded. `awaiting` are the thumbprints of the keys
    still to be proved, and `joined_at` is when the last one was. `again`: it was admitted anew since, upon another
    application, so that what it still has to do is done there.
    """

    decision: int
    at: int
    awaiting: tuple[str, ...]
    joined_at: int | None
    again: bool


class Standing(NamedTuple):
    """Where an application stands since when: by its own row, or once it is admitted by the chain.

    `lapses_at` is until when somebody has to act; None where nothing lapses.
    """

    state: State
    since: int
    lapses_at: int | None
    admission: Admission | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it as an application: it was refused, has lapsed, or made a member."""
        if self.admission is not None and self.admission.again:
            return True
        return self.state not in UNDECIDED


@dataclass(frozen=True, slots=True)
class ApplicationStatus:
    """What the applicant and everybody with the id may know. `asked`: the questions that were put again.

    `missing`: what a draft needs before it can be handed in, questions by name and `keys`.
    """

    id: str
    issuer: str
    stands: Standing
    asked: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def state(self) -> State:
        """Its state, or its organisation's once that is admitted."""
        return self.stands.state


class CheckView(NamedTuple):
    """One finding of one checker."""

    checker: str
    result: VettingResult
    evidence: str
    at: int


class ItemView(NamedTuple):
    """An item of the checklist with its findings; `complete` when two people found it good and nobody bad."""

    item: VettingItem
    checks: tuple[CheckView, ...]
    complete: bool


class SponsorView(NamedTuple):
    """A member that stands up for the applicant: through a person (`handle`), or by signing. `fit`: it counts now."""

    issuer: str
    handle: str | None
    at: int
    fit: bool


class KeyView(NamedTuple):
    """A key the applicant holds."""

    kid: str
    alg: str


@dataclass(frozen=True, slots=True)
class ApplicationView:
    """Everything about an application, for who vets and who decides.

    `missing`: what a motion to admit still needs. `motion`: the newest to admit it, and whether that is open.
    """

    id: str
    issuer: str
    member_class: MemberClass
    control_group: str
    stands: Standing
    submitted_at: int | None
    answers: Mapping[str, tuple[Answer, ...]]
    keys: tuple[KeyView, ...]
    communities: tuple[Wish, ...]
    sponsors: tuple[SponsorView, ...]
    items: tuple[ItemView, ...]
    asked: tuple[str, ...]
    report: str | None
    motion: str | None
    open_motion: bool
    missing: tuple[str, ...]

    @property
    def state(self) -> State:
        """Its state, or its organisation's once that is admitted."""
        return self.stands.state


class ApplicationLine(NamedTuple):
    """An application in a list: its `file` is None to whoever it is closed to, because they are recused or, where
    `motion` is given, because they are to say first, on that motion, whether they have a conflict.
    """

    status: ApplicationStatus
    file: ApplicationView | None
    motion: str | None


@dataclass(frozen=True, slots=True)
class VettingReport:
    """The finished report: its digest stands in the decision, the document stays with the hub."""

    digest: str
    document: Mapping[str, object]


class RemarkView(NamedTuple):
    """A coded remark of a seat."""

    seat: str
    stance: RemarkStance
    topic: RemarkTopic
    document: str | None
    at: int


class BallotView(NamedTuple):
    """A ballot that was cast and verified."""

    seat: str
    choice: Choice
    kind: str
    cast_at: int


class Meter(NamedTuple):
    """How a motion stands: voices that may vote, the quorum, what was cast, and the result if it closed now."""

    eligible: int
    quorum: int
    cast: int
    independents_cast: int
    yes: int
    no: int
    abstain: int
    result_now: Result


@dataclass(frozen=True, slots=True)
class MotionView:
    """A motion, with the decision it puts to the vote once its ballot has opened.

    `changes` is what a new policy or roster changes in the one before it. `declared` is what the seat that looks has
    declared: True a conflict, False none, None nothing yet; `closed`: it is asked for that before more opens than whom
    the motion is about. An appeal has no proposer. `may` is what that seat can do now: declare, endorse, remark, vote,
    withdraw.
    """

    id: str
    type: DecisionType
    subject: str
    params: Mapping[str, Any]
    text: str
    changes: tuple[Change, ...]
    proposer: str | None
    state: MotionState
    proposed_at: int
    discussion_ends: int | None
    opens_at: int | None
    closes_at: int | None
    decision: Mapping[str, Any] | None
    digest: str | None
    seq: int | None
    threshold: RuleName
    endorsers: tuple[str, ...]
    endorsers_needed: int
    remarks: tuple[RemarkView, ...]
    recusals: tuple[tuple[str, RecusalReason], ...]
    ballots: tuple[BallotView, ...]
    meter: Meter
    result: Result | None
    record: int | None
    log_seq: int | None
    application: str | None
    of: int | None
    declared: bool | None
    closed: bool
    may: frozenset[str]


@dataclass(frozen=True, slots=True)
class MotionAgainst:
    """A motion against a member, as that member is told of it: what would be done by which rule, and every clock.

    `noticed_at` is when it was told of what it is accused of: by the motion itself, unless its proposer says that it
    was before; the rules want `notice_ends` to be over when the ballot opens. Both are None for a motion without
    notice. `opens_at` and `closes_at` are exact, but for one that is only proposed, where nothing is earlier.
    `stale_at` is when that lapses unless it is endorsed. `until` is the end of the suspension that is moved.
    """

    id: str
    subject: str
    type: DecisionType
    text: str
    state: OpenState
    threshold: RuleName
    proposed_at: int
    noticed_at: int | None
    notice_ends: int | None
    opens_at: int
    closes_at: int
    stale_at: int | None
    until: int | None


@dataclass(frozen=True, slots=True)
class DocketLine:
    """A motion in the docket. `subject` is whom or what it is about; None to a seat that is asked first whether it has
    a conflict. `recused`: the seat that looks has no vote on it.
    """

    id: str
    type: DecisionType
    subject: str | None
    state: MotionState
    until: int
    meter: Meter
    result: Result | None
    record: int | None
    recused: bool
    voted: bool
    may: frozenset[str]


@dataclass(frozen=True, slots=True)
class BallotPaper:
    """What a seat signs: the decision in plain words beside its digest, and the challenge for the passkey."""

    motion: str
    choice: Choice
    decision: Mapping[str, Any]
    text: str
    digest: str
    challenge: str
    credentials: tuple[Credential, ...]
    rp_id: str
    closes_at: int


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """What an emergency suspension would stop: seats that fall vacant, keys, clients, communities, and signals."""

    issuer: str
    state: str
    seats: tuple[str, ...]
    live_keys: int
    clients: int
    communities: tuple[str, ...]
    reach: Mapping[str, int]


class KeyReminder(NamedTuple):
    """A key of a member that expires soon, with nothing to follow it."""

    issuer: str
    kid: str
    not_after: int
    days: int

"""The proceedings as JSON: instants in RFC 3339, nothing null, and of an open ballot only how many have voted."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import Field

from tocsin.governance.rules.applications import QUESTIONS
from tocsin.governance.rules.motions import OPEN_STATES, MotionState
from tocsin.governance.service.context import Chamber
from tocsin.governance.service.docket import PublicLine
from tocsin.governance.service.views import ApplicationStatus, BallotPaper, MotionView
from tocsin_schemas.decisions import Decision, Params
from tocsin_schemas.feed import Answer, Timestamp
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.membership import State
from tocsin_schemas.proposals import read_params
from tocsin_schemas.signals import Digest
from tocsin_schemas.tally import Result, RuleName
from tocsin_schemas.vocabulary import ApplicationState, Choice, DecisionType, RecusalReason

MAX_ACT_BYTES = 8 * 1024
MAX_FORM_BYTES = 64 * 1024


async def _chamber(request: Request) -> Chamber:
    chamber: Chamber = request.app.state.chamber
    return chamber


Proceedings = Annotated[Chamber, Depends(_chamber)]


class AppliedView(Answer):
    """A new application: `secret` is shown this once, and the applicant's later acts need it."""

    id: str
    secret: str
    state: ApplicationState


class ApplicationStateView(Answer):
    """Where an application stands, the questions that were asked again, and what a draft still needs; once it is
    admitted, what the chain says.

    `lapses_at` is until when somebody has to act, where something lapses: after an admission, until when the keys
    `awaiting` have to be proved. `decision` is the one that admitted it, `member_since` when the last key was proved.
    """

    id: str
    issuer: str
    state: State
    since: Timestamp
    lapses_at: Timestamp | None = None
    decision: int | None = None
    awaiting: list[str] | None = None
    member_since: Timestamp | None = None
    asked: list[Annotated[str, Field(json_schema_extra={"enum": list(QUESTIONS)})]]
    missing: list[Annotated[str, Field(json_schema_extra={"enum": [*QUESTIONS, "keys"]})]]


class SeatRecusal(Answer):
    """A seat without a vote, and why."""

    seat: str
    reason: RecusalReason


class MotionLine(Answer):
    """A motion in the docket; `until` is when its state ends by itself, or when it ended."""

    id: str
    type: DecisionType
    state: MotionState
    until: Timestamp
    text: str
    result: Result | None = None
    record: int | None = None


class CountView(Answer):
    """How the count stands; what was voted is told when the ballot is over."""

    eligible: int
    quorum: int
    cast: int
    yes: int | None = None
    no: int | None = None
    abstain: int | None = None


class MotionDocument(Answer):
    """A motion: the decision it puts to the vote with its digest, when what ends, the count, and what it became."""

    id: str
    type: DecisionType
    subject: str
    text: str
    state: MotionState
    threshold: RuleName
    params: Params
    proposer: str | None = None
    proposed_at: Timestamp
    discussion_ends: Timestamp | None = None
    opens_at: Timestamp | None = None
    closes_at: Timestamp | None = None
    seq: int | None = None
    digest: Digest | None = None
    decision: Decision | None = None
    endorsers: list[str]
    recusals: list[SeatRecusal]
    count: CountView
    result: Result | None = None
    record: int | None = None
    log_seq: int | None = None
    of: int | None = None


class PaperView(Answer):
    """What a seat signs: an Ed25519 JWS over digest, choice and seat, or a passkey's assertion on the challenge."""

    motion: str
    choice: Choice
    decision: Decision
    text: str
    digest: Digest
    challenge: str
    rp_id: str
    closes_at: Timestamp


class Filed(Answer):
    """The motion that an appeal became."""

    motion: str


def application_state(status: ApplicationStatus) -> ApplicationStateView:
    """Where an application stands."""
    stands, admission = status.stands, status.stands.admission
    return ApplicationStateView(
        id=status.id,
        issuer=status.issuer,
        state=stands.state,
        since=rfc3339(stands.since),
        lapses_at=_at(stands.lapses_at),
        decision=None if admission is None else admission.decision,
        awaiting=list(admission.awaiting) or None if admission is not None else None,
        member_since=None if admission is None else _at(admission.joined_at),
        asked=list(status.asked),
        missing=list(status.missing),
    )


def line(row: PublicLine) -> MotionLine:
    """A motion in the docket."""
    return MotionLine(
        id=row.id,
        type=row.type,
        state=row.state,
        until=rfc3339(row.until),
        text=row.text,
        result=row.result,
        record=row.record,
    )


def motion(view: MotionView) -> MotionDocument:
    """A motion, whole."""
    told = view.state not in OPEN_STATES
    return MotionDocument(
        id=view.id,
        type=view.type,
        subject=view.subject,
        text=view.text,
        state=view.state,
        threshold=view.threshold,
        params=read_params(view.type, view.params),
        proposer=view.proposer,
        proposed_at=rfc3339(view.proposed_at),
        discussion_ends=_at(view.discussion_ends),
        opens_at=_at(view.opens_at),
        closes_at=_at(view.closes_at),
        seq=view.seq,
        digest=view.digest,
        decision=None if view.decision is None else _decision(view.decision),
        endorsers=list(view.endorsers),
        recusals=[SeatRecusal(seat=seat, reason=reason) for seat, reason in view.recusals],
        count=CountView(
            eligible=view.meter.eligible,
            quorum=view.meter.quorum,
            cast=view.meter.cast,
            yes=view.meter.yes if told else None,
            no=view.meter.no if told else None,
            abstain=view.meter.abstain if told else None,
        ),
        result=view.result,
        record=view.record,
        log_seq=view.log_seq,
        of=view.of,
    )


def paper(found: BallotPaper) -> PaperView:
    """What a seat signs."""
    return PaperView(
        motion=found.motion,
        choice=found.choice,
        decision=_decision(found.decision),
        text=found.text,
        digest=found.digest,
        challenge=found.challenge,
        rp_id=found.rp_id,
        closes_at=rfc3339(found.closes_at),
    )


def _decision(said: Mapping[str, Any]) -> Decision:
    return Decision.model_validate_json(json.dumps(said))


def _at(instant: int | None) -> str | None:
    return None if instant is None else rfc3339(instant)

"""The numbers the board decides, as one published value; hub and follower compute with the same ones.

Defaults are those of trust.md. None of them is an environment variable.
"""

from typing import Annotated, Final, get_args

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from tocsin_schemas.indicators import Family
from tocsin_schemas.vocabulary import LabelPack, SignalKind, SourceRestriction, Status

DAY: Final = 86_400
Seconds = Annotated[int, Field(ge=0, le=100 * 365 * DAY)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Window = Annotated[int, Field(ge=3600, le=3650 * DAY)]


class Policy(BaseModel):
    """One version of the policy. Durations are seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Count = 1
    corroborating_groups: Annotated[int, Field(ge=2, le=99)] = 2
    corroboration_window: Seconds = 30 * DAY
    disputing_groups: Annotated[int, Field(ge=1, le=99)] = 2
    iat_past: Seconds = 300
    iat_future: Seconds = 60
    toe_past: Seconds = 30 * DAY
    """A report's observation must be this recent, so that an expired report cannot come back on old evidence."""
    live_reports: Count = 4
    """How many live reports one author may have about one indicator: the first, and renewals on new evidence."""
    min_pdq_quality: Annotated[int, Field(ge=0, le=100)] = 50
    signals_per_hour: Count = 200_000
    """Default cap of one member; every line submitted counts."""
    media_candidate: Seconds = 180 * DAY
    media_corroborated: Seconds = 5 * 365 * DAY
    account_candidate: Seconds = 90 * DAY
    account_corroborated: Seconds = 365 * DAY
    account_confirmed: Seconds = 2 * 365 * DAY
    artefact: Seconds = 2 * 365 * DAY
    sighting: Seconds = 30 * DAY
    dispute: Seconds = 180 * DAY
    outcome: Seconds = 365 * DAY
    agreements: frozenset[SourceRestriction] = frozenset()
    """Licensed lists whose owners have an agreement with this hub on record."""
    label_packs: frozenset[LabelPack] = frozenset(get_args(LabelPack))
    """Packs whose labels a report may carry."""
    discussion: Seconds = 7 * DAY
    """How long a motion is discussed before its ballot opens."""
    voting: Window = 7 * DAY
    """How long a ballot is open, unless everybody has voted before."""
    quorum: Annotated[int, Field(ge=3, le=99)] = 3
    """The fewest votes that a decision takes, whatever half of the eligible voices come to; all of them, if they are
    fewer. It holds for ballots that open under it."""
    tie: Seconds = 730 * DAY
    """How long a tie that has ended keeps a seat from voting; a sponsorship is one."""
    application: Window = 180 * DAY
    """How long an application may take until the board discusses it."""
    information: Window = 30 * DAY
    """How long an applicant may take to answer a question."""
    key_proof: Window = 30 * DAY
    """How long an admitted applicant may take to prove its keys."""
    provisional: Annotated[int, Field(ge=30 * DAY, le=3650 * DAY)] = 90 * DAY
    """When a provisional member to whom nobody objects becomes active; never before thirty days."""
    emergency: Annotated[int, Field(ge=7200, le=30 * DAY)] = 72 * 3600
    """How long an emergency suspension lasts that no ballot confirms."""
    emergency_again: Seconds = 30 * DAY
    """How long after one that no ballot has confirmed duty officers cannot suspend the same member again."""
    suspension: Window = 180 * DAY
    """The longest suspension."""
    watch: Seconds = 30 * DAY
    """How long a member is watched after a suspension."""
    notice_days: Annotated[int, Field(ge=1, le=60)] = 5
    """Working days between the notice to a member and the ballot on suspending or sanctioning it."""
    attestation: Window = (365 + 30) * DAY
    """After how long a member that has not attested is restricted: a year, and thirty days of grace."""
    withdrawal: Window = 30 * DAY
    """How long winding down takes."""
    appeal: Window = 30 * DAY
    """How long after a decision it can be appealed."""
    again_rejected: Seconds = 180 * DAY
    """How long a rejected applicant waits before it applies again."""
    again_expelled: Seconds = 365 * DAY
    """The same for an expelled member, and for one that left suspended."""

    @field_serializer("agreements", "label_packs", when_used="json")
    def _sorted(self, value: frozenset[str]) -> list[str]:
        return sorted(value)


def lifetime(policy: Policy, kind: SignalKind, family: Family, status: Status) -> int:
    """The longest life, in seconds, of a statement that brought its indicator to `status` (trust.md §6)."""
    if kind != "report":
        return {"sighting": policy.sighting, "dispute": policy.dispute}.get(kind, policy.outcome)
    if family == "artefact":
        return policy.artefact
    if family == "account":
        return {
            "corroborated": policy.account_corroborated,
            "human_confirmed": policy.account_confirmed,
        }.get(status, policy.account_candidate)
    if status in {"corroborated", "human_confirmed"}:
        return policy.media_corroborated
    return policy.media_candidate

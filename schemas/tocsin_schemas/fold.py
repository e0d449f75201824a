"""Where an indicator stands: a pure fold over the statements about it.

The same statements give the same standing on every hub and at every follower, in any order and with any repetition.
Statements are never merged; a retraction cancels its author's own statement and nobody else's.

Rules (trust.md §3), each named in the reasons:
- `reported/v1`: a live report that counts makes a candidate.
- `corroborated/v1`: reports of two independent control groups, issued within 30 days, on bases that lift.
- `human-confirmed/v1`: corroborated, and one of those groups confirmed by a human.
- `disputed/v1`: two control groups dispute it.
- `quarantined/v1`: there are live reports and none counts. `expired/v1`: there is none left.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from tocsin_schemas.policy import Policy
from tocsin_schemas.vocabulary import HUMAN_BASES, LIFTING_BASES, Band, Basis, EntryKind, Status, band


class Statement(NamedTuple):
    """What the fold needs of one statement.

    `id` is the SHA-256 of the payload; `kind` how the hub logged it (a report that is not independent of the hub's own
    deliveries is logged as a sighting); `group` the author's control group; `iat` and `expires_at` Unix seconds;
    `counts` is false for a quarantined statement or one of a suspended author; `target` is set on a retraction.
    """

    id: bytes
    kind: EntryKind
    author: str
    group: str
    iat: int
    expires_at: int
    basis: Basis | None = None
    counts: bool = True
    target: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that fired and its inputs, in ascending order of id, so that anyone can recompute it."""

    rule: str
    statements: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """The outcome of the fold at one instant."""

    status: Status
    reasons: tuple[Reason, ...]
    reporters: Band
    disputes: int
    live: frozenset[bytes] = field(default=frozenset(), repr=False)
    """Ids of the statements that are neither expired nor retracted."""


def fold(statements: Iterable[Statement], now: int, policy: Policy) -> Standing:
    """The standing of the indicator that all `statements` are about, at `now` (Unix seconds)."""
    by_id = {statement.id: statement for statement in statements}
    retracted = {(s.author, s.target) for s in by_id.values() if s.kind == "retraction"}
    live = [
        s
        for s in sorted(by_id.values(), key=lambda s: s.id)
        if s.kind != "retraction" and s.expires_at > now and (s.author, s.id) not in retracted
    ]
    reports = [s for s in live if s.kind == "report"]
    counted = [s for s in reports if s.counts]
    disputes = [s for s in live if s.kind == "dispute" and s.counts]
    reasons: list[Reason] = []
    status = _ladder(reports, counted, policy, reasons)
    disputing = {s.group for s in disputes}
    if len(disputing) >= policy.disputing_groups and counted:
        status = "disputed"
        reasons.append(_reason("disputed/v1", disputes))
    return Standing(
        status=status,
        reasons=tuple(reasons),
        reporters=band(len({s.group for s in counted})),
        disputes=len(disputing),
        live=frozenset(s.id for s in live),
    )


def _ladder(
    reports: list[Statement], counted: list[Statement], policy: Policy, reasons: list[Reason]
) -> Status:
    if not reports:
        reasons.append(Reason("expired/v1", ()))
        return "expired"
    if not counted:
        reasons.append(_reason("quarantined/v1", reports))
        return "quarantined"
    reasons.append(_reason("reported/v1", counted))
    agreeing = _agreeing([s for s in counted if s.basis in LIFTING_BASES], policy)
    if not agreeing:
        return "candidate"
    reasons.append(_reason("corroborated/v1", agreeing))
    confirmed = [s for s in agreeing if s.basis == "human_confirmed"]
    if confirmed:
        reasons.append(_reason("human-confirmed/v1", confirmed))
        return "human_confirmed"
    return "corroborated"


def _agreeing(reports: list[Statement], policy: Policy) -> list[Statement]:
    """Every report that lies in some window in which enough control groups reported, a human among them."""
    ordered = sorted(reports, key=lambda s: (s.iat, s.id))
    agreeing: dict[bytes, Statement] = {}
    start = 0
    for end, latest in enumerate(ordered):
        while latest.iat - ordered[start].iat > policy.corroboration_window:
            start += 1
        window = ordered[start : end + 1]
        groups = {s.group for s in window}
        if len(groups) >= policy.corroborating_groups and any(s.basis in HUMAN_BASES for s in window):
            agreeing |= {s.id: s for s in window}
    return sorted(agreeing.values(), key=lambda s: s.id)


def _reason(rule: str, statements: Iterable[Statement]) -> Reason:
    return Reason(rule, tuple(s.id for s in statements))

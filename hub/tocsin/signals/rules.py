"""Admission: what becomes of one verified signal. Pure: same signal, same knowledge, same decision.

The order of the checks matters. A signal the hub has already is answered with its first receipt whatever the time, so
that a client may retry after any failure; only then are time, audience and content judged.
"""

import hashlib
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from tocsin_schemas.fold import Standing, Statement, fold
from tocsin_schemas.indicators import Indicator, degenerate_pdq
from tocsin_schemas.policy import Policy, lifetime
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import Report, Signal
from tocsin_schemas.vocabulary import EntryKind, Status

EventType = Literal["indicator.corroborated", "indicator.disputed"]
QuarantineCode = Literal["pdq-degenerate", "pdq-low-quality", "benign", "minor-suspected"]

# Files that are everywhere: nothing, and the one-pixel transparent GIF of tracking tags.
_BENIGN_FILES: Final = (
    b"",
    bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"),
    bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b"),
)
BENIGN: Final[frozenset[Indicator]] = frozenset(
    Indicator(kind, hashlib.new(kind.removeprefix("file-"), content, usedforsecurity=False).digest())
    for content in _BENIGN_FILES
    for kind in ("md5", "sha1", "sha256", "file-sha256")
)


class Prior(NamedTuple):
    """What the hub recorded under the same issuer and jti."""

    seq: int
    digest: bytes
    gone: bool


class Target(NamedTuple):
    """The statement a retraction names: its id, and when it would have expired."""

    digest: bytes
    expires_at: int


class Known(NamedTuple):
    """What the hub knows when it decides about one signal.

    `may_write` is None when the audience is no community of this hub, or one that the author has no part in.
    `statements` are the live ones about any of the signal's indicators in that community (for a retraction: about its
    target's); `delivered` says that the hub had shown a statement of another control group among them to the author's;
    `own_evidence` and `own_toe` come from the author's own live reports among them. `counts` says whether, in its
    author's state, the signal would count.
    """

    group: str
    may_write: bool | None
    prior: Prior | None = None
    statements: tuple[Statement, ...] = ()
    delivered: bool = False
    own_evidence: frozenset[str] = frozenset()
    own_toe: int | None = None
    target: Target | None = None
    counts: bool = True


class Admit(NamedTuple):
    """Record it. `kind` is how the log counts it, `status` what the indicator becomes."""

    kind: EntryKind
    status: Status
    expires_at: int
    quarantine: QuarantineCode | None = None


class Duplicate(NamedTuple):
    """The hub has this very signal, as entry `seq`."""

    seq: int


Decision = Admit | Duplicate | Refused


def admit(signal: Signal, digest: bytes, policy: Policy, known: Known, now: int) -> Decision:
    """Decide about one verified signal at `now` (Unix seconds); `digest` is the SHA-256 of its payload."""
    if known.prior is not None:
        return _again(known.prior, digest)
    if known.may_write is None:
        return Refused("audience-unknown", "aud", "no community of this hub, or not one of yours")
    if not known.may_write:
        return Refused("audience-forbidden", "aud", "no write access to this community")
    if (untimely := _untimely(signal, policy, now)) is not None:
        return untimely
    if signal.toe > signal.iat:
        return Refused("toe-invalid", "toe", "after the signal was issued")
    if signal.kind == "retraction":
        return _admit_retraction(policy, known, now)
    if signal.report is not None:
        return _admit_report(signal, signal.report, digest, policy, known, now)
    if not any(s.kind == "report" for s in known.statements):
        return Refused("indicator-unknown", "sub_id", "no live report of it in this community")
    if signal.kind == "dispute" and any(
        s.kind == "dispute" and s.author == signal.iss for s in known.statements
    ):
        return Refused("dispute-repeated", "sub_id", "a live dispute of this author is on record")
    return _settle(signal, digest, signal.kind, None, policy, known, now)


def refused_by(policy: Policy, signal: Signal, now: int) -> Refused | None:
    """What the values of a policy alone say against a signal that came at `now`; `admit` asks the same among others."""
    untimely = _untimely(signal, policy, now)
    return untimely or (None if signal.report is None else _unfit(signal, signal.report, policy))


def quarantine_code(signal: Signal, report: Report, policy: Policy) -> QuarantineCode | None:
    """Why a report is kept but shown to nobody, or None (trust.md §3 and, for a minor's account, §4)."""
    if report.account is not None and report.account.minor_suspected:
        return "minor-suspected"
    for indicator in signal.indicators:
        if indicator in BENIGN:
            return "benign"
        if indicator.type == "pdq" and degenerate_pdq(indicator.value):
            return "pdq-degenerate"
    quality = report.media.pdq_quality if report.media is not None else None
    return "pdq-low-quality" if quality is not None and quality < policy.min_pdq_quality else None


def standing(statements: Iterable[Statement], now: int, policy: Policy) -> Standing:
    """Where an indicator stands; see `tocsin_schemas.fold`."""
    return fold(statements, now, policy)


def transition(before: Status, after: Status) -> EventType | None:
    """The event that partners learn of when an indicator moves from one status to another."""
    if before == after:
        return None
    if after in {"corroborated", "human_confirmed"} and before not in {"corroborated", "human_confirmed"}:
        return "indicator.corroborated"
    return "indicator.disputed" if after == "disputed" else None


def _untimely(signal: Signal, policy: Policy, now: int) -> Refused | None:
    if signal.iat > now + policy.iat_future:
        return Refused("iat-future", "iat", f"more than {policy.iat_future} s ahead of the hub's clock")
    if signal.iat < now - policy.iat_past:
        return Refused("iat-too-old", "iat", f"more than {policy.iat_past} s old")
    return None


def _unfit(signal: Signal, report: Report, policy: Policy) -> Refused | None:
    if signal.toe < signal.iat - policy.toe_past:
        return Refused("toe-invalid", "toe", "the observation is older than the policy admits")
    if any(label.rpartition(":")[0] not in policy.label_packs for label in report.labels):
        return Refused("label-unknown", "events.report.labels", "its pack is not in force here")
    if report.source_restriction is not None and report.source_restriction not in policy.agreements:
        return Refused(
            "source-restricted", "events.report.source_restriction", "no agreement with its owner on record"
        )
    return None


def _again(prior: Prior, digest: bytes) -> Decision:
    if prior.digest != digest:
        return Refused("jti-reused", "jti", "this issuer used it for another signal")
    if prior.gone:
        return Refused("statement-gone", "", f"recorded as entry {prior.seq}; since withdrawn")
    return Duplicate(prior.seq)


def _admit_retraction(policy: Policy, known: Known, now: int) -> Decision:
    target = known.target
    if target is None:
        return Refused("statement-unknown", "sub_id", "not a live statement of this author in this community")
    left = standing((s for s in known.statements if s.id != target.digest), now, policy)
    return Admit("retraction", left.status, target.expires_at)


def _admit_report(
    signal: Signal, report: Report, digest: bytes, policy: Policy, known: Known, now: int
) -> Decision:
    if report.valid_until <= now:
        return Refused("valid-until-past", "events.report.valid_until", "not after the hub's clock")
    if (unfit := _unfit(signal, report, policy)) is not None:
        return unfit
    if known.own_toe is not None:
        fresh = frozenset(report.evidence or ()) - known.own_evidence
        if not fresh or signal.toe <= known.own_toe:
            return Refused(
                "renewal-without-evidence",
                "events.report.evidence",
                "a renewal needs a later toe and evidence not given before",
            )
    if sum(s.kind == "report" and s.author == signal.iss for s in known.statements) >= policy.live_reports:
        reason = f"{policy.live_reports} live reports of one author are the limit"
        return Refused("renewals-exhausted", "sub_id", reason)
    code = quarantine_code(signal, report, policy)
    # Independence: whoever was shown it first by this hub has seen it again, not found it (trust.md §3).
    kind: EntryKind = "sighting" if known.delivered else "report"
    return _settle(signal, digest, kind, code, policy, known, now)


def _settle(
    signal: Signal,
    digest: bytes,
    kind: EntryKind,
    code: QuarantineCode | None,
    policy: Policy,
    known: Known,
    now: int,
) -> Admit:
    """Fold the statement in, and fix its life: the author's own date or the policy's cap, whichever is earlier."""
    report = signal.report
    status: Status
    counts = code is None and known.counts
    if known.statements or kind != "report":
        # Its own expiry is not fixed yet; while it is being admitted it is alive.
        basis = None if report is None else report.basis
        own = Statement(digest, kind, signal.iss, known.group, signal.iat, now + 1, basis, counts)
        status = standing((*known.statements, own), now, policy).status
    else:
        status = "candidate" if counts else "quarantined"
    counted = "sighting" if kind == "sighting" else signal.kind
    cap = now + lifetime(policy, counted, signal.indicators[0].family, status)
    return Admit(kind, status, cap if report is None else min(report.valid_until, cap), code)

"""How a motion lives, who may act on it, and who may not: windows, endorsers, recusals.

    proposed ─two endorsers→ discussion (Policy.discussion) → ballot (Policy.voting) → closed
        └ 90 d → lapsed          └───── withdrawn by its proposer, until its ballot opens

An emergency opens its ballot at once, and so does the motion to suspend that follows from one. What nobody votes on any
more, because the chain would refuse it whatever the votes say, lapses.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, get_args

from tocsin_schemas.decisions import SUBJECT_PATTERN, Decision, Recusal
from tocsin_schemas.member_effects import APPEALABLE
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Seat
from tocsin_schemas.signals import ISSUER_PATTERN
from tocsin_schemas.vocabulary import RecusalReason, RemarkStance, RemarkTopic

MotionState = Literal["proposed", "discussion", "ballot", "closed", "lapsed", "withdrawn"]
OpenState = Literal["proposed", "discussion", "ballot"]
MOTION_STATES: Final[tuple[MotionState, ...]] = get_args(MotionState)
OPEN_STATES: Final[tuple[OpenState, ...]] = get_args(OpenState)

ENDORSERS: Final = 2
STALE_SECONDS: Final = 90 * DAY
CONFIRMED_BEFORE: Final = 3600
"""The ballot on an emergency suspension closes an hour before it would end by itself."""
PANEL_CONFIRMED_BEFORE: Final = 900
"""The panel's, where the board turned out not to be able to decide, a quarter of an hour before."""

AGAINST_A_MEMBER: Final = tuple(kind for kind, result in APPEALABLE.items() if result == "passes")
"""The kinds of decision that take something from a member: it is told of the motion, and can appeal the decision."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_ISSUER: Final = re.compile(ISSUER_PATTERN)


SUBJECT_CHARS: Final = 300


class Tie(NamedTuple):
    """A tie of a person to an organisation; without `ended_at` it still holds."""

    handle: str
    issuer: str
    ended_at: int | None


def check_subject(subject: str) -> str:
    """Whom or what a motion is about: an issuer, a community, a decision.

    Raises:
        Refused: `claim-invalid`.
    """
    if len(subject) > SUBJECT_CHARS or not re.fullmatch(SUBJECT_PATTERN, subject):
        raise Refused("claim-invalid", "subject", "an https origin, or a name in lower case")
    return subject


def outside_recusals(
    seats: Iterable[Seat],
    *,
    complainant_group: str | None,
    complainant: str | None,
    ties: Sequence[Tie],
    declared: Mapping[str, bool],
    since: int,
) -> list[Recusal]:
    """The seats recused for a reason that is not in the chain: a complaint, a tie (`tied`), their own word."""
    bound = tied(ties, since)
    found: list[Recusal] = []
    for seat in seats:
        reason: RecusalReason | None = None
        if complainant is not None and (
            seat.issuer == complainant
            or (complainant_group is not None and seat.control_group == complainant_group)
        ):
            reason = "complainant"
        elif seat.handle in bound:
            reason = "tie"
        elif declared.get(seat.seat):
            reason = "declared"
        if reason is not None:
            found.append(Recusal(seat=seat.seat, reason=reason))
    return found


def tied(ties: Iterable[Tie], since: int) -> frozenset[str]:
    """The people whose tie counts: it lasts, or has ended after `since` (Unix seconds)."""
    return frozenset(tie.handle for tie in ties if tie.ended_at is None or tie.ended_at > since)


def endorsers_needed(seats: Iterable[Seat], decision: Decision, proposer: str | None) -> int:
    """Two, or as many as there are beside the proposer who have a vote on it."""
    barred = {proposer, *(recusal.seat for recusal in decision.recused)}
    return min(ENDORSERS, sum(seat.seated and seat.seat not in barred for seat in seats))


def read_remark(
    stance: RemarkStance, topic: RemarkTopic, document: str | None
) -> tuple[RemarkStance, RemarkTopic, bytes | None]:
    """A coded remark, its document's SHA-256 as bytes.

    Raises:
        Refused: `claim-invalid`.
    """
    if stance not in get_args(RemarkStance):
        raise Refused("claim-invalid", "stance", f"one of {', '.join(get_args(RemarkStance))}")
    if topic not in get_args(RemarkTopic):
        raise Refused("claim-invalid", "topic", f"one of {', '.join(get_args(RemarkTopic))}")
    return stance, topic, None if document is None else read_digest(document, "document")


def read_digest(text: str, field: str) -> bytes:
    """A SHA-256 from its 64 lower-case hexadecimal digits.

    Raises:
        Refused: `claim-invalid`.
    """
    if not _DIGEST.fullmatch(text):
        raise Refused("claim-invalid", field, "a SHA-256 in 64 lower-case hexadecimal digits")
    return bytes.fromhex(text)


def check_issuer(issuer: str, field: str) -> None:
    """Whether this is an issuer: an https origin in lower case.

    Raises:
        Refused: `claim-invalid`.
    """
    if not _ISSUER.fullmatch(issuer):
        raise Refused("claim-invalid", field, "an https origin in lower case")


def check_tie(issuer: str, ended_at: int | None, now: int) -> None:
    """Whether a tie can be declared: to an issuer, ended in the past if it has ended.

    Raises:
        Refused: `claim-invalid`.
    """
    check_issuer(issuer, "issuer")
    if ended_at is not None and not 0 <= ended_at <= now:
        raise Refused("claim-invalid", "ended_at", "in the past, or nothing while the tie holds")

"""Verifying a ballot: whose signatures hold, when it was open, and what is recorded of it. Pure.

`verify_ballots` is the list of steps; `tocsin_schemas.electorate` says who is asked, and counts. What a decision then
does is the business of `tocsin_schemas.effects`. Where trust.md is silent:

- A ballot closes at the end of its window, or before when everybody eligible has voted: an early close cuts nobody
  off. One that the board cannot decide, whoever votes, closes as it opens, and is the panel's.
- It is recorded within seven days of its end: nobody keeps a decision in a drawer.
- After the roster's expiry, and for a seat after its term, only the next roster can be voted on.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from tocsin_schemas.ballot_signatures import check_signature
from tocsin_schemas.board import BoardState
from tocsin_schemas.decisions import Ballot, Decision, decision_digest
from tocsin_schemas.electorate import (
    asked,
    barred_in,
    beyond_the_board,
    count,
    opened_on,
    recusals_at_close,
    recusals_at_opening,
    rosters_asked,
    standing_ballots,
    voters,
)
from tocsin_schemas.governance import DecisionBody
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Credential, Seat
from tocsin_schemas.tally import AT_ONCE, RULES, Result, RuleName, Tally, voices
from tocsin_schemas.vocabulary import Choice, DecisionType, RecusalReason

AT_ONCE_SECONDS: Final = DAY
"""How long signatures for a decision without a window may be collected."""
RECORD_WITHIN: Final = 7 * DAY
PANEL_WITHIN: Final = 30 * DAY
"""How long after the board could not decide its panel may begin to."""
COMPUTED: Final[frozenset[RecusalReason]] = frozenset({"control_group", "sponsor", "suspended"})
"""Recusals that follow from the chain; the others are claims, made before the ballot opens."""


class Verifier(Protocol):
    """What verifies a passkey's assertion; `tocsin_schemas` knows no WebAuthn."""

    def assertion(
        self, ballot: Ballot, credential: Credential, challenge: bytes, rp_id: str, origin: str
    ) -> None:
        """Verify the ballot's assertion (Web Authentication Level 3, §7.2), the user's verification required.

        Raises:
            Refused: `ballot-unverified-user` when only that is missing, `ballot-invalid` for anything else.
        """


class Count(NamedTuple):
    """A verified ballot: the outcome, the count (for a new roster: the old one's, then its own), who voted: their
    handles, and the thumbprints of all their keys.
    """

    result: Result
    tallies: tuple[Tally, ...]
    voted: frozenset[str]
    keys: frozenset[str]


def verify_ballots(state: BoardState, body: DecisionBody, at: int, verify: Verifier) -> Count:
    """Verify a decision and its ballots as recorded at `at`, and count them.

    Raises:
        Refused: with the code of the first step that fails.
    """
    decision = body.decision
    digest = decision_digest(decision)
    # 1. The decision belongs here: its number is new, it opened on this chain, under the roster in force.
    _check_place(state, decision, at)
    # 2. It is counted by the rule of its kind, or by the panel where the board could not decide.
    _check_rule(state, decision)
    # 3. Its window is the policy's.
    _check_window(state, decision, at)
    # 4. Who is recused, is so for a reason; and everybody is who has to be.
    _check_recusals(state, decision)
    if tuple(body.recusals) != recusals_at_close(state, decision, body.ballots):
        raise Refused("recusal-mismatch", "recusals", "not the seats recused at the close")
    # 5. Every ballot: a seat asked, once, not recused, in time, with a key it has, signing this decision.
    rosters = rosters_asked(state, decision)
    choices: tuple[dict[str, Choice], ...] = tuple({} for _ in rosters)
    voted: set[str] = set()
    keys: set[str] = set()
    barred = [barred_in(state, roster, body.recusals) for roster in rosters]
    for ballot in body.ballots:
        seats = [
            next((s for s in asked(state, decision, roster) if s.seat == ballot.seat), None)
            for roster in rosters
        ]
        _check_seat(ballot, seats, decision, at)
        if not standing_ballots(state, decision, [ballot]):
            raise Refused("ballot-recused", "ballot.cast_at", "cast while the seat had no vote")
        holding = [None if seat is None else seat.credential(ballot.credential) for seat in seats]
        credential = next((found for found in holding if found is not None), None)
        if credential is None:
            raise Refused("ballot-credential-unknown", "ballot.credential", "the seat has no such key")
        if all(ballot.seat in out for out, key in zip(barred, holding, strict=True) if key is not None):
            raise Refused("ballot-recused", "ballot.seat", "the seat is recused")
        for said, found in zip(choices, holding, strict=True):
            if found is not None:
                if ballot.seat in said:
                    raise Refused("ballot-duplicate", "ballot.seat", "the seat has voted already")
                said[ballot.seat] = ballot.choice
        check_signature(state, ballot, credential, digest, verify.assertion)
        for seat, found in zip(seats, holding, strict=True):
            if seat is not None and found is not None and seat.handle is not None:
                voted.add(seat.handle)
                keys |= seat.keys
    # 6. It is closed: its time is over, everybody has voted, or the board could not decide it anyway.
    _check_closed(state, decision, barred, choices, at)
    # 7. The count.
    result, tallies = count(state, decision, body.recusals, choices)
    if result != body.result:
        raise Refused("result-mismatch", "result", "not what the ballots say")
    return Count(result, tallies, frozenset(voted), frozenset(keys))


def _check_place(state: BoardState, decision: Decision, at: int) -> None:
    if decision.seq in state.decisions:
        raise Refused("decision-repeated", "decision.seq", "a decision of that number is recorded already")
    start = opened_on(state, decision)
    if not start.at <= decision.issued_at <= at:
        raise Refused(
            "decision-window", "decision.issued_at", "opened before what it follows, or in the future"
        )
    if decision.roster_version != state.roster.version:
        raise Refused("roster-mismatch", "decision.roster_version", "not the roster in force")
    if decision.issued_at >= state.roster.expires_at and decision.type != "roster.set":
        raise Refused("roster-expired", "decision.roster_version", "the roster can only be replaced now")


def _check_rule(state: BoardState, decision: Decision) -> None:
    if decision.threshold == RULES[decision.type]:
        return
    asked_panel = any(
        (outcome.type, outcome.subject, outcome.params, outcome.result)
        == (decision.type, decision.subject, decision.params, "panel")
        and decision.issued_at <= outcome.at + PANEL_WITHIN
        for outcome in state.decisions.values()
    )
    if decision.threshold != "panel" or not asked_panel:
        raise Refused("threshold-mismatch", "decision.threshold", "not the rule of this kind of decision")


def closes_at(state: BoardState, rule: RuleName, kind: DecisionType, subject: str, issued_at: int) -> int:
    """When a ballot that opens now, at `issued_at`, has to end (Unix seconds)."""
    return _last_moment(state, kind, subject) or issued_at + (
        AT_ONCE_SECONDS if rule in AT_ONCE else state.policy.voting
    )


def _last_moment(state: BoardState, kind: DecisionType, subject: str) -> int | None:
    """The end of the emergency that a ballot must decide on before the calendar does; None for any other ballot."""
    member = state.members.get(subject)
    if kind != "member.suspend" or member is None or member.state != "emergency_suspended":
        return None
    return member.emergency_until


def _check_window(state: BoardState, decision: Decision, at: int) -> None:
    opened, ends = decision.issued_at, decision.expires_at
    at_once = decision.threshold in AT_ONCE
    last = _last_moment(state, decision.type, decision.subject)
    if at_once:
        fits = opened < ends <= opened + AT_ONCE_SECONDS
    elif last is not None:
        fits = opened < ends <= last
    else:
        fits = ends == opened + opened_on(state, decision).policy.voting
    if not fits:
        raise Refused("decision-window", "decision.expires_at", "not the time that such a ballot has")
    if at > ends + (0 if at_once else RECORD_WITHIN):
        raise Refused("decision-expired", "at", "recorded too long after the ballot ended")


def _check_recusals(state: BoardState, decision: Decision) -> None:
    stated = {recusal.seat: recusal.reason for recusal in decision.recused}
    if len(stated) != len(decision.recused) or any(state.roster.seat(seat) is None for seat in stated):
        raise Refused(
            "recusal-mismatch", "decision.recused", "a seat stands twice, or there is none of that name"
        )
    opened = opened_on(state, decision)
    computed = {
        recusal.seat: recusal.reason
        for recusal in recusals_at_opening(
            state, decision.type, decision.subject, decision.params, decision.issued_at, opened
        )
    }
    if computed.keys() - stated.keys():
        raise Refused("recusal-missing", "decision.recused", "a seat that has to be recused is not named")
    if any(reason != computed.get(seat) for seat, reason in stated.items() if reason in COMPUTED):
        raise Refused("recusal-mismatch", "decision.recused", "the chain knows of no such reason")


def _check_seat(ballot: Ballot, seats: Sequence[Seat | None], decision: Decision, at: int) -> None:
    if all(seat is None for seat in seats):
        raise Refused("ballot-seat-unknown", "ballot.seat", "the decision does not ask this seat")
    if ballot.cast_at >= decision.expires_at:
        raise Refused("ballot-late", "ballot.cast_at", "cast after the ballot had ended")
    if not decision.issued_at <= ballot.cast_at <= at:
        raise Refused(
            "ballot-invalid", "ballot.cast_at", "cast before the ballot opened, or after this record"
        )


def _check_closed(
    state: BoardState,
    decision: Decision,
    barred: Sequence[frozenset[str]],
    choices: Sequence[Mapping[str, Choice]],
    at: int,
) -> None:
    if decision.threshold in AT_ONCE or at >= decision.expires_at or beyond_the_board(state, decision):
        return
    for roster, out, said in zip(rosters_asked(state, decision), barred, choices, strict=True):
        eligible = voices(voters(state, decision, roster), out)
        if any(voter.seat not in said for voter in eligible):
            raise Refused("ballot-open", "at", "the ballot is open, and not everybody has voted")

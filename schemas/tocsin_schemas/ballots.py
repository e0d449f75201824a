"""Verifying a ballot: who is asked, who is recused, whose signatures hold, and what the count is. Pure.

`verify_ballots` is the list of steps. What a decision then does is the business of `tocsin_schemas.effects`.

Where trust.md is silent:

- A sponsor is recused from decisions about who it sponsored for as long as any other tie counts.
- A seat whose organisation falls under a suspension during the vote is recused from then on; its vote stands if it was
  cast before.
- A claimed recusal (a complaint, a tie, a word) cannot be computed. It stands in the decision that every vote signs,
  and in public: who is recused without reason is named, and can contradict.
- A ballot closes at the end of its window, or before when everybody eligible has voted: an early close cuts nobody
  off. It is recorded within seven days of its end: nobody keeps a decision in a drawer.
- After the roster's expiry, and for a seat after its term, only the next roster can be voted on.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from tocsin_schemas.ballot_signatures import check_signature
from tocsin_schemas.board import Absence, BoardState, Opening
from tocsin_schemas.decisions import (
    Admit,
    Appeal,
    Ballot,
    Decision,
    Params,
    Recusal,
    SetRoster,
    decision_digest,
)
from tocsin_schemas.governance import DecisionBody
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Credential, Roster, Seat
from tocsin_schemas.tally import AT_ONCE, RULES, Result, RuleName, Tally, tally, voices
from tocsin_schemas.vocabulary import Choice, DecisionType, RecusalReason

AT_ONCE_SECONDS: Final = DAY
"""How long signatures for a decision without a window may be collected."""
RECORD_WITHIN: Final = 7 * DAY
PANEL_WITHIN: Final = 30 * DAY
"""How long after the board could not decide its panel may begin to."""
COMPUTED: Final[frozenset[RecusalReason]] = frozenset({"control_group", "sponsor", "suspended"})
"""Recusals that follow from the chain; the others are claims, made before the ballot opens."""

_WORST: Final[tuple[Result, ...]] = ("fails", "inquorate", "panel", "passes")


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
    """A verified ballot: the outcome, the count (for a new roster: the old one's, then its own), who voted."""

    result: Result
    tallies: tuple[Tally, ...]
    voted: frozenset[str]


def asked(state: BoardState, decision: Decision, roster: Roster | None = None) -> tuple[Seat, ...]:
    """The seats that a decision asks, recused ones among them: seated, in their term, and meant by its rule."""
    on = roster or state.roster
    if decision.threshold == "panel":
        seats = [*on.panel, *(seat for seat in on.seats if seat.seat_class == "independent")]
        if isinstance(decision.params, Appeal):
            outcome = state.decisions.get(decision.params.of)
            voted = outcome.voted if outcome is not None else frozenset()
            seats = [seat for seat in seats if seat.handle not in voted]
    else:
        seats = [seat for seat in on.seats if seat.duty or decision.threshold != "duty"]
    lasting = decision.type == "roster.set"
    return tuple(
        seat for seat in seats if seat.seated and (lasting or not seat.term_over(decision.issued_at))
    )


def recusals_at_opening(
    state: BoardState,
    kind: DecisionType,
    subject: str,
    params: Params,
    at: int,
    record: int | None = None,
) -> tuple[Recusal, ...]:
    """Every seat recused by the chain's own facts when a ballot opens at `at`; the first reason that holds is given.

    `record` is the number of the newest record then; left out, the newest there is.
    """
    newest = state.size - 1 if record is None else record
    group, sponsors = _parties(state, kind, subject, params, at)
    sponsoring = {state.members[issuer].control_group for issuer in sponsors if issuer in state.members}
    found: list[Recusal] = []
    for seat in (*state.roster.seats, *state.roster.panel):
        absent = _absence(state, seat)
        if seat.issuer is None:
            continue
        if seat.issuer == subject or (group is not None and seat.control_group == group):
            found.append(Recusal(seat=seat.seat, reason="control_group"))
        elif seat.issuer in sponsors or seat.control_group in sponsoring:
            found.append(Recusal(seat=seat.seat, reason="sponsor"))
        elif absent is not None and absent.after(newest):
            found.append(Recusal(seat=seat.seat, reason="suspended"))
    return tuple(found)


def standing_ballots(state: BoardState, ballots: Iterable[Ballot]) -> tuple[Ballot, ...]:
    """The ballots that still stand: not those of a seat that was vacant when they were cast."""
    absences = {seat.seat: _absence(state, seat) for seat in (*state.roster.seats, *state.roster.panel)}
    return tuple(
        ballot
        for ballot in ballots
        if (absent := absences.get(ballot.seat)) is None or not absent.at(ballot.cast_at)
    )


def recusals_at_close(
    state: BoardState, decision: Decision, ballots: Iterable[Ballot]
) -> tuple[Recusal, ...]:
    """The decision's own recusals, and the seats that have fallen vacant since without a vote that stands."""
    settled = {recusal.seat for recusal in decision.recused}
    settled |= {ballot.seat for ballot in standing_ballots(state, ballots)}
    later = [
        Recusal(seat=seat.seat, reason="suspended")
        for seat in (*state.roster.seats, *state.roster.panel)
        if seat.seat not in settled and (absent := _absence(state, seat)) is not None and absent.until is None
    ]
    return (*decision.recused, *later)


def count(
    state: BoardState,
    decision: Decision,
    recused: Iterable[Recusal],
    choices: Sequence[Mapping[str, Choice]],
) -> tuple[Result, tuple[Tally, ...]]:
    """Count seat-to-choice, one mapping for each roster that is asked (`rosters_asked`)."""
    barred = {recusal.seat for recusal in recused}
    least = _opening(state, decision).quorum
    tallies = tuple(
        tally(
            decision.threshold,
            [seat.voter() for seat in asked(state, decision, roster)],
            barred,
            said,
            least,
        )
        for roster, said in zip(rosters_asked(state, decision), choices, strict=True)
    )
    result = min((found.result for found in tallies), key=_WORST.index)
    if decision.type == "roster.set" and result == "panel":
        # A panel stands in for a board; it does not choose the next one.
        result = "inquorate"
    return result, tallies


def rosters_asked(state: BoardState, decision: Decision) -> tuple[Roster, ...]:
    """The roster in force; for a new roster both, each with its own votes (the rule of TUF)."""
    if isinstance(decision.params, SetRoster):
        return state.roster, decision.params.roster
    return (state.roster,)


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
    barred = {recusal.seat for recusal in body.recusals}
    for ballot in body.ballots:
        seats = [
            next((s for s in asked(state, decision, roster) if s.seat == ballot.seat), None)
            for roster in rosters
        ]
        _check_seat(ballot, seats, barred, decision, at)
        if not standing_ballots(state, [ballot]):
            raise Refused("ballot-recused", "ballot.cast_at", "cast while the seat was vacant")
        holding = [_credential(seat, ballot.credential) for seat in seats]
        credential = next((found for found in holding if found is not None), None)
        if credential is None:
            raise Refused("ballot-credential-unknown", "ballot.credential", "the seat has no such key")
        for said, found in zip(choices, holding, strict=True):
            if found is not None:
                if ballot.seat in said:
                    raise Refused("ballot-duplicate", "ballot.seat", "the seat has voted already")
                said[ballot.seat] = ballot.choice
        check_signature(state, ballot, credential, digest, verify.assertion)
        voted |= {
            seat.handle
            for seat, found in zip(seats, holding, strict=True)
            if seat is not None and found is not None and seat.handle is not None
        }
    # 6. It is closed: its time is over, or everybody has voted.
    _check_closed(state, decision, barred, choices, at)
    # 7. The count.
    result, tallies = count(state, decision, body.recusals, choices)
    if result != body.result:
        raise Refused("result-mismatch", "result", "not what the ballots say")
    return Count(result, tallies, frozenset(voted))


def _opening(state: BoardState, decision: Decision) -> Opening:
    """What is remembered of the record that the decision's ballot opened on."""
    found = state.digests.get(bytes.fromhex(decision.prev))
    if found is None:
        raise Refused("decision-prev-unknown", "decision.prev", "not the digest of a record of this chain")
    return found


def _check_place(state: BoardState, decision: Decision, at: int) -> None:
    if decision.seq in state.decisions:
        raise Refused("decision-repeated", "decision.seq", "a decision of that number is recorded already")
    opened_on = _opening(state, decision)
    if not opened_on.at <= decision.issued_at <= at:
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
    return member.since + state.policy.emergency


def _check_window(state: BoardState, decision: Decision, at: int) -> None:
    opened, ends = decision.issued_at, decision.expires_at
    at_once = decision.threshold in AT_ONCE
    last = _last_moment(state, decision.type, decision.subject)
    if at_once:
        fits = opened < ends <= opened + AT_ONCE_SECONDS
    elif last is not None:
        fits = opened < ends <= last
    else:
        fits = ends == opened + _opening(state, decision).voting
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
    opened_on = _opening(state, decision).record
    computed = {
        recusal.seat: recusal.reason
        for recusal in recusals_at_opening(
            state, decision.type, decision.subject, decision.params, decision.issued_at, opened_on
        )
    }
    if computed.keys() - stated.keys():
        raise Refused("recusal-missing", "decision.recused", "a seat that has to be recused is not named")
    if any(reason != computed.get(seat) for seat, reason in stated.items() if reason in COMPUTED):
        raise Refused("recusal-mismatch", "decision.recused", "the chain knows of no such reason")


def _check_seat(
    ballot: Ballot, seats: Sequence[Seat | None], barred: set[str], decision: Decision, at: int
) -> None:
    if all(seat is None for seat in seats):
        raise Refused("ballot-seat-unknown", "ballot.seat", "the decision does not ask this seat")
    if ballot.seat in barred:
        raise Refused("ballot-recused", "ballot.seat", "the seat is recused")
    if ballot.cast_at >= decision.expires_at:
        raise Refused("ballot-late", "ballot.cast_at", "cast after the ballot had ended")
    if not decision.issued_at <= ballot.cast_at <= at:
        raise Refused(
            "ballot-invalid", "ballot.cast_at", "cast before the ballot opened, or after this record"
        )


def _credential(seat: Seat | None, name: str) -> Credential | None:
    credentials = seat.credentials if seat is not None else ()
    return next((credential for credential in credentials if credential.id == name), None)


def _check_closed(
    state: BoardState, decision: Decision, barred: set[str], choices: Sequence[Mapping[str, Choice]], at: int
) -> None:
    if decision.threshold in AT_ONCE or at >= decision.expires_at:
        return
    for roster, said in zip(rosters_asked(state, decision), choices, strict=True):
        eligible = voices([seat.voter() for seat in asked(state, decision, roster)], barred)
        if any(voter.seat not in said for voter in eligible):
            raise Refused("ballot-open", "at", "the ballot is open, and not everybody has voted")


def _parties(
    state: BoardState, kind: DecisionType, subject: str, params: Params, at: int
) -> tuple[str | None, frozenset[str]]:
    """The control group that a decision is about, and the sponsors of who it is about."""
    if isinstance(params, Admit):
        return params.control_group, frozenset(params.sponsors)
    if isinstance(params, Appeal):
        about = state.decisions.get(params.of)
        return _parties(state, about.type, about.subject, about.params, at) if about else (None, frozenset())
    member = state.members.get(subject)
    if member is None or kind == "peering.set":
        return None, frozenset()
    sponsored = at < member.admitted_at + state.policy.tie
    return member.control_group, frozenset(member.sponsors) if sponsored else frozenset()


def _absence(state: BoardState, seat: Seat) -> Absence | None:
    member = state.members.get(seat.issuer) if seat.issuer is not None else None
    return member.absent if member is not None else None

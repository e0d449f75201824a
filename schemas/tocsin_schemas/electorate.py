"""Who is asked to vote on a decision, who is recused from it, and what the votes come to. Pure.

Signatures are the business of `tocsin_schemas.ballots`; here every vote is taken for good. Where trust.md is silent:

- A sponsor is recused from decisions about who it sponsored for as long as any other tie counts.
- A seat whose organisation falls under a suspension during the vote is recused from then on; its vote stands if it was
  cast before. An emergency suspension only silences: until a ballot confirms it the seat is counted, and once it has
  ended the seat votes again (ADR 0032).
- A claimed recusal (a complaint, a tie, a word) cannot be computed. It stands in the decision that every vote signs,
  and in public: who is recused without reason is named, and can contradict.
- Who voted on a decision hears no appeal against it, nor who signed the emergency that it confirms: told by handle and
  by key, so not under another name either.
- A panel stands in for the board when the next roster is voted on, too, but only where fewer than three voices are left
  in it: no declared conflict brings that about. The next roster itself always votes by the rule of rosters.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from tocsin_schemas.board import Absence, BoardState, MemberStanding, Opening
from tocsin_schemas.decisions import Admit, Appeal, Ballot, Decision, Params, Recusal, SetRoster
from tocsin_schemas.membership import FINAL
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Roster, Seat
from tocsin_schemas.tally import RULES, VOICES_LEAST, Result, Tally, Voter, tally, voices
from tocsin_schemas.vocabulary import Choice, DecisionType, RecusalReason

_WORST: Final[tuple[Result, ...]] = ("fails", "inquorate", "panel", "passes")


def asked(state: BoardState, decision: Decision, roster: Roster | None = None) -> tuple[Seat, ...]:
    """The seats that a decision asks, recused ones among them: seated, in their term, and meant by its rule."""
    on = roster or state.roster
    if decision.threshold == "panel" and on.version == state.roster.version:
        seats = [*on.panel, *(seat for seat in on.seats if seat.seat_class == "independent")]
        outcome = state.decisions.get(decision.params.of) if isinstance(decision.params, Appeal) else None
        for done in () if outcome is None else (outcome, state.decisions.get(outcome.confirms or 0)):
            # By handle and by key: who voted hears no appeal under another name.
            if done is not None:
                seats = [
                    seat for seat in seats if seat.handle not in done.voted and not seat.keys & done.keys
                ]
    else:
        seats = [seat for seat in on.seats if seat.duty or decision.threshold != "duty"]
    lasting = decision.type == "roster.set"
    return tuple(
        seat for seat in seats if seat.seated and (lasting or not seat.term_over(decision.issued_at))
    )


def voters(state: BoardState, decision: Decision, roster: Roster | None = None) -> list[Voter]:
    """The seats that a decision asks, as their votes are counted: of the owner that its member was admitted with."""
    return [
        seat.voter()
        if (member := _member(state, seat)) is None or member.state in FINAL
        else seat.voter()._replace(group=member.control_group)
        for seat in asked(state, decision, roster)
    ]


def recusals_at_opening(
    state: BoardState,
    kind: DecisionType,
    subject: str,
    params: Params,
    at: int,
    opening: Opening | None = None,
) -> tuple[Recusal, ...]:
    """Every seat recused by the chain's own facts when a ballot opens at `at`; the first reason that holds is given.

    `opening` is the newest record then; left out, the newest there is.
    """
    on = opening or state.digests[state.tip]
    group, sponsors = _parties(state, kind, subject, params, at, on.policy.tie)
    found: list[Recusal] = []
    for seat in (*state.roster.seats, *state.roster.panel):
        reason = relation(state, seat, subject, group, sponsors)
        if reason is not None:
            found.append(Recusal(seat=seat.seat, reason=reason))
        elif any(absence.vacant and absence.after(on.record) for absence in _absences(state, seat)):
            found.append(Recusal(seat=seat.seat, reason="suspended"))
    return tuple(found)


def relation(
    state: BoardState, seat: Seat, subject: str, group: str | None, sponsors: Collection[str]
) -> RecusalReason | None:
    """Why a seat has no say on a subject of control group `group`, by the chain's own facts: its organisation is of
    that group, or of one of the sponsors', by the roster or as a member.
    """
    if seat.issuer is None:
        return None
    owners = _owners(state, seat)
    if seat.issuer == subject or (group is not None and group in owners):
        return "control_group"
    sponsoring = {state.members[issuer].control_group for issuer in sponsors if issuer in state.members}
    return "sponsor" if seat.issuer in sponsors or owners & sponsoring else None


def standing_ballots(state: BoardState, decision: Decision, ballots: Iterable[Ballot]) -> tuple[Ballot, ...]:
    """The ballots that still stand: not those of a seat whose organisation had no vote when they were cast."""
    rosters = rosters_asked(state, decision)
    return tuple(
        ballot
        for ballot in ballots
        if not any(
            absence.at(ballot.cast_at)
            for roster in rosters
            if (seat := roster.seat(ballot.seat)) is not None
            and seat.credential(ballot.credential) is not None
            for absence in _absences(state, seat)
        )
    )


def recusals_at_close(
    state: BoardState, decision: Decision, ballots: Iterable[Ballot]
) -> tuple[Recusal, ...]:
    """The decision's own recusals, and the seats that have fallen vacant since without a vote that stands."""
    settled = {recusal.seat for recusal in decision.recused}
    settled |= {
        ballot.seat
        for ballot in standing_ballots(state, decision, ballots)
        if (mine := state.roster.seat(ballot.seat)) is not None
        and mine.credential(ballot.credential) is not None
    }
    later = [
        Recusal(seat=seat.seat, reason="suspended")
        for seat in (*state.roster.seats, *state.roster.panel)
        if seat.seat not in settled
        and any(absence.vacant and absence.until is None for absence in _absences(state, seat))
    ]
    return (*decision.recused, *later)


def barred_in(state: BoardState, roster: Roster, recused: Iterable[Recusal]) -> frozenset[str]:
    """The seats of a roster that is asked that have no vote: the recused ones; in the next roster, those that the same
    people hold, or people of the same organisations, whatever the seats are called.
    """
    named = [seat for recusal in recused if (seat := state.roster.seat(recusal.seat)) is not None]
    if roster.version == state.roster.version:
        return frozenset(seat.seat for seat in named)
    people = {seat.handle for seat in named if seat.handle is not None}
    sent_by = {seat.issuer for seat in named if seat.issuer is not None}
    everyone = (*roster.seats, *roster.panel)
    return frozenset(seat.seat for seat in everyone if seat.handle in people or seat.issuer in sent_by)


def count(
    state: BoardState,
    decision: Decision,
    recused: Iterable[Recusal],
    choices: Sequence[Mapping[str, Choice]],
) -> tuple[Result, tuple[Tally, ...]]:
    """Count seat-to-choice, one mapping for each roster that is asked (`rosters_asked`)."""
    without = tuple(recused)
    least = opened_on(state, decision).policy.quorum
    tallies = tuple(
        tally(
            decision.threshold if roster.version == state.roster.version else RULES[decision.type],
            voters(state, decision, roster),
            barred_in(state, roster, without),
            said,
            least,
        )
        for roster, said in zip(rosters_asked(state, decision), choices, strict=True)
    )
    result = min((found.result for found in tallies), key=_WORST.index)
    if decision.type != "roster.set":
        return result, tallies
    if decision.threshold != "panel" and _too_few(state, decision, without):
        return "panel", tallies
    # Who is recused by a claim does not hand the next roster to the panel.
    return "inquorate" if result == "panel" else result, tallies


def beyond_the_board(state: BoardState, decision: Decision) -> bool:
    """Whether the board cannot decide, whoever votes: the ballot is over as it opens, and the panel's turn has come."""
    nobody: list[Mapping[str, Choice]] = [{} for _ in rosters_asked(state, decision)]
    return count(state, decision, decision.recused, nobody)[0] == "panel"


def _too_few(state: BoardState, decision: Decision, recused: Iterable[Recusal]) -> bool:
    gone = {recusal.seat for recusal in recused if recusal.reason == "suspended"}
    return len(voices(voters(state, decision), gone)) < VOICES_LEAST


def rosters_asked(state: BoardState, decision: Decision) -> tuple[Roster, ...]:
    """The roster in force; for a new roster both, each with its own votes (the rule of TUF)."""
    if isinstance(decision.params, SetRoster):
        return state.roster, decision.params.roster
    return (state.roster,)


def opened_on(state: BoardState, decision: Decision) -> Opening:
    """What is remembered of the record that the decision's ballot opened on."""
    found = state.digests.get(bytes.fromhex(decision.prev))
    if found is None:
        raise Refused("decision-prev-unknown", "decision.prev", "not the digest of a record of this chain")
    return found


def _parties(
    state: BoardState, kind: DecisionType, subject: str, params: Params, at: int, tie: int
) -> tuple[str | None, frozenset[str]]:
    """The control group that a decision is about, and the sponsors of who it is about."""
    if isinstance(params, Admit):
        return params.control_group, frozenset(params.sponsors)
    if isinstance(params, Appeal):
        about = state.decisions.get(params.of)
        return (
            _parties(state, about.type, about.subject, about.params, at, tie)
            if about
            else (None, frozenset())
        )
    member = state.members.get(subject)
    if member is None or kind == "peering.set":
        return None, frozenset()
    sponsored = at < member.admitted_at + tie
    return member.control_group, frozenset(member.sponsors) if sponsored else frozenset()


def _member(state: BoardState, seat: Seat) -> MemberStanding | None:
    return None if seat.issuer is None else state.members.get(seat.issuer)


def _owners(state: BoardState, seat: Seat) -> frozenset[str | None]:
    """The owner that the roster names, and the one that the member was admitted with."""
    member = _member(state, seat)
    return frozenset({seat.control_group} if member is None else {seat.control_group, member.control_group})


def _absences(state: BoardState, seat: Seat) -> tuple[Absence, ...]:
    member = _member(state, seat)
    return () if member is None else member.absences

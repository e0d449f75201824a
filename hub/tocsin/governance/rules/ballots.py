"""A ballot box that is still open: which votes hold, how the count stands, and whether it may be closed.

Everything is judged by the code that replays the chain (`tocsin_schemas.ballots`), so that what is taken here is never
refused there.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from tocsin_schemas.ballots import Verifier, verify_ballots
from tocsin_schemas.board import BoardState
from tocsin_schemas.decisions import Ballot, Decision, Recusal
from tocsin_schemas.electorate import (
    asked,
    barred_in,
    beyond_the_board,
    count,
    recusals_at_close,
    rosters_asked,
    voters,
)
from tocsin_schemas.governance import DecisionBody
from tocsin_schemas.problems import Refused
from tocsin_schemas.tally import AT_ONCE, Result, Tally, voices
from tocsin_schemas.vocabulary import Choice

_LATER_STEPS: Final = frozenset({"ballot-open", "result-mismatch"})
"""What is refused only after every ballot has been found good."""


def check(
    state: BoardState, decision: Decision, ballots: Sequence[Ballot], at: int, verify: Verifier
) -> None:
    """Whether every one of `ballots` would hold in a record made at `at`.

    Raises:
        Refused: with the code of the first step of `verify_ballots` that fails.
    """
    try:
        verify_ballots(state, body(state, decision, ballots, "inquorate"), at, verify)
    except Refused as error:
        if error.code not in _LATER_STEPS:
            raise


def body(state: BoardState, decision: Decision, ballots: Sequence[Ballot], result: Result) -> DecisionBody:
    """What is recorded of a ballot that closes now."""
    return DecisionBody(
        decision=decision,
        ballots=list(ballots),
        recusals=list(recusals_at_close(state, decision, ballots)),
        result=result,
    )


def tallied(
    state: BoardState,
    decision: Decision,
    ballots: Sequence[Ballot],
    recused: Sequence[Recusal] | None = None,
) -> tuple[Result, tuple[Tally, ...]]:
    """The result and the count of each roster that is asked; the ballots are good ones.

    `recused` are those of a record; without them, those if the ballot closed now.
    """
    barred = recusals_at_close(state, decision, ballots) if recused is None else recused
    return count(state, decision, barred, _choices(state, decision, ballots))


def everybody_voted(state: BoardState, decision: Decision, ballots: Sequence[Ballot]) -> bool:
    """Whether nobody is left who may still vote, so that nothing can change any more."""
    recused = recusals_at_close(state, decision, ballots)
    return all(
        voter.seat in said
        for roster, said in zip(
            rosters_asked(state, decision), _choices(state, decision, ballots), strict=True
        )
        for voter in voices(voters(state, decision, roster), barred_in(state, roster, recused))
    )


def closes_now(state: BoardState, decision: Decision, ballots: Sequence[Ballot], now: int) -> bool:
    """Whether the ballot is to be closed: its time is over, what was cast has decided it, or the board cannot."""
    if now >= decision.expires_at or beyond_the_board(state, decision):
        return True
    if decision.threshold in AT_ONCE:
        return tallied(state, decision, ballots)[0] == "passes"
    return everybody_voted(state, decision, ballots)


def _choices(state: BoardState, decision: Decision, ballots: Sequence[Ballot]) -> list[Mapping[str, Choice]]:
    """Seat to choice, for each roster that is asked: a ballot counts where the seat has the key it was signed with."""
    found: list[Mapping[str, Choice]] = []
    for roster in rosters_asked(state, decision):
        keys = {seat.seat: {key.id for key in seat.credentials} for seat in asked(state, decision, roster)}
        found.append(
            {
                ballot.seat: ballot.choice
                for ballot in ballots
                if ballot.credential in keys.get(ballot.seat, ())
            }
        )
    return found

"""What a motion looks like to whoever asks: its words, its discussion, its count, and what the asker may do now."""

from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from pydantic import ValidationError

from tocsin.db import UnitOfWork
from tocsin.governance.rules import ballots as box
from tocsin.governance.rules.motions import OPEN_STATES, endorsers_needed
from tocsin.governance.rules.people import Seated, may_vote
from tocsin.governance.service import course
from tocsin.governance.service.views import BallotView, DocketLine, Meter, MotionView, RemarkView
from tocsin.governance.store import motions as store
from tocsin.governance.store import records
from tocsin.governance.store.motions import Motion
from tocsin_schemas.board import BoardState
from tocsin_schemas.changes import changes
from tocsin_schemas.decisions import (
    Appeal,
    Ballot,
    Decision,
    Recusal,
    SetPolicy,
    SetRoster,
    decision_digest,
)
from tocsin_schemas.electorate import (
    asked,
    recusals_at_close,
)
from tocsin_schemas.explained import in_words
from tocsin_schemas.governance import DecisionBody, Genesis, parse_record
from tocsin_schemas.policy import Policy
from tocsin_schemas.roster import Seat
from tocsin_schemas.tally import AT_ONCE, Result
from tocsin_schemas.vocabulary import RecusalReason


class Seen(NamedTuple):
    """What is shown of a motion: of a recorded one what its record says, of another one what its rows say.

    `state` has the roster that the decision asks; `recused` are the record's, `record` its number, `log_seq` its entry.
    """

    state: BoardState
    decision: Decision
    ballots: Sequence[Ballot]
    recused: Sequence[Recusal] | None = None
    result: Result | None = None
    record: int | None = None
    log_seq: int | None = None


def view(uow: UnitOfWork, state: BoardState, row: Motion, seated: Seated | None) -> MotionView:
    """A motion, whole."""
    seen = _seen(uow, state, row)
    decision, opened = seen.decision, row.decision is not None
    declared = store.declared(uow, row.id)
    barred = recusals(state, row, decision, seen.ballots, declared, seen.recused)
    return MotionView(
        id=row.id,
        type=decision.type,
        subject=decision.subject,
        params=decision.params.model_dump(mode="json", exclude_none=True),
        text=sentence(decision),
        changes=changes(_policy_before(uow, state, seen), seen.state.roster, decision.params),
        proposer=row.proposer,
        state=row.state,
        proposed_at=row.proposed_at,
        discussion_ends=None if row.discussed_at is None else _discussion_ends(state, row),
        opens_at=row.opened_at if row.state != "discussion" else row.until,
        closes_at=decision.expires_at if opened else None,
        decision=as_json(decision) if opened else None,
        digest=decision_digest(decision).hex() if opened else None,
        seq=row.decision_seq,
        threshold=decision.threshold,
        endorsers=store.endorsers(uow, row.id),
        endorsers_needed=endorsers_needed(state.roster.seats, decision, row.proposer),
        remarks=tuple(
            RemarkView(
                said.seat,
                said.stance,
                said.topic,
                None if said.document is None else said.document.hex(),
                said.remarked_at,
            )
            for said in store.remarks(uow, row.id)
        ),
        recusals=barred,
        ballots=tuple(
            BallotView(
                ballot.seat, ballot.choice, "webauthn" if ballot.jws is None else "ed25519", ballot.cast_at
            )
            for ballot in seen.ballots
        ),
        meter=meter(seen),
        result=seen.result,
        record=seen.record,
        log_seq=seen.log_seq,
        application=row.application_id,
        of=decision.params.of if isinstance(decision.params, Appeal) else None,
        declared=None if seated is None else declared.get(seated.seat),
        closed=asked_first(uow, seen.state, row, seated, dict(barred)),
        may=may(uow, row, seen, seated),
    )


def line(uow: UnitOfWork, state: BoardState, row: Motion, seated: Seated | None) -> DocketLine:
    """A motion in the docket."""
    seen, declared = _seen(uow, state, row), store.declared(uow, row.id)
    barred = dict(recusals(state, row, seen.decision, seen.ballots, declared, seen.recused))
    return DocketLine(
        id=row.id,
        type=seen.decision.type,
        subject=None if asked_first(uow, seen.state, row, seated, barred) else seen.decision.subject,
        state=row.state,
        until=row.until if row.closed_at is None else row.closed_at,
        meter=meter(seen),
        result=seen.result,
        record=seen.record,
        recused=seated is not None and seated.seat in barred,
        voted=(seat := _seat(seen, seated)) is not None and has_voted(seat, seen.ballots),
        may=may(uow, row, seen, seated),
    )


def _seen(uow: UnitOfWork, state: BoardState, row: Motion) -> Seen:
    kept = None if row.record_seq is None else records.one(uow, row.record_seq)
    body = None if kept is None else parse_record(kept.raw).body
    if kept is not None and isinstance(body, DecisionBody) and body.decision.seq == row.decision_seq:
        asked_then = _under(uow, state, body.decision.roster_version)
        return Seen(
            asked_then, body.decision, body.ballots, body.recusals, body.result, kept.seq, kept.log_seq
        )
    decision = course.frozen(row) or course.frame(uow, state, row, uow.now)
    return Seen(state, decision, cast_ballots(uow, row))


def _under(uow: UnitOfWork, state: BoardState, version: int) -> BoardState:
    """The state with the roster of that version: what a decision under it was counted by."""
    if version == state.roster.version:
        return state
    first = records.one(uow, 0)
    founded = None if first is None else parse_record(first.raw).body
    rosters = [founded.roster] if isinstance(founded, Genesis) else []
    rosters += [
        outcome.params.roster
        for outcome in state.decisions.values()
        if isinstance(outcome.params, SetRoster) and outcome.result == "passes"
    ]
    return next((replace(state, roster=past) for past in rosters if past.version == version), state)


def _policy_before(uow: UnitOfWork, state: BoardState, seen: Seen) -> Policy:
    """The policy that stood when a record was made; without a record, the one in force."""
    if seen.record is None:
        return state.policy
    set_before = [
        (outcome.record, outcome.params.policy)
        for outcome in state.decisions.values()
        if isinstance(outcome.params, SetPolicy)
        and outcome.result == "passes"
        and outcome.record < seen.record
    ]
    if set_before:
        return max(set_before, key=lambda one: one[0])[1]
    first = records.one(uow, 0)
    founded = None if first is None else parse_record(first.raw).body
    return founded.policy if isinstance(founded, Genesis) else state.policy


def cast_ballots(uow: UnitOfWork, row: Motion) -> list[Ballot]:
    """The ballots as they lie there; what is recorded is verified once more."""
    found = []
    for _, raw in store.ballots(uow, row.id):
        with suppress(ValidationError):
            found.append(Ballot.model_validate_json(raw))
    return found


def recusals(
    state: BoardState,
    row: Motion,
    decision: Decision,
    ballots: Sequence[Ballot],
    declared: Mapping[str, bool],
    recorded: Sequence[Recusal] | None = None,
) -> tuple[tuple[str, RecusalReason], ...]:
    """Every seat without a vote, and why: those the decision names, and those that came up since."""
    found: dict[str, RecusalReason] = {recusal.seat: recusal.reason for recusal in decision.recused}
    open_still = row.state in OPEN_STATES
    later = recusals_at_close(state, decision, ballots) if open_still else recorded or ()
    for recusal in later:
        found.setdefault(recusal.seat, recusal.reason)
    for seat, conflict in declared.items():
        if conflict and open_still:
            found.setdefault(seat, "declared")
    return tuple(sorted(found.items()))


def meter(seen: Seen) -> Meter:
    """How the count stands; for a new roster that of the roster in force."""
    result, tallies = box.tallied(seen.state, seen.decision, seen.ballots, seen.recused)
    first = tallies[0]
    independents = {
        seat.seat for seat in asked(seen.state, seen.decision) if seat.seat_class == "independent"
    }
    return Meter(
        eligible=first.eligible,
        quorum=first.quorum,
        cast=first.yes + first.no + first.abstain,
        independents_cast=len(independents & {ballot.seat for ballot in seen.ballots}),
        yes=first.yes,
        no=first.no,
        abstain=first.abstain,
        result_now=seen.result or result,
    )


def may(uow: UnitOfWork, row: Motion, seen: Seen, seated: Seated | None) -> frozenset[str]:
    """What the seat that looks can do with the motion now."""
    seat = _seat(seen, seated)
    if seat is None or seated is None or seat.handle != seated.handle or not may_vote(seen.state, seat):
        return frozenset()
    if row.state not in OPEN_STATES:
        return frozenset()
    declared = store.declared(uow, row.id)
    barred = {name for name, _ in recusals(seen.state, row, seen.decision, seen.ballots, declared)}
    voted = has_voted(seat, seen.ballots)
    found = {"remark"}
    if not voted and not declared.get(seat.seat):
        found.add("declare")
    if seat in seen.state.roster.seats:
        endorsers = {row.proposer, *store.endorsers(uow, row.id)}
        if row.state == "proposed" and seat.seat not in barred | endorsers:
            found.add("endorse")
        if row.state in {"proposed", "discussion"} and row.proposer == seat.seat:
            found.add("withdraw")
    asked_now = seat in asked(seen.state, seen.decision)
    if row.state == "ballot" and not voted and seat.seat not in barred and asked_now:
        found.add("vote")
    return frozenset(found)


def asked_first(
    uow: UnitOfWork, state: BoardState, row: Motion, seated: Seated | None, barred: Container[str]
) -> bool:
    """Whether a seat has to say if it has a conflict, before more of a motion opens to it than whom it is about.

    Not the seat that proposed it, nor one that is recused already (`barred`), has no vote now or has voted; and not
    where signing says it.
    """
    seat = None if seated is None else state.roster.seat(seated.seat)
    if seat is None or seated is None or seat.handle != seated.handle or not may_vote(state, seat):
        return False
    if row.state not in OPEN_STATES or row.threshold in AT_ONCE or row.proposer == seat.seat:
        return False
    if seat.seat in barred or seat.seat in store.declared(uow, row.id):
        return False
    return not has_voted(seat, cast_ballots(uow, row))


def has_voted(seat: Seat, ballots: Iterable[Ballot]) -> bool:
    """Whether a vote was cast with a key of the seat: who is to take it over has keys, and a vote, of their own."""
    return any(
        ballot.seat == seat.seat and seat.credential(ballot.credential) is not None for ballot in ballots
    )


def _seat(seen: Seen, seated: Seated | None) -> Seat | None:
    return None if seated is None else seen.state.roster.seat(seated.seat)


def sentence(decision: Decision) -> str:
    """The decision in plain words, as a sentence."""
    return as_sentence(in_words(decision))


def as_sentence(words: str) -> str:
    """Words as a sentence."""
    return f"{words[0].upper()}{words[1:]}."


def as_json(decision: Decision) -> dict[str, Any]:
    """The decision as its digest is taken over."""
    return decision.model_dump(mode="json", by_alias=True, exclude_none=True)


def _discussion_ends(state: BoardState, row: Motion) -> int:
    if row.state == "discussion":
        return row.until
    if row.opened_at is not None:
        return row.opened_at
    return (row.discussed_at or row.proposed_at) + state.policy.discussion

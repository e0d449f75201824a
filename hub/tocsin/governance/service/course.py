"""The course of a motion, inside an open transaction: its ballot opens, closes into a record, and what follows.

The chain's lock is taken first, so a ballot opens and closes on the newest record. A motion that the chain would refuse
whatever the votes say, because the world has moved on, lapses; so does one whose rows cannot be read any more. Ballots
are verified again when they are counted: one that was changed in the database counts for nothing.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.governance.rules import ballots as box
from tocsin.governance.rules import motions as rules
from tocsin.governance.rules import vetting
from tocsin.governance.service import dossier
from tocsin.governance.service.context import Chamber, new_id
from tocsin.governance.store import applications
from tocsin.governance.store import motions as store
from tocsin.governance.store.motions import Motion
from tocsin_schemas.ballots import closes_at
from tocsin_schemas.board import BoardState
from tocsin_schemas.decisions import Admit, Appeal, Ballot, Decision, Params, Recusal, Suspend
from tocsin_schemas.effects import carry_out
from tocsin_schemas.electorate import (
    recusals_at_opening,
)
from tocsin_schemas.membership import Act, Fact, step
from tocsin_schemas.proposals import read_params
from tocsin_schemas.roster import canonical
from tocsin_schemas.tally import AT_ONCE, RULES, Result, RuleName
from tocsin_schemas.vocabulary import DecisionType

logger = logging.getLogger(__name__)

_ADMITTED: Final[Mapping[Result, tuple[Act, tuple[Fact, ...]]]] = {
    "passes": ("admit", ("vetting_complete", "two_sponsors", "quorate_ballot")),
    "fails": ("reject", ("quorate_ballot",)),
    "inquorate": ("leave_undecided", ()),
    "panel": ("leave_undecided", ()),
}
"""What the outcome of its ballot does to an application. What an admission needs has been checked by the chain."""
_ADMISSIBLE: Final = frozenset({"vetting", "discussion"})
"""The states of an application whose admission can be discussed."""


def begin(
    uow: UnitOfWork,
    kind: DecisionType,
    subject: str,
    params: Params,
    *,
    proposer: str | None,
    threshold: RuleName | None = None,
    complainant: str | None = None,
    application_id: str | None = None,
) -> Motion:
    """A new motion, proposed."""
    row = Motion(
        id=new_id(uow.now, "mo"),
        type=kind,
        subject=subject,
        params=canonical(params),
        threshold=threshold or RULES[kind],
        proposer=proposer,
        complainant=complainant,
        application_id=application_id,
        state="proposed",
        until=uow.now + rules.STALE_SECONDS,
        proposed_at=uow.now,
    )
    store.add(uow, row)
    return row


def discuss(uow: UnitOfWork, state: BoardState, row: Motion) -> None:
    """Open the discussion.

    Raises:
        Refused: as `check_ready`.
    """
    check_ready(uow, state, row)
    store.change(
        uow, row.id, state="discussion", discussed_at=uow.now, until=uow.now + state.policy.discussion
    )
    if row.application_id is not None and dossier.get(uow, row.application_id).state == "vetting":
        _move(uow, row.application_id, "begin_discussion", ("vetting_complete", "two_sponsors"))


def check_ready(uow: UnitOfWork, state: BoardState, row: Motion) -> None:
    """Whether what a motion is about can be discussed: an application while it is there to be admitted.

    Raises:
        Refused: `conflict` for one that was withdrawn, has lapsed or waits for an answer; `vetting-incomplete` for one
            that something is missing from again.
    """
    if row.application_id is None:
        return
    application = dossier.get(uow, row.application_id, lock=True)
    if application.state not in _ADMISSIBLE:
        raise Refused("conflict", "application", "not before the board: withdrawn, lapsed, or asked again")
    if application.state == "vetting" and dossier.lacking(uow, state, application):
        raise Refused("vetting-incomplete", "application", "something that the board needs is missing again")
    moved, report = params_of(row), vetting.report_digest(dossier.report_of(uow, application)).hex()
    if isinstance(moved, Admit) and moved.vetting != report:
        raise Refused("vetting-incomplete", "application", "vetted anew since it was moved; move it again")


def discuss_if_endorsed(uow: UnitOfWork, state: BoardState, row: Motion) -> None:
    """Open the discussion once two others have endorsed it, or all the others that may vote, if they are fewer."""
    try:
        check_ready(uow, state, row)
    except Refused:
        return  # it stays proposed until it is, or is stale
    decision = frame(uow, state, row, uow.now)
    if len(store.endorsers(uow, row.id)) >= rules.endorsers_needed(
        state.roster.seats, decision, row.proposer
    ):
        discuss(uow, state, row)


def open_ballot(chamber: Chamber, uow: UnitOfWork, state: BoardState, row: Motion) -> None:
    """Freeze the decision and open its ballot; a motion that can no longer be carried out lapses."""
    try:
        decision = frame(uow, state, row, uow.now)
        check_possible(state, decision)
        if row.application_id is not None:
            _move(uow, row.application_id, "open_ballot", ())
    except Refused as refused:
        lapse(uow, row, refused)
        return
    store.change(
        uow,
        row.id,
        state="ballot",
        opened_at=decision.issued_at,
        until=decision.expires_at,
        decision_seq=decision.seq,
        decision=canonical(decision),
    )
    settle(chamber, uow, state, row.id)


def settle(chamber: Chamber, uow: UnitOfWork, state: BoardState, motion_id: str) -> None:
    """Close the ballot if its time is over or nothing can change any more; else leave it open."""
    row = get(uow, motion_id)
    if row.state != "ballot":
        return
    decision = frozen(row)
    if decision is None:
        lapse(uow, row, Refused("record-malformed", "decision", "not what its ballot opened on"))
        return
    if decision.threshold in AT_ONCE and uow.now >= decision.expires_at:
        lapse(uow, row, Refused("decision-expired", "decision", "too few have signed in time"))
        return
    found = good_ballots(chamber, uow, state, row, decision)
    if not box.closes_now(state, decision, found, uow.now):
        return
    result, _ = box.tallied(state, decision, found)
    if uow.now < decision.expires_at and not _can_follow(state, decision, result, uow.now):
        return  # too early for what it does: it closes at its end
    try:
        record = chamber.chain.append(uow, box.body(state, decision, found, result))
    except Refused as refused:
        lapse(uow, row, refused)
        return
    store.change(uow, row.id, state="closed", closed_at=uow.now, result=result, record_seq=record.seq)
    if row.application_id is not None:
        _record_outcome(uow, row.application_id, result)
    _follow(chamber, uow, row, decision, result)


def frame(uow: UnitOfWork, state: BoardState, row: Motion, at: int) -> Decision:
    """The decision that a motion would put to the vote if its ballot opened at `at`, or with the newest record where
    that is later.

    Raises:
        Refused: `record-malformed` for a row that was changed by hand.
    """
    params, at = params_of(row), max(at, state.at)
    computed = recusals_at_opening(state, row.type, row.subject, params, at)
    named = {recusal.seat for recusal in computed}
    recused = [*computed, *(found for found in _outside(uow, state, row) if found.seat not in named)]
    ends = closes_at(state, row.threshold, row.type, row.subject, at)
    member = state.members.get(row.subject)
    if row.type == "member.suspend" and member is not None and member.state == "emergency_suspended":
        before = rules.PANEL_CONFIRMED_BEFORE if row.threshold == "panel" else rules.CONFIRMED_BEFORE
        ends = max(at + 1, ends - before)
    try:
        return Decision(
            type=row.type,
            seq=max(store.last_number(uow), *state.decisions, 0) + 1,
            prev=state.tip.hex(),
            roster_version=state.roster.version,
            threshold=row.threshold,
            subject=row.subject,
            params=params,
            recused=recused,
            issued_at=at,
            expires_at=ends,
        )
    except ValidationError:
        raise Refused("record-malformed", "motion", "not what was moved") from None


def check_possible(state: BoardState, decision: Decision) -> None:
    """Whether a decision could be carried out at the end of its ballot, as things stand.

    Raises:
        Refused: as the chain would, if it passed.
    """
    carry_out(state, decision, "passes", state.size, decision.expires_at)


def _can_follow(state: BoardState, decision: Decision, result: Result, at: int) -> bool:
    try:
        carry_out(state, decision, result, state.size, at)
    except Refused:
        return False
    return True


def frozen(row: Motion) -> Decision | None:
    """The decision as it was frozen when the ballot opened; None before, and for a row that was changed by hand."""
    try:
        return None if row.decision is None else Decision.model_validate_json(row.decision)
    except ValidationError:
        return None


def params_of(row: Motion) -> Params:
    """What the motion says beside its subject.

    Raises:
        Refused: `record-malformed` for a row that was changed by hand.
    """
    try:
        said: Mapping[str, Any] = json.loads(row.params)
        return read_params(row.type, said)
    except (ValueError, Refused):
        raise Refused("record-malformed", "motion", "not what was moved") from None


def get(uow: UnitOfWork, motion_id: str) -> Motion:
    """One motion.

    Raises:
        Refused: `not-found`.
    """
    row = store.get(uow, motion_id)
    if row is None:
        raise Refused("not-found", "motion", "no such motion")
    return row


def good_ballots(
    chamber: Chamber, uow: UnitOfWork, state: BoardState, row: Motion, decision: Decision
) -> list[Ballot]:
    """The ballots that verify; one that does not was changed since it was taken, and is named in the log."""
    cast = store.ballots(uow, row.id)
    whole = _verified(chamber, state, decision, [raw for _, raw in cast])
    if whole is not None:
        return whole
    found: list[bytes] = []
    for seat, raw in cast:
        if _verified(chamber, state, decision, [*found, raw]) is None:
            logger.error("a ballot does not verify and is left out: motion %s, seat %s", row.id, seat)
        else:
            found.append(raw)
    return _verified(chamber, state, decision, found) or []


def signable(chamber: Chamber, uow: UnitOfWork, state: BoardState, row: Motion) -> bool:
    """Whether a ballot on a motion could still count: not once the roster it opened under was replaced."""
    decision = frozen(row)
    at = chamber.chain.time(uow, state)
    return decision is not None and _verified(chamber, state, decision, [], at) is not None


def _verified(
    chamber: Chamber, state: BoardState, decision: Decision, cast: Sequence[bytes], at: int | None = None
) -> list[Ballot] | None:
    """The ballots, if all of them verify: at `at`, or as of when the last one was cast."""
    try:
        ballots = [Ballot.model_validate_json(raw) for raw in cast]
        if ballots or at is not None:
            when = max(b.cast_at for b in ballots) if at is None else at
            box.check(state, decision, ballots, when, chamber.chain.verifier)
    except (Refused, ValidationError):
        return None
    return ballots


def _outside(uow: UnitOfWork, state: BoardState, row: Motion) -> list[Recusal]:
    about = state.decisions.get(params.of) if isinstance(params := params_of(row), Appeal) else None
    standing = None if row.complainant is None else state.members.get(row.complainant)
    return rules.outside_recusals(
        [seat for seat in (*state.roster.seats, *state.roster.panel) if seat.seated],
        complainant_group=None if standing is None else standing.control_group,
        complainant=row.complainant,
        ties=store.ties(uow, row.subject if about is None else about.subject),
        declared=store.declared(uow, row.id),
        since=uow.now - state.policy.tie,
    )


def _follow(chamber: Chamber, uow: UnitOfWork, row: Motion, decision: Decision, result: Result) -> None:
    """What a recorded decision brings about by itself: the panel's turn, a confirmation, the ballot on an objection."""
    state = chamber.chain.state(uow)
    if result == "panel" and row.threshold != "panel":
        after = begin(
            uow,
            row.type,
            row.subject,
            decision.params,
            proposer=row.proposer,
            threshold="panel",
            complainant=row.complainant,
            application_id=row.application_id,
        )
        for seat, conflict in store.declared(uow, row.id).items():
            if conflict:
                store.declare(uow, after.id, seat, conflict=True)
        open_ballot(chamber, uow, state, after)
    elif result == "passes" and row.type == "member.emergency_suspend":
        until = Suspend(until=uow.now + state.policy.suspension)
        after = begin(uow, "member.suspend", row.subject, until, proposer=row.proposer)
        open_ballot(chamber, uow, state, after)
    elif result == "passes" and row.type == "member.object":
        after = begin(
            uow,
            "member.activate",
            row.subject,
            read_params("member.activate", {}),
            proposer=row.proposer,
        )
        discuss(uow, state, after)
    elif result == "passes" and isinstance(decision.params, Appeal) and row.type == "appeal.uphold":
        # A rejected applicant is discussed anew; what an appeal does to a member is done by the chain.
        before = store.decided(uow, decision.params.of)
        if before is not None and before.application_id is not None:
            _keep_up(uow, before.application_id, "uphold", ("was_applicant",))
    elif result == "inquorate" and row.type == "appeal.uphold":
        # It was filed in time: it waits until the panel has its quorum.
        after = begin(uow, row.type, row.subject, decision.params, proposer=None)
        discuss(uow, state, after)


def lapse(uow: UnitOfWork, row: Motion, refused: Refused) -> None:
    """End a motion that nobody can vote on any more; `refused` says why."""
    logger.warning("motion %s lapses: the chain would refuse it with %s", row.id, refused.code)
    store.change(uow, row.id, state="lapsed", closed_at=uow.now)
    if row.application_id is not None and dossier.get(uow, row.application_id).state == "ballot":
        _move(uow, row.application_id, "leave_undecided", ())


def _record_outcome(uow: UnitOfWork, application_id: str, result: Result) -> None:
    _keep_up(uow, application_id, *_ADMITTED[result])


def _keep_up(uow: UnitOfWork, application_id: str, act: Act, facts: tuple[Fact, ...]) -> None:
    """Move an application on; the record stands, whatever somebody has made of the application's row."""
    try:
        _move(uow, application_id, act, facts)
    except Refused as refused:
        logger.warning("application %s does not follow its record: %s", application_id, refused.code)


def _move(uow: UnitOfWork, application_id: str, act: Act, facts: tuple[Fact, ...]) -> None:
    row = dossier.get(uow, application_id, lock=True)
    applications.change(uow, row.id, state=step(row.state, act, facts), state_since=uow.now)

"""Replaying the governance chain: from its records alone to who is a member, with which keys, under which policy.

`replay` starts at the genesis, whose hash the caller pins, and applies one record after the other; `apply` is one step.
Both are pure and refuse the first record that does not follow, so that a hub, a member and a stranger offline come to
the same `BoardState` or to the same objection. Steps of `apply`:

1. The record follows the last one: its number, the digest it names, its time.
2. It holds: a decision with all its ballots (`tocsin_schemas.ballots`), a member's act with the member's key
   (`tocsin_schemas.acts`), a rule of the calendar by computing it again.
3. What it does is possible (`tocsin_schemas.effects`): the state machine allows it, its subject exists, its numbers
   follow. A decision that passes and that nobody could carry out is not recorded.
4. The new state.

A decision that fails, or has no quorum, is a record as well. It changes nothing, but for three that fail: an admission
begins the time before a new application, a suspension restores who was suspended in an emergency, an appeal is over.
"""

from collections.abc import Iterable

from tocsin_schemas.acts import act_of_member
from tocsin_schemas.ballots import Verifier, verify_ballots
from tocsin_schemas.board import CLOCK_ACTS, BoardState, Outcome, moved
from tocsin_schemas.decisions import decision_digest
from tocsin_schemas.effects import carry_out
from tocsin_schemas.governance import (
    BODIES,
    NO_RECORD,
    ClockBody,
    DecisionBody,
    Genesis,
    HubBody,
    MemberBody,
    Record,
    record_digest,
)
from tocsin_schemas.hub_acts import act_of_hub
from tocsin_schemas.membership import step
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import check_roster


def replay(records: Iterable[Record], verify: Verifier, genesis: bytes | None = None) -> BoardState:
    """The state that `records` lead to. `genesis` is the pinned genesis hash; None trusts the first record.

    Raises:
        Refused: with the code of the first record that does not follow; `genesis-missing` when there is none.
    """
    state: BoardState | None = None
    for record in records:
        state = apply(state, record, verify)
        if genesis is not None and state.genesis != genesis:
            raise Refused("genesis-mismatch", "record", "not the genesis that is pinned")
    if state is None:
        raise Refused("genesis-missing", "records", "there is no record")
    return state


def apply(state: BoardState | None, record: Record, verify: Verifier) -> BoardState:
    """The state after `record`; `state` is None before the genesis.

    Raises:
        Refused: with the code of the first check that fails.
    """
    if BODIES[type(record.body)] != record.kind:
        raise Refused("record-malformed", "record.kind", "not the kind of its body")
    if state is None:
        return _found(record)
    # 1. The record follows the last one.
    if record.seq != state.size:
        code = "record-skipped" if record.seq > state.size else "record-repeated"
        raise Refused(code, "record.seq", "not the number after the last record's")
    if record.prev != state.tip.hex():
        raise Refused("record-prev-mismatch", "record.prev", "not the digest of the record before")
    if record.at < state.at:
        raise Refused("record-time-reversed", "record.at", "earlier than the record before")
    # 2-4. What it says.
    return _said(state, record, verify).following(record_digest(record), record.at)


def _said(state: BoardState, record: Record, verify: Verifier) -> BoardState:
    body = record.body
    if isinstance(body, Genesis):
        raise Refused("record-repeated", "record.kind", "a chain has one genesis")
    if isinstance(body, DecisionBody):
        return _decided(state, body, record, verify)
    if isinstance(body, MemberBody):
        return act_of_member(state, body, record.seq, record.at)
    if isinstance(body, HubBody):
        return act_of_hub(state, body, record.at)
    return _elapsed(state, body, record)


def _found(record: Record) -> BoardState:
    body = record.body
    if not isinstance(body, Genesis) or record.seq != 0 or record.prev != NO_RECORD.hex():
        raise Refused("genesis-missing", "record", "a chain begins with its genesis")
    if body.roster.version != 1:
        raise Refused("roster-invalid", "roster.version", "the first roster is version 1")
    if body.policy.version != 1 or body.policy.agreements:
        raise Refused(
            "policy-version", "policy", "the first policy is version 1; no agreement is on record yet"
        )
    check_roster(body.roster)
    digest = record_digest(record)
    empty = BoardState(0, digest, record.at, digest, body.roster, body.policy)
    return empty.following(digest, record.at)


def _decided(state: BoardState, body: DecisionBody, record: Record, verify: Verifier) -> BoardState:
    decision = body.decision
    found = verify_ballots(state, body, record.at, verify)
    after = carry_out(state, decision, found.result, record.seq, record.at)
    emergency = state.emergency(decision.subject) if decision.type == "member.suspend" else None
    outcome = Outcome(
        decision.seq,
        decision.type,
        decision.subject,
        decision.params,
        decision_digest(decision),
        found.result,
        record.seq,
        record.at,
        found.voted,
        found.keys,
        None if emergency is None else emergency.seq,
    )
    return after.with_outcome(outcome)


def _elapsed(state: BoardState, body: ClockBody, record: Record) -> BoardState:
    if body not in state.due(record.at):
        raise Refused("clock-not-due", "record.body", "the calendar does not say so at that time")
    member = state.members[body.issuer]
    _, act = CLOCK_ACTS[body.rule]
    target = step(member.state, act, member.facts(record.at, state.policy))
    return state.with_member(moved(member, target, record.seq, record.at, state.policy))

"""What a decision of the board does, once its ballots hold: one function for each kind. Pure.

Each refuses what is not possible now. What concerns one member is in `tocsin_schemas.member_effects`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from tocsin_schemas import member_effects
from tocsin_schemas.board import BoardState
from tocsin_schemas.decisions import Agreement, Appeal, Decision, Peer, SetPolicy, SetRoster
from tocsin_schemas.member_effects import Case
from tocsin_schemas.membership import FINAL
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Roster, check_roster
from tocsin_schemas.tally import Result
from tocsin_schemas.vocabulary import DecisionType


def carry_out(state: BoardState, decision: Decision, result: Result, record: int, at: int) -> BoardState:
    """The state after a decision that was recorded at `at` as `record`.

    Raises:
        Refused: when it passes and is not possible.
    """
    case = Case(state, decision, record, at)
    if result == "passes":
        return _CARRIERS[decision.type](case)
    if result == "fails":
        return _fail(case)
    return state


def _fail(case: Case) -> BoardState:
    """What follows when a ballot says no: three kinds of decision do something then."""
    state, subject = case.state, case.decision.subject
    member = state.members.get(subject)
    match case.decision.type:
        case "member.admit":
            return replace(state, refused={**state.refused, subject: case.at})
        case "member.suspend" if member is not None and member.state == "emergency_suspended":
            return case.change("clear")
        case "appeal.uphold":
            return replace(state, appealed=state.appealed | {case.said(Appeal).of})
    return state


def _open_community(case: Case) -> BoardState:
    if case.decision.subject in case.state.communities:
        raise Refused("conflict", "decision.subject", "a community already")
    return replace(case.state, communities={**case.state.communities, case.decision.subject: case.at})


def _set_policy(case: Case) -> BoardState:
    policy = case.said(SetPolicy).policy
    if policy.version != case.state.policy.version + 1:
        raise Refused("policy-version", "params.policy.version", "one above the version in force")
    if policy.agreements - case.state.agreements.keys():
        raise Refused(
            "policy-agreements", "params.policy.agreements", "no agreement with that list is recorded"
        )
    return replace(case.state, policy=policy)


def _record_agreement(case: Case) -> BoardState:
    said, policy = case.said(Agreement), case.state.policy
    changed = {"version": policy.version + 1, "agreements": policy.agreements | {said.list}}
    return replace(
        case.state,
        agreements={**case.state.agreements, said.list: said.terms},
        policy=policy.model_copy(update=changed),
    )


def _set_roster(case: Case) -> BoardState:
    roster = case.said(SetRoster).roster
    check_next_roster(case.state, roster)
    return replace(case.state, roster=roster)


def check_next_roster(state: BoardState, roster: Roster) -> None:
    """Check that `roster` may follow the one in force.

    Raises:
        Refused: `roster-invalid`.
    """
    check_roster(roster)
    if roster.version != state.roster.version + 1:
        raise Refused("roster-invalid", "roster.version", "one above the version in force")
    if (roster.origin, roster.rp_id) != (state.roster.origin, state.roster.rp_id):
        raise Refused(
            "roster-invalid", "roster.origin", "a hub keeps its origin: its passkeys are bound to it"
        )
    held = {seat.issuer for seat in state.roster.seats}
    for seat in roster.seats:
        member = state.members.get(seat.issuer or "")
        if member is None:
            continue
        if member.state != "active" and seat.issuer not in held:
            raise Refused("roster-invalid", "roster.seats.issuer", "only an active member is given a seat")
        if member.state not in FINAL and seat.control_group != member.control_group:
            raise Refused(
                "roster-invalid", "roster.seats.control_group", "not the one its member was admitted with"
            )


def _peer(case: Case) -> BoardState:
    terms = case.said(Peer).terms
    return replace(case.state, peerings={**case.state.peerings, case.decision.subject: terms})


_CARRIERS: Final[Mapping[DecisionType, Callable[[Case], BoardState]]] = {
    "member.admit": member_effects.admit,
    "member.object": member_effects.object_to,
    "member.activate": member_effects.act_only("activate"),
    "member.extend": member_effects.extend,
    "member.refuse": member_effects.refuse,
    "member.emergency_suspend": member_effects.act_only("emergency_suspend"),
    "member.suspend": member_effects.suspend,
    "member.sanction": member_effects.sanction,
    "member.reinstate": member_effects.reinstate,
    "member.expel": member_effects.expel,
    "key.enrol": member_effects.enrol_keys,
    "key.revoke": member_effects.revoke_key,
    "community.open": _open_community,
    "community.grant": member_effects.grant,
    "policy.set": _set_policy,
    "roster.set": _set_roster,
    "peering.set": _peer,
    "appeal.uphold": member_effects.uphold,
    "appeal.dismiss": member_effects.dismiss,
    "agreement.record": _record_agreement,
}

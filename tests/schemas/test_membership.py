"""Membership's state machine: the trust page's diagram written out, and what a step and a check refuse."""

from typing import Any, get_args

import pytest

from tocsin_schemas import membership
from tocsin_schemas.membership import (
    EFFECTS,
    FINAL,
    TRANSITIONS,
    Act,
    Effects,
    Fact,
    State,
    Transition,
    check_machine,
    step,
)
from tocsin_schemas.problems import Refused
from tocsin_schemas.vocabulary import MemberState

# source > target: act (facts), by whom, after which value of the policy.
DIAGRAM = """
draft > submitted: submit, applicant
submitted > vetting: begin_vetting, vetting
vetting > info_requested: request_info, vetting
info_requested > vetting: answer, applicant
info_requested > lapsed: lapse, clock, information
draft > lapsed: abandon, applicant
submitted > lapsed: abandon, applicant
submitted > lapsed: discard, vetting
vetting > lapsed: abandon, applicant
info_requested > lapsed: abandon, applicant
draft > lapsed: lapse, clock, application
submitted > lapsed: lapse, clock, application
vetting > lapsed: lapse, clock, application
vetting > discussion: begin_discussion (two_sponsors vetting_complete), board
discussion > ballot: open_ballot, board
ballot > discussion: leave_undecided, board
ballot > rejected: reject (quorate_ballot), board
ballot > approved_pending_keys: admit (quorate_ballot two_sponsors vetting_complete), board
approved_pending_keys > provisional: prove_keys (key_possession), member
approved_pending_keys > lapsed: lapse, clock, key_proof
provisional > provisional: object, board
provisional > active: activate (provisional_days quorate_ballot), board
provisional > active: complete (no_objection provisional_days), clock, provisional
provisional > provisional: extend (not_extended quorate_ballot), board
provisional > rejected: refuse (quorate_ballot), board
active > active: attest, member
active > restricted: lapse, clock, attestation
restricted > active: attest (not_sanctioned), member
provisional > emergency_suspended: emergency_suspend (no_recent_emergency), duty
active > emergency_suspended: emergency_suspend (no_recent_emergency), duty
restricted > emergency_suspended: emergency_suspend (no_recent_emergency), duty
withdrawing > emergency_suspended: emergency_suspend (no_recent_emergency), duty
emergency_suspended > provisional: lapse (was_provisional), clock, emergency
emergency_suspended > active: lapse (was_active), clock, emergency
emergency_suspended > restricted: lapse (was_restricted), clock, emergency
emergency_suspended > withdrawing: lapse (was_withdrawing), clock, emergency
emergency_suspended > provisional: clear (was_provisional), board
emergency_suspended > active: clear (was_active), board
emergency_suspended > restricted: clear (was_restricted), board
emergency_suspended > withdrawing: clear (was_withdrawing), board
emergency_suspended > suspended: suspend (quorate_ballot), board
active > suspended: suspend (notice_given quorate_ballot), board
restricted > suspended: suspend (notice_given quorate_ballot), board
withdrawing > suspended: suspend (notice_given quorate_ballot), board
withdrawn > withdrawn: suspend (left_meanwhile notice_given quorate_ballot), board
active > restricted: sanction (notice_given quorate_ballot), board
restricted > restricted: sanction (notice_given quorate_ballot), board
restricted > active: reinstate (quorate_ballot), board
suspended > provisional: reinstate (quorate_ballot was_provisional), board
suspended > active: reinstate (quorate_ballot was_active), board
suspended > restricted: reinstate (quorate_ballot was_restricted), board
suspended > withdrawing: reinstate (quorate_ballot was_withdrawing), board
suspended > provisional: complete (was_provisional), clock
suspended > active: complete (was_active), clock
suspended > restricted: complete (was_restricted), clock
suspended > withdrawing: complete (was_withdrawing), clock
suspended > provisional: uphold (was_provisional), panel
suspended > active: uphold (was_active), panel
suspended > restricted: uphold (was_restricted), panel
suspended > withdrawing: uphold (was_withdrawing), panel
suspended > expelled: expel (quorate_ballot), board
restricted > active: uphold (sanctioned), panel
expelled > suspended: uphold, panel
withdrawn > withdrawn: uphold (left_suspended), panel
rejected > provisional: uphold (refused_as_member), panel
rejected > discussion: uphold (was_applicant), panel
provisional > withdrawn: withdraw, member
active > withdrawing: withdraw, member
restricted > withdrawing: withdraw, member
suspended > withdrawn: withdraw, member
withdrawing > withdrawn: complete, clock, withdrawal
rejected > draft: apply (cooled_down), applicant
lapsed > draft: apply (cooled_down), applicant
withdrawn > draft: apply (cooled_down), applicant
expelled > draft: apply (cooled_down), applicant
"""


def written(transition: Transition) -> str:
    facts = f" ({' '.join(sorted(transition.requires))})" if transition.requires else ""
    hours = "" if transition.after is None else f", {transition.after}"
    return f"{transition.source} > {transition.target}: {transition.act}{facts}, {transition.by}{hours}"


def test_the_machine_is_the_diagram() -> None:
    assert [written(transition) for transition in TRANSITIONS] == DIAGRAM.split("\n")[1:-1]


def test_every_fact_is_asked_for_somewhere() -> None:
    assert {fact for transition in TRANSITIONS for fact in transition.requires} == set(get_args(Fact))


@pytest.mark.parametrize("transition", TRANSITIONS, ids=written)
def test_a_step_needs_every_fact_that_it_names(transition: Transition) -> None:
    assert step(transition.source, transition.act, transition.requires) == transition.target
    for fact in transition.requires:
        with pytest.raises(Refused) as refused:
            step(transition.source, transition.act, transition.requires - {fact})
        assert refused.value.code == "transition-forbidden"


def test_what_is_not_declared_cannot_happen() -> None:
    possible = {(transition.source, transition.act) for transition in TRANSITIONS}
    states: tuple[State, ...] = tuple({transition.source for transition in TRANSITIONS})
    for state in states:
        for act in get_args(Act):
            if (state, act) not in possible:
                with pytest.raises(Refused) as refused:
                    step(state, act, get_args(Fact))
                assert refused.value.code == "conflict"


def test_a_refused_step_names_what_is_missing_and_nothing_else() -> None:
    with pytest.raises(Refused) as refused:
        step("provisional", "activate", {"quorate_ballot"})
    assert refused.value.reason == "activate still needs provisional_days"


def changed(place: int, **fields: Any) -> list[Transition]:
    return [t._replace(**fields) if at == place else t for at, t in enumerate(TRANSITIONS)]


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        (TRANSITIONS[1:], "known acts"),
        (changed(0, target="nowhere"), "known states"),
        ([t for t in TRANSITIONS if "expelled" not in {t.source, t.target}], "known states"),
        (changed(0, act="conjure"), "known acts"),
        ([*TRANSITIONS, TRANSITIONS[3]._replace(target="draft")], "told apart"),
        ([*TRANSITIONS, Transition("expelled", "reinstate", "active", "board")], "final state"),
        ([t._replace(target="restricted") if t.act == "expel" else t for t in TRANSITIONS], "reached"),
    ],
)
def test_a_machine_that_is_not_whole_is_not_imported(machine: list[Transition], reason: str) -> None:
    check_machine()
    with pytest.raises(ValueError, match=reason):
        check_machine(machine)


def test_every_state_of_a_member_has_its_effects() -> None:
    assert set(EFFECTS) == set(get_args(MemberState))
    assert {state for state, effects in EFFECTS.items() if effects.submits} == {"provisional", "active"}
    assert {state for state, effects in EFFECTS.items() if effects.votes} == {"active"}
    assert {state for state, effects in EFFECTS.items() if effects.reads == "none"} == {
        "emergency_suspended",
        "suspended",
        "withdrawn",
        "expelled",
    }
    for state, effects in EFFECTS.items():
        # Who may read or submit can sign; who cannot sign, can do neither.
        assert (effects.keys == "live") == (effects.reads != "none"), state
        assert not effects.submits or effects.keys == "live"


def test_nobody_gains_by_being_suspended_or_by_leaving() -> None:
    """A step that is no decision in the member's favour never gives back what it did not have."""
    rank = {"none": 0, "green": 1, "all": 2}
    effects: dict[str, Effects] = {str(state): found for state, found in EFFECTS.items()}
    for transition in TRANSITIONS:
        if (
            transition.by in {"member", "duty"}
            and transition.act != "attest"
            and transition.source in effects
        ):
            before, after = effects[transition.source], effects[transition.target]
            assert rank[after.reads] <= rank[before.reads], transition
            assert after.submits <= before.submits


def test_the_final_states_are_those_of_the_diagram() -> None:
    assert set(FINAL) == {"rejected", "lapsed", "withdrawn", "expelled"}
    assert {"suspended", "expelled", "withdrawn"} <= membership.VACATING
    assert not membership.VACATING & {"active", "provisional"}

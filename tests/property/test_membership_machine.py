"""The machine of membership, explored to the end: what can never be reached without what; and every change is seen.

A configuration is a state with what is true of a member's past. What depends on the past (was it ever active, where did
the emergency find it) is always told truthfully; every other fact is the environment's to give or to withhold.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, get_args

import pytest

from tocsin_schemas.membership import (
    EFFECTS,
    FINAL,
    TRANSITIONS,
    Act,
    By,
    Fact,
    State,
    Transition,
    check_machine,
)

ESSENTIAL: tuple[Fact, ...] = (
    "vetting_complete",
    "two_sponsors",
    "quorate_ballot",
    "key_possession",
    "provisional_days",
)
PAST: frozenset[Fact] = frozenset(
    {
        "was_provisional",
        "was_active",
        "was_restricted",
        "was_withdrawing",
        "sanctioned",
        "not_sanctioned",
        "was_applicant",
        "refused_as_member",
    }
)
FREE: frozenset[Fact] = frozenset(get_args(Fact)) - PAST


class Member(NamedTuple):
    """A configuration: the state, and what happened in this membership; `proven` are facts that were once given."""

    state: State
    activated: bool = False
    before: State | None = None
    sanctioned: bool = False
    joined: bool = False
    proven: frozenset[Fact] = frozenset()


def past(member: Member) -> frozenset[Fact]:
    found: set[Fact] = {
        "sanctioned" if member.sanctioned else "not_sanctioned",
        "refused_as_member" if member.joined else "was_applicant",
    }
    was: dict[State, Fact] = {
        "provisional": "was_provisional",
        "active": "was_active",
        "restricted": "was_restricted",
        "withdrawing": "was_withdrawing",
    }
    if member.before in was:
        found.add(was[member.before])
    return frozenset(found)


def _before(member: Member, target: State) -> State | None:
    """What an emergency or a suspension interrupts; an emergency that a ballot confirms, and an expulsion, keep it."""
    if target in {"emergency_suspended", "suspended"}:
        kept = member.state in {"emergency_suspended", "expelled"}
        return member.before if kept else member.state
    return member.before if target == "expelled" else None


def after(member: Member, transition: Transition) -> Member:
    target = transition.target
    if transition.act == "apply":
        return Member(target)
    return Member(
        target,
        member.activated or target == "active",
        _before(member, target),
        (member.sanctioned or transition.act == "sanction") and target != "active",
        member.joined or target == "provisional",
        member.proven | (transition.requires & set(ESSENTIAL)),
    )


Step = tuple[Member, Transition, Member]


def explore(machine: Sequence[Transition], given: frozenset[Fact] = FREE) -> Iterator[Step]:
    """Every step of every life, the facts of `given` being true and the other free ones false."""
    leaving: dict[State, list[Transition]] = {}
    for transition in machine:
        if transition.requires <= given | PAST:
            leaving.setdefault(transition.source, []).append(transition)
    start = Member("draft")
    seen, waiting = {start}, [start]
    while waiting:
        member = waiting.pop()
        facts = past(member) | given
        for transition in leaving.get(member.state, ()):
            if transition.requires <= facts:
                following = after(member, transition)
                yield member, transition, following
                if following not in seen:
                    seen.add(following)
                    waiting.append(following)


LAWS: dict[str, Callable[[Member, Transition, Member], bool]] = {
    "an active member has been through everything": lambda _, by, new: (
        by.target != "active" or set(ESSENTIAL) <= new.proven
    ),
    "a final state is final": lambda old, by, _: (
        old.state not in FINAL or by.target == old.state or by.act in {"apply", "uphold"}
    ),
    "who is out is suspended by a ballot from before": lambda old, by, _: (
        (old.state, by.act) != ("withdrawn", "suspend") or "left_meanwhile" in by.requires
    ),
    "who is out appeals its suspension": lambda old, by, _: (
        (old.state, by.act) != ("withdrawn", "uphold") or "left_suspended" in by.requires
    ),
    "a new application waits": lambda _, by, __: by.act != "apply" or "cooled_down" in by.requires,
    "the board moves members by ballot": lambda old, by, _: (
        by.by != "board"
        or old.state not in EFFECTS
        or by.act in {"clear", "object"}
        or "quorate_ballot" in by.requires
    ),
    "discipline takes notice": lambda old, by, _: (
        old.state not in {"active", "restricted", "withdrawing", "withdrawn"}
        or by.act not in {"suspend", "sanction"}
        or "notice_given" in by.requires
    ),
    "who is expelled was suspended": lambda old, by, _: by.target != "expelled" or old.state == "suspended",
    "duty officers do one thing": lambda _, by, __: by.by != "duty" or by.target == "emergency_suspended",
    "an emergency is not repeated": lambda _, by, __: (
        by.target != "emergency_suspended" or "no_recent_emergency" in by.requires
    ),
    "an emergency ends where it began": lambda old, by, _: (
        old.state != "emergency_suspended" or by.target in {"suspended", old.before}
    ),
    "a suspension ends where it began": lambda old, by, _: (
        old.state != "suspended" or by.target in {"expelled", "withdrawn", old.before}
    ),
    "a suspension lifts no sanction": lambda old, by, new: (
        old.state != "suspended" or by.target in FINAL or new.sanctioned == old.sanctioned
    ),
    "an emergency lasts 72 hours": lambda old, by, _: (
        (old.state, by.by) != ("emergency_suspended", "clock") or by.after == "emergency"
    ),
    "suspension activates nobody": lambda old, by, _: (
        by.target != "active" or old.activated or old.state == "provisional"
    ),
    "who was active is never provisional again": lambda old, by, _: (
        by.target != "provisional" or not old.activated
    ),
    "nobody lifts its own sanction": lambda old, by, _: (
        (old.state, by.target, by.by) != ("restricted", "active", "member") or not old.sanctioned
    ),
    "only a sanction is appealed": lambda old, by, _: (
        (old.state, by.act) != ("restricted", "uphold") or old.sanctioned
    ),
    "an upheld appeal leads back": lambda old, by, _: (
        (old.state, by.act) != ("rejected", "uphold") or (by.target == "provisional") == old.joined
    ),
    "an objection stops the clock": lambda old, by, _: (
        (old.state, by.by) != ("provisional", "clock") or "no_objection" in by.requires
    ),
    "extended once": lambda _, by, __: by.act != "extend" or "not_extended" in by.requires,
    "an applicant is answered by ballot": lambda _, by, __: (
        by.act not in {"admit", "reject"} or "quorate_ballot" in by.requires
    ),
    "admitted after vetting, with sponsors": lambda _, by, __: (
        by.act not in {"admit", "begin_discussion"} or {"vetting_complete", "two_sponsors"} <= by.requires
    ),
    "who leaves is gone, or suspended": lambda old, by, _: (
        old.state != "withdrawing" or by.target in {"withdrawn", "emergency_suspended", "suspended"}
    ),
    "nobody takes leaving back": lambda old, by, _: (
        old.before != "withdrawing"
        or by.target in {"withdrawing", "suspended", "withdrawn", "expelled", "draft"}
    ),
}
"""What holds of every step of every life (trust.md §1)."""


def violations(machine: Sequence[Transition]) -> set[str]:
    """The laws that a machine breaks."""
    steps = list(explore(machine))
    broken = {name for name, holds in LAWS.items() if not all(holds(*step) for step in steps)}
    states = {member.state for member, _, _ in steps} | {following.state for _, _, following in steps}
    if states != {t.source for t in TRANSITIONS} | {t.target for t in TRANSITIONS}:
        broken.add("every state can be reached")
    for fact in ESSENTIAL:
        if any(following.state == "active" for _, _, following in explore(machine, FREE - {fact})):
            broken.add(f"active without {fact}")
    return broken


def test_the_machine_keeps_every_law() -> None:
    assert violations(TRANSITIONS) == set()


def test_with_everything_given_one_becomes_active() -> None:
    assert any(following.state == "active" for _, _, following in explore(TRANSITIONS))


@pytest.mark.parametrize("fact", ESSENTIAL)
def test_there_is_no_path_to_active_without(fact: Fact) -> None:
    reached = {following.state for _, _, following in explore(TRANSITIONS, FREE - {fact})}
    assert "active" not in reached
    assert "restricted" not in reached
    assert "withdrawing" not in reached


def mutants() -> list[tuple[str, list[Transition]]]:
    """Each requirement of each transition dropped."""
    found = []
    for place, transition in enumerate(TRANSITIONS):
        for fact in sorted(transition.requires):
            machine = list(TRANSITIONS)
            machine[place] = transition._replace(requires=transition.requires - {fact})
            name = f"{transition.source} {transition.act} {transition.target} without {fact}"
            found.append((name, machine))
    return found


@pytest.mark.parametrize(
    "machine", [machine for _, machine in mutants()], ids=[name for name, _ in mutants()]
)
def test_a_requirement_that_is_dropped_is_noticed(machine: list[Transition]) -> None:
    assert violations(machine)


def test_a_shortcut_to_active_is_noticed() -> None:
    """One more transition to `active`, from any state, by anybody, without a fact."""
    states = {transition.source for transition in TRANSITIONS}
    for source in states - {"active", "restricted", "suspended", "emergency_suspended"}:
        for by in get_args(By):
            shortcut = Transition(source, "reinstate", "active", by)
            broken = violations([*TRANSITIONS, shortcut])
            assert broken, (source, by)


def test_every_act_has_its_transition_and_the_check_runs() -> None:
    assert {transition.act for transition in TRANSITIONS} == set(get_args(Act))
    check_machine()

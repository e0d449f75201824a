"""Counting votes (trust.md §2): who may vote, what a quorum is, and when a motion passes. Pure.

- A *voice* is a seat, or all seats of one control group together: the group's first seat speaks, and if any of its
  seats is recused, all of them are.
- `eligible` counts the voices that are seated and not recused. Fewer than three, or every independent recused, and the
  board cannot decide: the outcome is `panel`, and an independent panel takes the motion over.
- `quorum` is max(q, ⌊eligible/2⌋ + 1) votes, abstentions included, an independent seat's among them; below it the
  motion is `inquorate`: neither passed nor failed. `q` is the policy's, 3 by default, and never more than all of them.
- Votes of seats that are not eligible are not counted, whatever they say.

Shares are of yes + no: an abstention helps a quorum and nothing else. "Two thirds of the eligible" is of all voices,
so that there silence and abstention weigh like a no.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, get_args

from tocsin_schemas.vocabulary import Choice, DecisionType, SeatClass

RuleName = Literal["admit", "majority", "two_thirds_eligible", "roster", "panel", "duty", "single"]
Result = Literal["passes", "fails", "inquorate", "panel"]

VOICES_LEAST: Final = 3
"""A board of fewer than three voices decides nothing."""
PANEL_LEAST: Final = 2
"""A panel decides with at least two of its voices, and more than half of them."""
DUTY_LEAST: Final = 2
"""Two of the three duty officers suspend in an emergency."""

RULES: Final[Mapping[DecisionType, RuleName]] = {
    "member.admit": "admit",
    "member.object": "single",
    "member.activate": "admit",
    "member.extend": "majority",
    "member.refuse": "majority",
    "member.emergency_suspend": "duty",
    "member.suspend": "majority",
    "member.sanction": "majority",
    "member.reinstate": "majority",
    "member.expel": "two_thirds_eligible",
    "key.enrol": "majority",
    "key.revoke": "majority",
    "community.open": "two_thirds_eligible",
    "community.grant": "majority",
    "policy.set": "two_thirds_eligible",
    "roster.set": "roster",
    "peering.set": "two_thirds_eligible",
    "appeal.uphold": "panel",
    "appeal.dismiss": "panel",
    "agreement.record": "majority",
}
"""The rule of each kind of decision. Where trust.md names none: what opens the hub to more is like a change of scope
(two thirds of the eligible); taking a member back, or out of its probation, is like suspending one (more than half);
activation over an objection is the second half of an admission; a roster needs two thirds of the eligible of the old
roster and of the new one (`tocsin_schemas.chain` counts both)."""

AT_ONCE: Final[frozenset[RuleName]] = frozenset({"duty", "single"})
"""Rules without a window: the decision stands as soon as enough have signed it."""


class Voter(NamedTuple):
    """A seat that somebody sits in: its name, its class, and the control group of who sent them (None: nobody did)."""

    seat: str
    seat_class: SeatClass
    group: str | None


class Tally(NamedTuple):
    """The count: `eligible` voices, the `quorum` asked of them, what they said, and the outcome.

    `classes_missing`: classes with an eligible voice and no yes; only the rule `admit` asks for one from each.
    """

    result: Result
    eligible: int
    quorum: int
    yes: int
    no: int
    abstain: int
    classes_missing: tuple[SeatClass, ...]


def voices(seats: Sequence[Voter], recused: Collection[str]) -> tuple[Voter, ...]:
    """The seats whose votes count: the first of each control group, none that is recused."""
    barred = {voter.group for voter in seats if voter.seat in recused and voter.group is not None}
    spoken: set[str] = set()
    found: list[Voter] = []
    for voter in seats:
        if voter.seat in recused or voter.group in barred or voter.group in spoken:
            continue
        if voter.group is not None:
            spoken.add(voter.group)
        found.append(voter)
    return tuple(found)


def tally(
    rule: RuleName,
    seats: Sequence[Voter],
    recused: Collection[str],
    choices: Mapping[str, Choice],
    least: int = VOICES_LEAST,
) -> Tally:
    """Count `choices` (seat to choice) under `rule`. `seats` are those the rule asks: all seated ones, for `duty` the
    duty officers, for `panel` the panel. `least` is the policy's `quorum`.
    """
    eligible = voices(seats, recused)
    cast = {voter: choices[voter.seat] for voter in eligible if voter.seat in choices}
    said = list(cast.values())
    yes, no, abstain = (said.count(choice) for choice in get_args(Choice))
    supporting = {voter.seat_class for voter, choice in cast.items() if choice == "yes"}
    present = {voter.seat_class for voter in eligible}
    missing = tuple(name for name in get_args(SeatClass) if name in present - supporting)
    quorum = _quorum(rule, len(eligible), least)
    result = _result(rule, seats, eligible, quorum, cast, missing)
    return Tally(result, len(eligible), quorum, yes, no, abstain, missing)


def _quorum(rule: RuleName, eligible: int, least: int) -> int:
    at_once = {"duty": DUTY_LEAST, "single": 1}.get(rule)
    if at_once is not None:
        return at_once
    half = eligible // 2 + 1
    if rule == "panel":
        return max(PANEL_LEAST, half)
    return max(VOICES_LEAST, min(least, eligible), half)


def _result(
    rule: RuleName,
    seats: Sequence[Voter],
    eligible: Sequence[Voter],
    quorum: int,
    cast: Mapping[Voter, Choice],
    missing: Sequence[SeatClass],
) -> Result:
    said = list(cast.values())
    yes, no = said.count("yes"), said.count("no")
    if rule in AT_ONCE:
        return "passes" if yes >= quorum else "inquorate"
    if rule != "panel":
        # 1. Can the board decide at all?
        if len(eligible) < VOICES_LEAST or (_independent(seats) and not _independent(eligible)):
            return "panel"
        # 2. Did an independent take part?
        if not _independent(cast):
            return "inquorate"
    # 3. Did enough take part?
    if len(said) < quorum:
        return "inquorate"
    # 4. Did enough of them agree?
    passes = {
        "admit": yes > 0 and 3 * yes >= 2 * (yes + no) and not missing,
        "majority": yes > no,
        "panel": yes > no,
        "two_thirds_eligible": 3 * yes >= 2 * len(eligible),
        "roster": 3 * yes >= 2 * len(eligible),
    }[rule]
    return "passes" if passes else "fails"


def _independent(seats: Iterable[Voter]) -> bool:
    return any(voter.seat_class == "independent" for voter in seats)

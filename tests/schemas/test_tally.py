"""Counting votes: the truth table of the trust page, row by row, and what it leaves open."""

from typing import get_args

import pytest

from tocsin_schemas.tally import RULES, Result, RuleName, Tally, Voter, tally, voices
from tocsin_schemas.vocabulary import Choice, DecisionType, SeatClass

SORTS: tuple[SeatClass, ...] = ("platform",) * 3 + ("vendor",) * 2 + ("independent",) * 4


def board(classes: tuple[SeatClass, ...] = SORTS) -> list[Voter]:
    """Independents stand for nobody; every other seat is of a control group of its own."""
    return [
        Voter(f"s{n}", sort, None if sort == "independent" else f"cg_{n}")
        for n, sort in enumerate(classes, 1)
    ]


def votes(
    seats: list[Voter], yes: int, no: int, abstain: int, first: tuple[str, ...] = ()
) -> dict[str, Choice]:
    """So many of each, beginning with the seats named `first`."""
    counts: tuple[tuple[Choice, int], ...] = (("yes", yes), ("no", no), ("abstain", abstain))
    said = [choice for choice, times in counts for _ in range(times)]
    order = [*first, *(seat.seat for seat in seats if seat.seat not in first)]
    return dict(zip(order, said, strict=False))


# One of each class first, so that an admission has its yes from each.
ONE_EACH = ("s1", "s4", "s6")
NO_INDEPENDENT: tuple[SeatClass, ...] = ("platform",) * 5 + ("vendor",) * 4
EIGHT = SORTS[:8]

# trust.md §2, in its order: rule, seated, recused, yes/no/abstain, result.
TABLE: list[tuple[RuleName, tuple[SeatClass, ...], int, tuple[int, int, int], Result]] = [
    ("admit", SORTS, 0, (6, 3, 0), "passes"),
    ("admit", SORTS, 0, (5, 3, 1), "fails"),
    ("admit", SORTS, 2, (3, 1, 0), "passes"),
    ("admit", SORTS, 2, (2, 1, 0), "inquorate"),
    ("admit", SORTS, 7, (2, 0, 0), "panel"),
    ("admit", NO_INDEPENDENT, 0, (6, 3, 0), "inquorate"),
    ("majority", SORTS, 0, (3, 2, 0), "passes"),
    ("majority", SORTS, 0, (2, 2, 1), "fails"),
    ("two_thirds_eligible", SORTS, 0, (6, 3, 0), "passes"),
    ("two_thirds_eligible", SORTS, 0, (5, 0, 1), "fails"),
    ("two_thirds_eligible", SORTS, 1, (5, 0, 0), "fails"),
    ("two_thirds_eligible", SORTS, 1, (6, 0, 0), "passes"),
    # "Any, 0/0/4": where four are a quorum, as they are for six or seven eligible voices.
    ("admit", SORTS, 2, (0, 0, 4), "fails"),
    ("majority", SORTS, 3, (0, 0, 4), "fails"),
    ("two_thirds_eligible", SORTS, 2, (0, 0, 4), "fails"),
    ("roster", SORTS, 2, (0, 0, 4), "fails"),
]


@pytest.mark.parametrize(("rule", "classes", "recused", "said", "result"), TABLE)
def test_the_truth_table(
    rule: RuleName, classes: tuple[SeatClass, ...], recused: int, said: tuple[int, int, int], result: Result
) -> None:
    seats = board(classes)
    # The last of each class goes first: s9 (independent), s3 (platform), then more independents and platforms.
    barred = ["s9", "s3", "s8", "s2", "s7", "s5", "s1"][:recused]
    free = tuple(seat for seat in ONE_EACH if seat not in barred)
    open_seats = [seat for seat in seats if seat.seat not in barred]
    found = tally(rule, seats, barred, votes(open_seats, *said, first=free))
    assert found.result == result
    assert (found.yes, found.no, found.abstain) == said
    assert found.eligible == len(seats) - recused
    assert found.quorum == max(3, (len(seats) - recused) // 2 + 1)


def test_an_admission_needs_a_yes_of_every_class() -> None:
    seats = board()
    without = {
        **votes(seats, 7, 0, 0, first=("s1", "s2", "s3", "s6", "s7", "s8", "s9")),
        "s4": "no",
        "s5": "no",
    }
    found = tally("admit", seats, [], without)
    assert (found.result, found.classes_missing) == ("fails", ("vendor",))
    assert tally("majority", seats, [], without).result == "passes"
    # A class without an eligible seat is not asked.
    assert tally("admit", seats, ["s4", "s5"], without).result == "passes"


def test_two_thirds_of_yes_and_no_are_exact() -> None:
    seats = board()
    for yes, no, result in ((4, 2, "passes"), (5, 3, "fails"), (6, 3, "passes"), (3, 2, "fails")):
        assert tally("admit", seats, [], votes(seats, yes, no, 0, first=ONE_EACH)).result == result


def test_only_abstentions_admit_nobody() -> None:
    seats = board(("independent", "independent", "independent"))
    assert tally("admit", seats, [], votes(seats, 0, 0, 3)).result == "fails"


def test_a_board_without_an_eligible_independent_hands_over() -> None:
    seats = board(("independent", "platform", "vendor", "platform"))
    found = tally("majority", seats, ["s1"], {"s2": "yes", "s3": "yes", "s4": "yes"})
    assert (found.result, found.eligible) == ("panel", 3)


def test_an_independent_has_to_take_part() -> None:
    seats = board()
    said: dict[str, Choice] = {f"s{n}": "yes" for n in range(1, 6)}
    assert tally("majority", seats, [], said).result == "inquorate"
    assert tally("majority", seats, [], {**said, "s6": "abstain"}).result == "passes"


@pytest.mark.parametrize(
    ("seats", "said", "result"),
    [
        (3, (2, 0, 0), "passes"),
        (3, (1, 0, 0), "inquorate"),
        (3, (1, 1, 0), "fails"),
        (3, (0, 2, 0), "fails"),
        (5, (2, 0, 0), "inquorate"),
        (5, (2, 1, 0), "passes"),
        (1, (1, 0, 0), "inquorate"),
        (2, (1, 0, 1), "passes"),
    ],
)
def test_a_panel_decides_by_more_than_half_of_at_least_two(
    seats: int, said: tuple[int, int, int], result: Result
) -> None:
    sort: SeatClass = "independent"
    panel = board((sort,) * seats)
    assert tally("panel", panel, [], votes(panel, *said)).result == result


def test_two_duty_officers_suffice_and_one_does_not() -> None:
    duty = board(("independent", "platform", "vendor"))
    assert tally("duty", duty, [], {"s1": "yes", "s3": "yes"}).result == "passes"
    assert tally("duty", duty, [], {"s2": "yes"}).result == "inquorate"
    assert tally("duty", duty, [], {"s1": "yes", "s2": "no", "s3": "no"}).result == "inquorate"
    # Without an independent, too: this is an alarm, not a decision.
    assert tally("duty", duty, [], {"s2": "yes", "s3": "yes"}).result == "passes"
    assert tally("duty", duty, ["s2", "s3"], {"s1": "yes", "s2": "yes"}).result == "inquorate"


def test_one_seat_objects() -> None:
    seats = board()
    assert tally("single", seats, [], {"s4": "yes"}).result == "passes"
    assert tally("single", seats, ["s4"], {"s4": "yes"}).result == "inquorate"
    assert tally("single", seats, [], {}).result == "inquorate"


def test_seats_of_one_group_are_one_voice() -> None:
    seats = [
        Voter("s1", "platform", "cg_a"),
        Voter("s2", "vendor", "cg_a"),
        Voter("s3", "platform", "cg_b"),
        Voter("s4", "independent", None),
        Voter("s5", "independent", None),
    ]
    assert [voter.seat for voter in voices(seats, [])] == ["s1", "s3", "s4", "s5"]
    assert [voter.seat for voter in voices(seats, ["s2"])] == ["s3", "s4", "s5"]
    said: dict[str, Choice] = {"s1": "no", "s2": "yes", "s3": "yes", "s4": "no"}
    assert tally("majority", seats, [], said) == Tally("fails", 4, 3, 1, 2, 0, ("independent",))


def test_every_kind_of_decision_has_a_rule() -> None:
    assert set(RULES) == set(get_args(DecisionType))
    assert set(RULES.values()) == set(get_args(RuleName))
    heavy = {"member.expel", "policy.set", "community.open", "peering.set"}
    assert {kind for kind, rule in RULES.items() if rule == "two_thirds_eligible"} == heavy

"""Laws of counting, over every small board and many larger ones."""

from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin_schemas.tally import RuleName, Voter, tally, voices
from tocsin_schemas.vocabulary import Choice, SeatClass

GROUPS = (None, None, "cg_a", "cg_b", "cg_c", "cg_d")
rules = st.sampled_from(get_args(RuleName))
choices: st.SearchStrategy[Choice] = st.sampled_from(get_args(Choice))


@st.composite
def boards(draw: st.DrawFn) -> list[Voter]:
    sorts: list[SeatClass] = draw(st.lists(st.sampled_from(get_args(SeatClass)), min_size=1, max_size=11))
    return [Voter(f"s{n}", sort, draw(st.sampled_from(GROUPS))) for n, sort in enumerate(sorts, 1)]


@st.composite
def elections(draw: st.DrawFn) -> tuple[list[Voter], set[str], dict[str, Choice]]:
    seats = draw(boards())
    names = [seat.seat for seat in seats]
    recused = draw(st.sets(st.sampled_from(names)))
    said = draw(st.dictionaries(st.sampled_from(names), choices))
    return seats, recused, said


@settings(max_examples=60)
@given(rules, elections(), st.randoms())
def test_the_order_of_votes_and_of_ungrouped_seats_does_not_matter(rule, election, random) -> None:
    seats, recused, said = election
    shuffled = list(said.items())
    random.shuffle(shuffled)
    found = tally(rule, seats, recused, said)
    assert tally(rule, seats, recused, dict(shuffled)) == found
    alone = [seat._replace(group=None) for seat in seats]
    mixed = random.sample(alone, len(alone))
    assert tally(rule, mixed, recused, said) == tally(rule, alone, recused, said)


@settings(max_examples=60)
@given(rules, elections(), choices, st.data())
def test_a_recused_vote_never_changes_a_result(rule, election, choice, data) -> None:
    seats, recused, said = election
    seat = data.draw(st.sampled_from([seat.seat for seat in seats]))
    barred = {*recused, seat}
    found = tally(rule, seats, barred, said)
    assert tally(rule, seats, barred, {**said, seat: choice}) == found
    assert tally(rule, seats, barred, {name: what for name, what in said.items() if name != seat}) == found


@settings(max_examples=60)
@given(rules, elections(), choices)
def test_a_vote_of_nobody_never_changes_a_result(rule, election, choice) -> None:
    seats, recused, said = election
    assert tally(rule, seats, recused, {**said, "s99": choice}) == tally(rule, seats, recused, said)


@settings(max_examples=60)
@given(rules, elections(), st.data())
def test_another_seat_of_a_group_adds_nothing(rule, election, data) -> None:
    """A control group that fills more seats has one voice as before."""
    seats, recused, said = election
    known = [seat.group for seat in seats if seat.group is not None]
    if not known:
        return
    sister = Voter("s98", data.draw(st.sampled_from(get_args(SeatClass))), data.draw(st.sampled_from(known)))
    found = tally(rule, seats, recused, said)
    for choice in (None, *get_args(Choice)):
        more = said if choice is None else {**said, "s98": choice}
        joined = tally(rule, [*seats, sister], recused, more)
        assert joined[1:6] == found[1:6]
        assert len(voices([*seats, sister], recused)) == len(voices(seats, recused))


@settings(max_examples=60)
@given(rules, elections())
def test_the_count_is_of_one_voice_for_each_group(rule, election) -> None:
    seats, recused, said = election
    found = tally(rule, seats, recused, said)
    eligible = voices(seats, recused)
    assert found.yes + found.no + found.abstain <= found.eligible == len(eligible)
    groups = [seat.group for seat in eligible if seat.group is not None]
    assert len(set(groups)) == len(groups)
    assert not {seat.seat for seat in eligible} & recused
    assert not set(groups) & {seat.group for seat in seats if seat.seat in recused}


@settings(max_examples=60)
@given(rules, elections(), st.data())
def test_a_yes_in_place_of_another_choice_never_turns_a_pass_into_a_failure(rule, election, data) -> None:
    seats, recused, said = election
    if not said:
        return
    seat = data.draw(st.sampled_from(sorted(said)))
    before = tally(rule, seats, recused, said)
    after = tally(rule, seats, recused, {**said, seat: "yes"})
    if before.result == "passes":
        assert after.result == "passes"
    if after.result == "fails":
        assert before.result in {"fails", "inquorate"}


@settings(max_examples=60)
@given(rules, elections())
def test_nothing_passes_without_its_quorum_and_its_share(rule, election) -> None:
    seats, recused, said = election
    found = tally(rule, seats, recused, said)
    cast = found.yes + found.no + found.abstain
    if found.result != "passes":
        return
    assert found.yes > 0
    if rule in {"duty", "single"}:
        assert found.yes >= {"duty": 2, "single": 1}[rule]
        return
    assert cast >= found.quorum > found.eligible / 2
    if rule == "panel":
        assert found.yes > found.no
        return
    independents = {seat.seat for seat in voices(seats, recused) if seat.seat_class == "independent"}
    assert found.eligible >= 3
    assert independents & said.keys()
    if rule == "admit":
        assert found.yes / (found.yes + found.no) >= 2 / 3 - 1e-9
        assert found.classes_missing == ()
    if rule in {"two_thirds_eligible", "roster"}:
        assert found.yes >= found.eligible * 2 / 3 - 1e-9
    assert found.yes > found.no


@settings(max_examples=60)
@given(rules, elections())
def test_a_board_that_cannot_decide_never_does(rule, election) -> None:
    seats, recused, said = election
    if rule in {"duty", "single", "panel"}:
        return
    if len(voices(seats, recused)) < 3:
        assert tally(rule, seats, recused, said).result == "panel"

"""Laws of the fold: a function of the set of statements; nobody gains by repeating, or by retracting others'."""

import itertools
import random
from collections.abc import Sequence
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin_schemas.fold import Standing, Statement, fold
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.vocabulary import HUMAN_BASES, LIFTING_BASES, Basis, SignalKind

POLICY = Policy()
T0 = 1795305600
BRANDS = {"a1": "cg_a", "a2": "cg_a", "b": "cg_b", "c": "cg_c", "d": "cg_d"}
"""Author to control group: two brands have one owner."""
BASES: tuple[Basis, ...] = get_args(Basis)
SIGNAL_KINDS: tuple[SignalKind, ...] = get_args(SignalKind)
REPEATED: tuple[SignalKind, ...] = ("sighting", "outcome")
IDS = [bytes([number]) * 32 for number in range(24)]
INSTANTS = st.integers(0, 120).map(lambda days: T0 + days * DAY // 2)

settings.register_profile("fold", max_examples=120, deadline=None)
profile = settings.get_profile("fold")


@st.composite
def statements(draw: st.DrawFn, kinds: Sequence[SignalKind] = SIGNAL_KINDS) -> list[Statement]:
    """Statements with ids of their own; retractions aim at any id, of anybody or of nothing."""
    ids = draw(st.lists(st.sampled_from(IDS), unique=True, max_size=10))
    return [draw(statement(id_of, kinds)) for id_of in ids]


@st.composite
def statement(draw: st.DrawFn, id_of: bytes, kinds: Sequence[SignalKind]) -> Statement:
    author = draw(st.sampled_from(sorted(BRANDS)))
    kind = draw(st.sampled_from(kinds))
    iat = draw(INSTANTS)
    return Statement(
        id=id_of,
        kind=kind,
        author=author,
        group=BRANDS[author],
        iat=iat,
        expires_at=iat + draw(st.integers(0, 100)) * DAY,
        basis=draw(st.sampled_from(BASES)) if kind in {"report", "dispute"} else None,
        counts=draw(st.booleans()) or draw(st.booleans()),
        target=draw(st.sampled_from(IDS)) if kind == "retraction" else None,
    )


def at(found: Sequence[Statement], now: int) -> Standing:
    return fold(found, now, POLICY)


@given(statements(), INSTANTS, st.randoms(use_true_random=False))
@settings(profile)
def test_any_order_and_any_repetition_gives_the_same_standing(
    found: list[Statement], now: int, dice: random.Random
) -> None:
    shuffled = found + [s for s in found if dice.random() < 0.5]
    dice.shuffle(shuffled)
    assert at(shuffled, now) == at(found, now)
    assert fold(iter(shuffled), now, POLICY) == at(found, now)


@given(statements(), INSTANTS)
@settings(profile)
def test_a_retraction_of_what_is_not_there_changes_nothing(found: list[Statement], now: int) -> None:
    for author, group in BRANDS.items():
        stray = Statement(
            b"r" * 32, "retraction", author, group, now, now + DAY, target=b"absent" + bytes(26)
        )
        assert at([*found, stray], now) == at(found, now)


@given(statements(), INSTANTS, st.sampled_from(sorted(BRANDS)), st.sampled_from(IDS))
@settings(profile)
def test_a_retraction_cancels_its_authors_statement_and_nobody_elses(
    found: list[Statement], now: int, author: str, target: bytes
) -> None:
    before = at(found, now)
    withdrawal = Statement(b"r" * 32, "retraction", author, BRANDS[author], now, now + DAY, target=target)
    after = at([*found, withdrawal], now)
    own = {s.id for s in found if s.author == author and s.id == target and s.kind != "retraction"}
    assert after.live == before.live - own
    assert after == at([s for s in found if s.id not in own], now)


@given(statements(), INSTANTS)
@settings(profile)
def test_what_expired_contributes_nothing(found: list[Statement], now: int) -> None:
    alive = [s for s in found if s.expires_at > now or s.kind == "retraction"]
    assert at(found, now) == at(alive, now)


@given(statements(), INSTANTS)
@settings(profile)
def test_what_does_not_count_neither_lifts_nor_disputes(found: list[Statement], now: int) -> None:
    counted = at([s for s in found if s.counts or s.kind == "retraction"], now)
    everything = at(found, now)
    assert everything.reporters == counted.reporters
    assert everything.disputes == counted.disputes
    assert everything.status in {counted.status, "quarantined"}
    if everything.status == "quarantined":
        assert counted.status == "expired"


@given(statements(), INSTANTS)
@settings(profile)
def test_machines_alone_never_lift_an_indicator(found: list[Statement], now: int) -> None:
    machines = [
        s._replace(basis="classifier" if number % 2 else "hash_match_unviewed")
        for number, s in enumerate(found)
    ]
    assert at(machines, now).status not in {"corroborated", "human_confirmed"}


@given(statements(), INSTANTS)
@settings(profile)
def test_user_reports_alone_never_lift_an_indicator(found: list[Statement], now: int) -> None:
    reports = [s._replace(basis="user_report") for s in found]
    assert at(reports, now).status not in {"corroborated", "human_confirmed"}


@given(statements(), INSTANTS)
@settings(profile)
def test_one_owner_never_corroborates_or_disputes_alone(found: list[Statement], now: int) -> None:
    one_owner = [s._replace(group="cg_a") for s in found]
    standing = at(one_owner, now)
    assert standing.status in {"expired", "quarantined", "candidate"}
    assert standing.reporters in {"0", "1"}
    assert standing.disputes in {0, 1}


@given(statements(kinds=("report",)), INSTANTS)
@settings(profile)
def test_sightings_and_outcomes_change_no_status(found: list[Statement], now: int) -> None:
    more = [
        Statement(bytes([200 + n]) * 32, kind, author, BRANDS[author], now, now + DAY)
        for n, (kind, author) in enumerate(itertools.product(REPEATED, sorted(BRANDS)))
    ]
    before, after = at(found, now), at([*found, *more], now)
    assert (before.status, before.reasons, before.reporters) == (after.status, after.reasons, after.reporters)


@given(statements(), INSTANTS)
@settings(profile)
def test_the_status_and_its_reasons_are_what_the_trust_page_says(found: list[Statement], now: int) -> None:
    """The rules again, by brute force over every pair of reports."""
    standing = at(found, now)
    withdrawn = {(s.author, s.target) for s in found if s.kind == "retraction"}
    live = [
        s
        for s in found
        if s.kind != "retraction" and s.expires_at > now and (s.author, s.id) not in withdrawn
    ]
    reports = [s for s in live if s.kind == "report"]
    counted = [s for s in reports if s.counts]
    lifting = [s for s in counted if s.basis in LIFTING_BASES]
    agreeing = set()
    for start in lifting:
        window = [s for s in lifting if 0 <= s.iat - start.iat <= POLICY.corroboration_window]
        if len({s.group for s in window}) >= 2 and any(s.basis in HUMAN_BASES for s in window):
            agreeing |= {s.id for s in window}
    confirmed = {s.id for s in lifting if s.id in agreeing and s.basis == "human_confirmed"}
    disputes = {s.group for s in live if s.kind == "dispute" and s.counts}
    expected = (
        "expired"
        if not reports
        else "quarantined"
        if not counted
        else "disputed"
        if len(disputes) >= 2
        else "human_confirmed"
        if confirmed
        else "corroborated"
        if agreeing
        else "candidate"
    )
    assert standing.status == expected
    fired = {reason.rule: reason.statements for reason in standing.reasons}
    assert set(fired.get("corroborated/v1", ())) == agreeing
    assert set(fired.get("human-confirmed/v1", ())) == confirmed
    assert set(fired.get("reported/v1", ())) == {s.id for s in counted}
    assert all(list(ids) == sorted(ids) for ids in fired.values())
    assert standing.live == {s.id for s in live}


@given(statements(kinds=("report",)), INSTANTS, st.integers(1, 400))
@settings(profile)
def test_time_alone_never_lifts_an_indicator(found: list[Statement], now: int, days: int) -> None:
    ladder = ["expired", "quarantined", "candidate", "corroborated", "human_confirmed"]
    first, later = at(found, now), at(found, now + days * DAY)
    assert later.live <= first.live
    if first.status != "quarantined":
        assert ladder.index(later.status) <= ladder.index(first.status)

"""Admission, decision by decision: each comparison on both of its sides, each refusal by its code."""

import itertools
from typing import Any

import pytest

from tests.signals.deciding import (
    DIGEST,
    LONG,
    NOW,
    OPEN,
    POLICY,
    REPORT,
    REPORTED,
    RETRACT,
    code,
    decide,
    own_report,
    signal,
    statement,
)
from tests.signals.material import (
    DISPUTE,
    OUTCOME,
    SIGHTING,
    evidence,
    md5,
    report,
)
from tocsin.signals.rules import Admit, Duplicate, Known, Prior, Target
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import Event


def test_a_report_is_admitted_until_its_own_date() -> None:
    assert decide(signal(REPORT)) == Admit("report", "candidate", NOW + DAY, None)


# What the hub has already.


@pytest.mark.parametrize(
    ("prior", "expected"),
    [
        (Prior(7, DIGEST, gone=False), "Duplicate"),
        (Prior(7, DIGEST, gone=True), "statement-gone"),
        (Prior(7, b"\x03" * 32, gone=False), "jti-reused"),
        (Prior(7, b"\x03" * 32, gone=True), "jti-reused"),
    ],
)
def test_what_the_hub_has_under_this_jti_decides_first(prior: Prior, expected: str) -> None:
    stale = signal(REPORT, iat=NOW - DAY, toe=NOW)
    for known in (OPEN, Known("cg_own", None), Known("cg_own", may_write=False), REPORTED):
        decision = decide(stale, known._replace(prior=prior))
        assert code(decision) == expected
        assert not isinstance(decision, Duplicate) or decision.seq == 7


# The order of the checks: of two things wrong, the first in this list is named.

WRONG: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("audience-unknown", {"may_write": None}, {}),
    ("audience-forbidden", {"may_write": False}, {}),
    ("iat-future", {}, {"iat": NOW + 61}),
    ("iat-too-old", {}, {"iat": NOW - 301}),
    ("toe-invalid", {}, {"toe": NOW + 100}),
    ("valid-until-past", {}, {"event": report(NOW, source_restriction="iwf")}),
    ("source-restricted", {}, {"event": report(NOW + 1, source_restriction="iwf")}),
    ("renewal-without-evidence", {"own_toe": NOW - 9}, {}),
    ("renewals-exhausted", {"statements": tuple(own_report(n) for n in range(POLICY.live_reports))}, {}),
]


@pytest.mark.parametrize(("expected", "known", "said"), WRONG, ids=[row[0] for row in WRONG])
def test_each_refusal_on_its_own(expected: str, known: dict[str, Any], said: dict[str, Any]) -> None:
    said = {"event": REPORT, **said}
    assert code(decide(signal(**said), OPEN._replace(**known))) == expected


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(WRONG, 2)), ids=lambda row: row[0])
def test_of_two_things_wrong_the_first_in_order_is_named(first: Any, second: Any) -> None:
    known = OPEN._replace(**{**second[1], **first[1]})
    said = {"event": REPORT, **second[2], **first[2]}
    assert code(decide(signal(**said), known)) == first[0]


# Times, on both sides of each boundary.


@pytest.mark.parametrize(
    ("iat", "expected"),
    [
        (NOW + 60, "Admit"),
        (NOW + 61, "iat-future"),
        (NOW - 300, "Admit"),
        (NOW - 301, "iat-too-old"),
    ],
)
@pytest.mark.parametrize("kind", ["report", "sighting", "dispute", "outcome", "retraction"])
def test_iat_is_fresh(iat: int, expected: str, kind: str) -> None:
    event = {"report": REPORT, "sighting": SIGHTING, "dispute": DISPUTE, "outcome": OUTCOME}.get(kind)
    said = {"event": event} if event is not None else RETRACT
    known = REPORTED._replace(target=Target(b"\x09" * 32, NOW + DAY))
    assert code(decide(signal(**said, iat=iat), known)) == expected


@pytest.mark.parametrize(
    ("toe", "expected"),
    [
        (NOW, "Admit"),
        (NOW + 1, "toe-invalid"),
        (NOW - 30 * DAY, "Admit"),
        (NOW - 30 * DAY - 1, "toe-invalid"),
    ],
)
def test_a_report_is_of_something_met_before_and_lately(toe: int, expected: str) -> None:
    assert code(decide(signal(REPORT, toe=toe))) == expected


def test_the_time_of_the_event_is_measured_from_the_time_of_issue() -> None:
    said = signal(REPORT, iat=NOW - 300, toe=NOW - 300 - POLICY.toe_past)
    assert code(decide(said)) == "Admit"
    assert code(decide(signal(REPORT, iat=NOW - 300, toe=NOW - 299))) == "toe-invalid"


@pytest.mark.parametrize("event", [SIGHTING, DISPUTE, OUTCOME])
def test_other_kinds_may_be_of_something_old_but_not_to_come(event: Event) -> None:
    assert code(decide(signal(event, toe=NOW - 31 * DAY), REPORTED)) == "Admit"
    assert code(decide(signal(event, toe=NOW + 1), REPORTED)) == "toe-invalid"


@pytest.mark.parametrize(("until", "expected"), [(NOW, "valid-until-past"), (NOW + 1, "Admit")])
def test_a_report_ends_after_now(until: int, expected: str) -> None:
    assert code(decide(signal(report(until)))) == expected


# Label packs and licensed lists.


def test_a_label_is_of_a_pack_that_the_board_has_put_in_force() -> None:
    said = signal(report(NOW + DAY))
    (named,) = {label.rpartition(":")[0] for label in report(NOW + DAY).labels}
    own = frozenset(pack for pack in Policy().label_packs if pack == named)
    assert code(decide(said, policy=Policy(label_packs=own))) == "Admit"
    assert code(decide(said, policy=Policy(label_packs=Policy().label_packs - own))) == "label-unknown"


def test_a_restricted_source_needs_an_agreement_with_that_very_owner() -> None:
    said = signal(report(NOW + DAY, source_restriction="iwf"))
    assert code(decide(said)) == "source-restricted"
    assert code(decide(said, policy=Policy(agreements=frozenset({"stopncii"})))) == "source-restricted"
    assert code(decide(said, policy=Policy(agreements=frozenset({"iwf"})))) == "Admit"


# Renewal.


@pytest.mark.parametrize(
    ("given", "before", "toe", "expected"),
    [
        (None, (), NOW, "renewal-without-evidence"),
        ((1,), (1,), NOW, "renewal-without-evidence"),
        ((1, 2), (1, 2, 3), NOW, "renewal-without-evidence"),
        ((1, 2), (1,), NOW, "Admit"),
        ((1,), (), NOW, "Admit"),
        ((1,), (), NOW - 9, "renewal-without-evidence"),
        ((1,), (), NOW - 8, "Admit"),
        (None, (), NOW - 8, "renewal-without-evidence"),
    ],
)
def test_a_renewal_needs_new_evidence_of_a_later_event(
    given: tuple[int, ...] | None, before: tuple[int, ...], toe: int, expected: str
) -> None:
    event = report(NOW + DAY, evidence=None if given is None else [evidence(n) for n in given])
    known = REPORTED._replace(own_toe=NOW - 9, own_evidence=frozenset(evidence(n) for n in before))
    assert code(decide(signal(event, toe=toe), known)) == expected


@pytest.mark.parametrize("event", [SIGHTING, DISPUTE, OUTCOME])
def test_only_reports_are_renewals(event: Event) -> None:
    assert code(decide(signal(event), REPORTED._replace(own_toe=NOW))) == "Admit"


@pytest.mark.parametrize(
    ("live", "expected"), [(-1, "Admit"), (0, "renewals-exhausted"), (1, "renewals-exhausted")]
)
def test_an_author_has_so_many_live_reports_of_a_thing_and_no_more(live: int, expected: str) -> None:
    own = tuple(own_report(n) for n in range(POLICY.live_reports + live))
    others = tuple(statement(n) for n in range(POLICY.live_reports))
    besides = (own_report(50, kind="sighting"), own_report(51, kind="dispute"))
    event = report(NOW + DAY, evidence=[evidence(1)])
    known = OPEN._replace(statements=own + others + besides, own_toe=NOW - 9)
    assert code(decide(signal(event), known)) == expected


# What is about something reported.


@pytest.mark.parametrize("event", [SIGHTING, DISPUTE, OUTCOME])
@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ((), "indicator-unknown"),
        (("sighting", "dispute", "outcome"), "indicator-unknown"),
        (("report",), "Admit"),
        (("sighting", "report"), "Admit"),
    ],
)
def test_one_can_only_answer_to_a_report(event: Event, kinds: tuple[Any, ...], expected: str) -> None:
    about = tuple(statement(n, kind=kind) for n, kind in enumerate(kinds))
    assert code(decide(signal(event), OPEN._replace(statements=about))) == expected


def test_a_dispute_of_ones_own_that_stands_is_not_repeated() -> None:
    mine = own_report(1, kind="dispute", basis=None)
    known = OPEN._replace(statements=(statement(1), mine))
    assert code(decide(signal(DISPUTE), known)) == "dispute-repeated"
    for event in (SIGHTING, OUTCOME):
        assert code(decide(signal(event), known)) == "Admit"
    brand = OPEN._replace(statements=(statement(1), statement(2, kind="dispute", group="cg_own")))
    assert code(decide(signal(DISPUTE), brand)) == "Admit"
    assert code(decide(signal(DISPUTE), OPEN._replace(statements=(mine,)))) == "indicator-unknown"


# Retraction.


def test_a_retraction_needs_a_live_statement_of_ones_own() -> None:
    assert code(decide(signal(**RETRACT))) == "statement-unknown"


def test_a_retraction_lives_as_long_as_its_target_would_and_names_what_is_left() -> None:
    mine, other = statement(9), statement(1)
    target = Target(mine.id, NOW + 77)
    alone = OPEN._replace(statements=(mine,), target=target)
    assert decide(signal(**RETRACT), alone) == Admit("retraction", "expired", NOW + 77)
    both = alone._replace(statements=(mine, other))
    assert decide(signal(**RETRACT), both) == Admit("retraction", "candidate", NOW + 77)


# Independence.


def test_what_the_hub_had_delivered_is_a_sighting_and_lifts_nothing() -> None:
    said = signal(report(NOW + DAY))
    assert decide(said, REPORTED) == Admit("report", "human_confirmed", NOW + DAY)
    delivered = REPORTED._replace(delivered=True)
    assert decide(said, delivered) == Admit("sighting", "candidate", NOW + DAY)


def test_a_sighting_that_was_meant_as_a_report_lives_as_a_sighting() -> None:
    delivered = REPORTED._replace(delivered=True)
    assert decide(signal(report(LONG)), delivered) == Admit("sighting", "candidate", NOW + POLICY.sighting)


@pytest.mark.parametrize("event", [DISPUTE, OUTCOME])
def test_delivery_changes_only_reports(event: Event) -> None:
    decision = decide(signal(event), REPORTED._replace(delivered=True))
    assert isinstance(decision, Admit)
    assert decision.kind == signal(event).kind


def test_refusals_say_which_field_and_never_its_value() -> None:
    for expected, known, said in WRONG:
        decision = decide(signal(**{"event": REPORT, **said}), OPEN._replace(**known))
        assert isinstance(decision, Refused)
        assert decision.field, expected
        for value in ("example", str(NOW)[:7], md5(1).value.hex()):
            assert value not in str(decision)

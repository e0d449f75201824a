"""Admission, what follows from it: quarantine, lifetimes, standing and events."""

from typing import get_args

import pytest

from tests.signals.deciding import LONG, NOW, OPEN, POLICY, REPORTED, TOKEN, decide, signal, statement
from tests.signals.material import (
    DISPUTE,
    OUTCOME,
    SIGHTING,
    account_report,
    artefact_report,
    md5,
    pdq,
    report,
    sha256,
)
from tocsin.signals import rules
from tocsin.signals.rules import Admit, Known, QuarantineCode
from tocsin_schemas.fold import fold
from tocsin_schemas.indicators import Indicator, degenerate_pdq
from tocsin_schemas.policy import DAY, lifetime
from tocsin_schemas.signals import Event
from tocsin_schemas.vocabulary import Status

# Quarantine.


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (63, "pdq-degenerate"),
        (64, None),
        (192, None),
        (193, "pdq-degenerate"),
        (0, "pdq-degenerate"),
        (256, "pdq-degenerate"),
    ],
)
def test_a_pdq_hash_of_a_flat_picture_is_quarantined(bits: int, expected: QuarantineCode | None) -> None:
    decision = decide(signal(report(NOW + DAY, quality=90), [pdq(bits)]))
    assert decision == Admit("report", "quarantined" if expected else "candidate", NOW + DAY, expected)
    assert degenerate_pdq(pdq(bits).value) == (expected is not None)


@pytest.mark.parametrize(("quality", "expected"), [(49, "pdq-low-quality"), (50, None)])
def test_a_pdq_hash_of_low_quality_is_quarantined(quality: int, expected: str | None) -> None:
    decision = decide(signal(report(NOW + DAY, quality=quality), [pdq(128)]))
    assert isinstance(decision, Admit)
    assert decision.quarantine == expected


def test_files_that_are_everywhere_are_quarantined_under_any_of_their_hashes() -> None:
    assert len(rules.BENIGN) == 12
    empty_md5 = Indicator("md5", bytes.fromhex("d41d8cd98f00b204e9800998ecf8427e"))
    assert empty_md5 in rules.BENIGN
    for indicator in sorted(rules.BENIGN):
        event = artefact_report(NOW + DAY) if indicator.family == "artefact" else report(NOW + DAY)
        decision = decide(signal(event, [indicator]))
        assert decision == Admit("report", "quarantined", NOW + DAY, "benign")
    beside = [sha256(1), empty_md5]
    decision = decide(signal(report(NOW + DAY), beside))
    assert isinstance(decision, Admit)
    assert decision.quarantine == "benign"


def test_a_minors_account_is_quarantined() -> None:
    for minor, expected in ((True, "minor-suspected"), (False, None)):
        decision = decide(signal(account_report(NOW + DAY, minor=minor), [TOKEN]))
        assert isinstance(decision, Admit)
        assert decision.quarantine == expected


def test_a_quarantined_report_lifts_nothing_and_hides_nothing() -> None:
    said = signal(report(NOW + DAY, quality=10), [pdq(128)])
    assert decide(said, REPORTED) == Admit("report", "candidate", NOW + DAY, "pdq-low-quality")
    hidden = OPEN._replace(statements=(statement(1, counts=False),))
    assert decide(said, hidden) == Admit("report", "quarantined", NOW + DAY, "pdq-low-quality")


def test_a_quarantined_report_that_was_delivered_is_still_quarantined() -> None:
    said = signal(report(NOW + DAY, quality=10), [pdq(128)])
    decision = decide(said, REPORTED._replace(delivered=True))
    assert decision == Admit("sighting", "candidate", NOW + DAY, "pdq-low-quality")


# Lifetimes.


def with_status(status: Status) -> Known:
    """What must be known for a human-reviewed or human-confirmed report to bring the indicator there."""
    return {"candidate": OPEN, "corroborated": REPORTED, "human_confirmed": REPORTED}.get(status, OPEN)


LIVES: list[tuple[Event, Indicator, Status, int]] = [
    (report(LONG, "human_reviewed"), md5(1), "candidate", POLICY.media_candidate),
    (report(LONG, "human_reviewed"), md5(1), "corroborated", POLICY.media_corroborated),
    (report(LONG, "human_confirmed"), md5(1), "human_confirmed", POLICY.media_corroborated),
    (account_report(LONG), TOKEN, "candidate", POLICY.account_candidate),
    (
        account_report(LONG).model_copy(update={"basis": "human_reviewed"}),
        TOKEN,
        "corroborated",
        POLICY.account_corroborated,
    ),
    (account_report(LONG), TOKEN, "human_confirmed", POLICY.account_confirmed),
    (artefact_report(LONG), Indicator("weights-sha256", b"\x05" * 32), "candidate", POLICY.artefact),
    (artefact_report(LONG), Indicator("weights-sha256", b"\x05" * 32), "corroborated", POLICY.artefact),
    (SIGHTING, md5(1), "candidate", POLICY.sighting),
    (DISPUTE, md5(1), "candidate", POLICY.dispute),
    (OUTCOME, md5(1), "candidate", POLICY.outcome),
]


@pytest.mark.parametrize(("event", "about", "status", "cap"), LIVES)
def test_a_statement_lives_no_longer_than_the_policy_says(
    event: Event, about: Indicator, status: Status, cap: int
) -> None:
    known = REPORTED if event in (SIGHTING, DISPUTE, OUTCOME) else with_status(status)
    decision = decide(signal(event, [about]), known)
    assert isinstance(decision, Admit)
    assert (decision.status, decision.expires_at) == (status, NOW + cap)
    assert cap == lifetime(POLICY, signal(event, [about]).kind, about.family, status)


@pytest.mark.parametrize("off", [-1, 0, 1])
def test_a_report_lives_until_its_authors_date_or_the_cap_whichever_is_earlier(off: int) -> None:
    until = NOW + POLICY.media_candidate + off
    decision = decide(signal(report(until)))
    assert isinstance(decision, Admit)
    assert decision.expires_at == NOW + POLICY.media_candidate + min(off, 0)


def test_every_family_and_status_has_a_life() -> None:
    for status in get_args(Status):
        assert lifetime(POLICY, "report", "media", status) >= POLICY.media_candidate
        assert lifetime(POLICY, "report", "account", status) >= POLICY.account_candidate


# Standing and events.


def test_standing_is_the_fold() -> None:
    known = [statement(1), statement(2, basis="human_confirmed")]
    assert rules.standing(known, NOW, POLICY) == fold(known, NOW, POLICY)
    assert rules.standing(known, NOW, POLICY).status == "human_confirmed"


LIFTED = {"corroborated", "human_confirmed"}


@pytest.mark.parametrize("before", get_args(Status))
@pytest.mark.parametrize("after", get_args(Status))
def test_partners_learn_of_what_is_lifted_and_of_what_is_disputed(before: Status, after: Status) -> None:
    expected = None
    if after in LIFTED and before not in LIFTED:
        expected = "indicator.corroborated"
    if after == "disputed" and before != "disputed":
        expected = "indicator.disputed"
    assert rules.transition(before, after) == expected


def test_two_groups_dispute() -> None:
    disputed = OPEN._replace(statements=(statement(1), statement(2, kind="dispute", basis=None)))
    assert decide(signal(DISPUTE), disputed) == Admit("dispute", "disputed", NOW + POLICY.dispute)
    own_group = disputed._replace(group="cg_2")
    assert decide(signal(DISPUTE), own_group) == Admit("dispute", "candidate", NOW + POLICY.dispute)

"""When an application is vetted: every item found good by two different people, each with a digest of the evidence.

A check is never changed. A checker that found wrong may check again; its newest finding of an item is the one that
counts, and one that fails an item stops it whatever others found. A finding stands on the answers it was made on: with
another answer the findings of the items that it bears on are gone, and the report names the answers by their digest.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, get_args

from tocsin.governance.rules.applications import Answer
from tocsin_schemas.problems import Refused
from tocsin_schemas.vocabulary import VettingItem, VettingResult

ITEMS: Final[tuple[VettingItem, ...]] = get_args(VettingItem)
CHECKERS: Final = 2
REPORT_LABEL: Final = b"tocsin/vetting-report/v1\n"
BEARS_ON: Final[Mapping[str, tuple[VettingItem, ...]]] = {
    "registration": ("identity", "sanctions_screening"),
    "ownership": ("control_group", "sanctions_screening", "government_independence"),
    "governmental": ("government_independence",),
    "domain": ("domain_control", "conformance"),
    "service": ("identity", "conformance"),
    "jurisdiction": ("identity", "legal_agreement", "rights_screen"),
    "abuse_policy": ("abuse_policy_public", "rights_screen"),
    "appeals": ("appeal_works", "rights_screen"),
    "transparency": ("abuse_policy_public", "rights_screen"),
    "government_requests": ("government_independence", "rights_screen"),
    "human_review": ("human_review",),
    "contacts": ("identity", "security"),
    "security": ("security",),
    "security_evidence": ("security",),
    "lawful_basis": ("legal_agreement", "rights_screen"),
    "retention": ("legal_agreement", "security"),
    "sanctions": ("sanctions_screening",),
    "sanctions_evidence": ("sanctions_screening",),
    "antitrust": ("legal_agreement",),
    "conduct": ("legal_agreement",),
}
"""The items whose findings stand on the answer to a question of the form."""


Answers = Mapping[str, tuple[Answer, ...]]
"""The answers of a form, by question."""


class Check(NamedTuple):
    """One finding. `evidence` is the SHA-256 of what the checker saw, `checked_at` Unix seconds."""

    item: VettingItem
    checker: str
    result: VettingResult
    evidence: bytes
    checked_at: int


def newest(checks: Iterable[Check]) -> Mapping[VettingItem, Mapping[str, Check]]:
    """By item, the newest finding of each checker; the checks come in the order in which they were made."""
    found: dict[VettingItem, dict[str, Check]] = {item: {} for item in ITEMS}
    for check in checks:
        found[check.item][check.checker] = check
    return found


def missing(checks: Sequence[Check]) -> tuple[VettingItem, ...]:
    """The items that are not yet found good by two people and bad by nobody."""
    return tuple(
        item
        for item, findings in newest(checks).items()
        if len(findings) < CHECKERS or any(check.result != "pass" for check in findings.values())
    )


def judge_check(
    checks: Sequence[Check], check: Check, *, checker_groups: Collection[str], applicant_group: str
) -> None:
    """Whether a finding may be recorded.

    Raises:
        Refused: `checker-related` when the checker belongs to the applicant's control group, `checker-repeated` when
            the same person has found the same of this item already.
    """
    if applicant_group in checker_groups:
        raise Refused("checker-related", "checker", "of the applicant's own control group")
    before = newest(checks)[check.item].get(check.checker)
    if before is not None and before.result == check.result:
        raise Refused("checker-repeated", "checker", "another person has to check this item")


def unsettled(before: Answers, after: Answers) -> frozenset[VettingItem]:
    """The items whose findings are gone with the answers that `after` replaces by others."""
    changed = (name for name, given in after.items() if given != before.get(name, ()))
    return frozenset(item for name in changed for item in BEARS_ON[name])


def report(application: str, issuer: str, answers: Answers, checks: Sequence[Check]) -> dict[str, object]:
    """The vetting report as a document: the digest of the answers, every finding that counts, and those that were
    replaced.

    Raises:
        Refused: `vetting-incomplete` while an item lacks its two checks.
    """
    if lacking := missing(checks):
        raise Refused(
            "vetting-incomplete", lacking[0], "needs two people who find it good, and none who does not"
        )
    return {
        "application": application,
        "issuer": issuer,
        "answers": _answers_digest(answers),
        "checks": [
            {
                "item": check.item,
                "checker": check.checker,
                "result": check.result,
                "evidence": check.evidence.hex(),
                "checked_at": check.checked_at,
            }
            for check in checks
        ],
    }


def _answers_digest(answers: Answers) -> str:
    said = {name: [answer._asdict() for answer in given] for name, given in answers.items()}
    return hashlib.sha256(canonical_document(said)).hexdigest()


def report_digest(document: Mapping[str, object]) -> bytes:
    """SHA-256 over the label and the report in canonical form (RFC 8785: sorted, compact, ASCII)."""
    return hashlib.sha256(REPORT_LABEL + canonical_document(document)).digest()


def canonical_document(document: Mapping[str, object]) -> bytes:
    """The one spelling of a report."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()

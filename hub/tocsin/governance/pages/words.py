"""Plain words for the codes of the board's proceedings: what a page says where the wire has one word of a closed list.

Every code of a list has its words here; a code without would be an error at import and not an empty place on a page.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, get_args

from tocsin.governance.rules.applications import QUESTIONS
from tocsin.governance.rules.motions import AGAINST_A_MEMBER, MOTION_STATES
from tocsin_schemas.governance import ClockRule
from tocsin_schemas.problems import REGISTRY, Refused
from tocsin_schemas.tally import Result, RuleName
from tocsin_schemas.vocabulary import (
    DECISION_TYPES,
    SCOPES,
    ApplicationState,
    Choice,
    MemberClass,
    MemberState,
    RecusalReason,
    RemarkStance,
    RemarkTopic,
    SeatClass,
    VettingItem,
)


class Titled(NamedTuple):
    """A name, and what it means in a sentence."""

    title: str
    meaning: str


DECISIONS: Final[Mapping[str, Titled]] = {
    "member.admit": Titled(
        "Admit a member", "An applicant whose vetting is complete becomes a provisional member."
    ),
    "member.object": Titled(
        "Object to an activation",
        "A provisional member no longer becomes active by itself: the board will vote.",
    ),
    "member.activate": Titled("Activate a member", "A provisional member becomes a full one."),
    "member.extend": Titled(
        "Extend a probation", "A provisional member stays provisional once more as long."
    ),
    "member.refuse": Titled("Refuse a provisional member", "Its probation ends without membership."),
    "member.emergency_suspend": Titled(
        "Suspend in an emergency", "Two duty officers stop a member at once, until the board has voted."
    ),
    "member.suspend": Titled(
        "Suspend a member",
        "It neither sends nor reads until a day you name; the policy says how long at most.",
    ),
    "member.sanction": Titled(
        "Sanction a member", "It reads, but neither sends nor votes, until reinstated."
    ),
    "member.reinstate": Titled("Reinstate a member", "A suspension or a sanction ends."),
    "member.expel": Titled(
        "Expel a member",
        "A suspended member is out for good; it may apply again when the policy's wait is over.",
    ),
    "key.enrol": Titled("Enrol new keys", "A member that lost all its keys may prove new ones."),
    "key.revoke": Titled("Revoke a key", "A member's key is dead at once, and for good."),
    "community.open": Titled("Open a community", "A new group in which members share."),
    "community.grant": Titled("Grant rights in a community", "What a member may read and write there."),
    "policy.set": Titled("Change the policy", "The numbers by which every signal is judged."),
    "roster.set": Titled("Change the board", "Who sits where, and which keys they vote with."),
    "peering.set": Titled("Peer with another hub", "On terms that both sides hold."),
    "appeal.uphold": Titled("Appeal", "An independent panel looks at a decision again."),
    "appeal.dismiss": Titled("Dismiss an appeal", "An independent panel leaves a decision as it is."),
    "agreement.record": Titled("Record an agreement", "The owner of a licensed list agrees to its use here."),
}
"""What the board can decide."""

AGAINST: Final[Mapping[str, str]] = {
    "member.refuse": "Its probation would end without membership, and nothing that it said would count. It could apply"
    " again when the policy's wait is over.",
    "member.suspend": "Until that day it would neither send nor read, its keys would be dead, and nothing that it said"
    " would count.",
    "member.sanction": "It would read, but neither send nor vote, until the board reinstates it. What it said would"
    " stand.",
    "member.expel": "It would be out for good, and nothing that it said would count. It could apply again when the"
    " policy's wait is over.",
}
"""What a motion against a member would do to it, as the member is told."""

MOTIONS: Final[Mapping[str, Titled]] = {
    "proposed": Titled("Waits for endorsers", "Two other seats endorse it, or it lapses."),
    "discussion": Titled("In discussion", "Remarks are made; nobody votes yet."),
    "ballot": Titled("Ballot open", "The decision is frozen, and seats sign their votes."),
    "closed": Titled("Closed", "It was counted, and the count is a record of the chain."),
    "lapsed": Titled("Lapsed", "Nobody took it further in time."),
    "withdrawn": Titled("Withdrawn", "Its proposer took it back."),
}

RESULTS: Final[Mapping[str, Titled]] = {
    "passes": Titled("Passes", "Enough voted, and enough of them agreed."),
    "fails": Titled("Fails", "Enough voted, and too few of them agreed."),
    "inquorate": Titled("No quorum", "Too few voted, or no independent seat did. Nothing is decided."),
    "panel": Titled("Goes to the panel", "Too few may vote: the independent panel decides."),
}

RULES: Final[Mapping[str, str]] = {
    "admit": "Two thirds of yes and no, and a yes from every class that may vote.",
    "majority": "More yes than no.",
    "two_thirds_eligible": "Two thirds of all who may vote; silence counts like a no.",
    "roster": "Two thirds of all who may vote, of the board as it is and of the board as it would be.",
    "panel": "More yes than no, of the independent panel.",
    "duty": "Two of the three duty officers.",
    "single": "One seat is enough.",
}

RECUSALS: Final[Mapping[str, str]] = {
    "control_group": "same owner as whom this is about",
    "sponsor": "sponsor of whom this is about",
    "complainant": "made the complaint",
    "tie": "tied to whom this is about, now or not long ago",
    "declared": "declared a conflict",
    "suspended": "the organisation may not vote as it stands",
}

MEMBERS: Final[Mapping[str, Titled]] = {
    "provisional": Titled(
        "Provisional", "On probation: what it reports waits for an active member to say the same."
    ),
    "active": Titled("Active", "Sends, reads and votes."),
    "restricted": Titled("Restricted", "Reads; neither sends nor votes."),
    "emergency_suspended": Titled(
        "Suspended in an emergency", "Stopped for a few days at most, while the board votes."
    ),
    "suspended": Titled("Suspended", "Neither sends nor reads."),
    "withdrawing": Titled("Withdrawing", "Leaving; it still reads while it winds down."),
    "withdrawn": Titled("Withdrawn", "Left by itself."),
    "expelled": Titled("Expelled", "Put out by the board."),
}
ENDED: Final[frozenset[str]] = frozenset({"withdrawn", "expelled"})

APPLICATIONS: Final[Mapping[str, Titled]] = {
    "draft": Titled("Draft", "The applicant has not handed it in yet."),
    "submitted": Titled("Handed in", "It waits for somebody to begin with the checks."),
    "vetting": Titled("Being checked", "Two people check every item."),
    "info_requested": Titled("Asked again", "The applicant has to answer, or the application lapses."),
    "discussion": Titled("Before the board", "The board discusses the admission."),
    "ballot": Titled("Ballot open", "The board votes on the admission."),
    "approved_pending_keys": Titled(
        "Admitted, keys to prove", "The applicant proves its keys in time, or the admission lapses."
    ),
    "rejected": Titled(
        "Refused", "The board voted against it. It may be appealed, or made again after a wait."
    ),
    "lapsed": Titled("Lapsed", "It was given up, or nobody took it further in time."),
}
STANDINGS: Final[Mapping[str, Titled]] = {**APPLICATIONS, **MEMBERS}
"""Where an application stands: once it is admitted, as the member that came of it."""

CLOCKS: Final[Mapping[str, str]] = {
    "keys-lapsed": "the admission lapses unless the keys are proved",
    "provisional-complete": "becomes active by itself unless a seat objects",
    "emergency-lapsed": "the emergency suspension lifts by itself",
    "suspension-ended": "the suspension ends",
    "attestation-missed": "becomes restricted unless it attests",
    "withdrawal-complete": "has left",
}
"""What happens to a member when a time is over."""

CLASSES: Final[Mapping[str, str]] = {
    "platform": "Platform",
    "model_vendor": "Model vendor",
    "model_host": "Model host",
    "hotline": "Hotline",
    "partner": "Partner",
    "observer": "Observer",
    "peer_hub": "Peer hub",
}
SEATS: Final[Mapping[str, str]] = {
    "platform": "Platform",
    "vendor": "Vendor or host",
    "independent": "Independent",
}
CHOICES: Final[Mapping[str, str]] = {"yes": "Yes", "no": "No", "abstain": "Abstain"}
CLIENTS: Final[Mapping[str, Titled]] = {
    "signals:submit": Titled("Send signals", "Report, confirm, dispute and take back, in your name."),
    "signals:read": Titled("Read signals", "The feed, the log's entries, and single indicators."),
    "webhooks:manage": Titled("Manage endpoints", "What the hub sends you, and where."),
    "ssf.read": Titled("Read streams", "Look at streams of security events, and poll them."),
    "ssf.manage": Titled("Manage streams", "Make, change and end streams of security events."),
}
"""What a client of a member may do, by scope."""
STANCES: Final[Mapping[str, str]] = {
    "support": "Support",
    "concern": "Concern",
    "question": "Question",
    "answer": "Answer",
}
TOPICS: Final[Mapping[str, str]] = {
    "identity": "Identity",
    "control_group": "Who owns it",
    "sponsors": "Sponsors",
    "abuse_policy": "Abuse policy",
    "appeals": "Appeals",
    "human_review": "Review by people",
    "security": "Security",
    "sanctions_screening": "Sanctions",
    "government_influence": "Influence of a government",
    "conformance": "Technical conformance",
    "agreement": "Agreements",
    "rights": "Rights of those concerned",
    "data_protection": "Data protection",
    "evidence": "Evidence",
    "proportionality": "Proportionality",
    "urgency": "Urgency",
    "key_compromise": "A key in wrong hands",
    "scope": "Scope",
    "procedure": "Procedure",
}

ITEMS: Final[Mapping[str, Titled]] = {
    "identity": Titled(
        "Identity", "The register names this organisation, and whoever applies may speak for it."
    ),
    "domain_control": Titled("Control of its domains", "It has shown that every origin it names is its own."),
    "control_group": Titled(
        "Owners", "Its ultimate owner is the one declared, and no member's unless it says so."
    ),
    "abuse_policy_public": Titled("Abuse policy", "It is public, and forbids what this hub is about."),
    "appeal_works": Titled("Appeals", "A test appeal was filed, and answered by a person."),
    "human_review": Titled("Review by people", "Somebody was shown how a person decides before it acts."),
    "security": Titled(
        "Security", "The attestation is real, in date, and covers the systems that would connect."
    ),
    "sanctions_screening": Titled("Sanctions", "Neither it nor its owners are on a sanctions list."),
    "government_independence": Titled("Independence", "It is no governmental body and does not act for one."),
    "conformance": Titled(
        "Conformance", "100 test signals were valid, and a recall was confirmed within 60 seconds."
    ),
    "legal_agreement": Titled("Agreement", "The membership agreement is signed by somebody who may sign."),
    "sponsor_letters": Titled(
        "Sponsors", "Both sponsors wrote, and neither is related to it or to the other."
    ),
    "rights_screen": Titled(
        "Rights", "What it would do with signals was weighed against the rights of people."
    ),
}
"""The checklist, and what a checker has to see before an item passes."""


_SAID: Final[Mapping[str, str]] = {
    "eu": "European Union",
    "eea": "European Economic Area",
    "uk": "United Kingdom",
    "us": "United States",
    "ca": "Canada",
    "au": "Australia",
    "nz": "New Zealand",
    "jp": "Japan",
    "kr": "South Korea",
    "in": "India",
    "br": "Brazil",
    "iso27001": "ISO 27001",
    "soc2": "SOC 2",
    "business_hours": "in business hours",
}


_AGAIN: Final = "One thing needs another look"


class Advice(NamedTuple):
    """A refusal as a form shows it: what is wrong, with which part, why, and what to do next."""

    title: str
    part: str
    reason: str
    help: str
    field: str
    status: int


def advice(error: Refused, parts: Mapping[str, str] | None = None) -> Advice:
    """The words of a refusal; `parts` names the form's fields as the form does."""
    problem = REGISTRY[error.code]
    field = error.field.removeprefix("answers.")
    known = QUESTIONS.get(field)
    part = (parts or {}).get(error.field, "" if known is None else known.label)
    reason = error.reason[:1].upper() + error.reason[1:]
    # What the registry says of these is for whoever writes a program.
    plain = error.code in {"claim-invalid", "claim-missing", "request-invalid"}
    title, help_ = (_AGAIN, "") if plain else (problem.title, problem.help)
    return Advice(title, part, reason, help_, field, problem.status)


def worst(wrongs: Mapping[str, Advice]) -> int:
    """The status of the answer to a form, some of whose fields may not fit."""
    return max((wrong.status for wrong in wrongs.values()), default=200)


def said(code: str) -> str:
    """A code of the application form as words; codes whose spelling is their meaning need no more."""
    return _SAID.get(code, code.replace("_", " "))


def short(number: str) -> str:
    """How people tell a motion or an application from others like it: the last six digits of its number."""
    return number[-6:]


def demand_words(words: Mapping[str, object], codes: Iterable[str]) -> None:
    """See that every code of a list has its words, and no other; done at import.

    Raises:
        AssertionError: when it has not.
    """
    if words.keys() != set(codes):
        raise AssertionError("a code without words, or words without a code")


demand_words(DECISIONS, DECISION_TYPES)
demand_words(AGAINST, AGAINST_A_MEMBER)
demand_words(MOTIONS, MOTION_STATES)
demand_words(RESULTS, get_args(Result))
demand_words(RULES, get_args(RuleName))
demand_words(RECUSALS, get_args(RecusalReason))
demand_words(MEMBERS, get_args(MemberState))
demand_words(APPLICATIONS, get_args(ApplicationState))
demand_words(CLOCKS, get_args(ClockRule))
demand_words(CLASSES, get_args(MemberClass))
demand_words(SEATS, get_args(SeatClass))
demand_words(CHOICES, get_args(Choice))
demand_words(CLIENTS, SCOPES)
demand_words(STANCES, get_args(RemarkStance))
demand_words(TOPICS, get_args(RemarkTopic))
demand_words(ITEMS, get_args(VettingItem))

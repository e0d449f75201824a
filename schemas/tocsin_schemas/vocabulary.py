"""The closed word lists of the wire.

Every string that may appear in a signal is one of these words, a digest, a number or a registered address.
There is no free text, so there is nowhere to put content, a prompt or a person's name.
"""

from collections.abc import Mapping
from typing import Final, Literal, get_args

EVENT_PREFIX: Final = "urn:tocsin:event:v1:"

Basis = Literal["human_confirmed", "human_reviewed", "classifier", "hash_match_unviewed", "user_report"]
"""How the author came to its judgement. A hash match nobody viewed, or a classifier alone, lifts nothing."""

LIFTING_BASES: Final[frozenset[str]] = frozenset({"human_confirmed", "human_reviewed", "user_report"})
HUMAN_BASES: Final[frozenset[str]] = frozenset({"human_confirmed", "human_reviewed"})

Tlp = Literal["clear", "green", "amber", "amber+strict", "red"]
"""Traffic Light Protocol 2.0 (FIRST), lower case."""

AiOrigin = Literal["real", "modified_real", "wholly_synthetic", "unknown"]
OriginEvidence = Literal["c2pa_valid", "watermark", "vendor_confirmed", "classifier", "human", "none"]
DetectionContext = Literal[
    "upload",
    "hosting",
    "search",
    "generation_attempt",
    "generation_output",
    "training_data",
    "model_hosting",
]
"""Where the thing was met. Totals that mix training data with new output are useless, so it is required."""

GeneratorFamily = Literal[
    "image_diffusion", "image_ar", "video", "face_swap", "voice", "llm_text", "nudify", "unknown"
]
SourceRestriction = Literal["ncmec_2258c", "iwf", "stopncii"]
"""A licensed list the hash comes from; refused unless an agreement with its owner is on record."""

Conduct = Literal[
    "repeat_refused_generation",
    "upload_after_refusal",
    "ban_evasion",
    "multi_account_cluster",
    "payment_reuse",
    "coordinated_distribution",
    "solicitation_pattern",
    "model_abuse_specialised",
    "nudify_service",
    "link_hub",
]
Relevance = Literal["child_safety", "ncii", "both"]
ConsequentialAction = Literal["rate_limited", "step_up_required", "held", "frozen", "terminated"]
"""What the reporter itself did to the account; a report without any is refused."""

CountBucket = Literal["1", "2-4", "5-9", "10+"]
"""Counters travel as buckets, never as numbers."""

ArtefactKind = Literal["checkpoint", "lora", "embedding", "vae", "controlnet", "other"]
DisputeReason = Literal[
    "false_positive",
    "benign_content",
    "misclassified",
    "parent_or_medical",
    "wrong_subject",
    "licence_restricted",
    "outdated",
]
RetractionReason = Literal["error", "outdated", "superseded", "victim_request", "appeal_upheld", "legal"]
OutcomeResult = Literal["actioned", "no_violation", "insufficient", "reported_to_authority", "duplicate"]
DecisionMode = Literal["human", "automated", "mixed"]

SignalKind = Literal["report", "sighting", "dispute", "retraction", "outcome"]
"""Events a member signs in this release."""

HubKind = Literal["expiry", "snapshot", "release"]
"""Events the hub signs in this release."""

HubKeyName = Literal["events", "token", "delivery", "ssf_es", "ssf_rs"]
"""Keys of a hub that are changed with a time in which the old and the new one hold."""

GovernanceKind = Literal["decision", "member-state", "key-change"]
"""Log entries about power (`tocsin_schemas.chain`); their scope is `BOARD`, and no community's feed has them."""

EntryKind = Literal[
    "report",
    "sighting",
    "dispute",
    "retraction",
    "outcome",
    "expiry",
    "snapshot",
    "release",
    "decision",
    "member-state",
    "key-change",
    "proceeding",
]
"""What a log entry says it is: how the hub counted the statement."""

BOARD: Final = "board"
"""The scope word of the governance chain's log entries. No community may take it."""

DOCKET: Final = "docket"
"""The scope word of the log entries that seal the board's proceedings (`tocsin_schemas.docket`)."""

PROCEEDING: Final = "proceeding"
"""The kind of those entries."""

SCOPE_WORDS: Final = frozenset({BOARD, DOCKET})
"""What no community may be called."""

Status = Literal["quarantined", "candidate", "corroborated", "human_confirmed", "disputed", "expired"]
"""Where an indicator stands; a pure fold over its statements (`tocsin_schemas.fold`)."""

MATCHABLE: Final[frozenset[Status]] = frozenset({"candidate", "corroborated", "human_confirmed"})
"""What a snapshot holds and a follower matches by default: reported, counted, and not disputed."""

GoneReason = Literal["expired", "retracted", "recalled", "erased"]
WithheldReason = Literal["quarantine", "tlp", "state"]
Band = Literal["0", "1", "2", "3-5", "6+"]
"""Counts of independent reporters, coarse enough not to name anyone."""

MemberClass = Literal["platform", "model_vendor", "model_host", "hotline", "partner", "observer", "peer_hub"]
MemberState = Literal[
    "provisional",
    "active",
    "restricted",
    "emergency_suspended",
    "suspended",
    "withdrawing",
    "withdrawn",
    "expelled",
]
"""Where a member stands (`tocsin_schemas.membership` says what each state means)."""

ApplicationState = Literal[
    "draft",
    "submitted",
    "vetting",
    "info_requested",
    "discussion",
    "ballot",
    "approved_pending_keys",
    "rejected",
    "lapsed",
]
"""Where an application stands before there is a member."""

SeatClass = Literal["platform", "vendor", "independent"]
Choice = Literal["yes", "no", "abstain"]
DecisionType = Literal[
    "member.admit",
    "member.object",
    "member.activate",
    "member.extend",
    "member.refuse",
    "member.emergency_suspend",
    "member.suspend",
    "member.sanction",
    "member.reinstate",
    "member.expel",
    "key.enrol",
    "key.revoke",
    "community.open",
    "community.grant",
    "policy.set",
    "roster.set",
    "peering.set",
    "appeal.uphold",
    "appeal.dismiss",
    "agreement.record",
]
"""What a board can decide; nothing else changes membership, keys, communities or policy."""

RecusalReason = Literal["control_group", "sponsor", "complainant", "tie", "declared", "suspended"]
"""Why a seat has no vote on a decision. `tie`: a business tie with the subject within 24 months."""

RemarkStance = Literal["support", "concern", "question", "answer"]
RemarkTopic = Literal[
    "identity",
    "control_group",
    "sponsors",
    "abuse_policy",
    "appeals",
    "human_review",
    "security",
    "sanctions_screening",
    "government_influence",
    "conformance",
    "agreement",
    "rights",
    "data_protection",
    "evidence",
    "proportionality",
    "urgency",
    "key_compromise",
    "scope",
    "procedure",
]
"""What a remark in a discussion is about; the words themselves stay in a document, named by its digest."""

VettingItem = Literal[
    "identity",
    "domain_control",
    "control_group",
    "abuse_policy_public",
    "appeal_works",
    "human_review",
    "security",
    "sanctions_screening",
    "government_independence",
    "conformance",
    "legal_agreement",
    "sponsor_letters",
    "rights_screen",
]
"""The vetting checklist; each item is checked by two people, each with a digest of the evidence."""

VettingResult = Literal["pass", "fail"]

Scope = Literal["signals:submit", "signals:read", "webhooks:manage", "ssf.read", "ssf.manage"]
"""What a client may do for its member (`tocsin_schemas.membership.SCOPES_OF` says which class may hold which)."""

SIGNAL_KINDS: Final[tuple[str, ...]] = get_args(SignalKind)
HUB_KEY_NAMES: Final[tuple[HubKeyName, ...]] = get_args(HubKeyName)
HUB_KINDS: Final[frozenset[str]] = frozenset(get_args(HubKind))
GOVERNANCE_KINDS: Final[frozenset[str]] = frozenset(get_args(GovernanceKind))
ENTRY_KINDS: Final[tuple[str, ...]] = get_args(EntryKind)
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
CHOICES: Final[tuple[Choice, ...]] = get_args(Choice)
DECISION_TYPES: Final[tuple[DecisionType, ...]] = get_args(DecisionType)
VETTING_ITEMS: Final[tuple[VettingItem, ...]] = get_args(VettingItem)

LabelPack = Literal["tc-ics@1", "ncii@1", "artefact@1", "behaviour@1", "test@1"]

LABEL_PACKS: Final[Mapping[LabelPack, frozenset[str]]] = {
    # Tech Coalition industry classification: A prepubescent, B pubescent; 1 sex act, 2 lascivious exhibition.
    "tc-ics@1": frozenset({"A1", "A2", "B1", "B2"}),
    # Intimate images shared without consent; adults only.
    "ncii@1": frozenset({"intimate_image", "synthetic_intimate_image", "sextortion"}),
    # Models made, tuned or shared for abuse.
    "artefact@1": frozenset({"csae_specialised", "ncii_specialised", "safety_removed"}),
    "behaviour@1": frozenset(get_args(Conduct)),
    # Benign material for rehearsals and conformance runs; never acted upon.
    "test@1": frozenset({"benign_a", "benign_b"}),
}
"""Label packs: `namespace@version` to its codes. A pack is a closed list; only codes travel. The policy says which are
in force."""

LABELS: Final[frozenset[str]] = frozenset(
    f"{pack}:{code}" for pack, codes in LABEL_PACKS.items() for code in codes
)


_SMALL_BANDS: Final[tuple[Band, ...]] = ("0", "1", "2")


def band(count: int) -> Band:
    """The band that `count` independent reporters fall in (trust.md §7: never exact counts)."""
    if count <= 2:
        return _SMALL_BANDS[max(count, 0)]
    return "3-5" if count <= 5 else "6+"

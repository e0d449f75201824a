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

HubKind = Literal["expiry", "snapshot"]
"""Events the hub signs in this release."""

EntryKind = Literal["report", "sighting", "dispute", "retraction", "outcome", "expiry", "snapshot"]
"""What a log entry says it is: how the hub counted the statement."""

Status = Literal["quarantined", "candidate", "corroborated", "human_confirmed", "disputed", "expired"]
"""Where an indicator stands; a pure fold over its statements (`tocsin_schemas.fold`)."""

MATCHABLE: Final[frozenset[Status]] = frozenset({"candidate", "corroborated", "human_confirmed"})
"""What a snapshot holds and a follower matches by default: reported, counted, and not disputed."""

GoneReason = Literal["expired", "retracted", "recalled", "erased"]
WithheldReason = Literal["quarantine", "tlp", "state"]
Band = Literal["0", "1", "2", "3-5", "6+"]
"""Counts of independent reporters, coarse enough not to name anyone."""

MemberClass = Literal["platform", "model_vendor", "model_host", "hotline", "partner", "observer", "peer_hub"]
MemberState = Literal["active", "suspended"]

Scope = Literal["signals:submit", "signals:read"]

SIGNAL_KINDS: Final[tuple[str, ...]] = get_args(SignalKind)
HUB_KINDS: Final[frozenset[str]] = frozenset(get_args(HubKind))
ENTRY_KINDS: Final[tuple[str, ...]] = get_args(EntryKind)
SCOPES: Final[tuple[str, ...]] = get_args(Scope)

LABEL_PACKS: Final[Mapping[str, frozenset[str]]] = {
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
"""Label packs in force: `namespace@version` to its codes. A pack is a closed list; only codes travel."""

LABELS: Final[frozenset[str]] = frozenset(
    f"{pack}:{code}" for pack, codes in LABEL_PACKS.items() for code in codes
)


_SMALL_BANDS: Final[tuple[Band, ...]] = ("0", "1", "2")


def band(count: int) -> Band:
    """The band that `count` independent reporters fall in (trust.md §7: never exact counts)."""
    if count <= 2:
        return _SMALL_BANDS[max(count, 0)]
    return "3-5" if count <= 5 else "6+"

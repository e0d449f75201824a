"""What a witness decides about a submitted checkpoint (C2SP tlog-witness, add-checkpoint). Pure.

It is decided in the order of the specification, so that two witnesses give the same status for the same request:

    1. the request is well formed             else 400
    2. the origin is of a log we know         else 404
    3. a key of that log has signed it        else 403
    4. the old size is not above the new one  else 400
    5. the old size is what we cosigned last  else 409 with that size
    6. the empty tree has the empty root      else 422
    7. equal sizes have equal roots           else 422
    8. the proof fits, empty from size zero   else 422

Step 1 is `tocsin_schemas.tlog_witness`; 2 and 3 need the registered keys and are `signed`; 4 to 8 need the last
cosigned head and are `decide`.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from tocsin_schemas.checkpoint import open_checkpoint
from tocsin_schemas.merkle import EMPTY_ROOT, verify_consistency
from tocsin_schemas.notes import Note, NoteVerifier
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_witness import Submission

EvidenceKind = Literal["fork", "unproven"]
"""`fork`: two heads of one size; no honest log signs both. `unproven`: no proof came with it, or a wrong one, which may
be the fault of whoever sent it, since anybody can."""


class Head(NamedTuple):
    """The last cosigned tree of a log."""

    size: int = 0
    root: bytes = EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Cosign:
    """The checkpoint continues what was cosigned before."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The last cosigned size is another; `evidence` where the checkpoint contradicts it all the same."""

    size: int
    evidence: EvidenceKind | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The checkpoint is not cosigned: code and reason, and `evidence` where it may speak against the log."""

    code: str
    field: str
    reason: str
    evidence: EvidenceKind | None = None


Decision = Cosign | Behind | Refusal


def signed(submission: Submission, keys: Collection[NoteVerifier]) -> Submission:
    """The submission with the signatures of the log's own `keys` alone, all of them verified; one a key.

    Signatures of others are ignored, as the specification demands, and go no further.

    Raises:
        Refused: `log-unsigned` when no key of the log has signed it, or one that did not.
    """
    known = {(key.name, key.key_id) for key in keys}
    theirs = tuple(line for line in submission.note.signatures if line[:2] in known)
    if not theirs:
        raise Refused("log-unsigned", "note.signature", "no known key of the log has signed it")
    try:
        open_checkpoint(Note(submission.note.text, theirs).render(), keys)
    except Refused as error:
        raise Refused("log-unsigned", error.field, error.reason) from None
    one_a_key = {line[:2]: line for line in reversed(theirs)}
    return replace(submission, note=Note(submission.note.text, tuple(reversed(one_a_key.values()))))


def decide(submission: Submission, last: Head) -> Decision:
    """Whether to cosign a signed submission, after `last` was cosigned."""
    old, new = submission.old, submission.checkpoint
    if old > new.size:
        return Refusal("submission-malformed", "old", "larger than the checkpoint")
    forked = (new.size == last.size and new.root != last.root) or (new.size == 0 and new.root != EMPTY_ROOT)
    if old != last.size:
        return Behind(last.size, "fork" if forked else None)
    if forked:
        return Refusal("consistency-invalid", "checkpoint.root", "not the root of that size", "fork")
    # From the empty tree, and between equal sizes, the proof is empty: `verify_consistency` sees to that too.
    if not verify_consistency(old, last.root, new.size, new.root, submission.proof):
        # To the empty tree, and to what was cosigned already, only the sender can be at fault.
        doubtful = old > 0 and (new.size, new.root) != last
        evidence: EvidenceKind | None = "unproven" if doubtful else None
        return Refusal("consistency-invalid", "proof", "does not lead from the old size", evidence)
    return Cosign()

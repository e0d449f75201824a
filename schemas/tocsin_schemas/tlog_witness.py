"""What a log sends to a witness (C2SP tlog-witness, add-checkpoint): an old size, a consistency proof, a checkpoint.

Read strictly, one spelling each, since hashes and numbers have one. Nothing in a request that was read is verified.
"""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from tocsin_schemas.checkpoint import Checkpoint, parse_checkpoint, parse_decimal
from tocsin_schemas.merkle import HASH_BYTES
from tocsin_schemas.notes import MAX_NOTE_BYTES, Note, b64decode, parse_note
from tocsin_schemas.problems import Refused

ADD_CHECKPOINT: Final = "/add-checkpoint"
"""Below the submission prefix: where requests go."""
SIZE_TYPE: Final = "text/x.tlog.size"
"""Media type of the size that a 409 answers with."""
MAX_PROOF_LINES: Final = 63
MAX_SIGNATURES: Final = 64
"""signed-note demands room for 16; each of a key the witness knows is verified."""
MAX_REQUEST_BYTES: Final = MAX_NOTE_BYTES + 4096
"""A note, and 63 hashes of 45 bytes a line before it."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A request: the size last cosigned as far as the sender knows, and a signed checkpoint that continues it."""

    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint

    def render(self) -> bytes:
        """The request's bytes."""
        lines = [f"old {self.old}", *(b64encode(item).decode() for item in self.proof), "", ""]
        return "\n".join(lines).encode() + self.note.render()


def parse_submission(body: bytes) -> Submission:
    """Read a request.

    Raises:
        Refused: `submission-malformed`.
    """
    head, blank, rest = body.partition(b"\n\n")
    if not blank or not head.isascii():
        raise _malformed("body", "an old size, a proof, an empty line and a checkpoint make a request")
    first, *lines = head.decode("ascii").split("\n")
    old = parse_decimal(first.removeprefix("old ")) if first.startswith("old ") else None
    if old is None:
        raise _malformed("old", "the first line is `old` and a decimal number below 2^63")
    if len(lines) > MAX_PROOF_LINES:
        raise _malformed("proof", f"{MAX_PROOF_LINES} lines are the limit")
    proof = tuple(item for item in map(b64decode, lines) if item is not None and len(item) == HASH_BYTES)
    if len(proof) < len(lines):
        raise _malformed("proof", "a line is not 32 bytes in base64")
    try:
        note = parse_note(rest)
        checkpoint = parse_checkpoint(note.text)
    except Refused as error:
        raise _malformed(error.field, error.reason) from None
    if len(note.signatures) > MAX_SIGNATURES:
        raise _malformed("note.signature", f"{MAX_SIGNATURES} signatures are the limit")
    return Submission(old, proof, note, checkpoint)


def latest_path(origin: str) -> str:
    """Below the monitoring prefix: where the last cosigned checkpoint of a log is read."""
    return f"/{sha256(origin.encode()).hexdigest()}/checkpoint"


def _malformed(field: str, reason: str) -> Refused:
    return Refused("submission-malformed", field, reason)

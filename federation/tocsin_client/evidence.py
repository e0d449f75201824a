"""Two checkpoints of one log that cannot both be honest, as a folder that anyone can check.

    smaller, larger   the two notes, byte for byte as they were served, each signed by the log's own key
    finding.json      the code, when and where the two were seen; and, for a fork of logs of different sizes, the root
                      that the larger log has at the smaller one's size, with the RFC 6962 consistency proof of it

A fork proves itself: two signed notes of one size with different roots, or a root that the larger note's tree leads to
and the smaller note denies. That a log was rolled back shows only to who saw the larger one first.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from tocsin_schemas import merkle
from tocsin_schemas.checkpoint import open_checkpoint
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.notes import b64decode, b64encode
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_policy import LogPolicy

FINDING: Final = "finding.json"


class Inside(NamedTuple):
    """The root that the larger log had at the smaller one's size, and the proof that leads from there to its own."""

    root: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """`code` is `log-forked` or `log-rolled-back`; `seen_at` names where each note was read."""

    code: str
    smaller: bytes
    larger: bytes
    inside: Inside | None
    seen_at: tuple[str, str]
    found_at: int

    def files(self) -> Mapping[str, bytes]:
        """The folder's files by name."""
        said: dict[str, Any] = {
            "code": self.code,
            "found_at": rfc3339(self.found_at),
            "smaller_seen_at": self.seen_at[0],
            "larger_seen_at": self.seen_at[1],
        }
        if self.inside is not None:
            said["root_in_larger"] = b64encode(self.inside.root)
            said["consistency_proof"] = [b64encode(one) for one in self.inside.proof]
        text = json.dumps(said, indent=2) + "\n"
        return {"smaller": self.smaller, "larger": self.larger, FINDING: text.encode()}


def judge(folder: Path, policy: LogPolicy) -> str:
    """What the evidence in a folder shows to who trusts the policy's log keys: the code that it proves.

    Raises:
        Refused: `note-malformed`, `checkpoint-unsigned` and the like, when the log did not sign one of the notes;
            `proof-malformed` when the finding cannot be read; `consistency-invalid` when the notes do not contradict
            each other.
        OSError: when a file cannot be read.
    """
    logs = [log.verifier for log in policy.logs]
    smaller, larger = (
        open_checkpoint((folder / name).read_bytes(), logs).checkpoint for name in ("smaller", "larger")
    )
    code, inside = _read((folder / FINDING).read_bytes())
    if smaller.origin != larger.origin or smaller.size > larger.size:
        raise Refused("consistency-invalid", "evidence", "the two are not of one log, smaller before larger")
    if smaller.size == larger.size:
        proven = smaller.root != larger.root
    elif inside is not None:
        proven = inside.root != smaller.root and merkle.verify_consistency(
            smaller.size, inside.root, larger.size, larger.root, inside.proof
        )
    else:
        # The order in which the two were seen cannot be proved; that the log signed both can.
        proven = code == "log-rolled-back"
    if not proven:
        raise Refused("consistency-invalid", "evidence", "the two checkpoints do not contradict each other")
    return "log-rolled-back" if inside is None and smaller.size < larger.size else "log-forked"


def _read(raw: bytes) -> tuple[str, Inside | None]:
    try:
        said = json.loads(raw)
        if "root_in_larger" not in said:
            return str(said["code"]), None
        hashes = [b64decode(text) for text in (said["root_in_larger"], *said["consistency_proof"])]
    except (ValueError, TypeError, KeyError):
        raise Refused("proof-malformed", "evidence", "the finding cannot be read") from None
    found = tuple(one for one in hashes if one is not None)
    if len(found) != len(hashes):
        raise Refused("proof-malformed", "evidence", "a hash is not base64")
    return str(said["code"]), Inside(found[0], found[1:])

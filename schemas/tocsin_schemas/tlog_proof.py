"""Log proofs (C2SP tlog-proof): one file that shows an entry to be in a log, for who has only a policy and no network.

What is extra in a proof nobody has signed. It can say which entry is meant; that the entry is in the log is shown only
by hashing it and verifying the proof with that hash.
"""

from dataclasses import dataclass
from typing import Final, Self

from tocsin_schemas.checkpoint import Opened, parse_decimal
from tocsin_schemas.merkle import HASH_BYTES, verify_inclusion
from tocsin_schemas.notes import MAX_NOTE_BYTES, b64decode, b64encode
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_policy import LogPolicy

MEDIA_TYPE: Final = "text/plain; charset=utf-8"
SUFFIX: Final = ".tlog-proof"
MAX_PROOF_BYTES: Final = 2 * MAX_NOTE_BYTES

_FIRST: Final = "c2sp.org/tlog-proof@v1"
_MAX_PATH: Final = 63
"""No tree that a checkpoint can state is higher."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that is well formed; nothing in it has been verified.

    `path` is the audit path of the entry at `index`, its sibling first; `checkpoint` is the signed note byte for byte.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """The file's bytes."""
        lines = [_FIRST]
        if self.extra is not None:
            lines.append(f"extra {b64encode(self.extra)}")
        lines += [f"index {self.index}", *map(b64encode, self.path), "", ""]
        return "\n".join(lines).encode() + self.checkpoint

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read a proof.

        Raises:
            Refused: `proof-malformed` when it is none, or says something in another than the one spelling.
        """
        if len(raw) > MAX_PROOF_BYTES:
            raise Refused("proof-malformed", "proof", f"{MAX_PROOF_BYTES} bytes are the limit")
        head, blank, checkpoint = raw.partition(b"\n\n")
        if not blank or not head.isascii():
            raise Refused("proof-malformed", "proof", "a head, an empty line and a checkpoint make a proof")
        first, *lines = head.decode().split("\n")
        if first != _FIRST:
            raise Refused("proof-malformed", "proof", "not a proof of a known version")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = b64decode(lines.pop(0).removeprefix("extra "))
            if extra is None:
                raise Refused("proof-malformed", "proof.extra", "not base64")
        if not lines or not lines[0].startswith("index "):
            raise Refused("proof-malformed", "proof.index", "missing")
        index = parse_decimal(lines.pop(0).removeprefix("index "))
        if index is None:
            raise Refused("proof-malformed", "proof.index", "not a decimal number below 2^63")
        path = tuple(found for line in lines if (found := b64decode(line)) and len(found) == HASH_BYTES)
        if len(path) != len(lines) or len(path) > _MAX_PATH:
            raise Refused(
                "proof-malformed", "proof.path", f"at most {_MAX_PATH} hashes in base64, one a line"
            )
        return cls(index, path, checkpoint, extra)

    def verify(self, leaf_hash: bytes, policy: LogPolicy, now: int) -> Opened:
        """The checkpoint of a log this policy accepts, which includes the entry of `leaf_hash` at `index`.

        Cosignatures do not age: a proof stays one for as long as the policy's keys are trusted.

        Raises:
            Refused: as `LogPolicy.open`; `inclusion-invalid` when the entry is not the one at that index.
        """
        opened = policy.open(self.checkpoint, now)
        head = opened.checkpoint
        if not verify_inclusion(leaf_hash, self.index, head.size, self.path, head.root):
            raise Refused("inclusion-invalid", "proof.path", "does not lead from this entry to the root")
        return opened

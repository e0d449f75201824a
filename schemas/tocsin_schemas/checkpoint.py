"""Checkpoints of a log (C2SP tlog-checkpoint), and the cosignatures of its witnesses (C2SP tlog-cosignature).

A checkpoint is the log's word on its size and root. A cosignature is a witness's word that at some time this was the
largest tree it had seen of that log, and continued all that it had seen before. Both are read strictly, one spelling
each; whom to trust is the caller's to say (`tocsin_schemas.tlog_policy`).
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from tocsin_schemas.merkle import HASH_BYTES
from tocsin_schemas.notes import (
    COSIGNERS,
    ED25519,
    ED25519_COSIGNER,
    Note,
    NoteSigner,
    NoteVerifier,
    b64decode,
    b64encode,
    sign_note,
    verify_note,
)
from tocsin_schemas.problems import Refused

MEDIA_TYPE: Final = "text/plain; charset=utf-8"
MAX_SIZE: Final = 2**63 - 1
"""The largest size, and the latest point in time, that every implementation can hold."""

_LOG: Final = "/log"
_SANDBOX_LOG: Final = "/sandbox/log"
_TIME_BYTES: Final = 8
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_MAX_NAME_BYTES: Final = 255


def log_origin(hub: str, *, sandbox: bool = False) -> str:
    """The origin of a hub's log, also the name of its key: the hub's base URL without its scheme, and `/log`.

    The log of a sandbox, where no board decides, says so: its origin ends with `/sandbox/log`.
    """
    return hub.partition("://")[2] + (_SANDBOX_LOG if sandbox else _LOG)


def is_sandbox(origin: str) -> bool:
    """Whether the log with this origin is a sandbox's. A hub's base URL has no path, so no other ends like that."""
    return origin.endswith(_SANDBOX_LOG)


class Checkpoint(NamedTuple):
    """The head of a log: `origin` names it, `root` is the hash over its first `size` entries."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text of the note."""
        lines = (self.origin, str(self.size), b64encode(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


class Cosigned(NamedTuple):
    """A verified cosignature: the name and id of the key, and when it was made (Unix seconds)."""

    name: str
    key_id: int
    time: int


class Opened(NamedTuple):
    """A checkpoint that its log has signed, what known witnesses say of it, and the note byte for byte."""

    checkpoint: Checkpoint
    cosignatures: tuple[Cosigned, ...]
    raw: bytes


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a note as a checkpoint.

    Raises:
        Refused: `checkpoint-malformed` when it is none, or says something in another than the one spelling.
    """
    *lines, rest = text.split("\n")
    if rest or len(lines) < 3 or not all(lines):
        raise Refused("checkpoint-malformed", "checkpoint", "three lines or more, none of them empty")
    origin, size, encoded, *extensions = lines
    if (number := parse_decimal(size)) is None:
        raise Refused("checkpoint-malformed", "checkpoint.size", "not a decimal number below 2^63")
    root = b64decode(encoded)
    if root is None or len(root) != HASH_BYTES:
        raise Refused("checkpoint-malformed", "checkpoint.root", "not 32 bytes in base64")
    return Checkpoint(origin, number, root, tuple(extensions))


def parse_decimal(text: str) -> int | None:
    """A size or an index in ASCII digits without leading zeros, up to `MAX_SIZE`; None for anything else."""
    number = int(text) if _DECIMAL.fullmatch(text) else MAX_SIZE + 1
    return number if number <= MAX_SIZE else None


def sign_checkpoint(origin: str, size: int, root: bytes, signer: NoteSigner) -> bytes:
    """A log's checkpoint: a note under the log's Ed25519 key, whose name should be `origin`.

    Whoever calls this must be certain that it never signed, nor will sign, a head that does not fit this one.

    Raises:
        Refused: `checkpoint-malformed` when nobody could read it.
    """
    text = Checkpoint(origin, size, root).text
    parse_checkpoint(text)
    return sign_note(text, signer)


def cosign(checkpoint: Checkpoint, signer: NoteSigner, at: int) -> str:
    """A cosigner's signature line for a checkpoint, with its line feed.

    Whoever calls this says that at `at` (Unix seconds) the checkpoint was the largest consistent one it had seen.

    Raises:
        Refused: `checkpoint-malformed` when the origin is longer than the signed message can hold.
    """
    message = _cosigned_message(checkpoint, signer.verifier, at)
    return signer.line(at.to_bytes(_TIME_BYTES) + signer.sign(message))


def open_checkpoint(
    raw: bytes, log: NoteVerifier | Iterable[NoteVerifier], witnesses: Iterable[NoteVerifier] = ()
) -> Opened:
    """Read a signed checkpoint: signed by `log` (one of them), whose name is the origin; with its cosignatures.

    How many cosignatures there are, and how old they may be, the caller must decide. Signatures of unknown keys are
    ignored.

    Raises:
        Refused: `note-malformed`, `checkpoint-malformed`; `signature-invalid` when a signature of a known key does not
            verify; `checkpoint-unsigned` when no given log of that origin has signed it.
    """
    logs = [log] if isinstance(log, NoteVerifier) else list(log)
    cosigners = [witness for witness in witnesses if witness.kind in COSIGNERS]
    note, by = verify_note(raw, [*logs, *cosigners], _signed)
    checkpoint = parse_checkpoint(note.text)
    if not any(verifier in logs and verifier.name == checkpoint.origin for verifier, _ in by):
        raise Refused("checkpoint-unsigned", "checkpoint.origin", "not signed by a known log of this origin")
    cosignatures = tuple(
        Cosigned(verifier.name, verifier.key_id, _time(signature.raw))
        for verifier, signature in by
        if verifier in cosigners
    )
    return Opened(checkpoint, cosignatures, raw)


def _signed(note: Note, verifier: NoteVerifier, raw: bytes) -> tuple[bytes, bytes]:
    """The message that `verifier` signed if `raw` is its signature of this checkpoint, and the bare signature."""
    if verifier.kind == ED25519:
        return note.text.encode(), raw
    at = _time(raw)
    if at > MAX_SIZE:
        raise Refused("signature-invalid", "note.signature", "its time is out of bounds")
    return _cosigned_message(parse_checkpoint(note.text), verifier, at), raw[_TIME_BYTES:]


def _time(raw: bytes) -> int:
    return int.from_bytes(raw[:_TIME_BYTES])


def _cosigned_message(checkpoint: Checkpoint, verifier: NoteVerifier, at: int) -> bytes:
    if verifier.kind == ED25519_COSIGNER:
        return f"cosignature/v1\ntime {at}\n{checkpoint.text}".encode()
    return (
        b"subtree/v1\n\0"
        + _opaque(verifier.name)
        + at.to_bytes(_TIME_BYTES)
        + _opaque(checkpoint.origin)
        + bytes(8)  # start: a checkpoint is the subtree that begins with the first entry
        + checkpoint.size.to_bytes(8)
        + checkpoint.root
    )


def _opaque(name: str) -> bytes:
    """`opaque name<1..2^8-1>` of RFC 8446 §3.4."""
    raw = name.encode()
    if len(raw) > _MAX_NAME_BYTES:
        raise Refused("checkpoint-malformed", "checkpoint.origin", "a name is longer than 255 bytes")
    return bytes([len(raw)]) + raw

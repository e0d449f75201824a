"""What a machine remembers of one log: the pinned policy, the last checkpoint it accepted, and evidence.

    policy               the tlog-policy in force; it says whose checkpoints are believed
    checkpoint           the note that was accepted last; every later one must continue it
    genesis              the digest of the board's first record, from which its decisions are replayed
    evidence/<finding>/  two notes that contradict each other (`tocsin_client.evidence`)

A checkpoint takes the place of the one that it was compared with, under a lock, or not at all: of two processes that
follow one log neither can make the other forget what it saw. Files are written whole (a new file, synced, renamed).
Evidence is never overwritten and never removed, and needs nothing from this machine to be checked.
"""

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from tocsin_client.config import NotReady, host_of, private_folder
from tocsin_client.evidence import FINDING, Finding
from tocsin_schemas.checkpoint import Checkpoint, parse_checkpoint
from tocsin_schemas.notes import parse_note
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_policy import LogPolicy, parse_policy

FOLDER: Final = "logs"
_GENESIS: Final = re.compile(rb"[0-9a-f]{64}\n")


class LogStore:
    """The folder of one log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of(cls, data: Path, hub: str) -> Self:
        """The folder of a hub's log below a data folder."""
        return cls(data / FOLDER / host_of(hub))

    def policy(self) -> LogPolicy | None:
        """The pinned policy; None before anything was pinned.

        Raises:
            NotReady: when the file is damaged.
        """
        raw = self._read("policy")
        if raw is None:
            return None
        try:
            return parse_policy(raw)
        except Refused:
            raise NotReady(
                f"{self.folder / 'policy'} is not a log policy",
                "Pin it again: `tocsin log trust --policy FILE`.",
            ) from None

    def pin(self, policy: LogPolicy) -> None:
        """Believe this policy from now on."""
        with self._locked():
            self._write("policy", policy.render())

    def genesis(self) -> bytes | None:
        """The pinned digest of the board's first record, 32 bytes; None before one was pinned.

        Raises:
            NotReady: when the file is damaged.
        """
        raw = self._read("genesis")
        if raw is None:
            return None
        if not _GENESIS.fullmatch(raw):
            raise NotReady(
                f"{self.folder / 'genesis'} is not a digest",
                "Pin it again: `tocsin board verify --genesis HASH`.",
            )
        return bytes.fromhex(raw.decode())

    def pin_genesis(self, digest: bytes) -> None:
        """Replay the board's decisions from this record on, and from no other."""
        with self._locked():
            self._write("genesis", digest.hex().encode() + b"\n")

    def kept(self) -> bytes | None:
        """The note accepted last, byte for byte; None before the first."""
        return self._read("checkpoint")

    def keep(self, note: bytes, instead_of: bytes | None) -> bool:
        """Put a note in the place of the one that it was compared with; False when another one is there by now."""
        with self._locked():
            if self._read("checkpoint") != instead_of:
                return False
            if note != instead_of:
                self._write("checkpoint", note)
            return True

    def accuse(self, finding: Finding) -> Path:
        """Keep evidence; its folder. The same two notes are kept once."""
        pair = hashlib.sha256(finding.smaller + finding.larger).hexdigest()[:16]
        name = f"evidence/{finding.code}-{pair}"
        with self._locked():
            if self._read(f"{name}/{FINDING}") is None:
                for file, data in finding.files().items():
                    self._write(f"{name}/{file}", data)
        return self.folder / name

    def evidence(self) -> list[Path]:
        """The folders of what was found so far, in order of their names."""
        return sorted(path.parent for path in self.folder.glob(f"evidence/*/{FINDING}"))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        private_folder(self.folder)
        with (self.folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self, name: str) -> bytes | None:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def _write(self, name: str, data: bytes) -> None:
        target = self.folder / name
        private_folder(target.parent)
        fresh = target.with_name(target.name + ".new")
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def said_by(note: bytes) -> Checkpoint:
    """What a note that was accepted before says; its signatures are not looked at again.

    Raises:
        NotReady: when the bytes are damaged.
    """
    try:
        return parse_checkpoint(parse_note(note).text)
    except Refused:
        raise NotReady(
            "The checkpoint kept on this machine is damaged", "Restore it from a backup."
        ) from None

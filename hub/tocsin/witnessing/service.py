"""The witness at work: one submission is one transaction that checks, cosigns and remembers.

Rules: the last cosigned head is read under a lock and written before any cosignature leaves the process, so that of two
submissions at once the second sees what the first did. Requests that a log signed and that were refused are kept as
evidence, a bounded number a log, and without anything that the log did not sign. Nothing of a submission that no known
log signed is kept, and it costs no write.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from tocsin.config import Settings
from tocsin.db import Database, UnitOfWork
from tocsin.errors import Refused
from tocsin.keys import HubKeys
from tocsin.witnessing import rules, store
from tocsin.witnessing.rules import Behind, Cosign, Decision, EvidenceKind, Head, Refusal
from tocsin.witnessing.store import Evidence
from tocsin_schemas.checkpoint import cosign
from tocsin_schemas.notes import (
    ED25519_COSIGNER,
    ML_DSA_44_COSIGNER,
    NoteSigner,
    NoteVerifier,
    parse_note,
)
from tocsin_schemas.tlog_witness import Submission, parse_submission

PATH: Final = "/witness"
"""Both prefixes of tlog-witness, below the hub's address; the witness's name is the same without the scheme."""
REPEATED_SECONDS: Final = 5
"""Within that time the same checkpoint gets the same cosignatures: anybody can send a public one, and a write costs."""
KEPT: Final = 16
"""Pieces of evidence of each kind that are kept of one log: the first, since whoever forges can go on for ever."""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The answer to a submission that was cosigned: our signature lines."""

    lines: str


@dataclass(frozen=True, slots=True)
class LogView:
    """A log for the operator: what it is, what was cosigned last and when, and how much speaks against it."""

    origin: str
    vkeys: tuple[str, ...]
    size: int
    root: bytes
    cosigned_at: int | None
    forks: int
    unproven: int


class Witness:
    """The witness of one hub. `name` is what its cosignatures are signed as; `own` the origin of the hub's own log."""

    def __init__(self, database: Database, name: str, cosigners: Sequence[NoteSigner], own: str) -> None:
        self.database = database
        self.name = name
        self._cosigners = tuple(cosigners)
        self._own = own

    @property
    def keys(self) -> tuple[NoteVerifier, ...]:
        """The public keys of the witness."""
        return tuple(cosigner.verifier for cosigner in self._cosigners)

    def submit(self, body: bytes) -> Cosigned | Behind:
        """Answer an add-checkpoint request (C2SP tlog-witness): our cosignatures, or the size that was cosigned last.

        Raises:
            Refused: `submission-malformed`, `log-unknown`, `log-unsigned`, `consistency-invalid`.
        """
        submission = parse_submission(body)
        with self.database.snapshot() as uow:
            log, submission, decision = _decided(uow, submission)
            if not isinstance(decision, Cosign) and _to_keep(uow, log, submission, decision) is None:
                return _answer(decision)
            if isinstance(decision, Cosign) and (made := self._made(log, submission, uow.now)) is not None:
                return made
        with self.database.transaction() as uow:
            # Under the lock, from the beginning: another submission may have been first.
            log, submission, decision = _decided(uow, submission, lock=True)
            if isinstance(decision, Cosign):
                return self._cosign(uow, log, submission)
            if (kind := _to_keep(uow, log, submission, decision)) is not None:
                store.keep(uow, log, kind, _head(submission), submission.render())
        return _answer(decision)

    def latest(self, digest: bytes) -> bytes:
        """The last cosigned checkpoint of the log whose origin has this SHA-256, with its signatures and ours.

        Raises:
            Refused: `not-found` when there is none.
        """
        with self.database.snapshot() as uow:
            found = store.note_of(uow, digest)
        if found is None:
            raise Refused("not-found", "", "no checkpoint of such a log")
        return found

    def add_log(self, key: NoteVerifier) -> LogView:
        """Watch the log that signs with `key`, whose name is the log's origin; or trust one more key of it.

        Raises:
            Refused: `conflict` for the hub's own log, and a key that is trusted already.
        """
        if key.name == self._own:
            raise Refused("conflict", "vkey", "a hub is no witness of its own log")
        if len(key.name.encode()) > store.ORIGIN_BYTES:
            raise Refused("claim-invalid", "vkey", f"an origin has at most {store.ORIGIN_BYTES} bytes")
        with self.database.transaction() as uow:
            log = store.find(uow, key.name, lock=True) or store.add(uow, key.name)
            if key in store.keys(uow, log):
                raise Refused("conflict", "vkey", "this key is trusted already")
            store.add_key(uow, log, key)
            return _view(uow, log)

    def remove_log(self, origin: str) -> None:
        """Watch a log no longer. What was cosigned stays remembered: if it is added again, it goes on from there.

        Raises:
            Refused: `not-found`.
        """
        with self.database.transaction() as uow:
            log = store.find(uow, origin, lock=True)
            if log is None or not store.remove_keys(uow, log):
                raise Refused("not-found", "origin", "no such log is watched")

    def logs(self) -> list[LogView]:
        """The logs that were ever watched; those without keys no longer are."""
        with self.database.snapshot() as uow:
            return [_view(uow, log) for log in store.logs(uow)]

    def evidence(self) -> list[Evidence]:
        """All that is kept against logs, the oldest first."""
        with self.database.snapshot() as uow:
            return store.evidence(uow)

    def _made(self, log: store.Log, submission: Submission, now: int) -> Cosigned | None:
        """The cosignatures that this very checkpoint has got a moment ago."""
        if log.checkpoint is None or log.cosigned_at is None:
            return None
        if not 0 <= now - log.cosigned_at < REPEATED_SECONDS:
            return None
        note = parse_note(log.checkpoint)
        ours = {(key.name, key.key_id) for key in self.keys}
        lines = "".join(line.line for line in note.signatures if line[:2] in ours)
        return Cosigned(lines) if note.text == submission.note.text else None

    def _cosign(self, uow: UnitOfWork, log: store.Log, submission: Submission) -> Cosigned:
        lines = "".join(cosign(submission.checkpoint, cosigner, uow.now) for cosigner in self._cosigners)
        note = submission.note.render() + lines.encode()
        # Extension lines are free text, which no table may hold: such a note is cosigned and not kept.
        store.advance(uow, log, _head(submission), None if submission.checkpoint.extensions else note)
        return Cosigned(lines)


def open_witness(settings: Settings, database: Database, keys: HubKeys, own: str) -> Witness:
    """The witness of this hub: its name is the issuer without scheme, and `/witness`. `own` is its own log's origin."""
    name = urlsplit(settings.issuer).netloc + PATH
    cosigners = (
        NoteSigner(name, ED25519_COSIGNER, keys.witness),
        NoteSigner(name, ML_DSA_44_COSIGNER, keys.witness_pq.private),
    )
    return Witness(database, name, cosigners, own)


def _decided(
    uow: UnitOfWork, submission: Submission, *, lock: bool = False
) -> tuple[store.Log, Submission, Decision]:
    """The log, the submission without what it did not sign, and what to do."""
    log = store.find(uow, submission.checkpoint.origin, lock=lock)
    keys = [] if log is None else store.keys(uow, log)
    if log is None or not keys:
        raise Refused("log-unknown", "origin", "no log of this origin is watched here")
    submission = rules.signed(submission, keys)
    return log, submission, rules.decide(submission, log.head)


def _answer(decision: Behind | Refusal) -> Behind:
    if isinstance(decision, Refusal):
        raise Refused(decision.code, decision.field, decision.reason)
    return decision


def _head(submission: Submission) -> Head:
    return Head(submission.checkpoint.size, submission.checkpoint.root)


def _to_keep(
    uow: UnitOfWork, log: store.Log, submission: Submission, decision: Behind | Refusal
) -> EvidenceKind | None:
    """What a refused submission is evidence of, if that is not kept yet and there is room for it."""
    if decision.evidence is None or submission.checkpoint.extensions:
        return None
    kept = store.kept(uow, log, decision.evidence)
    return decision.evidence if len(kept) < KEPT and _head(submission) not in kept else None


def _view(uow: UnitOfWork, log: store.Log) -> LogView:
    return LogView(
        log.origin,
        tuple(key.vkey for key in store.keys(uow, log)),
        log.head.size,
        log.head.root,
        log.cosigned_at,
        len(store.kept(uow, log, "fork")),
        len(store.kept(uow, log, "unproven")),
    )

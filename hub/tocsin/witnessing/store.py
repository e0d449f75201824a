"""What a witness remembers: the logs it watches, the last head it cosigned of each, and evidence against them.

A log is never forgotten: whoever forgets what it cosigned would cosign a fork. Only its keys are taken away.
"""

import hashlib
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlalchemy.engine import Row
from sqlmodel import Field, SQLModel

from tocsin.db import WHOLE, UnitOfWork, table
from tocsin.witnessing.rules import EvidenceKind, Head
from tocsin_schemas.merkle import EMPTY_ROOT
from tocsin_schemas.notes import NoteVerifier

ORIGIN_BYTES: Final = 255
"""The longest origin that an ML-DSA-44 cosignature can name (tlog-cosignature)."""


class WitnessedLogRow(SQLModel, table=True):
    """A log, and the last head cosigned: size 0 and the empty root before the first.

    `checkpoint` is the last cosigned note that can be kept: one with extension lines, which are free text, cannot.
    """

    __tablename__ = "witnessed_log"
    __table_args__ = (
        CheckConstraint("size >= 0", name="witnessed_log_size"),
        CheckConstraint("length(root) = 32", name="witnessed_log_root"),
        CheckConstraint("length(digest) = 32", name="witnessed_log_digest"),
    )

    id: int | None = Field(default=None, sa_column=Column(WHOLE, primary_key=True))
    origin: str = Field(sa_column=Column(String(ORIGIN_BYTES), nullable=False, unique=True))
    digest: bytes = Field(sa_column=Column(LargeBinary(), nullable=False, unique=True))
    size: int = Field(sa_column=Column(BigInteger(), nullable=False))
    root: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    checkpoint: bytes | None = Field(default=None, sa_column=Column(LargeBinary()))
    cosigned_at: int | None = Field(default=None, sa_column=Column(BigInteger()))
    added_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class WitnessedKeyRow(SQLModel, table=True):
    """A key that signs a log's checkpoints, under the log's origin: a signature type of signed-note, and its bytes."""

    __tablename__ = "witnessed_key"
    __table_args__ = (
        CheckConstraint("kind IN (1, 4, 6)", name="witnessed_key_kind"),
        UniqueConstraint("log_id", "kind", "public", name="witnessed_key_once"),
    )

    id: int | None = Field(default=None, sa_column=Column(WHOLE, primary_key=True))
    log_id: int = Field(foreign_key="witnessed_log.id", index=True)
    kind: int = Field(sa_column=Column(Integer(), nullable=False))
    public: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))


class WitnessEvidenceRow(SQLModel, table=True):
    """A request that a log signed and that contradicts, or does not continue, what was cosigned: and that itself."""

    __tablename__ = "witness_evidence"
    __table_args__ = (
        CheckConstraint("kind IN ('fork', 'unproven')", name="witness_evidence_kind"),
        UniqueConstraint("log_id", "kind", "size", "root", name="witness_evidence_once"),
    )

    id: int | None = Field(default=None, sa_column=Column(WHOLE, primary_key=True))
    log_id: int = Field(foreign_key="witnessed_log.id")
    kind: str = Field(sa_column=Column(String(8), nullable=False))
    size: int = Field(sa_column=Column(BigInteger(), nullable=False))
    root: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    request: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    held: bytes | None = Field(default=None, sa_column=Column(LargeBinary()))
    kept_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


_log = table(WitnessedLogRow)
_key = table(WitnessedKeyRow)
_evidence = table(WitnessEvidenceRow)


class Log(NamedTuple):
    """A log as it is remembered. `checkpoint` may be older than `head`, where that was not to be kept."""

    id: int
    origin: str
    head: Head
    checkpoint: bytes | None
    cosigned_at: int | None
    added_at: int


class Evidence(NamedTuple):
    """A kept request, and our own last cosigned checkpoint at that time, if there was one to keep."""

    origin: str
    kind: EvidenceKind
    size: int
    kept_at: int
    request: bytes
    held: bytes | None


def find(uow: UnitOfWork, origin: str, *, lock: bool = False) -> Log | None:
    """The log of that origin; with `lock`, no other transaction changes it before this one ends."""
    chosen = _log.select().where(_log.c.origin == origin)
    row = uow.conn.execute(chosen.with_for_update() if lock else chosen).first()
    return None if row is None else _remembered(row)


def note_of(uow: UnitOfWork, digest: bytes) -> bytes | None:
    """The last cosigned note of the log whose origin has this SHA-256."""
    chosen = _log.select().with_only_columns(_log.c.checkpoint).where(_log.c.digest == digest)
    found: bytes | None = uow.conn.execute(chosen).scalar_one_or_none()
    return found


def logs(uow: UnitOfWork) -> list[Log]:
    """Every log ever watched, in the order of their origins."""
    return [_remembered(row) for row in uow.conn.execute(_log.select().order_by(_log.c.origin))]


def add(uow: UnitOfWork, origin: str) -> Log:
    """Begin to watch a log."""
    digest = hashlib.sha256(origin.encode()).digest()
    made = {"origin": origin, "digest": digest, "size": 0, "root": EMPTY_ROOT, "added_at": uow.now}
    number = uow.conn.execute(_log.insert().values(made).returning(_log.c.id)).scalar_one()
    return Log(int(number), origin, Head(), None, None, uow.now)


def keys(uow: UnitOfWork, log: Log) -> list[NoteVerifier]:
    """The keys whose signatures are that log's."""
    chosen = _key.select().where(_key.c.log_id == log.id).order_by(_key.c.id)
    return [NoteVerifier(log.origin, row.kind, bytes(row.public)) for row in uow.conn.execute(chosen)]


def add_key(uow: UnitOfWork, log: Log, key: NoteVerifier) -> None:
    """Trust one more key of the log."""
    uow.conn.execute(_key.insert().values(log_id=log.id, kind=key.kind, public=key.public))


def remove_keys(uow: UnitOfWork, log: Log) -> int:
    """Trust none of its keys any more; how many there were."""
    removed = _key.delete().where(_key.c.log_id == log.id)
    return uow.conn.execute(removed, execution_options={"preserve_rowcount": True}).rowcount


def advance(uow: UnitOfWork, log: Log, head: Head, checkpoint: bytes | None) -> None:
    """Remember what is now cosigned, and drop what was held against this very tree: it has been proved.

    Without `checkpoint` the older one stays: witnesses may be late with what they serve.
    """
    kept = {} if checkpoint is None else {"checkpoint": checkpoint}
    uow.conn.execute(
        _log.update()
        .where(_log.c.id == log.id)
        .values(size=head.size, root=head.root, cosigned_at=uow.now, **kept)
    )
    same = (_evidence.c.size == head.size) & (_evidence.c.root == head.root)
    uow.conn.execute(
        _evidence.delete().where(_evidence.c.log_id == log.id, _evidence.c.kind == "unproven", same)
    )


def kept(uow: UnitOfWork, log: Log, kind: EvidenceKind) -> set[tuple[int, bytes]]:
    """The heads that evidence of that kind is about."""
    chosen = _evidence.select().where(_evidence.c.log_id == log.id, _evidence.c.kind == kind)
    return {(row.size, bytes(row.root)) for row in uow.conn.execute(chosen)}


def keep(uow: UnitOfWork, log: Log, kind: EvidenceKind, head: Head, request: bytes) -> None:
    """Keep a request as evidence, with the last cosigned checkpoint that was kept: what it stands against."""
    uow.conn.execute(
        _evidence.insert().values(
            log_id=log.id,
            kind=kind,
            size=head.size,
            root=head.root,
            request=request,
            held=log.checkpoint,
            kept_at=uow.now,
        )
    )


def evidence(uow: UnitOfWork) -> list[Evidence]:
    """All evidence, the oldest first."""
    chosen = (
        _evidence.join(_log).select().with_only_columns(_log.c.origin, *_evidence.c).order_by(_evidence.c.id)
    )
    return [
        Evidence(row.origin, row.kind, row.size, row.kept_at, bytes(row.request), _bytes(row.held))
        for row in uow.conn.execute(chosen)
    ]


def _remembered(row: Row[Any]) -> Log:
    head = Head(row.size, bytes(row.root))
    return Log(row.id, row.origin, head, _bytes(row.checkpoint), row.cosigned_at, row.added_at)


def _bytes(value: bytes | None) -> bytes | None:
    return None if value is None else bytes(value)

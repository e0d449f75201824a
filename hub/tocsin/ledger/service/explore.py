"""The published log as people look at it: its state, how it grew, and single entries."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.ledger.service.context import Ledger
from tocsin.ledger.store import days, entries, publication
from tocsin.ledger.store.days import SECONDS, Count
from tocsin.ledger.store.publication import Publication
from tocsin_schemas.checkpoint import open_checkpoint
from tocsin_schemas.ledger import Entry
from tocsin_schemas.merkle import EMPTY_ROOT, leaf_hash
from tocsin_schemas.notes import ML_DSA_44_COSIGNER, NoteVerifier, b64encode
from tocsin_schemas.vocabulary import ENTRY_KINDS

Unit = Literal["day", "month"]
DAYS_SHOWN: Final = 30
MONTHS_SHOWN: Final = 12


class Cosignature(NamedTuple):
    """A witness's cosignature that verifies: `at` is Unix seconds."""

    name: str
    algorithm: Literal["Ed25519", "ML-DSA-44"]
    at: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The newest published tree. `root` is base64 as in the checkpoint, `key` a verifier key (C2SP signed-note).

    `at` is when it was signed (Unix seconds), None before the first time. `halted`: nothing more is signed, since a
    witness has seen another log under this name.
    """

    size: int
    root: str
    at: int | None
    origin: str
    key: str
    cosignatures: Sequence[Cosignature]
    halted: bool


class Activity(NamedTuple):
    """Entries by kind over time: for each label one row, and in it one number for each kind."""

    unit: Unit
    labels: tuple[str, ...]
    kinds: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class Overview(NamedTuple):
    """What the log's page shows; `totals` has every kind there is, in the order of the vocabulary."""

    log: Standing
    totals: Mapping[str, int]
    activity: Activity
    now: int


class Found(NamedTuple):
    """One published entry and the size of the tree it was found in."""

    number: int
    entry: Entry
    leaf_hash: bytes
    size: int
    now: int


def overview(ledger: Ledger, unit: Unit) -> Overview:
    """The log as it stands, and how it grew lately."""
    with ledger.database.snapshot() as uow:
        newest = publication.newest(uow)
        totals = days.totals(uow)
        grown = _activity(uow, unit)
    ordered = {kind: totals[kind] for kind in ENTRY_KINDS if kind in totals}
    return Overview(_standing(ledger, newest), ordered, grown, uow.now)


def activity(ledger: Ledger, unit: Unit) -> Activity:
    """Entries by kind in the last 30 days, or the last 12 months, today's included."""
    with ledger.database.snapshot() as uow:
        return _activity(uow, unit)


def size(ledger: Ledger) -> int:
    """How many entries are published."""
    with ledger.database.snapshot() as uow:
        return publication.published_size(uow)


def find(ledger: Ledger, number: int) -> Found:
    """The published entry `number`.

    Raises:
        Refused: `not-found` when the published log does not reach that far.
    """
    with ledger.database.snapshot() as uow:
        reach = publication.published_size(uow)
        found = entries.entries_at(uow, [number]) if number < reach else {}
    if number not in found:
        raise Refused("not-found", "number", "the published log does not reach that far")
    entry = found[number]
    return Found(number, entry, leaf_hash(entry.encode()), reach, uow.now)


def _standing(ledger: Ledger, newest: Publication | None) -> Standing:
    verifier = ledger.signer.verifier
    halted = bool(ledger.witnesses.alarms())
    if newest is None:
        return Standing(0, b64encode(EMPTY_ROOT), None, ledger.origin, verifier.vkey, (), halted)
    known = [w.verifier for w in ledger.witnesses.policy.witnesses.values()]
    cosignatures = _cosignatures(newest.note, verifier, known)
    root = b64encode(newest.root)
    return Standing(
        newest.size, root, newest.published_at, ledger.origin, verifier.vkey, cosignatures, halted
    )


def _cosignatures(note: bytes, log: NoteVerifier, witnesses: Sequence[NoteVerifier]) -> list[Cosignature]:
    kinds = {(witness.name, witness.key_id): witness.kind for witness in witnesses}
    return [
        Cosignature(
            made.name,
            "ML-DSA-44" if kinds[made.name, made.key_id] == ML_DSA_44_COSIGNER else "Ed25519",
            made.time,
        )
        for made in open_checkpoint(note, log, witnesses).cosignatures
    ]


def _activity(uow: UnitOfWork, unit: Unit) -> Activity:
    today = uow.now // SECONDS
    if unit == "day":
        starts = list(range(today - DAYS_SHOWN + 1, today + 2))
        label = _date
    else:
        starts = _months(today)
        label = _month
    return _grouped(unit, starts, label, days.since(uow, starts[0]))


def _grouped(
    unit: Unit, starts: Sequence[int], label: Callable[[int], str], found: Sequence[Count]
) -> Activity:
    """The counts gathered into the spans between neighbours of `starts` (days since 1970-01-01)."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    spans = {day: label(first) for first, end in pairwise(starts) for day in range(first, end)}
    for day, kind, number in found:
        if day in spans:
            sums[spans[day], kind] += number
    kinds = tuple(kind for kind in ENTRY_KINDS if any(kind == present for _, present in sums))
    labels = tuple(dict.fromkeys(spans.values()))
    return Activity(unit, labels, kinds, tuple(tuple(sums[at, kind] for kind in kinds) for at in labels))


def _months(today: int) -> list[int]:
    """The first days of the last months, this one included, and of the next one."""
    now = datetime.fromtimestamp(today * SECONDS, UTC)
    months = range(now.year * 12 + now.month - MONTHS_SHOWN, now.year * 12 + now.month + 1)
    firsts = [datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in months]
    return [int(first.timestamp()) // SECONDS for first in firsts]


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * SECONDS, UTC).date().isoformat()


def _month(day: int) -> str:
    return _date(day)[:7]

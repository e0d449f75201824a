"""Replay a board's decisions from its genesis, each held against the log, so that nobody has to be believed.

docs/governance.md has the same numbers. Everything that does not fit is named with its record; the replay goes as far
as the first of them.

1. The log's checkpoint is accepted: steps 1-5 of `tocsin_client.log`, done by the caller, who hands in the view.
2. Every record is read: whole, in its place, naming the digest of the one before.
                                                       `record-malformed` `record-out-of-order` `record-prev-mismatch`
3. The first is the genesis that this machine believes.                                     `genesis-mismatch`
4. Each opens the commitment of its entry in the log: the scope word `board`, its kind, its time.
                                                       `record-unlogged` `entry-mismatch` `commitment-mismatch`
5. Each entry of the log with the scope word `board` is one of them.                        `record-missing`
6. They are replayed: each ballot verified against the roster of its time, each count made again, each step held
   against the rules (`tocsin_schemas.chain`).                                 its codes: `ballot-invalid`…
7. The roster and the genesis that are served apart are those of the replay.                `roster-mismatch`
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pydantic import ValidationError

from tocsin_client.board.reading import Published, published
from tocsin_client.board.webauthn import WebAuthn
from tocsin_client.log import Log, View
from tocsin_client.log_source import LogSource
from tocsin_schemas import chain, ledger
from tocsin_schemas.board import BoardState
from tocsin_schemas.explained import explain
from tocsin_schemas.governance import (
    NO_RECORD,
    PublishedRecord,
    Record,
    entry_kind,
    parse_record,
    record_bytes,
    record_digest,
)
from tocsin_schemas.ledger import Entry
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import canonical
from tocsin_schemas.signals import LATEST
from tocsin_schemas.vocabulary import BOARD

REPORTED: Final = 1024
"""Entries of the log after which progress is told."""
LOOKS: Final = 3
"""How often files and log are read until they are of one moment: a hub records while it is read."""
Entries = Mapping[int, Entry]
"""The log's entries about power, by their index."""
Progress = Callable[[int], object]
_SCOPE: Final = f'"community":"{BOARD}"'.encode()


class Misfit(NamedTuple):
    """Something that does not fit: the record's number (None: it is about no single one), a code, a field, and why."""

    record: int | None
    code: str
    field: str
    reason: str

    def __str__(self) -> str:
        what = "" if self.record is None else f"record {self.record}: "
        return f"{what}{self.code}: {self.reason}" + (f" ({self.field})" if self.field else "")


class Told(NamedTuple):
    """One record that was replayed, and what it did in a sentence."""

    record: Record
    log_seq: int
    digest: bytes
    says: str


@dataclass(slots=True)
class Replay:
    """What a verification found. `state` is that behind the last record in `told`, None without any."""

    state: BoardState | None = None
    told: list[Told] = field(default_factory=list)
    misfits: list[Misfit] = field(default_factory=list)


class BoardUnverified(Exception):
    """The published decisions do not verify: `code` and `reason` of the first thing that does not fit."""

    def __init__(self, misfits: list[Misfit]) -> None:
        first = misfits[0]
        more = f", and {len(misfits) - 1} more" if len(misfits) > 1 else ""
        super().__init__(f"{first}{more}")
        self.code = first.code
        self.reason = f"{first}{more}"
        self.misfits = misfits


def look(log: Log, board: LogSource, on_progress: Progress | None = None) -> tuple[View, Published, Entries]:
    """Step 1, and what the next ones need: a view of the log, the files, and the log's entries about power.

    Files and log are read at two moments: what was recorded in between is waited for, or read again.

    Raises:
        LogUnverified: when the log does not prove itself.
        HubError, OSError: when something cannot be read.
    """
    view = log.latest()
    files = published(board)
    looks = 0
    while True:
        looks += 1
        newest = _newest(files)
        if newest >= view.size and log.catches_up:
            view = log.latest(at_least=newest + 1)
        entries = _entries(view, on_progress)
        if not log.catches_up or looks == LOOKS or max(entries, default=-1) <= newest:
            return view, files, entries
        files = published(board)


def verify_board(files: Published, entries: Entries, genesis: bytes | None) -> Replay:
    """Steps 2-7. `genesis` is the digest that is believed (None: that of the first record is taken)."""
    found = Replay()
    records = _read(files, found.misfits)
    # 3. The genesis.
    if records and genesis not in {None, record_digest(records[0].record)}:
        reason = "the first record is not the genesis that this machine believes"
        found.misfits.append(Misfit(0, "genesis-mismatch", "genesis", reason))
    # 4. and 5. What is published was logged, and what was logged is published.
    logged = {entry.log_seq for entry in records}
    for item in records:
        found.misfits += _held_against(item, entries.get(item.log_seq))
    found.misfits += [_missing(seq, entry) for seq, entry in entries.items() if seq not in logged]
    # 6. As far as nothing was wrong before.
    sound = min((item.record for item in found.misfits if item.record is not None), default=LATEST)
    _replay([item for item in records if item.record.seq < sound], found)
    # 7. What is served apart.
    if not found.misfits and found.state is not None:
        found.misfits += _apart(files, found.state, records[0].record)
    found.misfits.sort(key=lambda item: LATEST if item.record is None else item.record)
    return found


def _read(files: Published, misfits: list[Misfit]) -> list[PublishedRecord]:
    """2. The records that can be read; what is wrong with the others, or with their order."""
    found: list[PublishedRecord] = []
    before = NO_RECORD
    log_seq = -1
    for place, line in enumerate(files.lines):
        try:
            item = PublishedRecord.model_validate_json(line)
            record = parse_record(record_bytes(item.record))
        except (ValidationError, Refused):
            misfits.append(Misfit(place, "record-malformed", "record", "is no record of this version"))
            continue
        expected = found[-1].record.seq + 1 if found else 0
        if record.seq != expected or item.log_seq <= log_seq:
            reason = f"stands where record {expected} belongs"
            misfits.append(Misfit(record.seq, "record-out-of-order", "seq", reason))
        elif bytes.fromhex(record.prev) != before:
            reason = "does not name the digest of the record before it"
            misfits.append(Misfit(record.seq, "record-prev-mismatch", "prev", reason))
        found.append(item)
        before, log_seq = record_digest(record), item.log_seq
    if not found:
        misfits.append(Misfit(None, "record-missing", "records", "there is not a single record"))
    return found


def _held_against(item: PublishedRecord, entry: Entry | None) -> list[Misfit]:
    """4. A record and the entry of the log that it names."""
    record = item.record
    if entry is None:
        reason = f"entry {item.log_seq} of the log is not about power, or not there"
        return [Misfit(record.seq, "record-unlogged", "log_seq", reason)]
    if (entry.kind, entry.recorded_at) != (entry_kind(record), record.at):
        reason = f"entry {item.log_seq} of the log was of another kind, or at another time"
        return [Misfit(record.seq, "entry-mismatch", "record", reason)]
    if not ledger.opens(entry.commitment, bytes.fromhex(item.r), record_bytes(record)):
        reason = f"is not what was logged as entry {item.log_seq}"
        return [Misfit(record.seq, "commitment-mismatch", "record", reason)]
    return []


def _missing(seq: int, entry: Entry) -> Misfit:
    """5. An entry of the log that no record is published for."""
    at = ledger.rfc3339(entry.recorded_at)
    reason = f"entry {seq} of the log ({entry.kind}, {at}) is not among the records"
    return Misfit(None, "record-missing", "records", reason)


def _entries(view: View, on_progress: Progress | None) -> Entries:
    """Every entry of a view that is about power, by its index. Tiles are read, too: they make a copy complete."""
    found: dict[int, Entry] = {}
    for seq, raw in view.entries(0, view.size - 1, tiles=True):
        if on_progress is not None and seq % REPORTED == REPORTED - 1:
            on_progress(REPORTED)
        if _SCOPE in raw:
            entry = Entry.decode(raw)
            if entry.community == BOARD:
                found[seq] = entry
    return found


def _newest(files: Published) -> int:
    """The index in the log that the last record claims to have; -1 when that cannot be told."""
    try:
        return PublishedRecord.model_validate_json(list(files.lines)[-1]).log_seq
    except (IndexError, ValidationError):
        return -1


def _replay(records: list[PublishedRecord], found: Replay) -> None:
    """6. Each record after the other, until one does not follow."""
    verifier = WebAuthn()
    for item in records:
        record = item.record
        try:
            found.state = chain.apply(found.state, record, verifier)
        except Refused as refused:
            found.misfits.append(Misfit(record.seq, refused.code, refused.field, refused.reason))
            return
        found.told.append(Told(record, item.log_seq, record_digest(record), explain(record)))


def _apart(files: Published, state: BoardState, first: Record) -> list[Misfit]:
    """7. The roster and the genesis that are served in files of their own."""
    found: list[Misfit] = []
    if files.roster is not None and files.roster.strip() != canonical(state.roster):
        reason = "the roster served is not the one in force"
        found.append(Misfit(None, "roster-mismatch", "roster", reason))
    if files.genesis is not None and files.genesis.strip() != record_bytes(first):
        reason = "the genesis served is not the first record"
        found.append(Misfit(None, "genesis-mismatch", "genesis", reason))
    return found

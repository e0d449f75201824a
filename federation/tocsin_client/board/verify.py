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
8. The seals of the proceedings open the log's entries with the scope word `docket`, each of them
   (`tocsin_schemas.docket`).    `seal-malformed` `seal-unlogged` `case-altered` `case-missing` `seal-out-of-order`
9. No record is dated later than this machine's clock, than the newest cosignature of the checkpoint that holds it, or
   than an entry of the log behind it (`tocsin_schemas.log_times`).                         `record-ahead`

Steps 2-7 are about what was decided, step 8 is about the rows that lead to it. Somebody who edits those changes nothing
that was decided, so a replay keeps what step 8 finds apart, in `Replay.faults`. So it does with what step 9 finds, in
`Replay.ahead`: the rules of the calendar came true too early by such a clock, but what follows from them is still what
the hub acts on, and a clock that was wrong once must not keep a board from ever being verified again.
"""

from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from pydantic import ValidationError

from tocsin_client.board.entries import Entries, Logged, Progress, logged_in
from tocsin_client.board.reading import Published, published
from tocsin_client.board.webauthn import WebAuthn
from tocsin_client.log import Log, View
from tocsin_client.log_source import LogSource
from tocsin_schemas import chain, docket, ledger
from tocsin_schemas.board import BoardState
from tocsin_schemas.docket import Seal
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
from tocsin_schemas.ledger import Entry, rfc3339
from tocsin_schemas.log_times import SKEW, WITNESS_BEHIND
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import canonical
from tocsin_schemas.signals import LATEST
from tocsin_schemas.vocabulary import BOARD, DOCKET

LOOKS: Final = 3
"""How often files and log are read until they are of one moment: a hub records while it is read."""


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
    """What a verification found. `state` is that behind the last record in `told`, None without any.

    `misfits` are of the records, `faults` of the proceedings, whose seals are `seals` many, `ahead` of the clock.
    """

    state: BoardState | None = None
    told: list[Told] = field(default_factory=list)
    misfits: list[Misfit] = field(default_factory=list)
    seals: int = 0
    faults: list[Misfit] = field(default_factory=list)
    ahead: list[Misfit] = field(default_factory=list)

    @property
    def wrong(self) -> list[Misfit]:
        """Everything that does not fit."""
        return [*self.misfits, *self.faults, *self.ahead]


class BoardUnverified(Exception):
    """Something does not fit: `code` and `reason` of the first, `what` does not verify, and whether it `passes`.

    What is decided holds where nothing but the proceedings or the clock differs. Proceedings are put right by the hub.
    """

    def __init__(self, found: Replay) -> None:
        items = found.wrong
        more = f", and {len(items) - 1} more" if len(items) > 1 else ""
        super().__init__(f"{items[0]}{more}")
        self.code = items[0].code
        self.reason = f"{items[0]}{more}"
        self.passes = not found.misfits and not found.ahead
        self.what = (
            "the decisions do not verify" if found.misfits else f"the decisions verify, but {but(found)}"
        )


def but(found: Replay) -> str:
    """What does not fit where no record is wrong in itself."""
    said = []
    if found.faults:
        said.append("what leads to them is not what the log says")
    if found.ahead:
        said.append("they were dated by a clock that was ahead")
    return ", and ".join(said)


def look(log: Log, board: LogSource, on_progress: Progress | None = None) -> tuple[View, Published, Logged]:
    """Step 1, and what the next ones need: a view of the log, the files, and what the log says about power.

    Files and log are read at two moments: what was recorded in between is waited for, or read again.

    Raises:
        LogUnverified: when the log does not prove itself.
        HubError, OSError: when something cannot be read.
    """
    view = log.latest()
    size = view.size
    files = published(board)
    looks = 0
    while True:
        looks += 1
        newest = {BOARD: _newest_record(files), DOCKET: _newest_seal(files)}
        if (last := max(newest.values())) >= view.size and log.catches_up:
            view = log.latest(at_least=last + 1)
        logged = logged_in(view, log.now(), on_progress)
        entries = logged.entries
        if not log.catches_up or all(seq <= newest[entry.community] for seq, entry in entries.items()):
            return view, files, logged
        if looks == LOOKS:
            # Files cannot have what the log had not when they were asked for.
            due = {
                seq: entry for seq, entry in entries.items() if seq < size or seq <= newest[entry.community]
            }
            return view, files, replace(logged, entries=due)
        size = view.size
        files = published(board)


def verify_board(files: Published, logged: Logged, genesis: bytes | None) -> Replay:
    """Steps 2-9. `genesis` is the digest that is believed (None: that of the first record is taken)."""
    found = Replay()
    chained = _under(BOARD, logged.entries)
    records = _read(files, found.misfits)
    # 3. The genesis.
    if records and genesis not in {None, record_digest(records[0].record)}:
        reason = "the first record is not the genesis that this machine believes"
        found.misfits.append(Misfit(0, "genesis-mismatch", "genesis", reason))
    # 4. and 5. What is published was logged, and what was logged is published.
    published_for = {item.log_seq for item in records}
    for item in records:
        found.misfits += _held_against(item, chained.get(item.log_seq))
    found.misfits += [_missing(seq, entry) for seq, entry in chained.items() if seq not in published_for]
    found.misfits += [_unreadable(seq) for seq in logged.unreadable]
    # 6. As far as nothing was wrong before.
    sound = min((item.record for item in found.misfits if item.record is not None), default=LATEST)
    _replay([item for item in records if item.record.seq < sound], found)
    # 7. What is served apart.
    if not found.misfits and found.state is not None:
        found.misfits += _apart(files, found.state, records[0].record)
    found.misfits.sort(key=lambda item: LATEST if item.record is None else item.record)
    # 8. What led to the records.
    _sealed(files, _under(DOCKET, logged.entries), found)
    # 9. When.
    found.ahead += [misfit for item in records for misfit in _dated(item, logged)]
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
    try:
        kind = entry_kind(record)
    except Refused as refused:
        return [Misfit(record.seq, "record-malformed", refused.field, refused.reason)]
    if (entry.kind, entry.recorded_at) != (kind, record.at):
        reason = f"entry {item.log_seq} of the log was of another kind, or at another time"
        return [Misfit(record.seq, "entry-mismatch", "record", reason)]
    if not ledger.opens(entry.commitment, bytes.fromhex(item.r), record_bytes(record)):
        reason = f"is not what was logged as entry {item.log_seq}"
        return [Misfit(record.seq, "commitment-mismatch", "record", reason)]
    return []


def _missing(seq: int, entry: Entry) -> Misfit:
    """5. An entry of the log that no record is published for."""
    at = rfc3339(entry.recorded_at)
    reason = f"entry {seq} of the log ({entry.kind}, {at}) is not among the records"
    return Misfit(None, "record-missing", "records", reason)


def _unreadable(seq: int) -> Misfit:
    """5. An entry of the log that names the board, and is none."""
    reason = f"entry {seq} of the log is no entry of this version"
    return Misfit(None, "record-malformed", "log", reason)


def _dated(item: PublishedRecord, logged: Logged) -> list[Misfit]:
    """9. The time of a record, against every other that is known; the first that it is later than is named."""
    at, reason = item.record.at, None
    if logged.now is not None and at > logged.now + SKEW:
        reason = f"dated {rfc3339(at)}, later than this machine's clock"
    elif logged.cosigned is not None and at > logged.cosigned + WITNESS_BEHIND:
        reason = f"dated {rfc3339(at)}, but the checkpoint with it was cosigned at {rfc3339(logged.cosigned)}"
    elif item.log_seq in logged.ahead:
        behind = rfc3339(logged.ahead[item.log_seq])
        reason = f"dated {rfc3339(at)}, but an entry behind it in the log is of {behind}"
    return [] if reason is None else [Misfit(item.record.seq, "record-ahead", "at", reason)]


def _under(word: str, entries: Entries) -> Entries:
    """Those with one scope word."""
    return {seq: entry for seq, entry in entries.items() if entry.community == word}


def _newest_record(files: Published) -> int:
    """The index in the log that the last record claims to have; -1 when that cannot be told."""
    try:
        return PublishedRecord.model_validate_json(list(files.lines)[-1]).log_seq
    except (IndexError, ValidationError):
        return -1


def _newest_seal(files: Published) -> int:
    """The same of the last seal."""
    try:
        return Seal.model_validate_json(list(files.seals)[-1]).log_seq
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


def _sealed(files: Published, entries: Entries, found: Replay) -> None:
    """8. The seals that can be read, held against the log's entries; a hub that never sealed serves none."""
    if files.docket is None and entries:
        reason = f"{len(entries)} entries of the log seal proceedings, and no seals are served"
        found.faults.append(Misfit(None, "case-missing", "docket", reason))
        return
    seals: list[Seal] = []
    for place, line in enumerate(files.seals):
        try:
            seals.append(Seal.model_validate_json(line))
        except ValidationError:
            reason = f"line {place + 1} is no seal of this version"
            found.faults.append(Misfit(None, "seal-malformed", "docket", reason))
    found.seals = len(seals)
    for fault in docket.check(seals, entries):
        entry = entries.get(fault.log_seq)
        at = "" if entry is None else f" ({rfc3339(entry.recorded_at)})"
        reason = f"entry {fault.log_seq} of the log{at}: {fault.reason}"
        found.faults.append(Misfit(None, fault.code, "docket", reason))

"""Holding the rows against the log: what differs was changed by another hand; it is named, and the log prevails.

1. An entry of the board that the published log covers says in its row what the signed tree says.
2. Each such entry has one record, in order, and the record's bytes open the entry's commitment. One that does not is
   taken from its copy beside the log, which must open it.
3. The records replay from the first to the last, every signature verified.
4. The policy in force and the rows of members say what follows from them (`members.service.reconcile`).
5. The rows of the proceedings are those that were sealed (`sealing`), every entry of a seal has one that opens it. Of
   a board whose log never had such an entry, the proceedings are sealed as they stand.
6. No record is dated by a clock that was ahead (`dating`). That is named, and can never be repaired.

Looking writes nothing. Repairs are one transaction, under the lock of the log's head.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError

from tocsin.db import UnitOfWork
from tocsin.errors import Misconfigured, Refused
from tocsin.governance.service import sealing
from tocsin.governance.service.chain import Chain, wanted
from tocsin.governance.service.publishing import path
from tocsin.governance.store import records as store
from tocsin.governance.store.records import Kept
from tocsin.ledger import service as ledger
from tocsin.members.service import ROW, Difference, reconcile
from tocsin_schemas.governance import RECORD_CONTEXT, PublishedRecord, record_bytes
from tocsin_schemas.ledger import Entry, opens
from tocsin_schemas.roster import canonical
from tocsin_schemas.vocabulary import BOARD, DOCKET

logger = logging.getLogger(__name__)

RECORD: Final = "board_record"
POLICY: Final = "board_policy"
DATED: Final = "at"
"""What is said to differ of a record that is dated ahead; no row has it."""


@dataclass(slots=True)
class _Found:
    """What differs, and what there should be instead: entries, records, and rows that are no records."""

    differences: list[Difference] = field(default_factory=list)
    entries: dict[int, Entry] = field(default_factory=dict)
    records: list[Kept] = field(default_factory=list)
    strays: list[int] = field(default_factory=list)
    docket: sealing.Found = field(default_factory=sealing.Found)
    ahead: list[Difference] = field(default_factory=list)

    def note(self, table: str, key: int | str, column: str) -> None:
        self.differences.append(Difference(table, str(key), column))


def start(chain: Chain, log: ledger.Ledger) -> list[Difference]:
    """What must be true before a hub serves anybody: its rows are those of its kind, and say what the log says.

    Raises:
        Misconfigured: when a sandbox has a board, a hub without a board has members, or as `audit`.
    """
    with log.database.snapshot() as uow:
        records, people = store.count(uow), bool(chain.members.orgs(uow))
    if chain.sandbox and records:
        raise Misconfigured("this hub has a board, so it cannot be a sandbox", "unset TOCSIN_SANDBOX")
    if not chain.sandbox and not records and people:
        raise Misconfigured(
            "there are members here that no board has admitted",
            "a hub for trials is a sandbox: TOCSIN_SANDBOX=true; any other begins with an empty database and"
            " `tocsin-hub board bootstrap`",
        )
    return audit(chain, log)


def audit(chain: Chain, log: ledger.Ledger, *, repair: bool = True) -> list[Difference]:
    """Compare, name each difference in the hub's own log, and put it right; what was found.

    A hub that is read-only only looks, and so does this without `repair`.

    Raises:
        Misconfigured: when a record is lost, or the records do not follow from each other.
    """
    if chain.sandbox:
        return []
    try:
        found = _look(chain, log)
    except OSError:
        raise Misconfigured(
            "the log's store does not answer",
            "check TOCSIN_LOG_STORE, its rights, and the server if it is one",
        ) from None
    mends = repair and not log.database.read_only
    for item in (*found.differences, *found.docket.differences):
        repaired = mends and item not in found.docket.lost
        logger.error(
            "a row was changed by another hand",
            extra={"table": item.table, "row": item.key, "column": item.column, "repaired": repaired},
        )
    if found.ahead:
        numbers = [item.key for item in found.ahead]
        logger.error(
            "records of the board are dated ahead: this clock is behind, or a clock of this hub was ahead",
            extra={"records": len(numbers), "first": numbers[0], "last": numbers[-1]},
        )
    if mends and (found.differences or found.docket.mendable):
        with log.database.transaction() as uow:
            _repair(chain, log, uow, found)
    return [*found.differences, *found.docket.differences, *found.ahead]


def _look(chain: Chain, log: ledger.Ledger) -> _Found:
    found, seen = _Found(), dict(chain.sealed)
    with log.database.snapshot() as uow:
        rows, held = store.kept(uow), sealing.docket(uow)
        known = {*(row.log_seq for row in rows), *(seal.log_seq for seal in held.seals), *chain.docketed}
        entries: dict[int, Entry | None] = {seq: None for seq in sorted(known) if seq >= 0}
        entries |= ledger.entries_at(uow, list(entries)) | dict(ledger.of_the_board(uow)) | held.entries
        size = ledger.size(uow)
    # 1.
    found.entries = ledger.differing(log, entries, chain.proven)
    if not held.seals and not held.entries:
        found.entries |= _unknown(chain, log, size)
    for seq in found.entries:
        found.note("entry", seq, ROW)
    # 2.
    places = {
        seq: entry
        for seq, entry in sorted((entries | found.entries).items())
        if entry is not None and entry.community == BOARD
    }
    _compare_records(log, {row.seq: row for row in rows}, places, found)
    # 6.
    with log.database.snapshot() as uow:
        ahead = chain.dating.ahead(uow, places, size)
    found.ahead = [Difference(RECORD, str(seq), DATED) for seq in ahead]
    # 3. and 4.
    if not found.differences:
        with log.database.snapshot() as uow:
            found.differences = _derived(chain, uow, repair=False)
    # 5.
    sealed = {
        seq: entry
        for seq, entry in (entries | found.entries).items()
        if entry is not None and entry.community == DOCKET and seq < size
    }
    chain.docketed |= sealed.keys() & chain.proven.keys()
    held = held._replace(entries=sealed)
    found.docket = sealing.compare(held, log.nonce_key, seen, founded=bool(rows))
    chain.sealed |= {case: seal.log_seq for case, seal in found.docket.newest.items()}
    return found


def _unknown(chain: Chain, log: ledger.Ledger, size: int) -> dict[int, Entry]:
    """Entries of seals below `size` in the published log, of which no row knows: somebody has removed them all."""
    placed, published = ledger.under(log, DOCKET, chain.searched)
    found = {seq: entry for seq, entry in placed.items() if seq < size}
    if not found:
        chain.searched = min(size, published)
    return found


def _compare_records(
    log: ledger.Ledger, rows: dict[int, Kept], places: Mapping[int, Entry], found: _Found
) -> None:
    for seq, (log_seq, entry) in enumerate(places.items()):
        row = rows.pop(seq, None)
        true = row
        if row is None or not opens(entry.commitment, row.nonce, row.raw):
            found.note(RECORD, seq, ROW if row is None else "raw")
            true = _copy(log, seq, entry)
        if true is None:
            raise Misconfigured(
                f"record {seq} of the board is not the one in the log, and there is no copy of it beside the log",
                f"bring {path(seq)} back into the log's store from whoever has a copy, or restore a backup",
            )
        digest = hashlib.sha256(RECORD_CONTEXT + true.raw).digest()
        if (true.log_seq, true.digest) != (log_seq, digest):
            found.note(RECORD, seq, "log_seq" if true.log_seq != log_seq else "digest")
            true = true._replace(log_seq=log_seq, digest=digest)
        if true != row:
            found.records.append(true)
    for seq in rows:
        found.note(RECORD, seq, ROW)
        found.strays.append(seq)


def _copy(log: ledger.Ledger, seq: int, entry: Entry) -> Kept | None:
    """The record as it lies beside the log, if it opens the entry's commitment."""
    raw = log.objects.read(path(seq))
    if raw is None:
        return None
    try:
        said = PublishedRecord.model_validate_json(raw)
    except ValidationError:
        return None
    signed, nonce = record_bytes(said.record), bytes.fromhex(said.r)
    if not opens(entry.commitment, nonce, signed):
        return None
    digest = hashlib.sha256(RECORD_CONTEXT + signed).digest()
    return Kept(seq, said.log_seq, digest, signed, nonce, shown=True)


def _derived(chain: Chain, uow: UnitOfWork, *, repair: bool) -> list[Difference]:
    """Steps 3 and 4."""
    if not store.count(uow):
        if store.policy(uow) is None:
            return []
        if repair:
            store.set_policy(uow, None)
        return [Difference(POLICY, "1", ROW)]
    try:
        state = chain.state(uow)
    except Refused as refused:
        raise Misconfigured(
            f"the records of the board do not follow from each other: {refused.reason}",
            "restore a backup of the database that belongs to this log",
        ) from None
    document = canonical(state.policy)
    found = [] if store.policy(uow) == document else [Difference(POLICY, "1", "document")]
    if found and repair:
        store.set_policy(uow, document)
    return found + reconcile(uow, wanted(state), repair=repair)


def _repair(chain: Chain, log: ledger.Ledger, uow: UnitOfWork, found: _Found) -> None:
    ledger.locked_size(uow)
    for seq, entry in found.entries.items():
        ledger.put_back(uow, seq, entry)
    store.remove(uow, found.strays)
    for row in found.records:
        store.put_back(uow, row)
    if found.records or found.strays:
        chain.forget()
    for item in _derived(chain, uow, repair=True):
        # Behind a record that was edited, what follows from it may differ as well.
        if item not in found.differences:
            found.differences.append(item)
    seen, held = dict(chain.sealed), sealing.docket(uow)
    docket = sealing.compare(held, log.nonce_key, seen, founded=store.count(uow) > 0)
    if docket.unsealed:
        logger.warning("the proceedings are sealed for the first time", extra={"cases": len(docket.unsealed)})
    sealing.mend(uow, docket, log.nonce_key)

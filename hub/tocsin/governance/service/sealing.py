"""Cases of the proceedings held against their seals, and sealed anew when they have changed.

1. A seal opens the log entry that it is, with a nonce that the key of the log gives (`ledger.nonce_for`), so this hub
   has made both; its state is the digest of the rows that lie with it.
2. The newest seal of a case is the one that no other replaces. Which case it is of is written in its rows.
3. The rows of a case are those that its newest seal has.

What differs was changed by another hand. Rows are put back from the seal that the log proves; rows without any seal,
where every entry has its own, were added, and go. Where a seal is lost nobody can tell what was sealed: an entry stays
that nothing opens, which is named for ever; the case ends (`cases.end`) and begins a new history, for with its newest
seal the one that it had is lost. Where nobody can even tell which case such an entry is of, it may be of any that was
sealed before, and put back to an older state with its older seal: those that were not at their end come to it.
"""

import hmac
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tocsin.db import UnitOfWork
from tocsin.governance.store import cases, seals
from tocsin.governance.store.cases import CASE_KINDS, MOTION, PARTS, Case, Change, Raw, Rows
from tocsin.governance.store.seals import Sealed
from tocsin.ledger import service as ledger
from tocsin.members.service import ROW, Difference
from tocsin_schemas.docket import Seal, seal_bytes, state_digest, written_for
from tocsin_schemas.ledger import Entry, commit, new_nonce
from tocsin_schemas.vocabulary import DOCKET, PROCEEDING

SEAL: Final = "board_seal"
NOTHING: Final = bytes(32).hex()


class Docket(NamedTuple):
    """The proceedings as the database has them: every seal, every case, and the log's entries of seals."""

    seals: list[Sealed]
    cases: dict[Case, Rows]
    entries: dict[int, Entry]
    size: int
    """Of the whole log."""


@dataclass(slots=True)
class Found:
    """What differs, and what to do about it."""

    differences: list[Difference] = field(default_factory=list)
    drop: list[int] = field(default_factory=list)
    """Seals that open no entry, or of which the rows are lost."""
    blank: list[int] = field(default_factory=list)
    """Seals that were replaced, and have rows."""
    misplaced: list[Sealed] = field(default_factory=list)
    """Seals that are said to be of another case, as what they are of."""
    newest: dict[Case, Sealed] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    """Rows to put back."""
    ended: list[Case] = field(default_factory=list)
    """Cases of which nobody can tell what was sealed."""
    unsealed: list[Case] = field(default_factory=list)
    """Cases to seal as they stand."""
    renewed: list[Case] = field(default_factory=list)
    """Cases to seal again, behind the entries that are lost: the next start has not seen what tells that they stand."""
    lost: list[Difference] = field(default_factory=list)
    """Entries that nothing opens: those of `differences` that stay."""

    @property
    def mendable(self) -> bool:
        """Whether there is anything to do."""
        return any(
            (self.drop, self.blank, self.misplaced, self.changes, self.ended, self.unsealed, self.renewed)
        )

    def note(self, table: str, key: int | str, column: str) -> None:
        """Name a row that differs, and the column."""
        self.differences.append(Difference(table, str(key), column))


def docket(uow: UnitOfWork) -> Docket:
    """All of it, as one state of the database has it."""
    size = ledger.size(uow)
    entries = {seq: entry for seq, entry in ledger.of_the_docket(uow) if 0 <= seq < size}
    return Docket(seals.every(uow), cases.everything(uow), entries, size)


def compare(found: Docket, secret: bytes, known: Mapping[Case, int], *, founded: bool) -> Found:
    """What differs. Where nothing was ever sealed, what there is when the board is founded is sealed as it stands.

    `known` has the newest seals of cases that were seen before this state of the database was.
    """
    look = Found()
    if not found.seals and not found.entries:
        look.unsealed = sorted(found.cases) if founded else []
        return look
    opening = _opening(found, secret, look)
    doubtful = _doubtful(found.entries.keys() - opening.keys(), opening, known)
    sealed = _proved(opening, known, look)
    for seq in sorted(found.entries.keys() - {seal.log_seq for seal in found.seals}):
        look.note(SEAL, seq, ROW)
        look.lost.append(look.differences[-1])
    lost = max(found.entries.keys() - sealed.keys(), default=-1)
    for case in sorted(found.cases.keys() | look.newest.keys()):
        _compare_case(case, found.cases, look, lost, doubtful)
    _end_without_application(found.cases, look)
    return look


def mend(uow: UnitOfWork, found: Found, secret: bytes) -> None:
    """Do what is to be done, under the lock of the log's head."""
    seals.remove(uow, found.drop)
    seals.blank(uow, found.blank)
    for seal in found.misplaced:
        seals.place(uow, seal.log_seq, seal.case, live=seal.live)
    cases.put_back(uow, found.changes)
    for case in found.ended:
        cases.end(uow, case)
    anew = {*found.ended, *found.unsealed, *found.renewed}
    now: dict[Case, Raw] = {}
    for kind in CASE_KINDS:
        now |= cases.of_kind(uow, kind, [case.id for case in anew if case.kind == kind])
    changed = {case: cases.rows_of(case, raw) for case, raw in now.items() if raw or case in found.newest}
    seal_anew(uow, changed, found.newest, secret)


def stands(case: Case, rows: Rows, sealed: Sealed | None, entry: Entry | None, secret: bytes) -> bool:
    """Whether the rows of a case are those of its newest seal, and that is the log's; without a seal there are none."""
    if sealed is None:
        return not rows
    proved = entry is not None and _opens(sealed, entry) and _ours(sealed, secret) and _whole(sealed)
    return proved and sealed.spelled == cases.spelled(case, rows)


def seal_anew(
    uow: UnitOfWork, changed: Mapping[Case, Rows], newest: Mapping[Case, Sealed], secret: bytes
) -> None:
    """Seal what has changed: an entry of the log for each case, and its rows beside it. The head is locked."""
    if not changed:
        return
    first = ledger.size(uow)
    made: list[Sealed] = []
    entries: list[Entry] = []
    for log_seq, (case, rows) in enumerate(sorted(changed.items(), key=lambda item: item[0]), first):
        salt, raw = new_nonce(), cases.spelled(case, rows)
        before = newest.get(case)
        replaces = None if before is None else before.log_seq
        state = state_digest(salt, raw)
        signed = seal_bytes(state, replaces)
        nonce = ledger.nonce_for(secret, log_seq, signed)
        entries.append(Entry(DOCKET, PROCEEDING, uow.now, commit(nonce, signed)))
        made.append(Sealed(log_seq, case, cases.live(case, rows), replaces, state, nonce, salt, raw))
    ledger.append(uow, first, entries)
    seals.add(uow, made)


def public(found: Docket) -> Iterator[Seal]:
    """The seals as they are published: the state of each case's newest is that of its rows as they are.

    A case that was never sealed, since another hand made it, is published as a seal of an entry that the log has not.
    """
    replaced = {
        seal.replaces
        for seal in found.seals
        if seal.log_seq in found.entries and _opens(seal, found.entries[seal.log_seq])
    }
    for each in found.seals:
        state = each.state
        if each.log_seq not in replaced:
            raw = cases.spelled(each.case, found.cases.get(each.case, {}))
            state = state_digest(each.salt or b"", raw)
        yield Seal(log_seq=each.log_seq, r=each.nonce.hex(), state=state.hex(), replaces=each.replaces)
    unsealed = found.cases.keys() - {each.case for each in found.seals}
    for log_seq in range(found.size, found.size + len(unsealed)):
        yield Seal(log_seq=log_seq, r=NOTHING, state=NOTHING)


def _opening(found: Docket, secret: bytes, look: Found) -> dict[int, Sealed]:
    """The seals that open their entries."""
    opening: dict[int, Sealed] = {}
    for each in found.seals:
        entry = found.entries.get(each.log_seq)
        if entry is not None and _opens(each, entry) and _ours(each, secret):
            opening[each.log_seq] = each
        else:
            look.note(SEAL, each.log_seq, ROW if entry is None else "state")
            look.drop.append(each.log_seq)
    return opening


def _doubtful(unopened: Set[int], opening: Mapping[int, Sealed], known: Mapping[Case, int]) -> int:
    """The last entry of which nobody can tell what case it is of, or -1: any that was sealed before may be older."""
    told = {*known.values(), *(each.replaces for each in opening.values())}
    return max(unopened - told, default=-1)


def _proved(opening: Mapping[int, Sealed], known: Mapping[Case, int], look: Found) -> dict[int, Sealed]:
    """Those of them that are left; the newest of each case is kept, the others are noted where they differ."""
    good = dict(opening)
    replaced: set[int | None] = set()
    gone: set[int | None] = set()
    for each in sorted(good.values(), reverse=True):
        if each.log_seq in replaced:
            replaced.add(each.replaces)
            if each.spelled is not None:
                look.note(SEAL, each.log_seq, "spelled")
                look.blank.append(each.log_seq)
        elif each.log_seq not in gone and _is_newest(each, known, look):
            replaced.add(each.replaces)
        else:
            # With the rows of the newest seal its history is lost: what it replaced does not take its place.
            if each.log_seq in gone:
                look.note(SEAL, each.log_seq, "spelled")
            gone.add(each.replaces)
            look.drop.append(each.log_seq)
            del good[each.log_seq]
    return good


def _is_newest(each: Sealed, known: Mapping[Case, int], look: Found) -> bool:
    if not _whole(each):
        look.note(SEAL, each.log_seq, "spelled")
        return False
    case, rows = cases.read(each.spelled or b"")
    if case in look.newest or each.log_seq < known.get(case, 0):
        # Older than one that is known: it had been lost, or replaced, and has come back.
        look.note(SEAL, each.log_seq, ROW)
        return False
    true = each._replace(case=case, live=cases.live(case, rows))
    if true != each:
        look.note(SEAL, each.log_seq, "case_id" if case != each.case else "live")
        look.misplaced.append(true)
    look.newest[case] = true
    return True


def _compare_case(case: Case, there: Mapping[Case, Rows], look: Found, lost: int, doubtful: int) -> None:
    """Hold one case against its newest seal. `lost` is the last entry without a seal, -1 where there is none."""
    rows, sealed = there.get(case, {}), look.newest.get(case)
    if sealed is None and lost >= 0:
        _end(case, look)
        return
    true = {} if sealed is None else cases.read(sealed.spelled or b"")[1]
    changes = list(cases.compare(case, true, rows))
    _note_changes(look, changes)
    look.changes += changes
    if sealed is None or cases.ended(case, true):
        return
    if sealed.log_seq < doubtful:
        _end(case, look)
    elif sealed.log_seq < lost:
        look.renewed.append(case)


def _end(case: Case, look: Found) -> None:
    look.note(PARTS[case.kind][0].table.name, case.id, ROW)
    look.ended.append(case)


def _note_changes(look: Found, changes: Iterable[Change]) -> None:
    for change in changes:
        for column in change.columns or [ROW]:
            look.note(change.part.table.name, change.key, column)


def _end_without_application(there: Mapping[Case, Rows], look: Found) -> None:
    """A motion whose rows would refer to an application that is lost cannot be put back: it ends as that has."""
    back = {
        change.sealed["application_id"]
        for change in look.changes
        if change.part is MOTION and change.sealed and "application_id" in change.sealed
    }
    missing = {name for name in back if Case("application", name) not in {*there, *look.newest}}
    if not missing:
        return
    for case, sealed in look.newest.items():
        of = cases.read(sealed.spelled or b"")[1].get("motion", [{}])[0].get("application_id")
        if case.kind == "motion" and of in missing:
            look.changes = [change for change in look.changes if not _is_of(change, case)]
            look.ended.append(case)


def _is_of(change: Change, case: Case) -> bool:
    row = change.sealed or change.found or {}
    return change.part in PARTS[case.kind] and row[change.part.of] == case.id


def _ours(each: Sealed, secret: bytes) -> bool:
    signed = seal_bytes(each.state, each.replaces)
    return hmac.compare_digest(each.nonce, ledger.nonce_for(secret, each.log_seq, signed))


def _opens(each: Sealed, entry: Entry) -> bool:
    return written_for(entry, each.nonce, each.state, each.replaces)


def _whole(each: Sealed) -> bool:
    return (
        each.salt is not None
        and each.spelled is not None
        and state_digest(each.salt, each.spelled) == each.state
    )

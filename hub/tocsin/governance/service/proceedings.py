"""The one way to write to the proceedings: what is acted on is what was sealed, and what has changed is sealed.

1. The log's head is locked, so of two at once the second sees what the first has done, and a case has one history.
2. The cases that may be acted on are held against their seals. Where rows differ, all of it is named and put right
   first (`startup.audit`), in transactions of its own: a refusal of what follows takes none of that back.
3. The use case acts.
4. The cases that have changed are sealed, in the same transaction. One that is refused seals nothing.

In a sandbox, and before the board is founded, there is no chain to hold anything against, and nothing is sealed.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.governance.service import sealing, startup
from tocsin.governance.service.context import Chamber
from tocsin.governance.store import cases, seals
from tocsin.governance.store.cases import MOTION, Case, Raw, Rows
from tocsin.governance.store.desk_tables import is_id
from tocsin.governance.store.seals import Sealed
from tocsin.ledger import service as ledger

ATTEMPTS: Final = 3
"""How often what another hand has changed is put right before somebody who wants to act is sent away."""
_APPEAL: Final = "decision:"
_NUMBER: Final = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be acted on: the applications named, and with `board` every open motion, all ties and used acts."""

    applications: tuple[str, ...]
    board: bool


@dataclass(frozen=True, slots=True)
class Held:
    """The cases of a scope as they were before the act, and their newest seals."""

    cases: Mapping[Case, Raw]
    newest: Mapping[Case, Sealed]


@contextmanager
def proceedings(chamber: Chamber, *applications: str) -> Iterator[UnitOfWork]:
    """A transaction in which the board acts, on the applications named beside those that are moved.

    Raises:
        Refused: `unavailable` when the hub is read-only, or rows are being changed by another hand.
        Misconfigured: as `startup.audit`, when they were.
    """
    with _sealed(chamber, _scope(applications, board=True)) as uow:
        yield uow


@contextmanager
def dossier_open(chamber: Chamber, *applications: str) -> Iterator[UnitOfWork]:
    """A transaction in which somebody acts on the applications named, and on nothing else.

    Raises:
        Refused, Misconfigured: as `proceedings`.
    """
    with _sealed(chamber, _scope(applications, board=False)) as uow:
        yield uow


def _scope(applications: Collection[str], *, board: bool) -> Scope:
    return Scope(tuple(name for name in applications if is_id(name)), board)


@contextmanager
def _sealed(chamber: Chamber, scope: Scope) -> Iterator[UnitOfWork]:
    for _ in range(ATTEMPTS):
        with chamber.database.transaction() as uow:
            ledger.locked_size(uow)
            founded = chamber.chain.founded(uow)
            held = _hold(chamber, uow, scope) if founded else Held({}, {})
            if held is not None:
                yield uow
                if founded:
                    _seal(chamber, uow, scope, held)
                return
        startup.audit(chamber.chain, chamber.log)
    raise _by_another_hand()


def _hold(chamber: Chamber, uow: UnitOfWork, scope: Scope) -> Held | None:
    """The cases of a scope; None when one of them is not as it was sealed."""
    chain = chamber.chain
    newest = {sealed.case: sealed for sealed in seals.live(uow)} if scope.board else {}
    found = _concerned(uow, scope, newest)
    heard = _heard(found)
    if heard:
        # What led to a decision that is appealed may have to be taken up again.
        led = [Case("motion", name) for name in cases.decided(uow, heard)]
        found = _concerned(uow, scope, {**dict.fromkeys(led), **newest})
    newest |= {sealed.case: sealed for sealed in seals.newest(uow, found.keys() - newest.keys())}
    entries = ledger.entries_at(uow, [sealed.log_seq for sealed in newest.values()])
    if any(sealed.log_seq < chain.sealed.get(case, 0) for case, sealed in newest.items()):
        return None
    stood: dict[Case, object] = {}
    for case, raw in found.items():
        sealed = newest.get(case)
        entry = None if sealed is None else entries.get(sealed.log_seq)
        stood[case] = (raw, sealed, entry)
        # What is exactly as it was when it last stood does so still.
        if chain.stood.get(case) != stood[case] and not sealing.stands(
            case, cases.rows_of(case, raw), sealed, entry, chamber.log.nonce_key
        ):
            return None
    if scope.board:
        chain.stood = stood
    chain.sealed |= {case: sealed.log_seq for case, sealed in newest.items()}
    return Held(found, newest)


def _seal(chamber: Chamber, uow: UnitOfWork, scope: Scope, held: Held) -> None:
    now = _concerned(uow, scope, held.cases)
    begun = _begun_again(chamber, uow, now.keys() - held.cases.keys())
    changed: dict[Case, Rows] = {}
    for case, raw in now.items():
        before = held.cases.get(case, {})
        if raw != before and (rows := cases.rows_of(case, raw)) != cases.rows_of(case, before):
            changed[case] = rows
    sealing.seal_anew(uow, changed, {**held.newest, **begun}, chamber.log.nonce_key)


def _begun_again(chamber: Chamber, uow: UnitOfWork, new: Collection[Case]) -> dict[Case, Sealed]:
    """The seals of cases that had no rows when this began, and have some now: of used acts and ties alone.

    Raises:
        Refused: `unavailable`; a motion or an application that was over, and yet is part of this, another hand began.
    """
    begun = {sealed.case: sealed for sealed in seals.newest(uow, new)}
    entries = ledger.entries_at(uow, [sealed.log_seq for sealed in begun.values()])
    for case, sealed in begun.items():
        if (
            case.kind in {"motion", "application"}
            or sealed.log_seq < chamber.chain.sealed.get(case, 0)
            or not sealing.stands(case, {}, sealed, entries.get(sealed.log_seq), chamber.log.nonce_key)
        ):
            raise _by_another_hand()
    return begun


def _concerned(uow: UnitOfWork, scope: Scope, known: Mapping[Case, object]) -> dict[Case, Raw]:
    """The rows of the cases in a scope, and of those that are known to be in it."""
    applications = {*scope.applications, *(case.id for case in known if case.kind == "application")}
    found: dict[Case, Raw] = {}
    if scope.board:
        found = cases.of_the_board(uow, [case.id for case in known if case.kind == "motion"])
        for raw in found.values():
            applications.update(cases.values(raw, MOTION, "application_id"))
    found |= cases.of_kind(uow, "application", sorted(applications))
    for case in known:
        found.setdefault(case, {})
    return found


def _heard(found: Mapping[Case, Raw]) -> list[int]:
    """The numbers of the decisions that are appealed."""
    subjects = (name for raw in found.values() for name in cases.values(raw, MOTION, "subject"))
    numbers = (name.removeprefix(_APPEAL) for name in subjects if name.startswith(_APPEAL))
    return sorted(int(number) for number in numbers if _NUMBER.fullmatch(number))


def _by_another_hand() -> Refused:
    return Refused("unavailable", "", "rows of the proceedings are being changed by another hand")

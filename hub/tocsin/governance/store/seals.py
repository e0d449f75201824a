"""The seals of the proceedings: which log entry each is, and of the newest of a case the rows that were sealed."""

import json
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, exists, func, select, text

from tocsin.db import UnitOfWork, table
from tocsin.governance.store.cases import Case
from tocsin.governance.store.tables_chain import SealRow

_seal: Final = table(SealRow)
_later: Final = _seal.alias("later")
_COLUMNS: Final = tuple(_seal.c)
_NEWEST: Final = (
    select(*_COLUMNS)
    .where(_seal.c.spelled.is_not(None), ~exists().where(_later.c.replaces == _seal.c.log_seq))
    .order_by(_seal.c.log_seq)
)
_LIVE: Final = _NEWEST.where(text("board_seal.live"))
_LAST: Final = select(func.max(_seal.c.log_seq))
_PAIRS: Final = {
    "sqlite": "SELECT value ->> 0, value ->> 1 FROM json_each(:cases)",
    "postgresql": "SELECT pair ->> 0, pair ->> 1 FROM json_array_elements(CAST(:cases AS json)) AS pair",
}


class Sealed(NamedTuple):
    """A seal as it is kept. `salt` and `spelled` are those of the newest of its case."""

    log_seq: int
    case: Case
    live: bool
    replaces: int | None
    state: bytes
    nonce: bytes
    salt: bytes | None = None
    spelled: bytes | None = None


def every(uow: UnitOfWork) -> list[Sealed]:
    """All seals, in the order of their entries."""
    rows = uow.conn.execute(select(*_COLUMNS).order_by(_seal.c.log_seq)).all()
    return [_sealed(tuple(row)) for row in rows]


def live(uow: UnitOfWork) -> list[Sealed]:
    """The newest seals of the cases that are looked at whenever the board acts."""
    return [_sealed(row) for row in uow.ask(_LIVE)]


def newest(uow: UnitOfWork, cases: Collection[Case]) -> list[Sealed]:
    """The newest seals of the cases named."""
    if not cases:
        return []
    return [_sealed(row) for row in uow.ask(_of(uow.dialect), {"cases": json.dumps(list(cases))})]


def last(uow: UnitOfWork) -> int | None:
    """The log entry of the newest of all seals."""
    ((found,),) = uow.ask(_LAST)
    return None if found is None else int(found)


def add(uow: UnitOfWork, sealed: Iterable[Sealed]) -> None:
    """Add seals; those that they replace lose their rows."""
    rows = list(sealed)
    blank(uow, [row.replaces for row in rows if row.replaces is not None])
    names = [column.name for column in _COLUMNS]
    uow.insert_rows(
        _seal,
        names,
        [(row.log_seq, row.case.kind, row.case.id, *row[2:]) for row in rows],
    )


def blank(uow: UnitOfWork, log_seqs: Sequence[int]) -> None:
    """Forget the rows of seals that are not the newest."""
    if log_seqs:
        chosen = _seal.c.log_seq.in_(log_seqs)
        uow.conn.execute(_seal.update().where(chosen).values(salt=None, spelled=None, live=False))


def place(uow: UnitOfWork, log_seq: int, case: Case, *, live: bool) -> None:
    """Say again which case a seal is of."""
    chosen = _seal.update().where(_seal.c.log_seq == log_seq)
    uow.conn.execute(chosen.values(kind=case.kind, case_id=case.id, live=live))


def remove(uow: UnitOfWork, log_seqs: Sequence[int]) -> None:
    """Remove seals that open no entry."""
    if log_seqs:
        uow.conn.execute(_seal.delete().where(_seal.c.log_seq.in_(log_seqs)))


@lru_cache(maxsize=2)
def _of(dialect: str) -> Select[Any]:
    return _NEWEST.where(text(f"(board_seal.kind, board_seal.case_id) IN ({_PAIRS[dialect]})"))


def _sealed(row: tuple[Any, ...]) -> Sealed:
    log_seq, kind, name, live_now, replaces, state, nonce, salt, spelled = row
    return Sealed(log_seq, Case(kind, name), bool(live_now), replaces, state, nonce, salt, spelled)

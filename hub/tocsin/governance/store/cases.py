"""The rows of the proceedings, case by case: found, spelled in one way, compared, and put back.

- A case is all rows of one motion, of one application, of one person's ties, or of one seat's used acts.
- Its one spelling is canonical JSON: the case's own name, and by table its rows in the order of their keys. Bytes are
  hexadecimal digits; what is NULL is left out, so a column that is added later changes the spelling of no row before.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, Final, Literal, NamedTuple, get_args

from sqlalchemy import Boolean, LargeBinary, Select, Table, and_, or_, select, text

from tocsin.db import UnitOfWork
from tocsin.governance.rules.motions import OPEN_STATES
from tocsin.governance.store import desk_tables as tables

CaseKind = Literal["application", "motion", "ties", "acts"]
CASE_KINDS: Final[tuple[CaseKind, ...]] = get_args(CaseKind)
LIVE_APPLICATIONS: Final = frozenset(
    {"draft", "submitted", "vetting", "info_requested", "discussion", "ballot"}
)
"""The states in which an application is not at its end."""

Row = dict[str, Any]
"""A row by column, as JSON has it."""
Rows = dict[str, list[Row]]
"""The rows of a case by table; a table without any is left out."""
Raw = dict[str, list[tuple[Any, ...]]]
"""The same as the database gives them, in any order."""


class Case(NamedTuple):
    """What belongs together: `id` is that of a motion or an application, a person's handle, or a seat."""

    kind: CaseKind
    id: str


class Part(NamedTuple):
    """A table of a kind of case: `of` names the case in each row, `key` is the rest of the row's key."""

    table: Table
    of: str
    key: tuple[str, ...] = ()


PARTS: Final[Mapping[CaseKind, tuple[Part, ...]]] = {
    "application": (
        Part(tables.application, "id"),
        Part(tables.application_answer, "application_id", ("question", "place")),
        Part(tables.application_key, "application_id", ("kid",)),
        Part(tables.application_community, "application_id", ("community",)),
        Part(tables.application_asked, "application_id", ("question",)),
        Part(tables.sponsorship, "application_id", ("issuer",)),
        Part(tables.vetting_check, "application_id", ("id",)),
    ),
    "motion": (
        Part(tables.motion, "id"),
        Part(tables.motion_endorsement, "motion_id", ("seat",)),
        Part(tables.motion_remark, "motion_id", ("id",)),
        Part(tables.motion_declaration, "motion_id", ("seat",)),
        Part(tables.motion_ballot, "motion_id", ("seat", "credential")),
    ),
    "ties": (Part(tables.seat_tie, "handle", ("issuer",)),),
    "acts": (Part(tables.seat_act, "seat", ("jti",)),),
}
"""Every table of the proceedings. A case's own row comes before those that refer to it, an application before motions.
"""
MOTION: Final = PARTS["motion"][0]
_ALL: Final = [part for kind in CASE_KINDS for part in PARTS[kind]]
_OPEN: Final = tables.motion.c.state.in_(OPEN_STATES)
_WORDS: Final = ", ".join(f"'{state}'" for state in OPEN_STATES)
# An id begins with the second at which it was made. Each of these conditions has an index of its own.
_OPEN_OR_NEW: Final = f"motion.state IN ({_WORDS}) OR motion.id >= :new"
_NAMED: Final = {
    "sqlite": "{} IN (SELECT value FROM json_each(:ids))",
    "postgresql": "{} = ANY (ARRAY(SELECT json_array_elements_text(CAST(:ids AS json))))",
}


class Change(NamedTuple):
    """A row that is not what was sealed: as it should be, and as it is; None where there should be, or is, none."""

    part: Part
    sealed: Row | None
    found: Row | None

    @property
    def key(self) -> str:
        """What names the row in its table. Whom a person has a tie to is left out: that is for them to tell."""
        row = self.sealed or self.found or {}
        rest = () if self.part.table is tables.seat_tie else self.part.key
        return " ".join(str(row[name]) for name in (self.part.of, *rest))

    @property
    def columns(self) -> list[str]:
        """The columns that differ, of a row that is there and should be."""
        if self.sealed is None or self.found is None:
            return []
        names = self.sealed.keys() | self.found.keys()
        return sorted(name for name in names if self.sealed.get(name) != self.found.get(name))


def of_kind(uow: UnitOfWork, kind: CaseKind, ids: Collection[str]) -> dict[Case, Raw]:
    """The rows of the cases named; one without any is there with none."""
    found: dict[Case, Raw] = {Case(kind, name): {} for name in ids}
    if found:
        _collect(uow, kind, found, PARTS[kind])
    return found


def of_the_board(uow: UnitOfWork, ids: Collection[str]) -> dict[Case, Raw]:
    """The open motions, those that were made in this transaction, and those named; all ties, and all used acts."""
    found: dict[Case, Raw] = {Case("motion", name): {} for name in ids}
    named = {"ids": json.dumps(sorted(ids)), "new": f"mo_{uow.now:08x}"}
    _take(found, "motion", MOTION, uow.ask(_question(uow.dialect, MOTION, "open"), named))
    if found:
        _collect(uow, "motion", found, PARTS["motion"][1:])
    for kind in ("ties", "acts"):
        (part,) = PARTS[kind]
        _take(found, kind, part, uow.ask(_question(uow.dialect, part, "all")))
    return found


def everything(uow: UnitOfWork) -> dict[Case, Rows]:
    """All cases."""
    found: dict[Case, Raw] = {}
    for kind in CASE_KINDS:
        for part in PARTS[kind]:
            _take(found, kind, part, uow.ask(_question(uow.dialect, part, "all")))
    return {case: rows_of(case, raw) for case, raw in found.items()}


def rows_of(case: Case, raw: Raw) -> Rows:
    """The rows of a case as they are spelled."""
    rows: Rows = {}
    for part in PARTS[case.kind]:
        if listed := raw.get(part.table.name):
            read_row = partial(_read_row, _columns(part))
            rows[part.table.name] = sorted(map(read_row, listed), key=partial(_key, part))
    return rows


def values(raw: Raw, part: Part, name: str) -> list[str]:
    """What a column of names says in the rows of a case, where it says anything."""
    place = _place(part, name)
    return [_name(row[place]) for row in raw.get(part.table.name, ()) if row[place] is not None]


def decided(uow: UnitOfWork, numbers: Collection[int]) -> list[str]:
    """The motions whose ballots were about the decisions of those numbers."""
    column = tables.motion.c.decision_seq
    return list(uow.conn.execute(select(tables.motion.c.id).where(column.in_(numbers))).scalars())


def live(case: Case, rows: Rows) -> bool:
    """Whether a case is looked at whenever the board acts: a motion that is open, ties, used acts."""
    if case.kind == "motion":
        return any(row["state"] in OPEN_STATES for row in rows.get("motion", ()))
    return case.kind != "application" and bool(rows)


def ended(case: Case, rows: Rows) -> bool:
    """Whether nothing more comes of a case by itself."""
    if case.kind == "application":
        return all(row["state"] not in LIVE_APPLICATIONS for row in rows.get("application", ()))
    return not live(case, rows)


def spelled(case: Case, rows: Rows) -> bytes:
    """The one spelling of a case."""
    said = {"case": [case.kind, case.id], "rows": rows}
    # On SQLite a column of text may be made to hold bytes, by another hand.
    return json.dumps(said, sort_keys=True, separators=(",", ":"), default=bytes.hex).encode()


def read(raw: bytes) -> tuple[Case, Rows]:
    """What a spelling says."""
    said = json.loads(raw)
    kind, name = said["case"]
    rows: Rows = said["rows"]
    return Case(kind, name), rows


def compare(case: Case, sealed: Rows, found: Rows) -> Iterator[Change]:
    """The rows of a case that are not what was sealed."""
    for part in PARTS[case.kind]:
        wanted, there = (
            {_key(part, row): row for row in rows.get(part.table.name, ())} for rows in (sealed, found)
        )
        for key in sorted(wanted.keys() | there.keys()):
            if wanted.get(key) != there.get(key):
                yield Change(part, wanted.get(key), there.get(key))


def put_back(uow: UnitOfWork, changes: Iterable[Change]) -> None:
    """Make the rows say what was sealed.

    In an order in which no row refers to one that is not there, and no decision has a number twice.
    """
    listed = list(changes)
    # 1. What is not sealed goes, except for the rows that others refer to.
    heads = (tables.motion, tables.application)
    for change in listed:
        if change.sealed is None and change.part.table not in heads:
            _delete(uow, change)
    # 2. Motions let go of what is there once, and of their applications.
    for change in listed:
        if change.part.table is tables.motion and change.found is not None:
            nothing = {"decision": None, "decision_seq": None, "application_id": None}
            uow.conn.execute(tables.motion.update().where(_is(change.part, change.found)).values(nothing))
    for head in heads:
        for change in listed:
            if change.sealed is None and change.part.table is head:
                _delete(uow, change)
    # 3. What is sealed comes back.
    for part in _ALL:
        for change in listed:
            if change.part is part and change.sealed is not None:
                values = {column.name: _value(part, column.name, change.sealed) for column in part.table.c}
                if change.found is None:
                    uow.conn.execute(part.table.insert().values(values))
                else:
                    uow.conn.execute(part.table.update().where(_is(part, change.found)).values(values))


def end(uow: UnitOfWork, case: Case) -> None:
    """End a case of which nobody can tell any more what was sealed: it lapses; ties have to be declared anew."""
    if case.kind == "motion":
        motion = tables.motion
        chosen = and_(motion.c.id == case.id, _OPEN)
        uow.conn.execute(motion.update().where(chosen).values(state="lapsed", closed_at=uow.now))
    elif case.kind == "application":
        application = tables.application
        chosen = and_(application.c.id == case.id, application.c.state.in_(LIVE_APPLICATIONS))
        uow.conn.execute(application.update().where(chosen).values(state="lapsed", state_since=uow.now))
    elif case.kind == "ties":
        uow.conn.execute(tables.seat_tie.delete().where(tables.seat_tie.c.handle == case.id))


def _collect(uow: UnitOfWork, kind: CaseKind, found: dict[Case, Raw], parts: Iterable[Part]) -> None:
    named = {"ids": json.dumps(sorted(case.id for case in found))}
    for part in parts:
        _take(found, kind, part, uow.ask(_question(uow.dialect, part, "named"), named))


def _take(found: dict[Case, Raw], kind: CaseKind, part: Part, rows: list[tuple[Any, ...]]) -> None:
    place, name = _place(part, part.of), part.table.name
    for row in rows:
        found.setdefault(Case(kind, _name(row[place])), {}).setdefault(name, []).append(row)


def _name(value: str | bytes) -> str:
    """What a row names a case by: text, or what nothing is named by where another hand has put bytes."""
    return value if isinstance(value, str) else f"0x{value.hex()}"


@lru_cache(maxsize=64)
def _place(part: Part, name: str) -> int:
    return [column.name for column in part.table.c].index(name)


@lru_cache(maxsize=64)
def _question(dialect: str, part: Part, which: Literal["named", "open", "all"]) -> Select[Any]:
    """The rows of a table: of the cases named by `ids`, of open motions and those as well, or all. Made once."""
    chosen = select(*part.table.c)
    if which == "all":
        return chosen
    named = text(_NAMED[dialect].format(f"{part.table.name}.{part.of}"))
    if which == "named":
        return chosen.where(named)
    return chosen.where(or_(text(_OPEN_OR_NEW), named))


@lru_cache(maxsize=32)
def _columns(part: Part) -> tuple[tuple[str, type[Any]], ...]:
    return tuple((column.name, type(column.type)) for column in part.table.c)


def _read_row(columns: tuple[tuple[str, type[Any]], ...], values: tuple[Any, ...]) -> Row:
    row: Row = {}
    for (name, kind), value in zip(columns, values, strict=True):
        if value is not None:
            row[name] = _said(kind, value)
    return row


def _said(kind: type[Any], value: Any) -> Any:
    if kind is LargeBinary and isinstance(value, bytes):
        return value.hex()
    if kind is Boolean and value in (0, 1):
        return bool(value)
    return value


def _value(part: Part, name: str, row: Row) -> Any:
    value = row.get(name)
    binary = isinstance(part.table.c[name].type, LargeBinary)
    return bytes.fromhex(value) if binary and value is not None else value


def _key(part: Part, row: Row) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in part.key)


def _is(part: Part, row: Row) -> Any:
    return and_(*(part.table.c[name] == _value(part, name, row) for name in (part.of, *part.key)))


def _delete(uow: UnitOfWork, change: Change) -> None:
    assert change.found is not None  # noqa: S101  # what is neither sealed nor found is no change
    uow.conn.execute(change.part.table.delete().where(_is(change.part, change.found)))

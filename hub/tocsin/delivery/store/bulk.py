"""Rows handed to a statement as a few parameters, however many they are.

One statement over a thousand rows costs the database less than a thousand statements, and does not suffer from a busy
thread beside it (docs/adr/0027). SQLite reads one JSON document, PostgreSQL one array a column.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import CursorResult, TextClause, text

from tocsin.db import UnitOfWork


def run(
    uow: UnitOfWork,
    statement: str,
    given: Sequence[str] = (),
    rows: Sequence[Sequence[object]] = (),
    /,
    **values: object,
) -> int:
    """Run a statement in which `{given}` is a table of `rows` with the columns `given`; how many rows it changed.

    A column is a name, and `:text` behind it when it does not hold whole numbers. `{distinct}` compares two values of
    which either may be NULL. `{locked}` locks the rows of a query on PostgreSQL, and `{skipping}` those of its `q` that
    nobody else has locked, where SQLite has locked everything.
    """
    return _run(uow, statement, given, rows, values).rowcount


def fetch(
    uow: UnitOfWork,
    statement: str,
    given: Sequence[str] = (),
    rows: Sequence[Sequence[object]] = (),
    /,
    **values: object,
) -> list[tuple[Any, ...]]:
    """The rows that such a statement gives."""
    return list(map(tuple, _run(uow, statement, given, rows, values).all()))


def _run(
    uow: UnitOfWork,
    statement: str,
    given: Sequence[str],
    rows: Sequence[Sequence[object]],
    values: dict[str, object],
) -> CursorResult[Any]:
    if uow.dialect == "sqlite":
        values["given"] = json.dumps(rows, separators=(",", ":"))
    else:
        for place, column in enumerate(zip(*rows, strict=True) if rows else [()] * len(given)):
            values[f"given_{place}"] = (
                "{" + ",".join("NULL" if value is None else str(value) for value in column) + "}"
            )
    prepared = _prepared(statement, tuple(given), uow.dialect)
    return uow.conn.execute(prepared, values, execution_options={"preserve_rowcount": True})


@lru_cache(maxsize=256)
def _prepared(statement: str, given: tuple[str, ...], dialect: str) -> TextClause:
    names = [column.partition(":") for column in given]
    if dialect == "sqlite":
        cut = ", ".join(
            f"json_extract(value, '$[{place}]') AS {name}" for place, (name, _, _) in enumerate(names)
        )
        table, distinct, locked = f"(SELECT {cut} FROM json_each(:given))", "IS NOT", ""  # noqa: S608  # our own names
    else:
        arrays = ", ".join(
            f"cast(:given_{place} AS {kind or 'bigint'}[])" for place, (_, _, kind) in enumerate(names)
        )
        listed = ", ".join(name for name, _, _ in names)
        table, distinct = f"(SELECT * FROM unnest({arrays}) AS u({listed}))", "IS DISTINCT FROM"  # noqa: S608  # the same
        locked = "FOR UPDATE"
    skipping = f"{locked} OF q SKIP LOCKED" if locked else ""
    return text(
        statement.replace("{given}", table)
        .replace("{distinct}", distinct)
        .replace("{locked}", locked)
        .replace("{skipping}", skipping)
    )

"""Everything the database holds, so that a refusal can be shown to have changed nothing."""

from typing import Any

from sqlalchemy import inspect, text

from tocsin.db import Database


def contents(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in an order that does not depend on how they lie."""
    with database.engine.connect() as conn:
        names = inspect(conn).get_table_names()
        found = {name: conn.execute(text(f'SELECT * FROM "{name}"')).all() for name in names}
    return {name: sorted((tuple(row) for row in rows), key=repr) for name, rows in found.items()}

"""Everything the database holds, so that a refusal can be shown to have changed nothing."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, inspect

from tocsin.db import Database


def contents(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in an order that does not depend on how they lie."""
    with database.engine.connect() as conn:
        return answers(conn, {name: f'SELECT * FROM "{name}"' for name in inspect(conn).get_table_names()})


def answers(conn: Connection, queries: Mapping[str, str]) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of each query, as the driver gives them, in an order that does not depend on how they lie.

    Past SQLAlchemy, and on PostgreSQL in one exchange: asked one by one, seventy tables take longer than most of the
    requests that are shown to have changed none of them.
    """
    driver: Any = conn.connection.driver_connection
    if conn.dialect.name == "sqlite":
        found = [driver.execute(query).fetchall() for query in queries.values()]
    else:
        cursor = driver.execute(";\n".join(queries.values()), prepare=False)
        found = [cursor.fetchall()]
        while cursor.nextset():
            found.append(cursor.fetchall())
    return {name: sorted(rows, key=repr) for name, rows in zip(queries, found, strict=True)}

"""Replacing a CHECK constraint in a migration, on both databases, without copying the table.

PostgreSQL does it by itself. SQLite keeps a table's definition as text, and for a change that concerns no stored byte
its documentation has the text edited in place (sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema
Changes").
"""

from alembic import op
from sqlalchemy import text


def replace_check(table: str, name: str, before: str, after: str) -> None:
    """Let the constraint `name` of a table demand `after` instead of `before`; its rows must satisfy that already.

    Raises:
        RuntimeError: when the table has no such constraint.
    """
    conn = op.get_bind()
    if conn.dialect.name == "postgresql":
        op.drop_constraint(name, table, type_="check")
        op.create_check_constraint(name, table, after)
        return
    old, new = (f"CONSTRAINT {name} CHECK ({condition})" for condition in (before, after))
    version = int(conn.execute(text("PRAGMA schema_version")).scalar_one())
    conn.execute(text("PRAGMA writable_schema = ON"))
    edited = conn.execute(
        text(
            "UPDATE sqlite_schema SET sql = replace(sql, :old, :new)"
            " WHERE type = 'table' AND name = :name AND instr(sql, :old) > 0"
        ),
        {"old": old, "new": new, "name": table},
    )
    # Every connection reads the definitions again when their version has changed.
    conn.execute(text(f"PRAGMA schema_version = {version + 1}"))
    conn.execute(text("PRAGMA writable_schema = RESET"))
    if edited.rowcount != 1:
        raise RuntimeError(f"{table} has no constraint {name} of that form")

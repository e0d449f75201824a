"""No table has a column that could hold content, a prompt, free text or a raw identifier (hash-only by construction).

A string column is a closed word list (a CHECK names its words), a reference to one, or stands in `SPELLED` with what
it can hold and where that is enforced. Bytes are digests, keys, nonces or signed bytes.
"""

import importlib
import re
from pathlib import Path

import pytest
from sqlalchemy import CheckConstraint, Column, Table
from sqlmodel import SQLModel

HUB = Path(__file__).parents[2] / "hub"

SPELLED = {
    "client.client_id": "an id that the hub makes",
    "community.slug": "lower-case letters, digits and dashes, chosen by the operator",
    "control_group.id": "cg_ and digits derived from an owner's name",
    "entry.community": "the slug of a community",
    "job_lease.holder": "random hexadecimal digits",
    "job_lease.job": "the name of a job in the code",
    "member_key.kid": "an RFC 7638 thumbprint in base64url",
    "organisation.issuer": "an https origin (ISSUER_PATTERN), registered by the operator",
    "witnessed_log.origin": "the name of a log's key, registered by the operator",
    "revoked_token.jti": "32 hexadecimal digits, made by the hub",
}
"""Strings that are spelled by a pattern instead of chosen from a list: column to what it can hold."""

BYTES = {
    "assertion.jti": "a SHA-256",
    "entry.commitment": "an HMAC-SHA256",
    "feed_segment.digest": "a SHA-256",
    "indicator.value": "the canonical bytes of an indicator",
    "member_key.public": "a public key",
    "publication.checkpoint": "a checkpoint: the log's name, size and root, signatures with the names of keys",
    "publication.edge": "SHA-256 hashes, one behind another",
    "publication.root": "a SHA-256",
    "snapshot.manifest": "a SHA-256",
    "snapshot.withheld": "a SHA-256",
    "statement.digest": "a SHA-256",
    "statement.jti": "16 bytes",
    "statement.jws": "a signal byte for byte: closed objects of closed words, checked before it is stored",
    "log_witness.place": "a SHA-256",
    "log_witness.shown": "a checkpoint that this hub's log key has signed",
    "witness_evidence.held": "a checkpoint: origin, size, root, and verified signatures",
    "witness_evidence.request": "a size, hashes, and a checkpoint with verified signatures, without extension lines",
    "witness_evidence.root": "a SHA-256",
    "witnessed_key.public": "a public key",
    "witnessed_log.checkpoint": "a checkpoint: origin, size, root, and verified signatures",
    "witnessed_log.digest": "a SHA-256",
    "witnessed_log.root": "a SHA-256",
    "statement.nonce": "32 random bytes",
}
"""Byte columns: what they hold."""


def tables() -> dict[str, Table]:
    for path in [
        *HUB.glob("tocsin/*/store.py"),
        *HUB.glob("tocsin/*/store/*.py"),
        HUB / "tocsin" / "outbox.py",
    ]:
        importlib.import_module(".".join(path.relative_to(HUB).with_suffix("").parts))
    return dict(SQLModel.metadata.tables)


def columns(kind: type) -> list[tuple[Table, Column]]:
    """Every column whose values are of the Python type `kind`."""
    return [
        (table, column)
        for table in tables().values()
        for column in table.columns
        if issubclass(column.type.python_type, kind)
    ]


def is_closed_list(table: Table, column: Column) -> bool:
    """Whether a CHECK names every word the column may hold."""
    closed = re.compile(rf"\b{column.name} (IN \(|= )'")
    return any(
        isinstance(constraint, CheckConstraint) and closed.search(str(constraint.sqltext))
        for constraint in table.constraints
    )


def test_every_string_column_is_bounded() -> None:
    unbounded = [
        f"{table.name}.{column.name}"
        for table, column in columns(str)
        if getattr(column.type, "length", None) is None
    ]
    assert unbounded == []


def test_every_string_column_is_a_closed_list_or_is_spelled_by_a_known_pattern() -> None:
    open_columns = {
        f"{table.name}.{column.name}"
        for table, column in columns(str)
        if not column.foreign_keys and not is_closed_list(table, column)
    }
    assert open_columns - SPELLED.keys() == set()


def test_the_lists_of_spelled_and_byte_columns_name_only_what_exists() -> None:
    names = {f"{table.name}.{column.name}" for kind in (str, bytes) for table, column in columns(kind)}
    assert (SPELLED.keys() | BYTES.keys()) - names == set()


def test_every_byte_column_is_known() -> None:
    assert {f"{table.name}.{column.name}" for table, column in columns(bytes)} == BYTES.keys()


def test_no_column_holds_documents() -> None:
    assert [*columns(dict), *columns(list)] == []


@pytest.mark.parametrize(
    "suspicious", ["name", "email", "phone", "note", "comment", "text", "url", "title", "prompt"]
)
def test_no_column_is_named_for_what_the_hub_must_not_hold(suspicious: str) -> None:
    found = [
        f"{table.name}.{column.name}"
        for table in tables().values()
        for column in table.columns
        if suspicious in column.name.split("_")
    ]
    assert found == []

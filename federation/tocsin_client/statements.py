"""A stored statement, and how the fold takes it."""

from collections.abc import Iterable
from typing import NamedTuple

from tocsin_schemas.feed import Directory
from tocsin_schemas.fold import Statement
from tocsin_schemas.vocabulary import Basis, EntryKind


class StatementRow(NamedTuple):
    """One verified statement, as columns of the mirror. `id` is its payload's SHA-256; instants are Unix seconds."""

    seq: int
    id: bytes
    kind: EntryKind
    author: str
    iat: int
    recorded_at: int
    expires_at: int
    basis: Basis | None
    target: bytes | None
    commitment: bytes
    r: bytes
    jws: bytes


def foldable(rows: Iterable[StatementRow], directory: Directory) -> list[Statement]:
    """Statements as the fold takes them. Those of a member that is suspended, or unknown by now, do not count."""
    members = {member.issuer: member for member in directory.members}
    found = []
    for row in rows:
        member = members.get(row.author)
        found.append(
            Statement(
                id=row.id,
                kind=row.kind,
                author=row.author,
                group=member.control_group if member else row.author,
                iat=row.iat,
                expires_at=row.expires_at,
                basis=row.basis,
                counts=member is not None and member.state == "active",
                target=row.target,
            )
        )
    return found

"""A stored statement, and how the fold takes it: what its author's state, in the directory, makes of it."""

from collections.abc import Iterable
from typing import NamedTuple

from tocsin_schemas.feed import Directory, DirectoryMember
from tocsin_schemas.fold import Statement
from tocsin_schemas.ledger import instant
from tocsin_schemas.membership import EFFECTS, LEFT_BEHIND_SECONDS, statement_counts, withheld_from
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
    """Statements as the fold takes them. What an author's state takes out, or nobody known said, does not count."""
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
                counts=member is not None
                and statement_counts(member.state, instant(member.since), row.recorded_at, member.activated),
                target=row.target,
            )
        )
    return found


def freed(before: Directory, after: Directory) -> set[str]:
    """Why a hub may show now what it withheld before: the words of the records that it withheld them by.

    `state`: an author's signals, or more of them, count again. `tlp`: a member may read everything that could not; it
    may be the follower itself.
    """
    members = {member.issuer: member for member in after.members}
    found = set()
    for old in before.members:
        new = members.get(old.issuer)
        if new is None:
            continue
        was, now = _withheld(old), _withheld(new)
        if was is not None and (now is None or now > was):
            found.add("state")
        if EFFECTS[old.state].reads == "green" and EFFECTS[new.state].reads == "all":
            found |= {"state", "tlp"}
    return found


def left_behind(directory: Directory, now: int) -> list[str]:
    """The members that left so long ago that nothing they said is kept any more."""
    return [
        member.issuer
        for member in directory.members
        if EFFECTS[member.state].keys == "verify_only" and instant(member.since) + LEFT_BEHIND_SECONDS <= now
    ]


def _withheld(member: DirectoryMember) -> int | None:
    return withheld_from(member.state, instant(member.since), member.activated)

"""The live set of a community: what a snapshot holds and what is listed for people.

In it is every indicator that stands as reported, counted and not disputed: the same fold as the view's, over the same
statements.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from tocsin.db import UnitOfWork
from tocsin.signals import rules
from tocsin.signals.service.context import Context
from tocsin.signals.service.sight import folded, withheld
from tocsin.signals.store import admission, snapshots
from tocsin_schemas.fold import Statement
from tocsin_schemas.vocabulary import MATCHABLE, Status

PAGE: Final = 5000
"""Indicators read at once."""


class Listed(NamedTuple):
    """An indicator of the live set: value, status, and when its last counted report ends (Unix seconds)."""

    value: bytes
    status: Status
    expires_at: int


def live_page(
    context: Context, uow: UnitOfWork, community_id: int, kind: str, after: bytes, *, free: bool = False
) -> tuple[list[Listed], bytes | None]:
    """The part of the live set behind the value `after`, ascending; and where the next part begins, if there is one.

    With `free`, as if only what may travel freely had been said.
    """
    page = snapshots.page(uow, community_id, kind, after, PAGE)
    return _listed(context, uow, page, free=free), _behind(page)


def live_values(context: Context, uow: UnitOfWork, community_id: int, kind: str) -> Iterator[list[bytes]]:
    """The values alone, several times as fast: what nobody disputes is in the set if a report of it counts."""
    uncounted = withheld(context.members.orgs(uow).values())
    after: bytes | None = b""
    while after is not None:
        page = snapshots.page(uow, community_id, kind, after, PAGE)
        after = _behind(page)
        reported, disputed = snapshots.decided(uow, [at for at, _ in page], uncounted)
        contested = [(at, value) for at, value in page if at in disputed]
        standing = {item.value for item in _listed(context, uow, contested)} if contested else set()
        yield [value for at, value in page if (value in standing if at in disputed else at in reported)]


def _behind(page: Sequence[tuple[int, bytes]]) -> bytes | None:
    return page[-1][1] if len(page) == PAGE else None


def _listed(
    context: Context, uow: UnitOfWork, page: Sequence[tuple[int, bytes]], *, free: bool = False
) -> list[Listed]:
    """Those of some indicators that are in the live set."""
    orgs = context.members.orgs(uow)
    facts: dict[int, list[Statement]] = {indicator_id: [] for indicator_id, _ in page}
    for row in admission.about(uow, facts, uow.now):
        if row.free or not free:
            facts[row.indicator_id].append(folded(row, orgs[row.author_id]))
    policy = context.policy(uow)
    return [
        Listed(value, status, max(s.expires_at for s in facts[at] if s.kind == "report" and s.counts))
        for at, value in page
        if (status := rules.standing(facts[at], uow.now, policy).status) in MATCHABLE
    ]

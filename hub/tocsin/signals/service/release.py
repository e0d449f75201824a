"""Releasing what provisional members said, once somebody else whose word counts has reported the same (trust.md §1).

It is shown to others from then on, and still does not count. Log entries are looked at once, in the log's order: a
report that counts may bear out what was said before it, and what is said may be borne out already. Nobody waits for
that: the log's lock is taken only when there is something to release, and without provisional members nothing is done.
For each community the hub's own event names what was released, so that a follower who passed it by fetches it.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final

from tocsin import outbox
from tocsin.db import UnitOfWork
from tocsin.ledger import service as ledger
from tocsin.members.service import Community, Org
from tocsin.outbox import Happening
from tocsin.signals.service.context import Context
from tocsin.signals.service.events import enter
from tocsin.signals.service.sight import UNRELEASED, folded, withheld
from tocsin.signals.service.telling import labels_of
from tocsin.signals.store import admission, releases
from tocsin_schemas import hub_events
from tocsin_schemas.hub_events import MAX_RELEASED
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.notifications import RELEASED

LOOKED_AT: Final = 4096
"""Log entries looked at in one transaction."""


def due(context: Context) -> bool:
    """Whether there is a provisional member, and anything in the log that was not looked at."""
    with context.database.snapshot() as uow:
        return bool(_held(context.members.orgs(uow))) and releases.looked_at(uow) < ledger.size(uow)


def release(context: Context, key: SigningKey) -> int:
    """Release what others have borne out since; how many signals. `key` is the hub's own, for its events."""
    done = 0
    while True:
        with context.database.transaction() as uow:
            first, size = releases.looked_at(uow), ledger.size(uow)
            behind = min(size, first + LOOKED_AT)
            done += _release(uow, context, key, releases.reported_between(uow, first, behind))
            releases.look_at(uow, behind)
        if behind == size:
            return done


def _release(uow: UnitOfWork, context: Context, key: SigningKey, indicator_ids: Collection[int]) -> int:
    orgs = context.members.orgs(uow)
    waiting = releases.withheld(uow, indicator_ids, _held(orgs))
    groups = _reporting(uow, orgs, {item.indicator_id for item in waiting})
    found: dict[int, set[int]] = defaultdict(set)
    for item in waiting:
        if groups[item.indicator_id] - {orgs[item.author_id].group}:
            found[item.community_id].add(item.seq)
    for slug, community in context.members.communities(uow).items():
        freed = sorted(found[community.id])
        for at in range(0, len(freed), MAX_RELEASED):
            seqs = freed[at : at + MAX_RELEASED]
            payload = hub_events.compose_release(
                iss=context.issuer, aud=context.members.audience(slug), iat=uow.now, seqs=seqs
            )
            place = enter(uow, key, community, "release", payload)
            releases.release(uow, seqs)
            outbox.publish(uow, [_told(uow, community, place, seqs)])
    return sum(map(len, found.values()))


def _told(uow: UnitOfWork, community: Community, at: int, seqs: Collection[int]) -> Happening:
    """That these are shown from now on: whoever reads the event at log index `at` learns which."""
    rows = admission.telling(uow, seqs)
    labels = [(row.free, labels_of(row.jws)) for row in rows if row.jws is not None]
    carried = frozenset[str]().union(*(some for _, some in labels))
    freely = frozenset[str]().union(*(some for free, some in labels if free))
    return Happening("signal.recorded", community.id, at, at, 1, 1, carried, freely, rule=RELEASED)


def _held(orgs: Mapping[int, Org]) -> set[int]:
    """The members of whose signals only what was released is shown."""
    return {author for author, since in withheld(orgs.values()).items() if since == UNRELEASED}


def _reporting(
    uow: UnitOfWork, orgs: Mapping[int, Org], indicator_ids: Collection[int]
) -> Mapping[int, set[str]]:
    """For each of the indicators, whose reports of it count: the control groups."""
    groups: dict[int, set[str]] = {indicator_id: set() for indicator_id in indicator_ids}
    for fact in admission.about(uow, indicator_ids, uow.now):
        statement = folded(fact, orgs[fact.author_id])
        if statement.kind == "report" and statement.counts:
            groups[fact.indicator_id].add(statement.group)
    return groups

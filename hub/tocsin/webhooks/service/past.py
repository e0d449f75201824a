"""What members that may read nothing any more are told: what corrects the things that they were given while they could.

It is told to each of them by itself, of these things alone: without labels, and with counts of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tocsin.db import UnitOfWork
from tocsin.members.service import Org
from tocsin.outbox import Event
from tocsin.signals.service import giving
from tocsin.webhooks.rules import Reader, is_barred
from tocsin_schemas.notifications import CORRECTIONS


def corrections(
    uow: UnitOfWork, orgs: Mapping[int, Org], readers: Mapping[int, Reader], event: Event
) -> Iterator[tuple[int, Event]]:
    """(member, the same event as far as it was given of it) for each such member that has something to correct."""
    what = event.what
    if what.type not in CORRECTIONS or what.community_id is None or what.first is None or what.last is None:
        return
    barred = [one.organisation_id for one in readers.values() if is_barred(one, what.community_id)]
    if not barred:
        return
    places: dict[int, list[int]] = {}
    if what.type == "indicator.disputed":
        disputes = giving.between(uow, what.community_id, what.first, what.last)
        about = {number for one in disputes for number, _ in one.indicators}
        for org_id, _ in giving.indicators_given(uow, orgs, barred, what.community_id, about):
            places[org_id] = [what.last]
    else:
        seqs = {one.seq for one in giving.departed(uow, what.community_id, what.first, what.last)}
        for org_id, seq in giving.given_before(uow, orgs, barred, what.community_id, seqs):
            places.setdefault(org_id, []).append(seq)
    for org_id, given in sorted(places.items()):
        yield (
            org_id,
            replace(
                event,
                what=replace(
                    what,
                    first=min(given),
                    last=max(given),
                    count=len(given),
                    free_count=len(given),
                    expires_at=None,
                    organisation_id=org_id,
                ),
            ),
        )

"""Fan-out: what happened becomes messages, and each message an item for every endpoint that it is for.

1. Happenings are taken from the outbox, the urgent ones first, in the order they were written, and marked in the same
   transaction. What is urgent is numbered apart, so that it may overtake.
2. Each becomes a message; two, where readers that are given only what travels freely may be told less.
3. Endpoints are matched: what their member may be told now, then what they asked for. Nothing that was caused before an
   endpoint first became active is for it.
4. Each match is numbered, one number after another for each endpoint and subject, and queued.

An endpoint that rests or has failed is numbered and queued for like any other: the engine keeps what is for it. For a
suspended member what it is not told is numbered all the same, so that it notices when it is back.
"""

import json
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tocsin import outbox
from tocsin.db import UnitOfWork
from tocsin.delivery import service as delivery
from tocsin.delivery.service import NewItem
from tocsin.members.service import Community
from tocsin.outbox import Event, Happening
from tocsin.webhooks import rules
from tocsin.webhooks.rules import Audience
from tocsin.webhooks.service.context import Webhooks
from tocsin.webhooks.service.past import corrections
from tocsin.webhooks.service.readers import notice, readers, wanted
from tocsin.webhooks.store import messages as store
from tocsin.webhooks.store.messages import Draft, Listening
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.notifications import ENDPOINT_EVENTS, LANES, SEVERITY, EventType, compose, subject_of
from tocsin_schemas.policy import DAY

MOST_EVENTS: Final = 500
"""Happenings taken in one transaction."""
MOST_ITEMS: Final = 10_000
"""About so many items are queued in one transaction at most, so that others can write in between."""
KEPT_SECONDS: Final = 30 * DAY
"""How long messages are kept: as long as they can be asked for again."""
FORGOTTEN: Final = 5000
"""Messages deleted in one transaction."""


class _Scope(NamedTuple):
    """Whom a message is for, and which log entries it is about."""

    organisation_id: int | None = None
    community_id: int | None = None
    audience: Audience = "any"
    first: int | None = None
    last: int | None = None
    labels: frozenset[str] = frozenset()


def due(webhooks: Webhooks) -> bool:
    """Whether anything happened that no message was made of."""
    with webhooks.database.snapshot() as uow:
        return outbox.waiting(uow, "webhooks")


def fan_out(webhooks: Webhooks) -> int:
    """Make messages of everything that happened; how many happenings there were."""
    done = 0
    while True:
        with webhooks.database.transaction() as uow:
            limit = max(1, min(MOST_EVENTS, MOST_ITEMS // max(1, store.count_listening(uow))))
            # 1. What happened. Who listens is asked behind it: whoever was there when it happened is there now.
            events = outbox.take(uow, "webhooks", limit)
            if events:
                _hand_out(webhooks, uow, events)
        done += len(events)
        if len(events) < limit:
            return done


def tell(uow: UnitOfWork, endpoint_id: int, kind: EventType) -> str:
    """Queue one message about an endpoint for itself, `endpoint.test` for one; the message's public id."""
    public_id, organisation_id, receiver_id = store.one(uow, endpoint_id)
    about = f"endpoint:{public_id}"
    draft = _draft(uow, kind, {"subject": about}, uow.now, _Scope(organisation_id=organisation_id))
    (message_id,) = store.add(uow, [draft])
    seq = store.count_subjects(uow, [(endpoint_id, about, 1)])[endpoint_id, about]
    delivery.enqueue(uow, [NewItem(receiver_id, LANES[SEVERITY[kind]], message_id, seq)])
    return draft.public_id


def forget(webhooks: Webhooks) -> int:
    """Delete messages past their time; how many."""
    done = 0
    while True:
        with webhooks.database.transaction() as uow:
            found = store.forget(uow, uow.now - KEPT_SECONDS, FORGOTTEN)
            if found < FORGOTTEN:
                store.forget_subjects(uow)
        done += found
        if found < FORGOTTEN:
            return done


def _hand_out(webhooks: Webhooks, uow: UnitOfWork, events: Sequence[Event]) -> None:
    communities = webhooks.members.communities(uow)
    slugs = {community.id: slug for slug, community in communities.items()}
    # 2. Messages.
    orgs, behind = webhooks.members.orgs(uow), readers(webhooks.members, uow)
    drafts = [
        draft
        for event in events
        for draft in (
            *_drafts(uow, event, slugs, webhooks.members.hub),
            *(
                _about(uow, own, "any", own.what.count, frozenset(), slugs, webhooks.members.hub)
                for _, own in corrections(uow, orgs, behind, event)
            ),
        )
    ]
    ids = store.add(uow, drafts)
    # 3. Whom they are for.
    matched = list(_matches(webhooks, uow, drafts, communities))
    # 4. Numbers, then queues: whoever takes both locks takes them in this order.
    counts = Counter((one.id, drafts[at].subject) for at, one, _ in matched)
    newest = store.count_subjects(uow, [(*about, more) for about, more in counts.items()]) if counts else {}
    following = {about: newest[about] - more for about, more in counts.items()}
    items = []
    for at, one, told in matched:
        following[one.id, drafts[at].subject] += 1
        seq = following[one.id, drafts[at].subject]
        if told:
            items.append(NewItem(one.receiver_id, LANES[drafts[at].severity], ids[at], seq))
    delivery.enqueue(uow, items)


def _matches(
    webhooks: Webhooks, uow: UnitOfWork, drafts: Sequence[Draft], communities: Mapping[str, Community]
) -> Iterator[tuple[int, Listening, bool]]:
    """(place of the draft, endpoint, whether it is told) for each endpoint that a draft counts for, draft by draft."""
    behind = readers(webhooks.members, uow)
    endpoints = [(one, behind[one.organisation_id], wanted(one, communities)) for one in store.listening(uow)]
    for at, draft in enumerate(drafts):
        said = notice(draft)
        for one, reader, asked in endpoints:
            if draft.caused_at < one.activated_at or draft.subject == f"endpoint:{one.public_id}":
                continue
            told = rules.addressed(reader, asked, said)
            if told or rules.missed(reader, asked, said):
                yield at, one, told


def _drafts(uow: UnitOfWork, event: Event, slugs: Mapping[int, str], hub: str) -> Iterator[Draft]:
    """The messages of one happening: none when nobody may be told of it."""
    what = event.what
    if what.type in ENDPOINT_EVENTS:
        about = f"endpoint:{what.endpoint}"
        data = {"subject": about, "reason": what.status, "link": f"{hub}/console/endpoints/{what.endpoint}"}
        yield _draft(uow, what.type, data, event.caused_at, _Scope(organisation_id=what.organisation_id))
        return
    same = what.count == what.free_count and what.labels == what.free_labels
    if what.count:
        yield _about(uow, event, "any" if same else "full", what.count, what.labels, slugs, hub)
    if what.free_count and not same:
        yield _about(uow, event, "free", what.free_count, what.free_labels, slugs, hub)


def _about(
    uow: UnitOfWork,
    event: Event,
    audience: Audience,
    count: int,
    labels: frozenset[str],
    slugs: Mapping[int, str],
    hub: str,
) -> Draft:
    what = event.what
    slug = None if what.community_id is None else slugs[what.community_id]
    # What is told of one entry alone is told only where that one is all there is to tell.
    single = what.count == count
    data = {
        "subject": subject_of(what.type, slug),
        "community": slug,
        "cursor": what.cursor,
        "first": what.first,
        "last": what.last,
        "count": count,
        "status": what.status if single else None,
        "rule": what.rule,
        "policy_version": what.policy,
        "expires_at": rfc3339(what.expires_at) if single and what.expires_at is not None else None,
        "labels": sorted(labels) or None,
        "link": _link(what, slug, hub),
    }
    # Filters are asked for all the labels, whatever is told of them.
    asked = what.labels if what.organisation_id is not None else labels
    scope = _Scope(what.organisation_id, what.community_id, audience, what.first, what.last, asked)
    return _draft(uow, what.type, data, event.caused_at, scope)


def _link(what: Happening, slug: str | None, hub: str) -> str:
    """Where it can be read."""
    if slug is None:
        return f"{hub}/.well-known/tocsin/board/records"
    if what.first is None:
        return f"{hub}/v1/communities/{slug}/members"
    feed = f"{hub}/v1/communities/{slug}/feed"
    return f"{feed}?after={what.first - 1}" if what.first else feed


def _draft(uow: UnitOfWork, kind: EventType, data: Mapping[str, Any], caused_at: int, scope: _Scope) -> Draft:
    return Draft(
        f"msg_{uow.now & 0xFFFF_FFFF:08x}{secrets.token_hex(12)}",
        kind,
        data["subject"],
        scope.community_id,
        scope.organisation_id,
        scope.audience,
        scope.first,
        scope.last,
        json.dumps(sorted(scope.labels)),
        SEVERITY[kind],
        compose(kind, caused_at, data),
        caused_at,
    )

"""Who stands behind endpoints: what their members may read now, and what they asked for."""

import json
from collections.abc import Mapping
from typing import Any

from tocsin.db import UnitOfWork
from tocsin.members.service import Members
from tocsin.webhooks.rules import Filter, Notice, Reader
from tocsin.webhooks.store.messages import Draft, Listening, Message


def readers(members: Members, uow: UnitOfWork) -> dict[int, Reader]:
    """Every member as a reader, by its id."""
    reads = members.reading(uow)
    return {
        org.id: Reader(org.id, org.member_class, org.state, reads.get(org.id, frozenset()))
        for org in members.orgs(uow).values()
    }


def wanted(one: Listening, communities: Mapping[str, Any]) -> Filter:
    """What an endpoint asks for; `communities` goes from slug to what has the id. One that is gone matches nothing."""
    slugs = json.loads(one.communities)
    ids = frozenset(communities[slug].id if slug in communities else -1 for slug in slugs)
    return Filter(frozenset(json.loads(one.types)), ids, frozenset(json.loads(one.labels)), one.severity)


def notice(message: Message | Draft) -> Notice:
    """What of a message decides to whom it goes."""
    return Notice(
        message.type,
        message.severity,
        message.audience,
        message.community_id,
        message.organisation_id,
        frozenset(json.loads(message.labels)),
    )

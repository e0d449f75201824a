"""Sending again, and sending a test: what goes to one endpoint because its owner asks.

A replay queues what the endpoint was given once, under the same message ids and numbers: a receiver that remembers ids
sees what it has had. Whether something may still be sent is asked when its turn comes.
"""

from typing import NamedTuple

from tocsin.db import UnitOfWork
from tocsin.delivery import service as delivery
from tocsin.errors import Refused
from tocsin.webhooks import rules
from tocsin.webhooks.service.context import Webhooks
from tocsin.webhooks.service.endpoints import found, taken
from tocsin.webhooks.service.fanout import tell
from tocsin.webhooks.store import endpoints as store
from tocsin.webhooks.store.endpoints import Stored
from tocsin_schemas.endpoints import Replay
from tocsin_schemas.ledger import instant

LAST = 2**62
"""Behind every message there will be."""


class Replayed(NamedTuple):
    """How many messages go out again, and the public id of the one to go on with, where there were more."""

    queued: int
    next: str | None


def replay(webhooks: Webhooks, org_id: int, public_id: str, wanted: Replay) -> Replayed:
    """Send messages to an endpoint again.

    Raises:
        Refused: `not-found` also for a message that it was not given; `endpoint-inactive`; `rate-limited` when much
            waits for it already; `request-invalid` for an instant that is none.
    """
    with webhooks.database.transaction() as uow:
        stored = _active(uow, taken(uow, org_id, public_id))
        if wanted.since_disabled:
            queued, following = delivery.release(uow, stored.receiver_id, rules.MOST_REPLAYED)
        else:
            first, last = _range(uow, stored.receiver_id, wanted)
            queued, following = delivery.requeue_between(
                uow, stored.receiver_id, first, last, rules.MOST_REPLAYED
            )
        after = store.told(uow, () if following is None else (following,))
        return Replayed(queued, next((one.public_id for one in after.values()), None))


def send_test(webhooks: Webhooks, org_id: int, public_id: str) -> str:
    """Queue a test message for an active endpoint; its public id.

    Raises:
        Refused: `not-found`, `endpoint-inactive`; `rate-limited` when much waits for it already.
    """
    with webhooks.database.transaction() as uow:
        # Not locked before: whoever tells numbers the subject first and takes the queue then.
        stored = _active(uow, found(uow, org_id, public_id))
        return tell(uow, stored.id, "endpoint.test")


def given(uow: UnitOfWork, receiver_id: int, message: str, field: str) -> delivery.Item:
    """What an endpoint was given as the message with that public id.

    Raises:
        Refused: `not-found`; whether the message exists for others makes no difference.
    """
    message_id = store.message_id(uow, message)
    items = [] if message_id is None else delivery.items(uow, receiver_id, before=message_id + 1, limit=1)
    if not items or items[0].message_id != message_id:
        raise Refused("not-found", field, "no such message for this endpoint")
    return items[0]


def _active(uow: UnitOfWork, stored: Stored) -> Stored:
    """The same, if it is sent anything and does not have too much waiting."""
    if stored.state != "active":
        raise Refused("endpoint-inactive", "", "only an active endpoint is sent anything")
    rules.check_backlog(delivery.standings(uow, [stored.receiver_id])[stored.receiver_id].backlog)
    return stored


def _range(uow: UnitOfWork, receiver_id: int, wanted: Replay) -> tuple[int, int]:
    """The first and the last message that are meant, by their ids."""
    if wanted.message is not None:
        only = given(uow, receiver_id, wanted.message, "message").message_id
        return only, only
    if wanted.first is not None:
        first = given(uow, receiver_id, wanted.first, "first").message_id
        last = LAST if wanted.last is None else given(uow, receiver_id, wanted.last, "last").message_id
        return first, last
    try:
        since = instant(str(wanted.since))
    except ValueError:
        raise Refused("request-invalid", "since", "RFC 3339 in UTC with whole seconds") from None
    earliest = store.first_since(uow, since)
    return (LAST, LAST) if earliest is None else (earliest, LAST)

"""What an endpoint was sent: its messages and how they ended, and every single try. All of it reads."""

from collections.abc import Collection
from typing import NamedTuple

from tocsin.db import UnitOfWork
from tocsin.delivery import service as engine
from tocsin.webhooks.service.context import Webhooks
from tocsin.webhooks.service.endpoints import found
from tocsin.webhooks.service.replay import given
from tocsin.webhooks.store import endpoints as store
from tocsin_schemas.endpoints import DeliveryState, Failure
from tocsin_schemas.notifications import EventType


class Delivery(NamedTuple):
    """One message for an endpoint, and how its last try ended. Instants are Unix seconds.

    `urgent` is the lane it goes by; `next_at` when it is tried next, while it is pending.
    """

    message: str
    type: EventType
    subject: str
    seq: int
    state: DeliveryState
    urgent: bool
    attempts: int
    queued_at: int
    next_at: int | None
    ended_at: int | None
    status: int | None
    failure: Failure | None


class Attempt(NamedTuple):
    """One try: the message, which try of it, when, how long it took (ms), and a status or why there is none."""

    id: int
    message: str
    number: int
    at: int
    duration_ms: int
    status: int | None
    failure: Failure | None


def deliveries(
    webhooks: Webhooks,
    org_id: int,
    public_id: str,
    *,
    state: DeliveryState | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[Delivery]:
    """The messages of an endpoint, the newest first; those before the message of that public id.

    Raises:
        Refused: `not-found`, for the message as for the endpoint.
    """
    with webhooks.database.snapshot() as uow:
        receiver_id = found(uow, org_id, public_id).receiver_id
        behind = None if before is None else given(uow, receiver_id, before, "before").message_id
        states = () if state is None else (state,)
        return _deliveries(uow, engine.items(uow, receiver_id, states, behind, limit))


def delivery(webhooks: Webhooks, org_id: int, public_id: str, message: str) -> Delivery:
    """One message of an endpoint.

    Raises:
        Refused: `not-found`, for the message as for the endpoint.
    """
    with webhooks.database.snapshot() as uow:
        item = given(uow, found(uow, org_id, public_id).receiver_id, message, "message")
        return _deliveries(uow, [item])[0]


def attempts(
    webhooks: Webhooks,
    org_id: int,
    public_id: str,
    *,
    message: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Attempt]:
    """The tries of an endpoint, or of one of its messages, the newest first; those before the try of that id.

    Raises:
        Refused: `not-found`, for the message as for the endpoint.
    """
    with webhooks.database.snapshot() as uow:
        receiver_id = found(uow, org_id, public_id).receiver_id
        item_id = None if message is None else given(uow, receiver_id, message, "message").id
        rows = engine.attempts(uow, receiver_id, item_id, before, limit)
        told = store.told(uow, {row.message_id for row in rows})
        return [
            Attempt(
                row.id,
                told[row.message_id].public_id,
                row.number,
                row.at,
                row.duration_ms,
                row.status,
                row.failure,
            )
            for row in rows
            if row.message_id in told
        ]


def _deliveries(uow: UnitOfWork, items: Collection[engine.Item]) -> list[Delivery]:
    """Items with what their messages are; those whose message was forgotten meanwhile are left out."""
    told = store.told(uow, {item.message_id for item in items})
    return [
        Delivery(
            message=told[item.message_id].public_id,
            type=told[item.message_id].type,
            subject=told[item.message_id].subject,
            seq=item.seq,
            state=item.state,
            urgent=item.lane == 0,
            attempts=item.attempts,
            queued_at=item.created_at,
            next_at=item.next_at if item.state == "pending" else None,
            ended_at=item.ended_at,
            status=item.status,
            failure=item.failure,
        )
        for item in items
        if item.message_id in told
    ]

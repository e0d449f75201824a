"""Endpoints are stopped, by the hub for what they answer or by its operator, and their members are told.

What was for one is kept back, and counted on: whoever comes back sees what it has missed. Queues are locked before rows
of endpoints, as the courier does.
"""

from collections.abc import Sequence

from tocsin import outbox
from tocsin.db import Database, UnitOfWork
from tocsin.delivery import service as delivery
from tocsin.errors import Refused
from tocsin.outbox import Happening
from tocsin.webhooks.store import endpoints, messages
from tocsin_schemas.endpoints import DisabledReason


def disable(uow: UnitOfWork, receiver_ids: Sequence[int], reason: DisabledReason) -> None:
    """Disable the endpoints behind these receivers, unless they are. What was given up since they fail is kept too."""
    for one in messages.disable(uow, receiver_ids, reason):
        delivery.close(uow, one.receiver_id, keep=True, revive=True)
        _tell(uow, one.organisation_id, one.public_id, reason)


def stop(database: Database, public_id: str) -> int:
    """Stop any endpoint as the operator; the id of its member. It stays stopped until the operator allows it again.

    Raises:
        Refused: `not-found`; `conflict` for one that the operator has stopped already.
    """
    with database.transaction() as uow:
        now = _locked(uow, public_id)
        if now.reason == "operator":
            raise Refused("conflict", "endpoint", "the operator has stopped it already")
        delivery.close(uow, now.receiver_id, keep=now.activated_at is not None)
        endpoints.set_endpoint(
            uow, now.id, {"state": "disabled", "reason": "operator", "disabled_at": uow.now}
        )
        _tell(uow, now.organisation_id, public_id, "operator")
        return now.organisation_id


def allow(database: Database, public_id: str) -> int:
    """Let the owner of an endpoint that the operator has stopped activate it again; the id of its member.

    Raises:
        Refused: `not-found`; `conflict` for one that the operator has not stopped.
    """
    with database.transaction() as uow:
        now = _locked(uow, public_id)
        if now.reason != "operator":
            raise Refused("conflict", "endpoint", "the operator has not stopped it")
        endpoints.set_endpoint(uow, now.id, {"state": "pending", "reason": None, "disabled_at": None})
        return now.organisation_id


def _locked(uow: UnitOfWork, public_id: str) -> endpoints.Stored:
    """Anybody's endpoint, as it is once nobody else can change it."""
    delivery.lock(uow, [_any(uow, public_id).receiver_id])
    return _any(uow, public_id)


def _any(uow: UnitOfWork, public_id: str) -> endpoints.Stored:
    found = endpoints.of_anybody(uow, public_id)
    if found is None:
        raise Refused("not-found", "endpoint", "no such endpoint")
    return found


def _tell(uow: UnitOfWork, organisation_id: int, public_id: str, reason: DisabledReason) -> None:
    what = Happening(
        "endpoint.disabled",
        None,
        None,
        None,
        status=reason,
        organisation_id=organisation_id,
        endpoint=public_id,
    )
    outbox.publish(uow, [what])

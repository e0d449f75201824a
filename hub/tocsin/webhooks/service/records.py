"""What the use cases of endpoints give back."""

from typing import NamedTuple

from tocsin.db import UnitOfWork
from tocsin.delivery import service as delivery
from tocsin.delivery.service import Standing
from tocsin.webhooks import rules
from tocsin.webhooks.store.endpoints import Stored
from tocsin_schemas.endpoints import DisabledReason, EndpointState
from tocsin_schemas.notifications import Detail, EventType, Severity


class Endpoint(NamedTuple):
    """An endpoint, and how sending to it goes. Instants are Unix seconds.

    `generation` counts its secrets; the one before the newest signs too until `overlap_until`.
    """

    id: int
    public_id: str
    organisation_id: int
    receiver_id: int
    url: str
    state: EndpointState
    reason: DisabledReason | None
    detail: Detail
    types: list[EventType]
    communities: list[str]
    labels: list[str]
    severity: Severity
    generation: int
    rotated_at: int | None
    created_at: int
    activated_at: int | None
    disabled_at: int | None
    standing: Standing
    overlap_until: int | None


class Revealed(NamedTuple):
    """An endpoint with what verifies its requests, which is shown this once: `whsec_…` and `whpk_…`."""

    endpoint: Endpoint
    secret: str
    public_key: str


def read(uow: UnitOfWork, stored: list[Stored]) -> list[Endpoint]:
    """Stored endpoints with how they stand."""
    if not stored:
        return []
    standings = delivery.standings(uow, [one.receiver_id for one in stored])
    return [
        Endpoint(*one, standings[one.receiver_id], rules.overlap_until(one.rotated_at, uow.now))
        for one in stored
    ]

"""What the use cases of endpoints give back."""

from typing import NamedTuple

from tocsin.db import UnitOfWork
from tocsin.delivery import service as delivery
from tocsin.delivery.service import Standing
from tocsin.webhooks import rules
from tocsin.webhooks.service.secrets import Secrets
from tocsin.webhooks.store.endpoints import Stored
from tocsin_schemas.endpoints import DisabledReason, EndpointState
from tocsin_schemas.notifications import Detail, EventType, Severity
from tocsin_schemas.webhooks import render_key


class Endpoint(NamedTuple):
    """An endpoint, and how sending to it goes. Instants are Unix seconds.

    `generation` counts its secrets; the one before the newest signs too until `overlap_until`. `public_keys` (`whpk_…`)
    are those of which each request carries a signature now, the newest first. Where the hub has changed its own key
    since the newest secret was made, that one ends at `rotate_by`.
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
    public_keys: list[str]
    rotate_by: int | None


class Warned(NamedTuple):
    """An endpoint that its owner has to look after: it was stopped, or its newest secret ends at `rotate_by`."""

    public_id: str
    disabled: bool
    reason: DisabledReason | None
    rotate_by: int | None


class Revealed(NamedTuple):
    """An endpoint with what verifies its requests: `whsec_…`, which is shown this once, and `whpk_…`."""

    endpoint: Endpoint
    secret: str
    public_key: str


def read(secrets: Secrets, uow: UnitOfWork, stored: list[Stored]) -> list[Endpoint]:
    """Stored endpoints with how they stand."""
    if not stored:
        return []
    standings = delivery.standings(uow, [one.receiver_id for one in stored])
    keys, lives = secrets.keys(uow), secrets.lives(uow)
    return [
        Endpoint(
            *one,
            standings[one.receiver_id],
            rules.overlap_until(one.rotated_at, uow.now),
            [render_key(key) for key in secrets.signer(one, uow.now, keys).public_keys],
            rules.rotate_by(one.rotated_at or one.created_at, lives),
        )
        for one in stored
    ]

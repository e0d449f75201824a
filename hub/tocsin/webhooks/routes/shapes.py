"""Endpoints as JSON: instants in RFC 3339, nothing null."""

from tocsin.webhooks.service.log import Attempt, Delivery
from tocsin.webhooks.service.records import Endpoint, Revealed
from tocsin_schemas.endpoints import AttemptView, DeliveryView, EndpointRevealed, EndpointView
from tocsin_schemas.ledger import rfc3339


def view(endpoint: Endpoint) -> EndpointView:
    """An endpoint."""
    standing = endpoint.standing
    return EndpointView(
        id=endpoint.public_id,
        url=endpoint.url,
        state=endpoint.state,
        reason=endpoint.reason if endpoint.state == "disabled" else None,
        detail=endpoint.detail,
        types=endpoint.types,
        communities=endpoint.communities,
        labels=endpoint.labels,
        severity=endpoint.severity,
        created_at=rfc3339(endpoint.created_at),
        activated_at=_at(endpoint.activated_at),
        disabled_at=_at(endpoint.disabled_at),
        overlap_until=_at(endpoint.overlap_until),
        public_keys=endpoint.public_keys,
        rotate_by=_at(endpoint.rotate_by),
        backlog=standing.backlog,
        held=standing.held,
        failures=standing.failures,
        failing_since=_at(standing.failing_since),
        succeeded_at=_at(standing.succeeded_at),
        p50_ms=standing.p50_ms,
        p99_ms=standing.p99_ms,
    )


def revealed(made: Revealed) -> EndpointRevealed:
    """An endpoint with its secret and its public key."""
    known = view(made.endpoint)
    said = {name: getattr(known, name) for name in type(known).model_fields}
    return EndpointRevealed(**said, secret=made.secret, public_key=made.public_key)


def delivery(one: Delivery) -> DeliveryView:
    """A message in the log of an endpoint."""
    return DeliveryView(
        message=one.message,
        type=one.type,
        subject=one.subject,
        seq=one.seq,
        state=one.state,
        urgent=one.urgent,
        attempts=one.attempts,
        queued_at=rfc3339(one.queued_at),
        next_at=_at(one.next_at),
        ended_at=_at(one.ended_at),
        status=one.status,
        failure=one.failure,
    )


def attempt(one: Attempt) -> AttemptView:
    """A try."""
    return AttemptView(
        id=one.id,
        message=one.message,
        number=one.number,
        at=rfc3339(one.at),
        duration_ms=one.duration_ms,
        status=one.status,
        failure=one.failure,
    )


def _at(instant: int | None) -> str | None:
    return None if instant is None else rfc3339(instant)

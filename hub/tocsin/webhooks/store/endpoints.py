"""Queries of endpoints: those of one member, so that an id of another's is like one that never was.

`of_anybody` alone knows no member: it is the operator's.
"""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, func, select, text

from tocsin.db import UnitOfWork
from tocsin.webhooks.store.tables import endpoint, message, subject
from tocsin_schemas.endpoints import ENDPOINT_ID_PATTERN, MESSAGE_ID_PATTERN, DisabledReason, EndpointState
from tocsin_schemas.notifications import Detail, EventType, Severity

_ENDPOINT_ID: Final = re.compile(ENDPOINT_ID_PATTERN)
_MESSAGE_ID: Final = re.compile(MESSAGE_ID_PATTERN)
_TURN: Final = 0x7765_6268
"""The first half of PostgreSQL's advisory locks of endpoints; the second is the member."""


class Stored(NamedTuple):
    """An endpoint as its row says, with its filters as lists."""

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


class Told(NamedTuple):
    """A message, as the log of an endpoint names it."""

    id: int
    public_id: str
    type: EventType
    subject: str
    severity: Severity


_LISTS: Final = ("types", "communities", "labels")
_COLUMNS: Final = ["target" if name == "url" else name for name in Stored._fields]
_ENDPOINTS: Final = select(*(endpoint.c[name] for name in _COLUMNS))
_MESSAGES: Final = select(*(message.c[name] for name in Told._fields))


def turn(uow: UnitOfWork, organisation_id: int) -> None:
    """Let one transaction at a time count the endpoints and probes of a member. On SQLite there is only one anyway."""
    if uow.dialect == "postgresql":
        uow.conn.execute(
            text("SELECT pg_advisory_xact_lock(:one, :two)"), {"one": _TURN, "two": organisation_id}
        )


def count(uow: UnitOfWork, organisation_id: int) -> int:
    """How many endpoints a member has."""
    chosen = select(func.count()).where(endpoint.c.organisation_id == organisation_id)
    return int(uow.conn.execute(chosen).scalar_one())


def endpoints(uow: UnitOfWork, organisation_id: int) -> list[Stored]:
    """The endpoints of a member, the oldest first."""
    chosen = _ENDPOINTS.where(endpoint.c.organisation_id == organisation_id).order_by(endpoint.c.id)
    return [_endpoint(row) for row in uow.conn.execute(chosen)]


def disabled(uow: UnitOfWork, organisation_id: int) -> list[str]:
    """The public ids of the endpoints of a member that are disabled, the oldest first."""
    c = endpoint.c
    chosen = select(c.public_id).where(c.organisation_id == organisation_id, c.state == "disabled")
    return list(uow.conn.execute(chosen.order_by(c.id)).scalars())


def by_public_id(
    uow: UnitOfWork, organisation_id: int, public_id: str, *, locked: bool = False
) -> Stored | None:
    """One endpoint of a member; `locked` keeps others from changing it until the transaction ends."""
    if not _ENDPOINT_ID.fullmatch(public_id):
        return None  # PostgreSQL cannot even be asked for every text
    chosen = _ENDPOINTS.where(
        endpoint.c.organisation_id == organisation_id, endpoint.c.public_id == public_id
    )
    row = uow.conn.execute(chosen.with_for_update() if locked else chosen).one_or_none()
    return None if row is None else _endpoint(row)


def of_anybody(uow: UnitOfWork, public_id: str) -> Stored | None:
    """The endpoint with that id, whoever owns it: for the operator alone."""
    if not _ENDPOINT_ID.fullmatch(public_id):
        return None
    row = uow.conn.execute(_ENDPOINTS.where(endpoint.c.public_id == public_id)).one_or_none()
    return None if row is None else _endpoint(row)


def add(uow: UnitOfWork, values: Mapping[str, Any]) -> None:
    """Add an endpoint."""
    uow.conn.execute(endpoint.insert().values(**_row(values), created_at=uow.now))


def set_endpoint(uow: UnitOfWork, endpoint_id: int, values: Mapping[str, Any]) -> None:
    """Change columns of an endpoint."""
    uow.conn.execute(endpoint.update().where(endpoint.c.id == endpoint_id).values(**_row(values)))


def forget_subjects(uow: UnitOfWork, endpoint_id: int) -> None:
    """Forget how far the subjects of an endpoint were counted."""
    uow.conn.execute(delete(subject).where(subject.c.endpoint_id == endpoint_id))


def remove(uow: UnitOfWork, endpoint_id: int) -> None:
    """Delete an endpoint."""
    uow.conn.execute(delete(endpoint).where(endpoint.c.id == endpoint_id))


def told(uow: UnitOfWork, message_ids: Collection[int]) -> dict[int, Told]:
    """These messages by id; those that were forgotten are left out."""
    chosen = _MESSAGES.where(uow.among(message.c.id, message_ids))
    return {row.id: Told._make(row) for row in uow.conn.execute(chosen)} if message_ids else {}


def message_id(uow: UnitOfWork, public_id: str) -> int | None:
    """The message with that public id, whoever it is for."""
    if not _MESSAGE_ID.fullmatch(public_id):
        return None
    return uow.conn.execute(select(message.c.id).where(message.c.public_id == public_id)).scalar_one_or_none()


def first_since(uow: UnitOfWork, instant: int) -> int | None:
    """The first message that was made at an instant or later."""
    chosen = select(func.min(message.c.id)).where(message.c.created_at >= instant)
    return uow.conn.execute(chosen).scalar_one_or_none()


def _endpoint(row: Any) -> Stored:
    values = dict(zip(Stored._fields, row, strict=True))
    return Stored(**values | {name: json.loads(values[name]) for name in _LISTS})


def _row(values: Mapping[str, Any]) -> dict[str, Any]:
    named = {"target" if name == "url" else name: value for name, value in values.items()}
    return named | {name: json.dumps(named[name]) for name in _LISTS if name in named}

"""Queries of messages: making them, who listens, how far each subject was counted, and forgetting."""

import json
from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ARRAY, BigInteger, String, cast, delete, func, literal, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import NullType

from tocsin.db import UnitOfWork
from tocsin.webhooks.rules import Audience
from tocsin.webhooks.store.tables import endpoint, message, subject
from tocsin_schemas.endpoints import DisabledReason, EndpointState
from tocsin_schemas.notifications import Detail, EventType, Severity


class Draft(NamedTuple):
    """A message to make, as its row has it; `labels` is a JSON list, sorted."""

    public_id: str
    type: EventType
    subject: str
    community_id: int | None
    organisation_id: int | None
    audience: Audience
    first_seq: int | None
    last_seq: int | None
    labels: str
    severity: Severity
    body: bytes
    caused_at: int


class Message(NamedTuple):
    """A message that was made."""

    id: int
    public_id: str
    type: EventType
    subject: str
    community_id: int | None
    organisation_id: int | None
    audience: Audience
    first_seq: int | None
    last_seq: int | None
    labels: str
    severity: Severity
    body: bytes
    caused_at: int


class Listening(NamedTuple):
    """An endpoint that has been active: its filters as JSON lists, and what its requests are made with."""

    id: int
    public_id: str
    organisation_id: int
    receiver_id: int
    target: str
    state: EndpointState
    detail: Detail
    types: str
    communities: str
    labels: str
    severity: Severity
    generation: int
    rotated_at: int | None
    activated_at: int


_MESSAGES: Final = select(*(message.c[name] for name in Message._fields))
_LISTENING: Final = select(*(endpoint.c[name] for name in Listening._fields)).where(
    endpoint.c.activated_at.is_not(None)
)


def add(uow: UnitOfWork, drafts: Sequence[Draft]) -> list[int]:
    """Make messages; their ids, in order and ascending."""
    if not drafts:
        return []
    columns = (*Draft._fields, "created_at")
    uow.insert_rows(message, columns, [(*draft, uow.now) for draft in drafts])
    chosen = select(message.c.public_id, message.c.id).where(
        uow.among(message.c.public_id, [draft.public_id for draft in drafts])
    )
    ids = {row.public_id: row.id for row in uow.conn.execute(chosen)}
    return [ids[draft.public_id] for draft in drafts]


def messages(uow: UnitOfWork, ids: Collection[int]) -> dict[int, Message]:
    """These messages by id; those that were forgotten are left out."""
    chosen = _MESSAGES.where(uow.among(message.c.id, ids))
    return {row.id: Message._make(row) for row in uow.conn.execute(chosen)}


def count_listening(uow: UnitOfWork) -> int:
    """How many endpoints have ever been active."""
    chosen = select(func.count()).select_from(endpoint).where(endpoint.c.activated_at.is_not(None))
    return int(uow.conn.execute(chosen).scalar_one())


def listening(uow: UnitOfWork, receiver_ids: Collection[int] | None = None) -> list[Listening]:
    """The endpoints that have ever been active; all, or those behind these receivers."""
    chosen = _LISTENING
    if receiver_ids is not None:
        chosen = chosen.where(uow.among(endpoint.c.receiver_id, receiver_ids))
    return [Listening._make(row) for row in uow.conn.execute(chosen.order_by(endpoint.c.id))]


def one(uow: UnitOfWork, endpoint_id: int) -> Any:
    """(public id, organisation id, receiver id) of an endpoint."""
    c = endpoint.c
    chosen = select(c.public_id, c.organisation_id, c.receiver_id).where(c.id == endpoint_id)
    return uow.conn.execute(chosen).one()


def count_subjects(uow: UnitOfWork, counts: Sequence[tuple[int, str, int]]) -> dict[tuple[int, str], int]:
    """Count (endpoint id, subject, how many more); (endpoint id, subject) to the number of the newest.

    In one statement and one order, so that two who count do not wait for each other.
    """
    rows = sorted(counts)
    if uow.dialect == "postgresql":
        kinds: tuple[Any, ...] = (BigInteger(), String(), BigInteger())
        arrays: list[Any] = [
            cast(literal([row[at] for row in rows], NullType()), ARRAY(kind)) for at, kind in enumerate(kinds)
        ]
        given = func.unnest(*arrays).table_valued("a", "b", "c").render_derived()
        chosen: Any = select(given.c.a, given.c.b, given.c.c)
        insert: Any = postgresql.insert(subject)
    else:
        value = func.json_each(json.dumps(rows)).table_valued("value").c.value
        cut = [func.json_extract(value, f"$[{at}]") for at in range(3)]
        # SQLite takes ON CONFLICT behind a SELECT for a join unless there is a WHERE.
        chosen = select(*cut).where(literal_column("true"))
        insert = sqlite.insert(subject)
    upsert = insert.from_select(["endpoint_id", "subject", "seq"], chosen)
    counted = upsert.on_conflict_do_update(
        index_elements=["endpoint_id", "subject"], set_={"seq": subject.c.seq + upsert.excluded.seq}
    ).returning(subject.c.endpoint_id, subject.c.subject, subject.c.seq)
    return {(row.endpoint_id, row.subject): row.seq for row in uow.conn.execute(counted)}


def disable(uow: UnitOfWork, receiver_ids: Collection[int], reason: DisabledReason) -> list[Listening]:
    """Disable the endpoints behind these receivers that are not disabled yet; which."""
    c = endpoint.c
    found = [one for one in listening(uow, receiver_ids) if one.state != "disabled"]
    if found:
        changed = endpoint.update().where(uow.among(c.id, [one.id for one in found]))
        uow.conn.execute(changed.values(state="disabled", reason=reason, disabled_at=uow.now))
    return found


def forget(uow: UnitOfWork, before: int, limit: int) -> int:
    """Delete at most `limit` messages that were made before an instant; how many."""
    old = (
        select(message.c.id).where(message.c.created_at < before).order_by(message.c.created_at).limit(limit)
    )
    ids = list(uow.conn.execute(old).scalars())
    if ids:
        uow.conn.execute(delete(message).where(uow.among(message.c.id, ids)))
    return len(ids)


def forget_subjects(uow: UnitOfWork) -> None:
    """Delete what was counted for endpoints that are gone."""
    left = select(endpoint.c.id).where(endpoint.c.id == subject.c.endpoint_id).exists()
    uow.conn.execute(delete(subject).where(~left))

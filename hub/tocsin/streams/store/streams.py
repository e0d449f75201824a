"""Queries of streams and of the subjects that were taken off them."""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, func, select

from tocsin.db import UnitOfWork
from tocsin.streams.rules.asking import Alg, Method, Reason, SetError, Wanted
from tocsin.streams.rules.events import Status, Word, sendable
from tocsin.streams.store.tables import removed, stream, waiting


class Stream(NamedTuple):
    """A stream as it is stored; instants are Unix seconds."""

    id: int
    public_id: str
    organisation_id: int
    receiver_id: int | None
    method: Method
    target: str | None
    credential: bytes | None
    events: tuple[Word, ...]
    alg: Alg
    status: Status
    reason: Reason | None
    status_at: int
    created_at: int
    active_at: int
    asked_at: int | None
    verified_at: int | None
    refused: int
    refusal: SetError | None

    @property
    def wanted(self) -> Wanted:
        """What of it its receiver has asked for, but for the authorization, which is sealed."""
        return Wanted(self.method, self.target, None, self.events, self.alg)

    @property
    def sendable(self) -> tuple[Word, ...]:
        """What of it goes out now."""
        return sendable(self.status, verified=self.method == "poll" or self.verified_at is not None)


_COLUMNS: Final = tuple(stream.c[name] for name in Stream._fields)


def find(uow: UnitOfWork, public_id: str) -> Stream | None:
    """The stream with this id."""
    found = _all(uow, select(*_COLUMNS).where(stream.c.public_id == public_id))
    return found[0] if found else None


def of(uow: UnitOfWork, organisation_id: int) -> list[Stream]:
    """The streams of a member, the oldest first."""
    return _all(
        uow, select(*_COLUMNS).where(stream.c.organisation_id == organisation_id).order_by(stream.c.id)
    )


def among(uow: UnitOfWork, stream_ids: Collection[int]) -> dict[int, Stream]:
    """Those streams, by id."""
    found = _all(uow, select(*_COLUMNS).where(uow.among(stream.c.id, stream_ids))) if stream_ids else []
    return {one.id: one for one in found}


def told(uow: UnitOfWork) -> list[Stream]:
    """Every stream that events are kept for: all that are not disabled."""
    return _all(uow, select(*_COLUMNS).where(stream.c.status != "disabled").order_by(stream.c.id))


def disabled(uow: UnitOfWork) -> list[Stream]:
    """Every stream that nothing is kept for."""
    return _all(uow, select(*_COLUMNS).where(stream.c.status == "disabled").order_by(stream.c.id))


def pushing(uow: UnitOfWork) -> list[Stream]:
    """The streams on which everything goes out by push."""
    c = stream.c
    chosen = select(*_COLUMNS).where(c.method == "push", c.status == "enabled", c.verified_at.is_not(None))
    return _all(uow, chosen.order_by(c.id))


def removing(uow: UnitOfWork) -> set[int]:
    """The streams that any subject was taken off."""
    some = select(removed.c.stream_id).where(removed.c.stream_id == stream.c.id).exists()
    return set(uow.conn.execute(select(stream.c.id).where(some)).scalars())


def by_receiver(uow: UnitOfWork, receiver_ids: Collection[int]) -> list[Stream]:
    """The streams with these receivers."""
    return _all(uow, select(*_COLUMNS).where(uow.among(stream.c.receiver_id, receiver_ids)))


def idle(uow: UnitOfWork, before: int) -> list[Stream]:
    """Enabled poll streams that nobody has touched since an instant."""
    c = stream.c
    chosen = select(*_COLUMNS).where(c.method == "poll", c.status == "enabled", c.active_at < before)
    return _all(uow, chosen.order_by(c.id))


def sealed(uow: UnitOfWork, behind: int, limit: int) -> list[Stream]:
    """At most `limit` streams with a credential, those after an id."""
    c = stream.c
    chosen = select(*_COLUMNS).where(c.credential.is_not(None), c.id > behind)
    return _all(uow, chosen.order_by(c.id).limit(limit).with_for_update())


def add(uow: UnitOfWork, public_id: str, organisation_id: int, values: Mapping[str, Any]) -> int:
    """A new stream, enabled; its id."""
    row = {
        "public_id": public_id, "organisation_id": organisation_id, "status": "enabled",
        "status_at": uow.now, "created_at": uow.now, "active_at": uow.now, "refused": 0, **_spelled(values),
    }  # fmt: skip
    return int(uow.conn.execute(stream.insert().values(**row).returning(stream.c.id)).scalar_one())


def ask(uow: UnitOfWork, stream_id: int, interval: int) -> bool:
    """Note that verification is being asked for; False when it was less than `interval` seconds ago."""
    c = stream.c
    due = stream.update().where(
        c.id == stream_id, (c.asked_at.is_(None)) | (c.asked_at <= uow.now - interval)
    )
    return (
        uow.conn.execute(due.values(asked_at=uow.now), execution_options={"preserve_rowcount": True}).rowcount
        == 1
    )


def refuse(uow: UnitOfWork, stream_id: int, times: int, last: SetError) -> None:
    """Count tokens that the receiver could not use."""
    c = stream.c
    counted = stream.update().where(c.id == stream_id).values(refused=c.refused + times, refusal=last)
    uow.conn.execute(counted)


def change(uow: UnitOfWork, stream_id: int, **values: object) -> None:
    """Change columns of a stream."""
    uow.conn.execute(stream.update().where(stream.c.id == stream_id).values(**_spelled(values)))


def delete(uow: UnitOfWork, stream_id: int) -> None:
    """Delete a stream with everything that waits on it."""
    uow.conn.execute(waiting.delete().where(waiting.c.stream_id == stream_id))
    uow.conn.execute(removed.delete().where(removed.c.stream_id == stream_id))
    uow.conn.execute(stream.delete().where(stream.c.id == stream_id))


def remove_subject(uow: UnitOfWork, stream_id: int, digest: bytes) -> None:
    """Remember that a stream has nothing about this subject."""
    if digest not in removed_among(uow, stream_id, {digest}):
        uow.conn.execute(removed.insert().values(stream_id=stream_id, digest=digest))


def add_subject(uow: UnitOfWork, stream_id: int, digest: bytes) -> None:
    """Take a removed subject back."""
    uow.conn.execute(removed.delete().where(removed.c.stream_id == stream_id, removed.c.digest == digest))


def removed_count(uow: UnitOfWork, stream_id: int) -> int:
    """How many subjects were removed from a stream."""
    return int(
        uow.conn.execute(
            select(func.count()).select_from(removed).where(removed.c.stream_id == stream_id)
        ).scalar_one()
    )


def removed_among(uow: UnitOfWork, stream_id: int, digests: Collection[bytes]) -> set[bytes]:
    """Those of the digests that are of subjects removed from a stream."""
    if not digests:
        return set()
    chosen = select(removed.c.digest).where(
        removed.c.stream_id == stream_id, uow.among(removed.c.digest, digests)
    )
    return set(uow.conn.execute(chosen).scalars())


def _all(uow: UnitOfWork, chosen: Select[Any]) -> list[Stream]:
    return [
        Stream._make(row)._replace(events=tuple(json.loads(row.events)))
        for row in uow.conn.execute(chosen).all()
    ]


def _spelled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(value) if name == "events" else value for name, value in values.items()}

"""Streams are stopped by the operator of the hub, for good reason, and their receivers are told on the stream itself.

One that was stopped is paused: what happens is kept as on any other. It stays so until the operator allows it again,
and then until its receiver goes on with it.
"""

from tocsin.db import Database, UnitOfWork
from tocsin.errors import Refused
from tocsin.streams.service import upkeep
from tocsin.streams.service.context import STREAM_ID
from tocsin.streams.store import streams as store
from tocsin.streams.store.streams import Stream


def stop(database: Database, stream_id: str) -> int:
    """Stop any stream; the id of its member.

    Raises:
        Refused: `not-found`; `conflict` for one that the operator has stopped already.
    """
    with database.transaction() as uow:
        stream = _any(uow, stream_id)
        if stream.reason == "operator":
            raise Refused("conflict", "stream_id", "the operator has stopped it already")
        upkeep.stop(uow, stream, "operator")
        return stream.organisation_id


def allow(database: Database, stream_id: str) -> int:
    """Let the receiver of a stream that the operator has stopped go on with it; the id of its member.

    Raises:
        Refused: `not-found`; `conflict` for one that the operator has not stopped.
    """
    with database.transaction() as uow:
        stream = _any(uow, stream_id)
        if stream.reason != "operator":
            raise Refused("conflict", "stream_id", "the operator has not stopped it")
        store.change(uow, stream.id, reason="receiver", status_at=uow.now)
        return stream.organisation_id


def _any(uow: UnitOfWork, stream_id: str) -> Stream:
    found = store.find(uow, stream_id) if STREAM_ID.fullmatch(stream_id) else None
    if found is None:
        raise Refused("not-found", "stream_id", "no such stream")
    return found

"""Streams as people look at them: what waits, since when, and how delivery of it goes. All of it reads."""

from typing import NamedTuple

from tocsin.db import UnitOfWork
from tocsin.delivery import service as delivery
from tocsin.streams.service.context import Transmitter, find
from tocsin.streams.store import streams as store
from tocsin.streams.store import waiting
from tocsin.streams.store.streams import Stream


class Look(NamedTuple):
    """A stream, how many events wait on it, since when the oldest does, and how its receiver fares, for push."""

    stream: Stream
    waiting: int
    oldest: int | None
    standing: delivery.Standing | None


def looks(transmitter: Transmitter, org_id: int) -> list[Look]:
    """Every stream of a member, the oldest first."""
    with transmitter.database.snapshot() as uow:
        return _looks(uow, store.of(uow, org_id))


def look(transmitter: Transmitter, org_id: int, stream_id: str) -> Look:
    """One of them.

    Raises:
        Refused: `not-found`.
    """
    with transmitter.database.snapshot() as uow:
        return _looks(uow, [find(uow, org_id, stream_id)])[0]


def stopped(transmitter: Transmitter, org_id: int) -> list[Stream]:
    """The streams of a member that the hub has stopped by itself."""
    with transmitter.database.snapshot() as uow:
        return [stream for stream in store.of(uow, org_id) if stream.reason not in (None, "receiver")]


def _looks(uow: UnitOfWork, streams: list[Stream]) -> list[Look]:
    backlogs = waiting.backlogs(uow, [stream.id for stream in streams])
    standings = delivery.standings(
        uow, [one.receiver_id for one in streams if one.method == "push" and one.receiver_id is not None]
    )
    return [Look(stream, *backlogs[stream.id], standings.get(stream.receiver_id or 0)) for stream in streams]

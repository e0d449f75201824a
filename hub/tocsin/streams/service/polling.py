"""Polling (RFC 8936): what a receiver has is taken off, and what waits is given, signed.

A token that is not acknowledged is given again. One that its receiver could not use is not: it would be the same again;
it is counted, with what was wrong. Signing is done when the transaction is over.
"""

from collections.abc import Collection
from typing import Final, NamedTuple

from tocsin.db import Database, UnitOfWork
from tocsin.errors import Refused
from tocsin.streams.rules.asking import Poll
from tocsin.streams.service.context import Transmitter, find
from tocsin.streams.service.managing import touch
from tocsin.streams.service.rendering import Unsigned, render, sign
from tocsin.streams.store import streams as store
from tocsin.streams.store import waiting
from tocsin.streams.store.streams import Stream
from tocsin.streams.store.waiting import Waiting

TOUCHED_SECONDS: Final = 60
"""How stale the note of the last poll may be."""


class Polled(NamedTuple):
    """What a poll is answered with: tokens by jti, in order, and whether more wait. `number` is the stream's own id."""

    number: int
    sets: dict[str, str]
    more: bool


def poll(transmitter: Transmitter, org_id: int, stream_id: str, asked: Poll) -> Polled:
    """Take acknowledgements and errors, then give at most `asked.limit` tokens.

    Raises:
        Refused: `not-found` for a stream that is not the member's; `conflict` for one that is pushed.
    """
    with transmitter.database.snapshot() as uow:
        stream = find(uow, org_id, stream_id)
        if stream.method != "poll":
            raise Refused("conflict", "stream_id", "the stream delivers by push")
        anything = bool(waiting.next_of(uow, stream.id, stream.sendable, 1))
        stale = stream.active_at + TOUCHED_SECONDS < uow.now
    if not asked.acks and not asked.errors and not (anything and asked.limit):
        if stale:
            touch(transmitter, stream)
        return Polled(stream.id, {}, more=anything)
    with transmitter.database.transaction() as uow:
        stream = find(uow, org_id, stream_id)
        _take_off(uow, stream, asked)
        store.change(uow, stream.id, active_at=uow.now)
        found, more = _next(transmitter, uow, stream, asked.limit)
    sets = {
        token.jti.hex(): sign(transmitter, unsigned).decode("ascii")
        for token, unsigned in found
        if unsigned is not None
    }
    return Polled(stream.id, sets, more)


def arrived(database: Database, numbers: Collection[int]) -> set[int]:
    """Those of the streams, by their own ids, on which anything waits that goes out: on none that is stopped."""
    with database.snapshot() as uow:
        streams = store.among(uow, numbers).values()
        return waiting.pending(uow, [stream.id for stream in streams if stream.status == "enabled"])


def _take_off(uow: UnitOfWork, stream: Stream, asked: Poll) -> None:
    waiting.acknowledge(uow, stream.id, asked.acks)
    refused = waiting.acknowledge(uow, stream.id, [jti for jti, _ in asked.errors])
    if refused:
        store.refuse(uow, stream.id, refused, asked.errors[-1][1])


def _next(
    transmitter: Transmitter, uow: UnitOfWork, stream: Stream, limit: int
) -> tuple[list[tuple[Waiting, Unsigned | None]], bool]:
    """The next tokens that there is still something to tell by; what there is not goes."""
    while True:
        tokens = waiting.next_of(uow, stream.id, stream.sendable, limit + 1)
        chosen, more = tokens[:limit], len(tokens) > limit
        rendered = list(zip(chosen, render(transmitter, uow, [(stream, one) for one in chosen]), strict=True))
        gone = [token.id for token, unsigned in rendered if unsigned is None]
        waiting.done(uow, gone)
        if not more or len(gone) < len(chosen) or not limit:
            return rendered, more

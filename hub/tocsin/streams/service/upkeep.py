"""What happens to streams by itself: one that nobody polls is paused, and what waits too long goes."""

from secrets import token_bytes
from typing import Final

from tocsin.db import UnitOfWork
from tocsin.signals.service import giving
from tocsin.streams.rules.asking import INACTIVITY_TIMEOUT, KEPT_EVENTS, KEPT_SECONDS, Reason
from tocsin.streams.service.context import Transmitter, hand_over
from tocsin.streams.store import streams as store
from tocsin.streams.store import waiting
from tocsin.streams.store.streams import Stream
from tocsin.streams.store.waiting import New
from tocsin_schemas.policy import DAY

BATCH: Final = 5000


def tick(transmitter: Transmitter) -> int:
    """Pause what is idle, delete what waits too long or is too much; how much of both."""
    with transmitter.database.transaction() as uow:
        idle = store.idle(uow, uow.now - INACTIVITY_TIMEOUT)
        for stream in idle:
            stop(uow, stream, "inactivity")
    return len(idle) + _forget(transmitter)


def stop(uow: UnitOfWork, stream: Stream, reason: Reason) -> None:
    """Pause a stream without its receiver having asked; it is told on the stream itself (SSF 1.0 §8.1.5)."""
    store.change(uow, stream.id, status="paused", reason=reason, status_at=uow.now)
    told = New(
        stream.id, "stream-updated", token_bytes(16), token_bytes(16), uow.now, status="paused", reason=reason
    )
    waiting.add(uow, [told])
    hand_over(uow, [stream._replace(status="paused", reason=reason)])


def _forget(transmitter: Transmitter) -> int:
    done, again = 0, True
    while again:
        with transmitter.database.transaction() as uow:
            gone = [waiting.delete_before(uow, uow.now - KEPT_SECONDS, BATCH)]
            gone += [waiting.delete_beyond(uow, one.id, KEPT_EVENTS, BATCH) for one in store.told(uow)]
            gone += [_clear(uow, one) for one in store.disabled(uow)]
        done += sum(gone)
        again = BATCH in gone
    return done + _forget_disabled(transmitter)


def _clear(uow: UnitOfWork, stream: Stream) -> int:
    """What was still being told of while it was disabled, or was left when that broke off."""
    return waiting.clear(uow, stream.id, waiting.newest(uow, stream.id), BATCH)


def _forget_disabled(transmitter: Transmitter) -> int:
    """Forget accounts shut by reports that went while there was nobody to tell; how many reports."""
    done, behind = 0, -1
    while True:
        with transmitter.database.transaction() as uow:
            seqs = waiting.remembered(uow, behind, BATCH)
            # Not those that went just now: whoever takes the outbox is to tell of them first.
            gone = giving.gone_before(uow, seqs, uow.now - DAY)
            waiting.forget_disabled(uow, gone)
        done += len(gone)
        if len(seqs) < BATCH:
            return done
        behind = seqs[-1]

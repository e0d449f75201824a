"""The courier: it takes what is due, sends it side by side, and writes down what came of it.

One event loop sends, one thread works at the database beside it, in turns that are large enough to be cheap. Nothing is
known only here: whatever is in hand when the process dies is due again when its lease ends, with the same message id.

- So many items at a time, a part of them kept for what is urgent; receivers that fail or are slow share another part,
  so that a thousand of them hold up nobody else.
- A queue's items go one behind the other, or a few side by side where that would take long. The first that fails ends
  the run: what has not begun is put back, its attempt not counted.
- A turn that the database does not take is tried again while leases last; then the run fails, and what was in hand is
  sent once more.
"""

import asyncio
import logging
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from tocsin.db import Database
from tocsin.delivery import rules
from tocsin.delivery.service.sender import End, Making, Sender
from tocsin.delivery.service.turn import Done, Outcome, Parcel, Room, Round, Undone, due, take_turn
from tocsin.egress import Egress, Unanswered, Why
from tocsin.signing import Signing

logger = logging.getLogger(__name__)

IN_HAND: Final = 4096
URGENT_SHARE: Final = 1024
DOUBTFUL_SHARE: Final = 256
"""Items in hand at most; how many of them are kept for what is urgent; and what fails or is slow gets besides."""
WORTH_A_TURN: Final = 1024
TURN_SECONDS: Final = 0.1
IDLE_SECONDS: Final = 0.25
"""A turn is taken when so much has ended, or so long after the last one; less often while nothing is due."""
BEGIN_SECONDS: Final = 12
"""Nothing is begun later than this after it was taken: with 15 s for a request, it ends within the lease."""
SIGNED_TOGETHER: Final = 64
WORTH_A_HAND_OVER: Final = 32
"""So many items are signed at a time; fewer than that, where they are sent."""
STOP_SECONDS: Final = 5
"""What is being sent when the courier is stopped has so long to end."""
RETRY_SECONDS: Final = (0.1, 0.2, 0.5, 1, 2, 4, 4)
"""Waits between tries of a turn that the database did not take: less than a lease in all."""


class Courier:
    """Sends what is queued for receivers of every kind that it has a sender for. One run at a time."""

    def __init__(self, database: Database, egress: Egress, senders: Sequence[Sender]) -> None:
        self._database = database
        self._egress = egress
        self._senders: Mapping[str, Sender] = {sender.kind: sender for sender in senders}
        self._signing = Signing()
        self._running = threading.Lock()
        self._stopped = threading.Event()

    def due(self) -> bool:
        """Whether there is anything to send now."""
        return due(self._database)

    def send_due(self) -> int:
        """Send until nothing is due and nothing in hand; how many attempts were made.

        Returns 0 at once while another thread is at it, and after `stop`.

        Raises:
            DBAPIError: when the database cannot be reached for too long. What was in hand is sent again.
        """
        if self._stopped.is_set() or not self._running.acquire(blocking=False):
            return 0
        try:
            run = _Run(self._database, self._egress, self._senders, self._signing, self._stopped)
            return self._egress.run(run.all())
        finally:
            self._running.release()

    def stop(self) -> None:
        """Begin nothing more, wait a little for what is being sent, and put back the rest; back when it is done."""
        self._stopped.set()
        with self._running:
            if self._signing.runs:
                self._egress.run(self._end_signing())

    async def _end_signing(self) -> None:
        self._signing.stop()


class _Run:
    """One run, on the egress's loop. Only that loop touches what is in hand."""

    def __init__(
        self,
        database: Database,
        egress: Egress,
        senders: Mapping[str, Sender],
        signing: Signing,
        stopped: threading.Event,
    ) -> None:
        self.egress: Final = egress
        self.clock: Final = database.clock
        self.stopped: Final = stopped
        self.senders: Final = senders
        self._take_turn = partial(take_turn, database, senders, secrets.token_hex(8))
        self._signing = signing
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_hand = Counter[str]()
        self._done: list[Done] = []
        self._undone: list[Undone] = []
        self._freed: list[tuple[int, int]] = []
        self._wake = asyncio.Event()
        self._made = 0

    async def all(self) -> int:
        """Send until nothing is due and nothing in hand, or until stopped; how many attempts were made."""
        with ThreadPoolExecutor(1, thread_name_prefix="delivery") as thread:
            try:
                while not self.stopped.is_set():
                    rounds = await self._turn(thread, self._room())
                    if not (self._tasks or rounds or self._done or self._undone or self._freed):
                        return self._made
                    await self._pause(TURN_SECONDS if rounds else IDLE_SECONDS)
                await self._wind_up(thread)
            finally:
                for task in self._tasks:
                    task.cancel()
        return self._made

    def hear(self, share: str, done: Done | Undone) -> None:
        """Something in hand has ended."""
        self._in_hand[share] -= 1
        if isinstance(done, Undone):
            self._undone.append(done)
        else:
            self._done.append(done)
            if len(self._done) >= WORTH_A_TURN:
                self._wake.set()

    def _room(self) -> Room:
        left = IN_HAND - self._in_hand["urgent"] - self._in_hand["rest"]
        return Room(left, left - URGENT_SHARE, DOUBTFUL_SHARE - self._in_hand["doubtful"])

    async def _pause(self, seconds: float) -> None:
        """Until there is enough for a turn, or nothing left to wait for, or the time is up."""
        self._wake.clear()
        if self._tasks and len(self._done) < WORTH_A_TURN:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), seconds)

    async def _turn(self, thread: ThreadPoolExecutor, room: Room | None) -> list[Round]:
        """Record what has ended, and begin what is due."""
        outcome = Outcome(self._done, self._undone, self._freed)
        self._done, self._undone, self._freed = [], [], []
        self._made += len(outcome.done)
        for wait in (*RETRY_SECONDS, None):
            taken_at = time.monotonic()
            try:
                rounds = await asyncio.get_running_loop().run_in_executor(
                    thread, self._take_turn, outcome, room
                )
            except DBAPIError as error:
                if wait is None:
                    raise
                logger.warning("delivery turn failed", extra={"retry_seconds": wait}, exc_info=error)
                await asyncio.sleep(wait)
            else:
                self._begin(rounds, taken_at + BEGIN_SECONDS)
                return rounds
        raise AssertionError  # the last try returns or raises

    def _begin(self, rounds: Sequence[Round], begin_by: float) -> None:
        for several in _batches(rounds):
            signing = asyncio.create_task(self._sign(several))
            for one in several:
                share = "doubtful" if one.doubtful else "rest" if one.lane else "urgent"
                self._in_hand[share] += len(one.parcels)
                sending = _Sending(self, one, share, begin_by, signing)
                task = asyncio.create_task(sending.all())
                self._tasks.add(task)
                task.add_done_callback(partial(self._sent, sending))

    async def _sign(self, rounds: Sequence[Round]) -> dict[int, Any]:
        """What the calls of their makings return, by item; nothing of those that are made when each is sent."""
        now, calls = self.clock(), {}
        for one in rounds:
            for parcel in one.parcels:
                call = None if parcel.making is None else parcel.making.call(now)
                if call is not None:
                    calls[parcel.claim.item_id] = call
        signed = await self._signing.all(list(calls.values())) if len(calls) >= WORTH_A_HAND_OVER else None
        return {} if signed is None else dict(zip(calls, signed, strict=True))

    def _sent(self, sending: "_Sending", task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("sending failed in the hub itself", exc_info=error)
        sending.give_back(failed=error is not None)
        self._freed.append((sending.round.receiver_id, sending.round.lane))
        if not self._tasks:
            self._wake.set()

    async def _wind_up(self, thread: ThreadPoolExecutor) -> None:
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        await self._turn(thread, None)


class _Sending:
    """What was taken from one queue, being sent. The first failure ends it, and so does the time."""

    def __init__(
        self, run: _Run, taken: Round, share: str, begin_by: float, signing: asyncio.Task[dict[int, Any]]
    ) -> None:
        self.round: Final = taken
        self._signing = signing
        self._run = run
        self._share = share
        self._begin_by = begin_by
        self._final = run.senders[taken.kind].final
        self._waiting = deque(taken.parcels)
        self._begun: dict[int, Parcel] = {}
        self._failed = False

    async def all(self) -> None:
        """Send what there is time for."""
        # Shared with others: it neither ends with this one, nor does what is wrong with theirs end this one.
        await asyncio.wait([self._signing])
        several = rules.side_by_side(self.round.latency_ms, len(self._waiting))
        if several == 1:
            await self._one_behind_the_other()
            return
        async with asyncio.TaskGroup() as group:
            for _ in range(several):
                group.create_task(self._one_behind_the_other())

    def give_back(self, *, failed: bool) -> None:
        """Put back what has not ended. What was being sent when the hub itself `failed` counts as a failure."""
        for parcel in self._begun.values():
            if failed:
                self._hear(parcel, None, "unreachable", 0, None)
            else:
                self._run.hear(self._share, Undone(parcel.claim, begun=True))
        for parcel in self._waiting:
            self._run.hear(self._share, Undone(parcel.claim, begun=False))

    async def _one_behind_the_other(self) -> None:
        while self._waiting and not self._failed and time.monotonic() < self._begin_by:
            if self._run.stopped.is_set():
                return
            parcel = self._waiting.popleft()
            if parcel.broken:
                self._hear(parcel, None, "unreachable", 0, None)
                continue
            if parcel.making is None:
                self._run.hear(self._share, self._dropped(parcel))
                continue
            self._begun[parcel.claim.item_id] = parcel
            await self._send(parcel, parcel.making)
            del self._begun[parcel.claim.item_id]

    async def _send(self, parcel: Parcel, making: Making) -> None:
        begun = time.perf_counter()
        status, failure, asked = None, None, None
        try:
            answer = await self._run.egress.send(making.request(self._signed(parcel, making)))
        except Unanswered as error:
            failure = error.why
        else:
            status, asked = answer.status, answer.retry_after
        self._hear(parcel, status, failure, round((time.perf_counter() - begun) * 1000), asked)

    def _signed(self, parcel: Parcel, making: Making) -> Any:
        if self._signing.exception() is None and parcel.claim.item_id in self._signing.result():
            return self._signing.result()[parcel.claim.item_id]
        call = making.call(self._run.clock())
        if call is None:
            return None
        sign, given = call
        return sign(*given)

    def _hear(
        self, parcel: Parcel, status: int | None, failure: Why | None, duration_ms: int, asked: str | None
    ) -> None:
        claim, at = parcel.claim, self._run.clock()
        verdict = rules.judge(status, claim.attempt, self._final)
        self._failed = self._failed or verdict != "delivered"
        end = End(claim, at, duration_ms, status, failure, verdict)
        wait = None if verdict == "delivered" else rules.retry_after(asked, at)
        self._run.hear(self._share, Done(self.round.kind, end, parcel.queued_at, wait))

    def _dropped(self, parcel: Parcel) -> Done:
        end = End(parcel.claim, self._run.clock(), 0, None, None, "dropped")
        return Done(self.round.kind, end, parcel.queued_at, None)


def _batches(rounds: Sequence[Round]) -> Iterator[list[Round]]:
    """The same rounds, some together: the first are sent while the others are signed."""
    several: list[Round] = []
    size = 0
    for one in rounds:
        several.append(one)
        size += len(one.parcels)
        if size >= SIGNED_TOGETHER:
            yield several
            several, size = [], 0
    if several:
        yield several

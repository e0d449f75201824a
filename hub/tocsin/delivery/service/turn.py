"""One turn of the courier at the database: what ended is written down, and what is due is taken, in one transaction.

1. The queues concerned are locked, so that what others add to them meanwhile is seen (`store.queueing`).
2. Items get their ends, attempts are logged, receivers' health is folded.
3. The features are told: how items ended, and which receivers have done nothing but fail for days. An end that its
   feature fails on is none: the item is tried again.
4. Queues that were sent whole are given back, due when their next item is.
5. Due queues are leased, their items taken with the attempt counted, and what their requests say composed.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Final, NamedTuple

from tocsin.db import Database, UnitOfWork
from tocsin.delivery import rules
from tocsin.delivery.service.isolating import Failed, isolated
from tocsin.delivery.service.sender import Claim, End, Making, Sender
from tocsin.delivery.store import queueing
from tocsin.delivery.store import sending as store
from tocsin.delivery.store.tables import LANES
from tocsin.telemetry import DELIVERIES, DELIVERY_SECONDS

LEASE_SECONDS: Final = 30
"""Longer than a request may take (15 s), and than what is begun in the time before the last one may."""
RUN: Final = 32
"""Items taken from one queue at a time, at most; and how many are expected of one before any was looked at.

All that is due is never begun at once, if it is much: queues that begin together end together, and nothing would be
under way while more is taken.
"""
REST_MEANWHILE: Final = 64
"""Items of the rest that are taken in a turn while more of what is urgent waits."""
ROUNDS: Final = 3
"""How often one turn looks for more queues while there is room."""


class Parcel(NamedTuple):
    """A claim, what makes its request (None: there is nothing to send any more), and when its item was queued.

    A `broken` one has nothing that makes it because the hub itself has failed.
    """

    claim: Claim
    making: Making | None
    queued_at: int
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Round:
    """What was taken from one queue, to be sent before the lease ends."""

    receiver_id: int
    lane: int
    kind: str
    doubtful: bool
    latency_ms: int
    parcels: Sequence[Parcel]


class Done(NamedTuple):
    """An attempt that ended. `asked` is how many seconds the receiver asked to be left alone, if it did."""

    kind: str
    end: End
    queued_at: int
    asked: int | None


class Undone(NamedTuple):
    """A claim that was given up: before its request was begun, or in the middle of it."""

    claim: Claim
    begun: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has happened since the last turn: attempts that ended, claims given up, queues (receiver, lane) sent."""

    done: Sequence[Done] = ()
    undone: Sequence[Undone] = ()
    freed: Collection[tuple[int, int]] = ()

    def __bool__(self) -> bool:
        return bool(self.done or self.undone or self.freed)


class Room(NamedTuple):
    """How many items may be taken: urgent ones, others, and such of receivers that fail or are slow."""

    urgent: int
    rest: int
    doubtful: int


def take_turn(
    database: Database, senders: Mapping[str, Sender], holder: str, outcome: Outcome, room: Room | None
) -> list[Round]:
    """Record and take, in one transaction; with nothing to record and nothing due, there is none."""
    if not outcome:
        if room is None:
            return []
        with database.snapshot() as uow:
            if not store.anything_due(uow):
                return []
    with database.transaction() as uow:
        store.plan_by_index(uow)
        if outcome:
            _record(uow, senders, holder, outcome)
        taken = [] if room is None else list(_take(uow, holder, room))
        rounds = _compose(uow, senders, taken)
        _count(uow, outcome)
    _measure(outcome.done)
    return rounds


def due(database: Database) -> bool:
    """Whether there is anything to send now."""
    with database.snapshot() as uow:
        return store.anything_due(uow)


def _record(uow: UnitOfWork, senders: Mapping[str, Sender], holder: str, outcome: Outcome) -> None:
    ends = [done.end for done in outcome.done]
    made = [end for end in ends if end.verdict != "dropped"]
    receivers = {end.claim.receiver_id for end in ends} | {receiver_id for receiver_id, _ in outcome.freed}
    queueing.lock(uow, receivers)
    store.end(uow, [*map(_item_end, outcome.done), *(_given_back(uow, undone) for undone in outcome.undone)])
    store.log(
        uow,
        [
            store.MadeAttempt(
                end.claim.item_id, end.claim.receiver_id, end.claim.attempt,
                end.at, end.duration_ms, end.status, end.failure,
            )
            for end in made
        ],
    )  # fmt: skip
    before = store.healths(uow, {end.claim.receiver_id for end in made})
    after = _fold(before, outcome.done)
    store.set_healths(uow, after)
    changed = {one for one in after if after[one].breaker_until != before[one].breaker_until}
    for kind, sender in senders.items():
        theirs = [done.end for done in outcome.done if done.kind == kind]
        changed |= _settle(uow, sender, theirs)
        failing = {end.claim.receiver_id for end in theirs if end.verdict in {"retry", "dead"}}
        worn = sorted(one for one in failing if one in after and rules.exhausted(after[one]))
        # What it fails on here is told again at the next failure.
        isolated(uow, partial(_give_up, uow, sender), worn, "giving up", str)
    queueing.set_due(uow, changed, outcome.freed, holder)


def _settle(uow: UnitOfWork, sender: Sender, ends: Sequence[End]) -> set[int]:
    """Tell a feature how its items ended. Those it fails on are due again later; of which receivers they are."""

    def settle(some: Sequence[End]) -> Sequence[End]:
        sender.settle(uow, some)
        return some

    told = isolated(uow, settle, ends, "settling", attrgetter("claim.public_id"))
    unsettled = [end for end, one in zip(ends, told, strict=True) if isinstance(one, Failed)]
    if unsettled:
        store.resume(uow, [(end.claim.item_id, end.claim.attempt, _tried_again_at(end)) for end in unsettled])
    return {end.claim.receiver_id for end in unsettled}


def _give_up(uow: UnitOfWork, sender: Sender, receiver_ids: Sequence[int]) -> Sequence[int]:
    sender.exhausted(uow, receiver_ids)
    return receiver_ids


def _item_end(done: Done) -> store.ItemEnd:
    end = done.end
    claim, retry = end.claim, end.verdict == "retry"
    next_at = _tried_again_at(end, done.asked) if retry else end.at
    return store.ItemEnd(
        claim.item_id, claim.attempt, "pending" if retry else end.verdict,
        next_at, None if retry else end.at, end.status, end.failure, 0,
    )  # fmt: skip


def _tried_again_at(end: End, asked: int | None = None) -> int:
    # An end that could not be settled may be that of the last attempt, and later ones.
    attempt = min(end.claim.attempt, rules.ATTEMPTS - 1)
    return rules.next_attempt_at(attempt, end.at, asked, random.random())  # noqa: S311  # jitter is no secret


def _given_back(uow: UnitOfWork, undone: Undone) -> store.ItemEnd:
    claim = undone.claim
    return store.ItemEnd(
        claim.item_id, claim.attempt, "pending", uow.now, None, None, None, 0 if undone.begun else 1
    )


def _fold(before: Mapping[int, rules.Health], outcome: Sequence[Done]) -> dict[int, rules.Health]:
    after = dict(before)
    for done in outcome:
        end, receiver_id = done.end, done.end.claim.receiver_id
        if end.verdict == "dropped" or receiver_id not in after:
            continue
        health = after[receiver_id]
        if end.verdict == "delivered":
            after[receiver_id] = rules.succeeded(health, end.at, end.duration_ms)
        else:
            asked = done.asked if end.status in rules.THROTTLED else None
            after[receiver_id] = rules.failed(health, end.at, end.duration_ms, asked)
    return after


def _take(uow: UnitOfWork, holder: str, room: Room) -> Iterator[tuple[store.DueQueue, list[store.TakenItem]]]:
    waiting = False
    for lane, most in enumerate((room.urgent, room.rest)):
        # What is urgent takes its turn first, and nearly all of it while there is more.
        space = min(most, REST_MEANWHILE) if waiting else most
        expected = RUN
        for _ in range(ROUNDS):
            found = (
                store.due_queues(uow, lane, max(1, space // expected), doubtful=False) if space > 0 else []
            )
            waiting = bool(found) or space <= 0
            if not found:
                break
            taken = _take_from(uow, holder, found, max(1, min(RUN, space // len(found))))
            yield from taken
            got = sum(len(items) for _, items in taken)
            space, expected = space - got, max(1, got // len(found))
    space = room.doubtful
    for lane in (0, 1):
        found = store.due_queues(uow, lane, space, doubtful=True) if space > 0 else []
        failing = [one for one in found if one.failures]
        slow = [one for one in found if not one.failures]
        for some, most in ((failing, 1), (slow, min(rules.SEVERAL, max(1, space // max(1, len(found)))))):
            taken = _take_from(uow, holder, some, most) if some else []
            yield from taken
            space -= sum(len(items) for _, items in taken)


def _take_from(
    uow: UnitOfWork, holder: str, queues: Sequence[store.DueQueue], most: int
) -> list[tuple[store.DueQueue, list[store.TakenItem]]]:
    until = uow.now + LEASE_SECONDS
    places = [(one.receiver_id, one.lane) for one in queues]
    store.lease(uow, places, until, holder)
    by_queue: dict[tuple[int, int], list[store.TakenItem]] = defaultdict(list)
    for item in store.take(uow, places, most):
        by_queue[item.receiver_id, item.lane].append(item)
    # Somebody has sent or held what was due: nobody has to hear of it again until there is more.
    empty = [place for place in places if place not in by_queue]
    # One request is let through, in one lane: the other one waits for what comes of it.
    tried = {
        one.receiver_id
        for one in queues
        if one.failures >= rules.BREAKS_AFTER and (one.receiver_id, one.lane) in by_queue
    }
    if tried:
        store.probe(uow, tried, until)
    if tried or empty:
        queueing.set_due(uow, tried, empty, holder)
    return [(one, by_queue[place]) for one, place in zip(queues, places, strict=True) if place in by_queue]


def _compose(
    uow: UnitOfWork,
    senders: Mapping[str, Sender],
    taken: Sequence[tuple[store.DueQueue, list[store.TakenItem]]],
) -> list[Round]:
    claims: dict[str, list[Claim]] = defaultdict(list)
    for queue, items in taken:
        claims[queue.kind] += [
            Claim(
                item.item_id, item.receiver_id, queue.public_id, item.lane,
                item.message_id, item.seq, item.attempts, uow.now,
            )
            for item in items
        ]  # fmt: skip
    composed = {}
    for kind, some in claims.items():
        compose = partial(senders[kind].compose, uow)
        made = isolated(uow, compose, some, "composing", attrgetter("public_id"))
        composed[kind] = zip(some, made, strict=True)
    rounds = []
    for queue, items in taken:
        mine, parcels = composed[queue.kind], []
        for item in items:
            claim, making = next(mine)
            if isinstance(making, Failed):
                parcels.append(Parcel(claim, None, item.created_at, broken=True))
            else:
                parcels.append(Parcel(claim, making, item.created_at))
        doubtful = bool(queue.failures) or queue.latency_ms >= rules.SLOW_MS
        rounds.append(Round(queue.receiver_id, queue.lane, queue.kind, doubtful, queue.latency_ms, parcels))
    return rounds


def _measure(ends: Sequence[Done]) -> None:
    for (kind, verdict), times in Counter((done.kind, done.end.verdict) for done in ends).items():
        DELIVERIES.labels(kind, verdict).inc(times)
    seconds = {lane: DELIVERY_SECONDS.labels(str(lane)) for lane in LANES}
    for done in ends:
        if done.end.verdict == "delivered":
            seconds[done.end.claim.lane].observe(done.end.at - done.queued_at)


def _count(uow: UnitOfWork, outcome: Outcome) -> None:
    delivered = sum(done.end.verdict == "delivered" for done in outcome.done)
    failed = sum(done.end.verdict in {"retry", "dead"} for done in outcome.done)
    # Last, because every courier writes the same row.
    if delivered or failed:
        store.count(uow, uow.now // 60, delivered, failed)

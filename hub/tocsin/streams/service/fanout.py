"""From what happened to what each stream tells: every row of the outbox once, in the transaction that takes it.

- A member is told of what it may read in its communities, and not of what it said itself.
- One that may read nothing is told what corrects the things that it was given while it did, and of nothing else.
- For one under emergency suspension everything is kept: what it is told of it is decided when that ends.
- A transaction tells so much and no more, so that others can write in between; a large row is told in parts, and what
  is urgent overtakes them.

What is decided here is who is told; what the token says is made when it is sent (`service.rendering`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import token_bytes
from typing import Final

from tocsin import outbox
from tocsin.db import UnitOfWork
from tocsin.outbox import Event
from tocsin.signals.service import giving
from tocsin.streams.rules.events import held_back, reaches, subject_digest
from tocsin.streams.service import handing
from tocsin.streams.service.context import Transmitter
from tocsin.streams.service.telling import Audience, Tell, part_of
from tocsin.streams.store import streams as store
from tocsin.streams.store import waiting
from tocsin.streams.store.streams import Stream
from tocsin.streams.store.waiting import Disabled, New
from tocsin_schemas.membership import SCOPES_OF

READER: Final = "streams"
ROWS: Final = 50
"""Rows of the outbox taken in one transaction."""
TOKENS: Final = 5000
"""About so many tokens are kept in one transaction at most."""


@dataclass(frozen=True, slots=True)
class _Listeners:
    """The streams that are told anything, by member, and what each member may read.

    `removing` are the streams that any subject was taken off, `barred` the members that may read nothing any more.
    """

    audience: Audience
    streams: Mapping[int, Sequence[Stream]]
    grants: Mapping[int, Mapping[int, tuple[bool, bool]]]
    sights: Mapping[int, giving.Sight]
    removing: frozenset[int]
    barred: frozenset[int]
    count: int


@dataclass(frozen=True, slots=True)
class _Past:
    """What barred members were given of what is being told: (member, log index), and (member, indicator)."""

    statements: frozenset[tuple[int, int]] = frozenset()
    indicators: frozenset[tuple[int, int]] = frozenset()


def due(transmitter: Transmitter) -> bool:
    """Whether anything happened that streams were not told of, or is to be given to delivery."""
    with transmitter.database.snapshot() as uow:
        return outbox.waiting(uow, READER) or handing.due(transmitter, uow)


def fan_out(transmitter: Transmitter) -> int:
    """Tell every stream what happened since; how many rows of the outbox that were, and events given to delivery."""
    done = 0
    while True:
        with transmitter.database.transaction() as uow:
            events = outbox.take(uow, READER, ROWS)
            told = _tell_all(transmitter, uow, events) if events else 0
        done += told
        if len(events) < ROWS and told == len(events):
            return done + handing.hand_over_all(transmitter)
        handing.let_others_write(transmitter)


def _tell_all(transmitter: Transmitter, uow: UnitOfWork, events: Sequence[Event]) -> int:
    """Tell of these, as far as one transaction goes, and put back the rest; how many were told whole."""
    listeners = _listeners(transmitter, uow)
    if not listeners.streams:
        return len(events)
    left = TOKENS
    for place, event in enumerate(events):
        at = event.at
        while True:
            if left <= 0:
                outbox.put_back(uow, events[place:], at)
                return place
            part = part_of(uow, listeners.audience, event, at, max(1, left // listeners.count))
            waiting.add(uow, _kept(uow, listeners, part.tells, event.caused_at))
            left -= max(1, len(part.tells)) * listeners.count
            if (at := part.behind) is None:
                break
    return len(events)


def _listeners(transmitter: Transmitter, uow: UnitOfWork) -> _Listeners:
    members = transmitter.context.members
    by_org: dict[int, list[Stream]] = defaultdict(list)
    found = store.told(uow)
    orgs = members.orgs(uow) if found else {}
    for stream in found:
        if "ssf.read" in SCOPES_OF[orgs[stream.organisation_id].member_class]:
            by_org[stream.organisation_id].append(stream)
    wanted = frozenset(word for streams in by_org.values() for stream in streams for word in stream.events)
    return _Listeners(
        Audience(orgs, by_org.keys(), wanted),
        by_org,
        {org_id: members.grants(uow, org_id) for org_id in by_org},
        {org_id: giving.sight(orgs, org_id) for org_id in by_org},
        frozenset(store.removing(uow)),
        frozenset(
            org_id
            for org_id in by_org
            if not giving.may_read(orgs[org_id]) and not held_back("signal.recorded", orgs[org_id].state)
        ),
        sum(map(len, by_org.values())),
    )


def _kept(uow: UnitOfWork, listeners: _Listeners, told: Sequence[Tell], caused_at: int) -> list[New]:
    """A token of each for every stream that is to have it."""
    new: list[New] = []
    disabled: list[Disabled] = []
    past = _past(uow, listeners, told)
    digests: dict[int, bytes] = {}
    if listeners.removing:
        digests = {id(one): subject_digest(one.subject) for one in told if one.subject is not None}
    for org_id, streams in listeners.streams.items():
        mine = [one for one in told if _may_know(listeners, past, org_id, one)]
        for stream in streams if mine else ():
            removed = set[bytes]()
            if stream.id in listeners.removing:
                removed = store.removed_among(uow, stream.id, set(digests.values()))
            for one in mine:
                if one.word not in stream.events or digests.get(id(one)) in removed:
                    continue
                new.append(_new(stream, one, caused_at))
                if one.word == "account-disabled":
                    disabled.append(_disabled(one))
    waiting.disable(uow, disabled)
    return new


def _past(uow: UnitOfWork, listeners: _Listeners, told: Sequence[Tell]) -> _Past:
    """What of it members that are barred by now were given before."""
    orgs, statements, indicators = listeners.audience.orgs, set(), set()
    for community_id in {one.community_id for one in told} if listeners.barred else ():
        if community_id is None:
            continue
        here = [one for one in told if one.community_id == community_id]
        targets = {one.target for one in here if one.target is not None}
        disputed = {
            one.indicator_id
            for one in here
            if one.word == "indicator.disputed" and one.indicator_id is not None
        }
        statements |= giving.given_before(uow, orgs, listeners.barred, community_id, targets)
        indicators |= giving.indicators_given(uow, orgs, listeners.barred, community_id, disputed)
    return _Past(frozenset(statements), frozenset(indicators))


def _may_know(listeners: _Listeners, past: _Past, org_id: int, told: Tell) -> bool:
    org = listeners.audience.orgs[org_id]
    if not reaches(told.word, org.state) and not held_back(told.word, org.state):
        return False
    if told.only is not None and org_id not in told.only:
        return False
    if told.community_id is None:
        return True
    if not listeners.grants[org_id].get(told.community_id, (False, False))[1]:
        return False
    if org_id in listeners.barred:
        return (org_id, told.target) in past.statements or (org_id, told.indicator_id) in past.indicators
    if told.gone is not None and not giving.was_shown(told.gone, listeners.audience.orgs, org):
        return False
    if told.given is None:
        return True
    if told.own and told.given.row.author_id == org_id:
        return False
    return listeners.sights[org_id].hides(told.given.row) is None


def _new(stream: Stream, told: Tell, caused_at: int) -> New:
    return New(
        stream.id,
        told.word,
        token_bytes(16),
        told.txn,
        caused_at,
        told.community_id,
        told.seq,
        told.indicator_id,
        told.subject.encode() if told.keep and told.subject is not None else None,
        told.standing,
        told.policy,
        target_seq=told.target,
    )


def _disabled(told: Tell) -> Disabled:
    return Disabled(
        told.seq or 0, told.indicator_id or 0, told.community_id or 0, (told.subject or "").encode()
    )

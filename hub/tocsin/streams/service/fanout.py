"""From what happened to what each stream tells: every row of the outbox once, in the transaction that takes it.

A member is told of what it may read in its communities, and not of what it said itself. What is decided here is who is
told; what the token says is made when it is sent (`service.rendering`).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_bytes
from typing import Final, NamedTuple

from tocsin import outbox
from tocsin.db import Database, UnitOfWork
from tocsin.members.service import Org
from tocsin.outbox import Event
from tocsin.signals.service import giving
from tocsin.signals.service.giving import Given
from tocsin.streams.rules.events import (
    BOARD_SUBJECT,
    BOARD_WORDS,
    DISABLING,
    Word,
    entry_subject,
    member_subject,
    reaches,
    subject_digest,
)
from tocsin.streams.service.context import Transmitter, hand_over
from tocsin.streams.store import streams as store
from tocsin.streams.store import waiting
from tocsin.streams.store.streams import Stream
from tocsin.streams.store.tables import STANDINGS
from tocsin.streams.store.waiting import Disabled, New
from tocsin_schemas import signals
from tocsin_schemas.envelope import payload_of
from tocsin_schemas.membership import SCOPES_OF
from tocsin_schemas.notifications import RELEASED

READER: Final = "streams"
ROWS: Final = 50
"""Rows of the outbox taken in one transaction."""
ENTRIES: Final = 1000
"""Log entries looked at together."""
_BOARD: Final[Mapping[str, Word]] = {word: word for word in BOARD_WORDS}


class _Tell(NamedTuple):
    """Something to tell, to those of whom nothing of this speaks against it.

    `given` is the statement that the token is made from; `own` says that its author needs not be told. `only` are the
    members that may be told, or None for all. `keep` is the subject, where no statement will have it.
    """

    word: Word
    txn: bytes
    community_id: int | None = None
    seq: int | None = None
    indicator_id: int | None = None
    subject: str | None = None
    given: Given | None = None
    own: bool = False
    only: frozenset[int] | None = None
    keep: bool = False
    standing: str | None = None
    policy: int | None = None


@dataclass(frozen=True, slots=True)
class _Listeners:
    """The streams that are told anything, by member, and what each member may read."""

    orgs: Mapping[int, Org]
    streams: Mapping[int, Sequence[Stream]]
    grants: Mapping[int, Mapping[int, tuple[bool, bool]]]
    sights: Mapping[int, giving.Sight]
    wanted: frozenset[Word]


def due(database: Database) -> bool:
    """Whether anything happened that streams were not told of."""
    with database.snapshot() as uow:
        return outbox.waiting(uow, READER)


def fan_out(transmitter: Transmitter) -> int:
    """Tell every stream what happened since; how many rows of the outbox that were."""
    done = 0
    while True:
        with transmitter.database.transaction() as uow:
            events = outbox.take(uow, READER, ROWS)
            if events:
                _tell_all(transmitter, uow, events)
        done += len(events)
        if len(events) < ROWS:
            return done


def _tell_all(transmitter: Transmitter, uow: UnitOfWork, events: Sequence[Event]) -> None:
    listeners = _listeners(transmitter, uow)
    for event in events:
        for told in _chunks(uow, listeners, event):
            waiting.add(uow, _kept(uow, listeners, told, event.caused_at))
    hand_over(uow, [stream for streams in listeners.streams.values() for stream in streams])


def _listeners(transmitter: Transmitter, uow: UnitOfWork) -> _Listeners:
    members = transmitter.context.members
    by_org: dict[int, list[Stream]] = defaultdict(list)
    found = store.told(uow)
    orgs = members.orgs(uow) if found else {}
    for stream in found:
        if "ssf.read" in SCOPES_OF[orgs[stream.organisation_id].member_class]:
            by_org[stream.organisation_id].append(stream)
    return _Listeners(
        orgs,
        by_org,
        {org_id: members.grants(uow, org_id) for org_id in by_org},
        {org_id: giving.sight(orgs, org_id) for org_id in by_org},
        frozenset(word for streams in by_org.values() for stream in streams for word in stream.events),
    )


def _chunks(uow: UnitOfWork, listeners: _Listeners, event: Event) -> Iterator[list[_Tell]]:
    """What there is to tell of a happening, a bounded part at a time."""
    what = event.what
    if not listeners.streams:
        return
    if (word := _BOARD.get(what.type)) is not None:
        yield list(_of_board(listeners, what, word))
        return
    if what.community_id is None or what.first is None or what.last is None:
        return
    for first in range(what.first, what.last + 1, ENTRIES):
        last = min(first + ENTRIES - 1, what.last)
        if what.type in ("signal.retracted", "signal.expired"):
            yield list(_of_departed(uow, listeners, event, what.community_id, first, last))
        elif what.type == "signal.recorded":
            given = giving.between(uow, what.community_id, first, last)
            if what.rule == RELEASED:
                # What the hub withheld so far, and names in an event of its own.
                named = giving.at(uow, giving.released(uow, first))
                given = [named[seq] for seq in sorted(named)]
            yield [told for one in given for told in _of_recorded(listeners, one)]
        elif what.type in ("indicator.corroborated", "indicator.disputed"):
            given = giving.between(uow, what.community_id, first, last)
            yield [told for one in given for told in _of_standing(what, one)]


def _of_recorded(listeners: _Listeners, given: Given) -> Iterator[_Tell]:
    row, txn = given.row, token_bytes(16)
    if row.kind == "retraction":
        yield _Tell("signal.retracted", txn, given.community_id, row.seq, given=given, own=True)
        return
    disabling = "account-disabled" in listeners.wanted and _disables(given)
    for indicator_id, indicator in given.indicators:
        told = _Tell(
            "signal.recorded",
            txn,
            given.community_id,
            row.seq,
            indicator_id,
            str(indicator),
            given,
            own=True,
        )
        yield told
        if disabling:
            yield told._replace(word="account-disabled")


def _disables(given: Given) -> bool:
    """Whether a report says that its author has shut the account."""
    if not given.indicators or given.indicators[0][1].family != "account":
        return False
    report = signals.parse(payload_of(given.row.jws or b"")).report
    return report is not None and report.account is not None and report.account.action in DISABLING


def _of_standing(what: outbox.Happening, given: Given) -> Iterator[_Tell]:
    word: Word = "indicator.corroborated" if what.type == "indicator.corroborated" else "indicator.disputed"
    standing = what.status if what.status in STANDINGS else word.removeprefix("indicator.")
    txn = token_bytes(16)
    for indicator_id, indicator in given.indicators:
        yield _Tell(
            word,
            txn,
            given.community_id,
            given.row.seq,
            indicator_id,
            str(indicator),
            given,
            standing=standing,
            policy=what.policy,
        )


def _of_departed(
    uow: UnitOfWork, listeners: _Listeners, event: Event, community_id: int, first: int, last: int
) -> Iterator[_Tell]:
    """What of the statements that are gone has to be told: an account that is free again, an end before its time."""
    gone = giving.departed(uow, community_id, first, last)
    freed = waiting.disabled_by(uow, {one.seq for one in gone})
    waiting.forget_disabled(uow, {one.seq for one in freed})
    if event.what.type == "signal.retracted":
        # Who retracts takes its own word back alone: the account stays shut where somebody else has said so.
        still = waiting.still_disabled(uow, {one.indicator_id for one in freed})
        for shut in freed:
            if shut.indicator_id not in still:
                told = giving.given_before(uow, listeners.streams, community_id, shut.seq, shut.indicator_id)
                yield _Tell(
                    "account-enabled",
                    token_bytes(16),
                    community_id,
                    shut.seq,
                    subject=shut.subject.decode(),
                    only=frozenset(told),
                    keep=True,
                )
        return
    for one in gone:
        if one.expires_at is not None and one.expires_at > event.caused_at:
            subject = entry_subject(one.seq)
            yield _Tell("signal.expired", token_bytes(16), community_id, one.seq, subject=subject, keep=True)


def _of_board(listeners: _Listeners, what: outbox.Happening, word: Word) -> Iterator[_Tell]:
    about = None if what.about_id is None else listeners.orgs[what.about_id]
    yield _Tell(
        word,
        token_bytes(16),
        # In a sandbox the members of a community are told what its operator does.
        what.community_id,
        what.first,
        subject=BOARD_SUBJECT if about is None else member_subject(about.issuer),
        only=None if what.organisation_id is None else frozenset({what.organisation_id}),
        keep=True,
        standing=what.status if what.status in STANDINGS else None,
    )


def _kept(uow: UnitOfWork, listeners: _Listeners, told: Sequence[_Tell], caused_at: int) -> list[New]:
    """A token of each for every stream that is to have it."""
    new: list[New] = []
    disabled: list[Disabled] = []
    digests = {id(one): subject_digest(one.subject) for one in told if one.subject is not None}
    for org_id, streams in listeners.streams.items():
        mine = [one for one in told if _may_know(listeners, org_id, one)]
        for stream in streams if mine else ():
            removed = store.removed_among(uow, stream.id, set(digests.values()))
            for one in mine:
                if one.word not in stream.events or digests.get(id(one)) in removed:
                    continue
                new.append(_new(stream, one, caused_at))
                if one.word == "account-disabled":
                    disabled.append(_disabled(one))
    waiting.disable(uow, disabled)
    return new


def _may_know(listeners: _Listeners, org_id: int, told: _Tell) -> bool:
    org = listeners.orgs[org_id]
    if not reaches(told.word, org.state) or (told.only is not None and org_id not in told.only):
        return False
    if told.community_id is None:
        return True
    if not listeners.grants[org_id].get(told.community_id, (False, False))[1]:
        return False
    if told.given is None:
        return True
    if told.own and told.given.row.author_id == org_id:
        return False
    return listeners.sights[org_id].hides(told.given.row) is None


def _new(stream: Stream, told: _Tell, caused_at: int) -> New:
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
    )


def _disabled(told: _Tell) -> Disabled:
    return Disabled(
        told.seq or 0, told.indicator_id or 0, told.community_id or 0, (told.subject or "").encode()
    )

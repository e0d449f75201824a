"""What there is to tell of a happening, a bounded part of it at a time: each thing once, whoever is told of it."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from secrets import token_bytes
from typing import Final, NamedTuple

from tocsin.db import UnitOfWork
from tocsin.members.service import Org
from tocsin.outbox import Event, Happening
from tocsin.signals.service import giving
from tocsin.signals.service.giving import Departed, Given
from tocsin.streams.rules.events import (
    BOARD_SUBJECT,
    BOARD_WORDS,
    DISABLING,
    Word,
    entry_subject,
    member_subject,
)
from tocsin.streams.store import waiting
from tocsin.streams.store.tables import STANDINGS
from tocsin_schemas import signals
from tocsin_schemas.envelope import payload_of
from tocsin_schemas.notifications import RELEASED

ENTRIES: Final = 1000
"""Log entries looked at together."""
_BOARD: Final[Mapping[str, Word]] = {word: word for word in BOARD_WORDS}


class Tell(NamedTuple):
    """Something to tell, to those of whom nothing of this speaks against it.

    `given` is the statement that the token is made from; `own` says that its author needs not be told. `gone` is the
    statement that it takes back, at log index `target`. `only` are the members that may be told, or None for all.
    `keep` is the subject, where no statement will have it.
    """

    word: Word
    txn: bytes
    community_id: int | None = None
    seq: int | None = None
    indicator_id: int | None = None
    subject: str | None = None
    given: Given | None = None
    own: bool = False
    gone: Departed | None = None
    target: int | None = None
    only: frozenset[int] | None = None
    keep: bool = False
    standing: str | None = None
    policy: int | None = None


class Part(NamedTuple):
    """A part of what a happening has to tell; the log index that the next part begins at, or None when that is all."""

    tells: Sequence[Tell]
    behind: int | None


class Audience(NamedTuple):
    """To whom it is told: every member, the ids of those that have streams, and the words that any of these wants."""

    orgs: Mapping[int, Org]
    org_ids: Collection[int]
    wanted: Collection[Word]


def part_of(uow: UnitOfWork, audience: Audience, event: Event, at: int | None, most: int) -> Part:
    """What there is to tell from log index `at` on (None: from the beginning), about `most` things and at least one."""
    what = event.what
    if (word := _BOARD.get(what.type)) is not None:
        return Part([_of_board(audience, what, word)], None)
    if what.community_id is None or what.first is None or what.last is None:
        return Part([], None)
    first = what.first if at is None else at
    if what.type == "signal.retracted":
        return Part(list(_of_retracted(uow, audience, what, what.community_id, what.first)), None)
    last = min(first + max(1, min(ENTRIES, most)) - 1, what.last)
    rest = last + 1 if last < what.last else None
    if what.type == "signal.expired":
        gone = giving.departed(uow, what.community_id, first, last)
        waiting.forget_disabled(uow, {one.seq for one in gone})
        return Part(list(_of_expired(gone, event.caused_at, what.community_id)), rest)
    if what.type == "signal.recorded" and what.rule == RELEASED:
        # What the hub withheld so far, and names in an event of its own.
        named = giving.at(uow, [seq for seq in giving.released(uow, what.first) if at is None or seq >= at])
        return _cut(
            (named[seq] for seq in sorted(named)), lambda one: _of_recorded(audience, one), most, None
        )
    if what.type in ("signal.recorded", "indicator.corroborated", "indicator.disputed"):
        given = giving.between(uow, what.community_id, first, last)
        if what.type == "signal.recorded":
            return _cut(given, lambda one: _of_recorded(audience, one), most, rest)
        return _cut(given, lambda one: _of_standing(what, one), most, rest)
    return Part([], None)


def _cut(
    given: Iterable[Given], tells: Callable[[Given], Iterable[Tell]], most: int, rest: int | None
) -> Part:
    """What there is to tell of these statements, up to the one with which it is enough."""
    found: list[Tell] = []
    for one in given:
        if len(found) >= most:
            return Part(found, one.row.seq)
        found += tells(one)
    return Part(found, rest)


def _of_recorded(audience: Audience, given: Given) -> Iterator[Tell]:
    row, txn = given.row, token_bytes(16)
    if row.kind == "retraction":
        # Told as what it is, with what it withdraws (`_of_retracted`).
        return
    disabling = "account-disabled" in audience.wanted and _disables(given)
    for indicator_id, indicator in given.indicators:
        told = Tell(
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


def _of_standing(what: Happening, given: Given) -> Iterator[Tell]:
    word: Word = "indicator.corroborated" if what.type == "indicator.corroborated" else "indicator.disputed"
    standing = what.status if what.status in STANDINGS else word.removeprefix("indicator.")
    txn = token_bytes(16)
    for indicator_id, indicator in given.indicators:
        yield Tell(
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


def _of_retracted(
    uow: UnitOfWork, audience: Audience, what: Happening, community_id: int, seq: int
) -> Iterator[Tell]:
    """The retraction, whose place is the happening's cursor, and an account that is free again by it."""
    said = giving.at(uow, [] if what.cursor is None else [what.cursor])
    for given in said.values():
        txn = token_bytes(16)
        yield Tell("signal.retracted", txn, community_id, given.row.seq, given=given, own=True, target=seq)
    freed = waiting.disabled_by(uow, {seq})
    waiting.forget_disabled(uow, {seq})
    # Who retracts takes its own word back alone: the account stays shut where somebody else has said so.
    still = waiting.still_disabled(uow, {one.indicator_id for one in freed})
    open_again = [shut for shut in freed if shut.indicator_id not in still]
    if open_again:
        told = giving.given_before(uow, audience.orgs, audience.org_ids, community_id, [seq])
        for shut in open_again:
            yield Tell(
                "account-enabled",
                token_bytes(16),
                community_id,
                seq,
                subject=shut.subject.decode(),
                only=frozenset(org_id for org_id, _ in told),
                keep=True,
                target=seq,
            )


def _of_expired(gone: Iterable[Departed], caused_at: int, community_id: int) -> Iterator[Tell]:
    """What ended before its time; a due end was announced from the beginning."""
    for one in gone:
        if one.expires_at is not None and one.expires_at > caused_at:
            yield Tell(
                "signal.expired",
                token_bytes(16),
                community_id,
                one.seq,
                subject=entry_subject(one.seq),
                keep=True,
                gone=one,
                target=one.seq,
            )


def _of_board(audience: Audience, what: Happening, word: Word) -> Tell:
    about = None if what.about_id is None else audience.orgs[what.about_id]
    return Tell(
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

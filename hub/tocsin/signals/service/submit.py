"""Submitting signals: verify, decide, record, answer (docs/signal-lifecycle.md has the same steps).

One transaction a batch: every line gets its own answer, and the batch is stored whole or not at all.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from tocsin.db import UnitOfWork
from tocsin.ledger import service as ledger
from tocsin.members.service import Org
from tocsin.signals.rules import Admit, Duplicate
from tocsin.signals.service.context import Context
from tocsin.signals.service.desk import Desk, Recorded, Sealed
from tocsin.signals.store import admission as store
from tocsin_schemas.envelope import AuthorKey, Opened, open_token, read
from tocsin_schemas.ledger import commit, new_nonce
from tocsin_schemas.membership import permit
from tocsin_schemas.problems import Refused
from tocsin_schemas.vocabulary import Status

HOUR: Final = 3600


class Accepted(NamedTuple):
    """The signal is recorded; `again` says that it was before."""

    statement: Recorded
    again: bool = False


class WouldAccept(NamedTuple):
    """What recording would have done (dry run)."""

    would: str
    status: Status
    digest: bytes


Result = Accepted | WouldAccept | Refused


def submit(
    context: Context, author_id: int, tokens: Sequence[bytes], *, dry_run: bool = False
) -> list[Result]:
    """Submit signed signals of one author; the results stand in the order of the tokens.

    With `dry_run` everything is checked, the cap is charged, and nothing is stored.

    Raises:
        Refused: `rate-limited`, or as `membership.permit`, for the whole request; nothing was done then.
    """
    # 1. Who may, and how much: before any work is spent on it.
    with context.database.snapshot() as uow:
        _check_author(uow, context, author_id, len(tokens))
        keys = context.members.author_keys(uow, author_id)
    # 2. Verify and seal. No transaction is open: this is where the time goes.
    opened = [_open(token, keys) for token in tokens]
    checked = [_seal(item) for item in opened]
    sealed = [item for item in checked if isinstance(item, Sealed)]
    if dry_run:
        with context.database.transaction() as uow:
            # Two that count at once would count as one: the log's lock orders these writers, too.
            ledger.locked_size(uow)
            _charge(uow, context, author_id, len(tokens))
        with context.database.snapshot() as uow:
            return _rehearse(Desk(uow, context, author_id, sealed, ledger.size(uow)), checked)
    with context.database.transaction() as uow:
        # 3. The log's lock orders writers; what is read from here on is true until the commit.
        first = ledger.locked_size(uow)
        _charge(uow, context, author_id, len(tokens))
        desk = Desk(uow, context, author_id, sealed, first)
        # 4. Decide line by line. 5. Write statements, entries and outbox rows at once.
        decided = [_decide(desk, item) for item in checked]
        desk.flush()
        recorded = desk.recorded({item for item in decided if isinstance(item, int)})
    # 6. The block's end has committed; only now does anyone get a receipt.
    return _answers(decided, recorded, first)


def hour_of(now: int) -> int:
    """The beginning of the hour that caps are counted in."""
    return now // HOUR * HOUR


def cap_of(context: Context, uow: UnitOfWork, author_id: int) -> tuple[int, int]:
    """(lines this member may submit in an hour, lines left in this one)."""
    return _cap(context, uow, context.members.orgs(uow)[author_id])


def _cap(context: Context, uow: UnitOfWork, author: Org) -> tuple[int, int]:
    cap = author.signals_per_hour
    cap = context.policy(uow).signals_per_hour if cap is None else cap
    return cap, max(0, cap - store.quota_used(uow, author.id, hour_of(uow.now)))


def _check_author(uow: UnitOfWork, context: Context, author_id: int, lines: int) -> None:
    author = context.members.orgs(uow)[author_id]
    permit(author.state, "submit")
    cap, left = _cap(context, uow, author)
    if lines > left:
        wait = hour_of(uow.now) + HOUR - uow.now
        raise Refused("rate-limited", "", f"{left} of {cap} signals are left in this hour", retry_after=wait)


def _charge(uow: UnitOfWork, context: Context, author_id: int, lines: int) -> None:
    _check_author(uow, context, author_id, lines)
    store.charge_quota(uow, author_id, hour_of(uow.now), lines)


def _open(token: bytes, keys: Mapping[str, AuthorKey]) -> Opened | Refused:
    try:
        return open_token(token, keys)
    except Refused as refused:
        return refused


def _seal(opened: Opened | Refused) -> Sealed | Refused:
    if isinstance(opened, Refused):
        return opened
    try:
        verified = read(opened)
    except Refused as refused:
        return refused
    nonce = new_nonce()
    return Sealed(verified, nonce, commit(nonce, verified.token))


def _decide(desk: Desk, item: Sealed | Refused) -> int | Refused:
    """The log index of the statement, new or old, or why there is none."""
    if isinstance(item, Refused):
        return item
    decision = desk.decide(item.verified)
    if isinstance(decision, Admit):
        return desk.take(item, decision)
    return decision.seq if isinstance(decision, Duplicate) else decision


def _answers(decided: Sequence[int | Refused], recorded: Mapping[int, Recorded], first: int) -> list[Result]:
    """Receipts in order; a signal that stands twice in a batch is recorded once and answered twice."""
    answered: set[int] = set()
    results: list[Result] = []
    for item in decided:
        if isinstance(item, Refused):
            results.append(item)
        else:
            results.append(Accepted(recorded[item], again=item < first or item in answered))
            answered.add(item)
    return results


def _rehearse(desk: Desk, checked: Sequence[Sealed | Refused]) -> list[Result]:
    """What `_decide` would do for each line, without anything being written."""
    results: list[Result] = []
    for item in checked:
        if isinstance(item, Refused):
            results.append(item)
            continue
        decision = desk.decide(item.verified)
        if isinstance(decision, Refused):
            results.append(decision)
        elif isinstance(decision, Duplicate):
            results.append(WouldAccept("duplicate", desk.status_of(decision.seq), item.verified.digest))
        else:
            desk.take(item, decision)
            would = "record" if desk.counts and decision.quarantine is None else "quarantine"
            results.append(WouldAccept(would, decision.status, item.verified.digest))
    return results

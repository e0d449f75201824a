"""Submitting signals: verify, decide, record, answer (docs/signal-lifecycle.md has the same steps).

One transaction a batch: every line gets its own answer, and the batch is stored whole or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tocsin.db import UnitOfWork
from tocsin.ledger import service as ledger
from tocsin.signals.rules import Admit, Duplicate
from tocsin.signals.service.context import Context
from tocsin.signals.service.desk import Desk, Receipt
from tocsin.signals.store import admission as store
from tocsin_schemas.envelope import VerifiedSignal, verify
from tocsin_schemas.problems import Refused

HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class Accepted:
    """The signal is recorded; `again` says that it was before."""

    receipt: Receipt
    again: bool = False


@dataclass(frozen=True, slots=True)
class WouldAccept:
    """What recording would have done (dry run)."""

    would: str
    status: str
    digest: bytes


Result = Accepted | WouldAccept | Refused


def submit(
    context: Context, author_id: int, tokens: Sequence[bytes], *, dry_run: bool = False
) -> list[Result]:
    """Submit signed signals of one author; the results stand in the order of the tokens.

    With `dry_run` everything is checked, the cap is charged, and nothing is stored.

    Raises:
        Refused: `rate-limited` or `member-suspended`, for the whole request; nothing was done then.
    """
    # 1. Who may, and how much: before any work is spent on it.
    with context.database.snapshot() as uow:
        _check_author(uow, context, author_id, len(tokens))
        keys = context.members.author_keys(uow, author_id)
    # 2. Verify. No transaction is open: this is where the time goes.
    checked: list[VerifiedSignal | Refused] = []
    for token in tokens:
        try:
            checked.append(verify(token, keys))
        except Refused as refused:
            checked.append(refused)
    verified = [item for item in checked if isinstance(item, VerifiedSignal)]
    if dry_run:
        with context.database.transaction() as uow:
            _charge(uow, context, author_id, len(tokens))
        with context.database.snapshot() as uow:
            return _rehearse(Desk(uow, context, author_id, verified, ledger.size(uow)), checked)
    with context.database.transaction() as uow:
        # 3. The log's lock orders writers; what is read from here on is true until the commit.
        first = ledger.locked_size(uow)
        _charge(uow, context, author_id, len(tokens))
        desk = Desk(uow, context, author_id, verified, first)
        # 4. Decide line by line. 5. Write statements, entries and outbox rows at once.
        decided = [_decide(desk, item) for item in checked]
        desk.flush()
        # 6. The block's end commits; only then does anyone get a receipt.
        return _answers(desk, decided)


def hour_of(now: int) -> int:
    """The beginning of the hour that caps are counted in."""
    return now // HOUR * HOUR


def cap_of(context: Context, uow: UnitOfWork, author_id: int) -> tuple[int, int]:
    """(lines this member may submit in an hour, lines left in this one)."""
    cap = context.members.orgs(uow)[author_id].signals_per_hour
    cap = context.policy.signals_per_hour if cap is None else cap
    return cap, max(0, cap - store.quota_used(uow, author_id, hour_of(uow.now)))


def _check_author(uow: UnitOfWork, context: Context, author_id: int, lines: int) -> None:
    if context.members.orgs(uow)[author_id].state != "active":
        raise Refused("member-suspended", "", "a suspended member cannot submit")
    cap, left = cap_of(context, uow, author_id)
    if lines > left:
        wait = hour_of(uow.now) + HOUR - uow.now
        raise Refused("rate-limited", "", f"{left} of {cap} signals are left in this hour", retry_after=wait)


def _charge(uow: UnitOfWork, context: Context, author_id: int, lines: int) -> None:
    _check_author(uow, context, author_id, lines)
    store.charge_quota(uow, author_id, hour_of(uow.now), lines)


def _decide(desk: Desk, item: VerifiedSignal | Refused) -> int | Refused:
    """The log index of the statement, new or old, or why there is none."""
    if isinstance(item, Refused):
        return item
    decision = desk.decide(item)
    if isinstance(decision, Admit):
        return desk.take(item, decision)
    return decision.seq if isinstance(decision, Duplicate) else decision


def _answers(desk: Desk, decided: Sequence[int | Refused]) -> list[Result]:
    """Receipts in order; a signal that stands twice in a batch is recorded once and answered twice."""
    receipts = desk.receipts([item for item in decided if isinstance(item, int)])
    answered: set[int] = set(desk.recorded_before)
    results: list[Result] = []
    for item in decided:
        if isinstance(item, Refused):
            results.append(item)
        else:
            results.append(Accepted(receipts[item], again=item in answered))
            answered.add(item)
    return results


def _rehearse(desk: Desk, checked: Sequence[VerifiedSignal | Refused]) -> list[Result]:
    """What `_decide` would do for each line, without anything being written."""
    results: list[Result] = []
    for item in checked:
        if isinstance(item, Refused):
            results.append(item)
            continue
        decision = desk.decide(item)
        if isinstance(decision, Refused):
            results.append(decision)
        elif isinstance(decision, Duplicate):
            results.append(WouldAccept("duplicate", desk.status_of(decision.seq), item.digest))
        else:
            desk.take(item, decision)
            would = "record" if decision.quarantine is None else "quarantine"
            results.append(WouldAccept(would, decision.status, item.digest))
    return results

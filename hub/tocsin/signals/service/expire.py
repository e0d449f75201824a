"""Expiry: what is past its date is erased, its place in the log stays, and the log says how much went.

Readers need not wait for this job: the feed and the views stop showing a statement at its date. The job erases what the
database still holds, and once a day and community enters the Merkle root of what expired.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final

from tocsin import outbox
from tocsin.db import UnitOfWork
from tocsin.ledger import service as ledger
from tocsin.signals.service.context import Context
from tocsin.signals.store import admission, expiry
from tocsin_schemas import envelope, hub_events
from tocsin_schemas import ledger as log
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY

BATCH: Final = 1000
IDENTITY_KEPT: Final = 3600
"""Seconds after `iat` for which a gone statement's jti is kept: longer than any replay could be fresh."""


def expire(context: Context, key: SigningKey) -> int:
    """Do everything that is due, in bounded transactions; the number of statements that expired.

    `key` is the hub's own, for the daily entries. Running it again, or twice at once, changes nothing.
    """
    total = 0
    while True:
        with context.database.transaction() as uow:
            # Behind a batch in hand, which may be about the very indicators that are to go.
            ledger.locked_size(uow)
            due, swept = expiry.due(uow, BATCH), uow.now
            admission.forget(uow, [seq for seq, _ in due], "expired", uow.now)
            outbox.publish(uow, [("signal.expired", *run) for run in _runs(due)])
        total += len(due)
        if len(due) < BATCH:
            break
    with context.database.transaction() as uow:
        expiry.erase_identities(uow, uow.now - IDENTITY_KEPT)
        _enter_days(uow, context, key, swept // DAY)
    if total:
        context.database.settle()
    return total


def _runs(due: Iterable[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """(community id, first, last) for each run of neighbours in the log that are of one community."""
    runs = []
    for (community_id, _), group in groupby(enumerate(due), lambda item: (item[1][1], item[1][0] - item[0])):
        seqs = [seq for _, (seq, _) in group]
        runs.append((community_id, seqs[0], seqs[-1]))
    return runs


def _enter_days(uow: UnitOfWork, context: Context, key: SigningKey, today: int) -> None:
    """Enter the expiries of every day before `today` that is not in the log yet; all that expired then is erased."""
    first = ledger.locked_size(uow)
    statements: list[tuple[object, ...]] = []
    entries: list[log.Entry] = []
    for community in context.members.communities(uow).values():
        days = expiry.unlogged_days(uow, community.id, today)
        for day in days:
            seqs = expiry.expired_on(uow, community.id, day)
            payload = hub_events.compose_expiry(
                iss=context.issuer,
                aud=context.members.audience(community.slug),
                iat=uow.now,
                day=(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat(),
                seqs=seqs,
            )
            token, nonce = envelope.sign(payload, key), log.new_nonce()
            statements.append(
                (
                    first + len(entries), community.id, None, "expiry", None, None, token, nonce, None,
                    uow.now, uow.now, uow.now, None, "expired", None, None, None,
                )
            )  # fmt: skip
            entries.append(log.Entry(community.slug, "expiry", uow.now, log.commit(nonce, token)))
        expiry.mark_logged(uow, community.id, days)
    if entries:
        ledger.append(uow, first, entries)
        admission.record(uow, statements, [], [])

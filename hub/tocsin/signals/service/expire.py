"""Expiry: what is past its date is erased, its place in the log stays, and the log says how much went.

Readers need not wait for this job: the feed and the views stop showing a statement at its date. The job erases what the
database still holds, and once a day and community enters the Merkle root of what expired. What a member left behind
that nobody bore out goes before its date (`service.departures`).
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from tocsin import outbox
from tocsin.db import UnitOfWork
from tocsin.ledger import service as ledger
from tocsin.signals.service.context import Context
from tocsin.signals.service.departures import depart
from tocsin.signals.service.events import enter
from tocsin.signals.service.telling import expired
from tocsin.signals.store import admission, expiry, given
from tocsin_schemas import hub_events
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY

BATCH: Final = 1000
PAST_KEPT: Final = 31 * DAY
"""How long it is remembered what a statement was about that is gone: longer than a correction waits to be sent."""
IDENTITY_KEPT: Final = 3600
"""Seconds after `iat` for which a gone statement's jti is kept: longer than any replay could be fresh."""


def expire(context: Context, key: SigningKey) -> int:
    """Do everything that is due, in bounded transactions; the number of statements that expired.

    `key` is the hub's own, for the daily entries. Running it again, or twice at once, changes nothing.
    """
    total = depart(context)
    while True:
        with context.database.transaction() as uow:
            # Behind a batch in hand, which may be about the very indicators that are to go.
            size = ledger.locked_size(uow)
            due, swept = expiry.due(uow, BATCH), uow.now
            told = list(expired(uow, context.members.orgs(uow), due, size - 1)) if due else []
            admission.forget(uow, [seq for seq, _ in due], "expired", uow.now)
            outbox.publish(uow, told)
        total += len(due)
        if len(due) < BATCH:
            break
    with context.database.transaction() as uow:
        expiry.erase_identities(uow, uow.now - IDENTITY_KEPT)
        given.forget(uow, uow.now - PAST_KEPT)
        _enter_days(uow, context, key, swept // DAY)
    if total:
        context.database.settle()
    return total


def _enter_days(uow: UnitOfWork, context: Context, key: SigningKey, today: int) -> None:
    """Enter the expiries of every day before `today` that is not in the log yet; all that expired then is erased."""
    ledger.locked_size(uow)
    for community in context.members.communities(uow).values():
        days = expiry.unlogged_days(uow, community.id, today)
        for day in days:
            payload = hub_events.compose_expiry(
                iss=context.issuer,
                aud=context.members.audience(community.slug),
                iat=uow.now,
                day=(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat(),
                seqs=expiry.expired_on(uow, community.id, day),
            )
            enter(uow, key, community, "expiry", payload)
        expiry.mark_logged(uow, community.id, days)

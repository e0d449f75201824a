"""What a member leaves behind that withdrew or was expelled (trust.md §1): what nobody bore out expires within 30 days.

Nothing of it counts from the day it left, and nobody is given it. Thirty days later everything is erased that is no
part of an agreement with others; the rest stays unseen, without its author's name, until its date. A record that goes
this way is counted on the day of its own date, as if it had lived so long: a follower that holds it finds the same.
"""

from typing import Final

from tocsin import outbox
from tocsin.db import UnitOfWork
from tocsin.ledger import service as ledger
from tocsin.members.service import Org
from tocsin.signals import rules
from tocsin.signals.service.context import Context
from tocsin.signals.service.sight import folded
from tocsin.signals.service.telling import expired
from tocsin.signals.store import admission, expiry
from tocsin_schemas.fold import Statement
from tocsin_schemas.membership import EFFECTS, LEFT_BEHIND_SECONDS

BATCH: Final = 1000
AGREED: Final = "corroborated/v1"
"""The rule of the fold whose inputs stay."""


def depart(context: Context) -> int:
    """Go through what members left behind that left long enough ago; how many statements expired. Once for each."""
    total = 0
    with context.database.snapshot() as uow:
        left = [org for org in context.members.orgs(uow).values() if _left(org, uow.now)]
        done = expiry.departed(uow, [org.id for org in left]) if left else {}
    for org in left:
        if done.get(org.id) != org.state_since:
            total += _clear(context, org)
    return total


def _left(org: Org, now: int) -> bool:
    return EFFECTS[org.state].keys == "verify_only" and org.state_since + LEFT_BEHIND_SECONDS <= now


def _clear(context: Context, left: Org) -> int:
    total, behind = 0, -1
    while True:
        with context.database.transaction() as uow:
            # Behind a batch in hand, as in `expire`.
            size = ledger.locked_size(uow)
            page = expiry.said_by(uow, left.id, behind, BATCH)
            alone = _alone(context, uow, left, [seq for seq, _ in page])
            due = [(seq, community_id) for seq, community_id in page if seq in alone]
            told = list(expired(uow, context.members.orgs(uow), due, size - 1))
            admission.forget(uow, [seq for seq, _ in due], "expired", uow.now)
            outbox.publish(uow, told)
            if len(page) < BATCH:
                expiry.mark_departed(uow, left.id, left.state_since)
        total += len(due)
        if len(page) < BATCH:
            return total
        behind = page[-1][0]


def _alone(context: Context, uow: UnitOfWork, left: Org, seqs: list[int]) -> set[int]:
    """Those of a member's statements that would be no part of an agreement, if they still counted."""
    orgs = context.members.orgs(uow)
    about = admission.indicators_of(uow, seqs)
    facts: dict[int, list[admission.About]] = {}
    for fact in admission.about(uow, {item for items in about.values() for item in items}, uow.now):
        facts.setdefault(fact.indicator_id, []).append(fact)
    agreed: set[bytes] = set()
    policy = context.policy(uow)
    for found in facts.values():
        statements = [_as_if_here(fact, orgs[fact.author_id], left) for fact in found]
        standing = rules.standing(statements, uow.now, policy)
        agreed.update(*(reason.statements for reason in standing.reasons if reason.rule == AGREED))
    digests = {fact.seq: fact.digest for found in facts.values() for fact in found}
    return {seq for seq in seqs if digests.get(seq) not in agreed}


def _as_if_here(fact: admission.About, author: Org, left: Org) -> Statement:
    """A statement for the fold; one of the member that left counts as if it had stayed."""
    said = folded(fact, author)
    return said._replace(counts=fact.quarantine is None) if author.id == left.id else said

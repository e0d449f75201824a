"""How far an emergency suspension of a member would reach into what indicators stand at: counts, and never a value."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from tocsin.db import UnitOfWork
from tocsin.members.service import Org
from tocsin.signals import rules
from tocsin.signals.service.context import Context
from tocsin.signals.service.sight import folded
from tocsin.signals.store import admission, expiry
from tocsin.signals.store.admission import About
from tocsin_schemas.problems import Refused
from tocsin_schemas.vocabulary import MATCHABLE, Status

BATCH: Final = 1000
AGREED: Final[frozenset[Status]] = frozenset({"corroborated", "human_confirmed"})


def reach(context: Context) -> Callable[[UnitOfWork, str], Mapping[str, int]]:
    """Counts what suspending a member now would change, by its issuer (`Refused` `not-found` for an unknown one).

    `statements` are its live ones, `withheld` those that would not count any more; `indicators` would not be matched
    any more, and `corroborated` would stand on one control group's word or none.
    """

    def count(uow: UnitOfWork, issuer: str) -> Mapping[str, int]:
        orgs = context.members.orgs(uow)
        member = next((org for org in orgs.values() if org.issuer == issuer), None)
        if member is None:
            raise Refused("not-found", "issuer", "no such member")
        after = {**orgs, member.id: replace(member, state="emergency_suspended", state_since=uow.now)}
        found = Counter({"statements": 0, "withheld": 0, "indicators": 0, "corroborated": 0})
        seen: set[int] = set()
        lost: set[int] = set()
        behind, page = -1, [(0, 0)]
        while page:
            page = expiry.said_by(uow, member.id, behind, BATCH)
            behind = page[-1][0] if page else behind
            found["statements"] += len(page)
            found += _changes(context, uow, (orgs, after), [seq for seq, _ in page], seen, lost)
        found["withheld"] = len(lost)
        return {name: found[name] for name in ("statements", "withheld", "indicators", "corroborated")}

    return count


def _changes(
    context: Context,
    uow: UnitOfWork,
    orgs: tuple[Mapping[int, Org], Mapping[int, Org]],
    seqs: list[int],
    seen: set[int],
    lost: set[int],
) -> Counter[str]:
    """What would change for the indicators of some of its statements that were not `seen`; `lost` gains statements."""
    now, then = orgs
    about = {item for items in admission.indicators_of(uow, seqs).values() for item in items} - seen
    seen |= about
    facts: dict[int, list[About]] = {}
    for fact in admission.about(uow, about, uow.now):
        facts.setdefault(fact.indicator_id, []).append(fact)
    policy, found = context.policy(uow), Counter[str]()
    for told in facts.values():
        was, will = (
            rules.standing([folded(fact, known[fact.author_id]) for fact in told], uow.now, policy).status
            for known in orgs
        )
        found["indicators"] += was in MATCHABLE and will not in MATCHABLE
        found["corroborated"] += was in AGREED and will not in AGREED
        lost |= {
            fact.seq
            for fact in told
            if folded(fact, now[fact.author_id]).counts and not folded(fact, then[fact.author_id]).counts
        }
    return found

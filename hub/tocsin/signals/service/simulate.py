"""What another policy would do to what was recorded of late: the same fold over the same statements, twice.

Nothing is changed. What was refused and never recorded is not known, so a policy that would let more in shows no more
than what came in.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from tocsin.errors import Refused
from tocsin.signals import rules
from tocsin.signals.service.context import Context
from tocsin.signals.service.sight import folded
from tocsin.signals.store import admission
from tocsin.signals.store import simulation as store
from tocsin_schemas.fold import Statement
from tocsin_schemas.indicators import FAMILY
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import DAY, Policy, lifetime

DAYS: Final = 30
Progress = Callable[[float], object]
"""Told how much is done, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """Indicators by status, now and under the other policy; signals above the caps; and what lives shorter.

    `moved` is how many indicators stand elsewhere, `shortened` how many live statements would end earlier, and `over`
    how many of those would be over by now. `since` and `until` are Unix seconds.
    """

    since: int
    until: int
    before: Mapping[str, int]
    after: Mapping[str, int]
    moved: int
    capped_before: int
    capped_after: int
    shortened: int
    over: int

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "since": rfc3339(self.since),
            "until": rfc3339(self.until),
            "indicators": {"before": dict(self.before), "after": dict(self.after), "moved": self.moved},
            "refused_by_cap": {"before": self.capped_before, "after": self.capped_after},
            "lives": {"shortened": self.shortened, "over": self.over},
        }

    def lines(self) -> list[str]:
        """For a person."""
        words = sorted({*self.before, *self.after})
        return [
            f"Recorded since {rfc3339(self.since)}; indicators by status, now and then:",
            *(f"  {word:<16} {self.before.get(word, 0):>9,} {self.after.get(word, 0):>9,}" for word in words),
            f"{self.moved:,} indicators would stand elsewhere.",
            f"Signals above the caps: {self.capped_before:,} now, {self.capped_after:,} then.",
            f"{self.shortened:,} statements would end earlier, {self.over:,} of them by now.",
        ]


def changed_policy(context: Context, raw: bytes) -> Policy:
    """The policy in force with the values of a JSON document in their places, one version further.

    Raises:
        Refused: `claim-invalid` with the name of the value that does not fit.
    """
    with context.database.snapshot() as uow:
        now = context.policy(uow)
    try:
        given = json.loads(raw)
        whole = {**now.model_dump(), "version": now.version + 1, **given}
        return Policy.model_validate(whole)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise Refused("claim-invalid", ".".join(map(str, first["loc"])), str(first["msg"])) from None
    except (ValueError, TypeError):
        raise Refused("claim-invalid", "policy", "a JSON object of values to change") from None


def simulate(
    context: Context, after: Policy, *, days: int = DAYS, on_progress: Progress = lambda _share: None
) -> Simulated:
    """What `after` would do to everything recorded in the last `days`."""
    with context.database.snapshot() as uow:
        since = uow.now - days * DAY
        now = context.policy(uow)
        first = store.first_seq(uow, since)
        statuses: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        moved = shortened = over = 0
        hours: list[int] = []
        if first is not None:
            orgs = context.members.orgs(uow)
            parts = list(store.touched(uow, first))
            for place, part in enumerate(parts, 1):
                facts: dict[int, list[Statement]] = {at: [] for at in part}
                for row in admission.about(uow, part, uow.now):
                    facts[row.indicator_id].append(folded(row, orgs[row.author_id]))
                for found in facts.values():
                    stands, would = (rules.standing(found, uow.now, policy).status for policy in (now, after))
                    statuses[0][stands] += 1
                    statuses[1][would] += 1
                    moved += stands != would
                on_progress(0.9 * place / len(parts))
            hours = store.hourly(uow, first)
            for life in store.lives(uow, first):
                ends = life.recorded_at + _life(after, life)
                shortened += ends < life.expires_at
                over += ends < life.expires_at and ends <= uow.now
        on_progress(1.0)
        return Simulated(
            since=since,
            until=uow.now,
            before=dict(statuses[0]),
            after=dict(statuses[1]),
            moved=moved,
            capped_before=_above(hours, now),
            capped_after=_above(hours, after),
            shortened=shortened,
            over=over,
        )


def _above(hours: list[int], policy: Policy) -> int:
    return sum(max(0, count - policy.signals_per_hour) for count in hours)


def _life(policy: Policy, life: store.Life) -> int:
    return lifetime(policy, life.kind, FAMILY[life.type], life.status)  # type: ignore[arg-type]  # CHECKs name the words

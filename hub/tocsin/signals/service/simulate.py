"""What another policy would do to what was recorded of late: the same rules over the same statements, twice.

Nothing is changed. What was refused and never recorded is not known, so a policy that would let more in shows no more
than what came in. Values that no recorded signal tells anything about, those of membership and of ballots among them,
are named instead of counted.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from pydantic import ValidationError

from tocsin.errors import Refused
from tocsin.signals import rules
from tocsin.signals.service.context import Context
from tocsin.signals.service.sight import folded
from tocsin.signals.store import admission
from tocsin.signals.store import simulation as store
from tocsin_schemas.envelope import payload_of
from tocsin_schemas.fold import Statement
from tocsin_schemas.indicators import FAMILY
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import DAY, Policy, lifetime
from tocsin_schemas.signals import parse

DAYS: Final = 30
ADMITTING: Final = frozenset(
    {"iat_past", "iat_future", "toe_past", "label_packs", "agreements", "min_pdq_quality"}
)
"""Values that decide about one signal by itself."""
COUNTED: Final = ADMITTING | {
    *("corroborating_groups", "corroboration_window", "disputing_groups", "signals_per_hour"),
    *("media_candidate", "media_corroborated", "account_candidate", "account_corroborated"),
    *("account_confirmed", "artefact", "sighting", "dispute", "outcome"),
}
"""Values whose change shows in the figures."""
Progress = Callable[[float], object]
"""Told how much is done, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """Indicators by status, now and under the other policy; signals above the caps; what would not come in; and lives.

    `moved` is how many indicators stand elsewhere, `refused` how many live statements would be refused that are not
    under the policy in force, by problem code, and `quarantined` how many more or fewer would be kept from everybody.
    `shortened` and `lengthened` are how many would end earlier and later, `over` how many would be over by now.
    `uncounted` are the changed values that no figure here tells anything about. `since` and `until` are Unix seconds.
    """

    since: int
    until: int
    before: Mapping[str, int]
    after: Mapping[str, int]
    moved: int
    capped_before: int
    capped_after: int
    refused: Mapping[str, int]
    quarantined: int
    shortened: int
    lengthened: int
    over: int
    uncounted: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "since": rfc3339(self.since),
            "until": rfc3339(self.until),
            "indicators": {"before": dict(self.before), "after": dict(self.after), "moved": self.moved},
            "refused_by_cap": {"before": self.capped_before, "after": self.capped_after},
            "refused": dict(self.refused),
            "quarantined": self.quarantined,
            "lives": {"shortened": self.shortened, "lengthened": self.lengthened, "over": self.over},
            "uncounted": list(self.uncounted),
        }

    def lines(self) -> list[str]:
        """For a person."""
        words = sorted({*self.before, *self.after})
        return [
            f"Recorded since {rfc3339(self.since)}; indicators by status, now and then:",
            *(f"  {word:<16} {self.before.get(word, 0):>9,} {self.after.get(word, 0):>9,}" for word in words),
            f"{self.moved:,} indicators would stand elsewhere.",
            f"Signals above the caps: {self.capped_before:,} now, {self.capped_after:,} then.",
            f"{sum(self.refused.values()):,} live statements would have been refused"
            + "".join(f", {count:,} with {code}" for code, count in self.refused.items())
            + ".",
            f"{self.quarantined:+,} would be in quarantine.",
            f"{self.shortened:,} statements would end earlier, {self.over:,} of them by now.",
            f"{self.lengthened:,} would end later.",
            *([f"Not counted here: {', '.join(self.uncounted)}."] if self.uncounted else []),
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
        changed = [name for name in Policy.model_fields if getattr(now, name) != getattr(after, name)]
        first = store.first_seq(uow, since)
        statuses: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        refused: Counter[str] = Counter()
        moved = quarantined = shortened = lengthened = over = 0
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
                on_progress(0.6 * place / len(parts))
            if not ADMITTING.isdisjoint(changed):
                refused, quarantined = _admitted_otherwise(store.recorded(uow, first), now, after)
            on_progress(0.9)
            hours = store.hourly(uow, first)
            for life in store.lives(uow, first):
                ends = life.recorded_at + _life(after, life)
                shortened += ends < life.expires_at
                over += ends < life.expires_at and ends <= uow.now
                lengthened += life.expires_at == life.recorded_at + _life(now, life) < ends
        on_progress(1.0)
        return Simulated(
            since=since,
            until=uow.now,
            before=dict(statuses[0]),
            after=dict(statuses[1]),
            moved=moved,
            capped_before=_above(hours, now),
            capped_after=_above(hours, after),
            refused=dict(refused.most_common()),
            quarantined=quarantined,
            shortened=shortened,
            lengthened=lengthened,
            over=over,
            uncounted=tuple(name for name in changed if name not in COUNTED | {"version"}),
        )


def _admitted_otherwise(
    parts: Iterable[list[store.Recorded]], now: Policy, after: Policy
) -> tuple[Counter[str], int]:
    """How many would be refused that are not now, by problem code, and how many more would be in quarantine."""
    refused: Counter[str] = Counter()
    quarantined = 0
    for statement in chain.from_iterable(parts):
        signal = parse(payload_of(statement.jws))
        at = statement.recorded_at
        error = rules.refused_by(after, signal, at)
        if error is not None and rules.refused_by(now, signal, at) is None:
            refused[error.code] += 1
        elif signal.report is not None:
            was, would = (rules.quarantine_code(signal, signal.report, policy) for policy in (now, after))
            quarantined += (would is not None) - (was is not None)
    return refused, quarantined


def _above(hours: list[int], policy: Policy) -> int:
    return sum(max(0, count - policy.signals_per_hour) for count in hours)


def _life(policy: Policy, life: store.Life) -> int:
    return lifetime(policy, life.kind, FAMILY[life.type], life.status)  # type: ignore[arg-type]  # CHECKs name the words

"""Reading one indicator's view."""

import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx2

from tests.benchmarks.figures import Figure, fill, hub_on, median
from tests.benchmarks.seeding import COMMUNITY, report
from tests.support.hub import LiveHub
from tests.support.parties import Party
from tocsin_schemas.indicators import Indicator

STORED = 100_000
REQUESTS = 300


def indicator_view(dialect: str) -> Iterator[Figure]:
    """Milliseconds for one indicator's view (median) among 100,000; the floor is the same round trip for the policy."""
    with hub_on(dialect) as hub:
        writer, other = hub.party("pixel"), hub.party("harbor")
        fill(hub.database, COMMUNITY, id_of(hub, writer), STORED, _maker(writer, hub))
        values = [secrets.token_bytes(32) for _ in range(20)]
        for party in (writer, other):
            list(party.sdk().submit([report(party, hub.issuer, value) for value in values]))
        headers = writer.bearer()
        paths = [f"/v1/communities/{COMMUNITY}/indicators/{Indicator('pdq', value)}" for value in values]
        with httpx2.Client(trust_env=False, base_url=hub.issuer, headers=headers) as http:
            viewed = _round_trips(http, paths)
            floor = _round_trips(http, ["/v1/policy"])
    yield Figure("indicator-view", viewed * 1e3, "ms", floor * 1e3, viewed / floor, REQUESTS, dialect)


def id_of(hub: LiveHub, party: Party) -> int:
    with hub.database.snapshot() as uow:
        return next(i for i, org in hub.members.orgs(uow).items() if org.issuer == party.issuer)


def _maker(party: Party, hub: LiveHub) -> Any:
    sample = report(party, hub.issuer, secrets.token_bytes(32))
    # What is measured is reading: the tokens need the right length, not signatures of their own.
    return lambda seq: sample[:-12] + b"%012d" % seq


def _round_trips(http: httpx2.Client, paths: list[str]) -> float:
    """The median seconds of a request, over all of `paths` in turn."""
    times = []
    for at in range(REQUESTS):
        begun = time.perf_counter()
        answer = http.get(paths[at % len(paths)])
        times.append(time.perf_counter() - begun)
        answer.raise_for_status()
    return median(times)

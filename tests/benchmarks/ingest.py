"""Ingest over HTTP: batches of 10,000 individually signed reports, against bare verification of the same bytes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2

from tests.benchmarks.figures import Figure, fill, hub_on, median, timed
from tests.benchmarks.floors import CORES, bare_verification
from tests.benchmarks.seeding import COMMUNITY, signed_reports
from tests.support.hub import LiveHub
from tests.support.parties import Party
from tocsin_schemas.envelope import BATCH_MEDIA_TYPE

BATCH = 10_000
ROUNDS = 3
BATCHES = 4 * CORES
UNDER_WAY = CORES + 1
CAP = 10**9
SMALL, LARGE = 10_000, 1_000_000


def ingest(dialect: str) -> Iterator[Figure]:
    """Microseconds a signal from the first request to the last answer, with one batch more under way than cores."""
    with hub_on(dialect) as hub:
        party = hub.party("pixel", signals_per_hour=CAP)
        _send(hub, party, [signed_reports(party, hub.issuer, 100)] * UNDER_WAY)  # wakes the worker processes
        values, floors = [], []
        for _ in range(ROUNDS):
            batches = [signed_reports(party, hub.issuer, BATCH) for _ in range(BATCHES)]
            count = sum(map(len, batches))
            floors.append(bare_verification([t for b in batches for t in b], party.key.public) / count)
            values.append(_send(hub, party, batches) / count)
    name = "ingest-sqlite" if dialect == "sqlite" else "ingest-postgres"
    value, floor = median(values), median(floors)
    ratio = median([a / b for a, b in zip(values, floors, strict=True)])
    yield Figure(name, value * 1e6, "us/signal", floor * 1e6, ratio, ROUNDS * BATCHES * BATCH, dialect)


def growth(dialect: str) -> Iterator[Figure]:
    """Microseconds a signal with 1,000,000 statements stored, against the same hub with 10,000."""
    with hub_on(dialect) as hub:
        party = hub.party("pixel", signals_per_hour=CAP)
        sample = signed_reports(party, hub.issuer, 1)[0]
        _send(hub, party, [signed_reports(party, hub.issuer, 100)] * UNDER_WAY)
        cost = []
        for size in (SMALL, LARGE):
            _grow(hub, party, size, sample)
            rounds = []
            for _ in range(ROUNDS):
                batches = [signed_reports(party, hub.issuer, BATCH) for _ in range(BATCHES)]
                rounds.append(_send(hub, party, batches) / (BATCHES * BATCH))
            cost.append(median(rounds))
    small, large = cost
    yield Figure("ingest-growth", large * 1e6, "us/signal", small * 1e6, large / small, LARGE, dialect)


def _grow(hub: LiveHub, party: Party, size: int, sample: bytes) -> None:
    with hub.database.snapshot() as uow:
        author_id = next(i for i, org in hub.members.orgs(uow).items() if org.issuer == party.issuer)
    log_size = party.sdk().me().log_size
    fill(hub.database, COMMUNITY, author_id, max(0, size - log_size), lambda _: sample)


def _send(hub: LiveHub, party: Party, batches: list[list[bytes]]) -> float:
    """Seconds to submit all batches, `UNDER_WAY` at a time; every line must be recorded."""
    bodies = [b"\n".join(batch) for batch in batches]
    headers = {**party.bearer(), "Content-Type": BATCH_MEDIA_TYPE}

    def send(body: bytes) -> httpx2.Response:
        return httpx2.post(
            f"{hub.issuer}/v1/signals", content=body, headers=headers, timeout=600, trust_env=False
        )

    with ThreadPoolExecutor(UNDER_WAY) as pool:
        answers: list[httpx2.Response] = []
        seconds = timed(lambda: answers.extend(pool.map(send, bodies)))
    for batch, answer in zip(batches, answers, strict=True):
        accepted = answer.content.count(b'"seq":')
        if answer.status_code != 200 or accepted != len(batch):
            raise RuntimeError(f"{accepted} of {len(batch)} lines were accepted ({answer.status_code})")
    return seconds

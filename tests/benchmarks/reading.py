"""Reading: a first pull of 100,000 records, and one indicator's view."""

import multiprocessing
import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import uvicorn

from tests.benchmarks.figures import Figure, fill, hub_on, median, timed
from tests.benchmarks.seeding import COMMUNITY, report
from tests.support.hub import LiveHub
from tests.support.parties import Party
from tocsin_schemas.indicators import Indicator

RECORDS = 100_000
PAGE = 10_000
ROUNDS = 3
STORED = 100_000
REQUESTS = 300


def first_pull(dialect: str) -> Iterator[Figure]:
    """Records a second over HTTP in pages of 10,000; the floor sends the same bytes from memory, rendering nothing."""
    with hub_on(dialect) as hub:
        writer, reader = hub.party("pixel"), hub.party("muse", member_class="model_vendor")
        fill(hub.database, COMMUNITY, _id_of(hub, writer), RECORDS, _maker(writer, hub))
        headers = reader.bearer()
        pages: list[bytes] = []
        with httpx2.Client(trust_env=False, timeout=60) as http:
            timed(lambda: _pull(http, hub.issuer, headers))
            seconds = median(
                [timed(lambda: pages.extend(_pull(http, hub.issuer, headers))) for _ in range(ROUNDS)]
            )
        pulled = pages[: len(pages) // ROUNDS]
        if sum(page.count(b"\n") for page in pulled) != RECORDS:
            raise RuntimeError("the pull did not give every record")
        floor = _from_memory(pulled)
    yield Figure(
        "first-pull", RECORDS / seconds, "records/s", RECORDS / floor, seconds / floor, RECORDS, dialect
    )


def indicator_view(dialect: str) -> Iterator[Figure]:
    """Milliseconds for one indicator's view (median) among 100,000; the floor is the same round trip for the policy."""
    with hub_on(dialect) as hub:
        writer, other = hub.party("pixel"), hub.party("harbor")
        fill(hub.database, COMMUNITY, _id_of(hub, writer), STORED, _maker(writer, hub))
        values = [secrets.token_bytes(32) for _ in range(20)]
        for party in (writer, other):
            list(party.sdk().submit([report(party, hub.issuer, value) for value in values]))
        headers = writer.bearer()
        paths = [f"/v1/communities/{COMMUNITY}/indicators/{Indicator('pdq', value)}" for value in values]
        with httpx2.Client(trust_env=False, base_url=hub.issuer, headers=headers) as http:
            viewed = _round_trips(http, paths)
            floor = _round_trips(http, ["/v1/policy"])
    yield Figure("indicator-view", viewed * 1e3, "ms", floor * 1e3, viewed / floor, REQUESTS, dialect)


def _id_of(hub: LiveHub, party: Party) -> int:
    with hub.database.snapshot() as uow:
        return next(i for i, org in hub.members.orgs(uow).items() if org.issuer == party.issuer)


def _maker(party: Party, hub: LiveHub) -> Any:
    sample = report(party, hub.issuer, secrets.token_bytes(32))
    # What is measured is reading: the tokens need the right length, not signatures of their own.
    return lambda seq: sample[:-12] + b"%012d" % seq


def _pull(http: httpx2.Client, base: str, headers: dict[str, str]) -> list[bytes]:
    pages: list[bytes] = []
    url = f"{base}/v1/communities/{COMMUNITY}/feed?limit={PAGE}"
    while True:
        answer = http.get(url, headers=headers)
        if not answer.content:
            return pages
        pages.append(answer.content)
        url = answer.links["next"]["url"]


def _from_memory(pages: list[bytes]) -> float:
    """Seconds to fetch `pages` from a bare application on the same server, one request each and one for the end."""
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    process = context.Process(target=_serve, args=(pages, ready), daemon=True)
    process.start()
    base = f"http://127.0.0.1:{ready.get()}"
    with httpx2.Client(trust_env=False, timeout=60) as http:

        def fetch() -> None:
            for at in range(len(pages) + 1):
                http.get(f"{base}/{at}")

        fetch()
        seconds = median([timed(fetch) for _ in range(ROUNDS)])
    process.terminate()
    process.join()
    return seconds


def _serve(pages: list[bytes], ready: Any) -> None:
    import socket

    listener = socket.create_server(("127.0.0.1", 0))

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            at = int(scope["path"][1:])
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": pages[at] if at < len(pages) else b""})

    ready.put(listener.getsockname()[1])
    uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error")).run(sockets=[listener])


def _round_trips(http: httpx2.Client, paths: list[str]) -> float:
    """The median seconds of a request, over all of `paths` in turn."""
    times = []
    for at in range(REQUESTS):
        begun = time.perf_counter()
        answer = http.get(paths[at % len(paths)])
        times.append(time.perf_counter() - begun)
        answer.raise_for_status()
    return median(times)

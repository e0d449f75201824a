"""Delivery: how fast, how soon where some receivers are dead or slow, and what a long past costs."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import aiohttp
import click
from pydantic import SecretStr
from sqlalchemy import text

from tests.benchmarks.figures import Figure, hub_on, median, timed
from tests.delivery.carrying import Post
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tests.support.hub import ISSUER, Hub, in_process
from tests.support.postgres import running
from tests.support.sink import FarSink, Received, sink_in_own_process
from tocsin.config import Settings
from tocsin.db import Database, UnitOfWork
from tocsin.delivery.service import Claim, NewItem, enqueue, open_receiver
from tocsin.egress import Outbound
from tocsin.jobs.metronome import settle_memory
from tocsin.outbox import Happening, publish
from tocsin.webhooks.service.sender import WebhookSender
from tocsin.webhooks.store.tables import endpoint
from tocsin_schemas.notifications import EventType, parse_notification

LOOPBACK: Final = "127.0.0.0/8"
ENDPOINTS: Final = 200
EACH: Final = 50
SIDE_BY_SIDE: Final = 100
"""Requests under way at a time in the bare loop; more or fewer are slower."""
TURNS: Final = 6

MANY: Final = 1000
EVENTS: Final = 100
URGENT_EVERY: Final = 5
EVENT_SECONDS: Final = 0.5
PATIENCE: Final = 90
SLOW_SECONDS: Final = 2
GOALS: Final = {0: 5.0, 1: 60.0}
"""Seconds within which healthy endpoints have an event, by lane (delivery.md §1)."""
LABELS: Final = ("test@1:benign_a", "test@1:benign_b")

PASTS: Final = (10_000, 10_000_000)
PART: Final = 500_000
ATTEMPTS_EACH: Final = 4


def webhook_throughput(dialect: str) -> Iterator[Figure]:
    """Deliveries a second, signed and written down; the floor is the same HTTP client posting the same in a bare loop.

    Raises:
        RuntimeError: when anything did not arrive exactly once.
    """
    with ExitStack() as stack:
        hub = stack.enter_context(_hub(dialect))
        sink = stack.enter_context(sink_in_own_process())
        members = [hub.party(f"member{n}").issuer for n in range(10)]
        with hub.database.transaction() as uow:
            ids = _member_ids(uow, members)
            for n in range(ENDPOINTS):
                open_endpoint(uow, ids[n % len(ids)], _place(sink, n, "ok"))
        # As a process that runs jobs does; the bare loop has the good of it, too.
        settle_memory()
        ours, bare = [], []
        for _ in range(TURNS):
            with hub.database.transaction() as uow:
                publish(uow, _events(EACH))
            hub.run_job("webhooks.fanout")
            requests = _composed(hub)
            bare.append(timed(partial(_run_bare, requests)))
            _demand(len(sink.take()) == ENDPOINTS * EACH, "the bare loop lost something")
            ours.append(timed(lambda: hub.run_job("delivery.send")))
            came = Counter((one.path, one.message) for one in sink.take())
            _demand(len(came) == came.total() == ENDPOINTS * EACH, "not everything arrived once")
    count = ENDPOINTS * EACH
    # The first turn opens connections and starts the process that signs.
    rate, floor = count / median(ours[1:]), count / median(bare[1:])
    yield Figure("webhook-throughput", rate, "deliveries/s", floor, floor / rate, count, dialect)


def webhook_growth(dialect: str, pasts: Sequence[int] = PASTS) -> Iterator[Figure]:
    """Microseconds to queue, send and record one, with so many attempts stored; the floor is the smallest past."""
    with ExitStack() as stack:
        database, _ = stack.enter_context(_database(dialect))
        sink = stack.enter_context(sink_in_own_process())
        post = Post(database)
        receivers = [post.receiver(f"http://127.0.0.1:{sink.port}/ok/{n}") for n in range(ENDPOINTS)]
        floor, done = 0.0, 0
        for past in pasts:
            _remember(database, done, past)
            done = past
            took = []
            for turn in range(TURNS):
                first = 10**12 + past * 100 + turn * EACH
                work = partial(_deliver, post, receivers, range(first, first + EACH))
                took.append(timed(work) / (ENDPOINTS * EACH) * 1e6)
                sink.take()
            # The first turn opens connections and fills caches.
            value = median(took[1:])
            floor = floor or value
            yield Figure("webhook-growth", value, "µs", floor, value / floor, past, dialect)


class Asked(NamedTuple):
    """What an endpoint asked for, and how it behaves: ok, slow, status (500) or dead."""

    kind: str
    only_urgent: bool
    label: str | None

    def wants(self, place: int) -> bool:
        """Whether the event at this place is for it."""
        urgent = place % URGENT_EVERY == 0
        return (urgent or not self.only_urgent) and self.label in {None, LABELS[place % 2]}


def webhook_escalation_p99(dialect: str) -> Iterator[Figure]:
    """Seconds from an event's commit until healthy endpoints have it: 99 in 100, by lane. The floor is the goal.

    1,000 endpoints, 100 events, every fifth an escalation, two a second; 5 % of the endpoints are dead, 2 % take two
    seconds, 1 % answer 500; some ask for escalations alone or for one label. The hub is a process as operators run it.

    Raises:
        RuntimeError: when a healthy endpoint misses an event, or any gets one that it did not ask for.
    """
    with ExitStack() as stack:
        hub = stack.enter_context(hub_on(dialect, egress_allow_subnets=LOOPBACK))
        sink = stack.enter_context(sink_in_own_process(keep_bodies=True))
        members = [hub.party(f"member{n}").issuer for n in range(10)]
        asked = [_asked(n) for n in range(MANY)]
        with hub.database.transaction() as uow:
            ids = _member_ids(uow, members)
            for n, one in enumerate(asked):
                open_endpoint(uow, ids[n % len(ids)], _place(sink, n, one.kind), one)
        published = _publish_all(hub.database)
        came = _gather(sink, asked)
        waits = _waits(came, asked, published)
        with hub.database.snapshot() as uow:
            states = uow.conn.execute(text("SELECT state, count(*) FROM delivery_item GROUP BY state"))
            ends = {row[0]: row[1] for row in states}
        wanted = sum(one.wants(place) for one in asked for place in range(EVENTS))
        _demand(sum(ends.values()) == wanted, "an item for each endpoint that asked for it, and no other")
        _demand(ends.keys() <= {"delivered", "pending"}, "nothing given up")
    click.echo(f"{dialect}: {len(came):,} requests; items {ends}", err=True)
    for lane, name in ((0, "webhook-escalation-p99"), (1, "webhook-rest-p99")):
        value = sorted(waits[lane])[int(len(waits[lane]) * 0.99)]
        yield Figure(name, value, "s", GOALS[lane], value / GOALS[lane], len(waits[lane]), dialect)


def open_endpoint(uow: UnitOfWork, member: int, target: str, asked: Asked | None = None) -> int:
    """An endpoint that is active, without its challenge; its receiver's id."""
    public_id = f"ep_{target.rpartition('/')[2]:0>32}"
    receiver_id = open_receiver(uow, "webhook", public_id, member)
    urgent, label = (asked.only_urgent, asked.label) if asked else (False, None)
    uow.conn.execute(
        endpoint.insert().values(
            public_id=public_id,
            organisation_id=member,
            receiver_id=receiver_id,
            target=target,
            state="active",
            detail="thin",
            types="[]",
            communities="[]",
            labels=f'["{label}"]' if label else "[]",
            severity="urgent" if urgent else "info",
            generation=1,
            created_at=uow.now - 60,
            activated_at=uow.now - 60,
        )
    )
    return receiver_id


@contextmanager
def _hub(dialect: str) -> Iterator[Hub]:
    """A hub in this process, on a durable database, that may call this machine."""
    with ExitStack() as stack:
        database, folder = stack.enter_context(_database(dialect))
        settings = Settings(
            issuer=ISSUER,
            data_dir=folder / "data",
            database_url=SecretStr(database.url),
            ingest_processes=0,
            run_jobs=False,
            sandbox=True,
            egress_allow_subnets=LOOPBACK,
        )
        yield stack.enter_context(in_process(settings, MovableClock()))


@contextmanager
def _database(dialect: str) -> Iterator[tuple[Database, Path]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="tocsin-bench-")))
        databases = Databases(folder, cache(lambda: stack.enter_context(running(durable=True))))
        database = Database(stack.enter_context(databases.migrated(dialect, folder)))
        stack.callback(database.dispose)
        yield database, folder


def _member_ids(uow: UnitOfWork, issuers: Sequence[str]) -> list[int]:
    found = {row.issuer: row.id for row in uow.conn.execute(text("SELECT id, issuer FROM organisation"))}
    return [found[issuer] for issuer in issuers]


def _events(count: int) -> list[Happening]:
    return [Happening("signal.recorded", 1, place, place, labels=frozenset(LABELS)) for place in range(count)]


def _composed(hub: Hub) -> list[Outbound]:
    """The requests that the courier is about to make."""
    sender = WebhookSender(hub.app.state.signals, hub.app.state.webhooks.secrets)
    with hub.database.snapshot() as uow:
        rows = uow.conn.execute(
            text(
                "SELECT i.id, i.receiver_id, r.public_id, i.lane, i.message_id, i.seq, 1 FROM delivery_item i"
                " JOIN delivery_receiver r ON r.id = i.receiver_id WHERE i.state = 'pending' ORDER BY i.id"
            )
        )
        claims = [Claim._make((*row, uow.now)) for row in rows]
        return [
            making.request(sign(*given))
            for making in sender.compose(uow, claims)
            if making is not None
            for sign, given in filter(None, [making.call(uow.now)])
        ]


def _run_bare(requests: Sequence[Outbound]) -> None:
    asyncio.run(_bare(requests))


async def _bare(requests: Sequence[Outbound]) -> None:
    left = iter(requests)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post() -> None:
            for one in left:
                headers = {**one.headers, "Content-Type": one.media_type}
                async with session.post(one.url, data=one.body, headers=headers) as response:
                    await response.read()

        await asyncio.gather(*(post() for _ in range(SIDE_BY_SIDE)))


def _demand(met: bool, otherwise: str) -> None:
    if not met:
        raise RuntimeError(otherwise)


_FILL_ITEMS: Final = """
INSERT INTO delivery_item (receiver_id, lane, message_id, seq, state, attempts, next_at, created_at, ended_at, status)
SELECT 1 + n % :receivers, 1, n, n, 'delivered', 1, :now, :now, :now, 204 FROM {numbers}"""
_FILL_ATTEMPTS: Final = """
INSERT INTO delivery_attempt (item_id, receiver_id, number, at, duration_ms, status)
SELECT 1 + n / 4, 1 + (n / 4) % :receivers, 1 + n % 4, :now, 12, 204 FROM {numbers}"""
_NUMBERS: Final = {
    "sqlite": "(WITH RECURSIVE s(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM s WHERE n + 1 < :end)"
    " SELECT n FROM s) AS t",
    "postgresql": "generate_series(cast(:first AS bigint), cast(:end AS bigint) - 1) AS t(n)",
}


def _remember(database: Database, first: int, end: int) -> None:
    """Store attempts from one number to another, four to each delivered item."""
    numbers = _NUMBERS[database.dialect]
    for at in range(first, end, PART):
        until = min(at + PART, end)
        with database.transaction() as uow:
            for fill, share in ((_FILL_ITEMS, ATTEMPTS_EACH), (_FILL_ATTEMPTS, 1)):
                given = {"first": at // share, "end": until // share, "receivers": ENDPOINTS, "now": uow.now}
                uow.conn.execute(text(fill.replace("{numbers}", numbers)), given)
    if database.dialect == "postgresql":
        # What autovacuum does on its own a minute later.
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.exec_driver_sql("VACUUM ANALYZE delivery_item, delivery_attempt")


def _deliver(post: Post, receivers: Sequence[int], messages: Sequence[int]) -> None:
    """Queue each message for each receiver, a message at a time as fan-out does, and send them all."""
    for message in messages:
        with post.database.transaction() as uow:
            enqueue(uow, [NewItem(receiver_id, 1, message, message) for receiver_id in receivers])
    made = post.courier.send_due()
    _demand(made == len(receivers) * len(messages), "not everything was sent once")


def _asked(number: int) -> Asked:
    """Of a hundred endpoints: five dead, two slow, one broken; of the others ten ask for less than everything."""
    place = number % 100
    kind = "dead" if place < 5 else "slow" if place < 7 else "status" if place < 8 else "ok"
    return Asked(kind, 8 <= place < 13, LABELS[place % 2] if 13 <= place < 18 else None)


def _place(sink: FarSink, number: int, kind: str) -> str:
    paths = {"ok": "ok", "slow": f"slow/{SLOW_SECONDS}", "status": "status/500", "dead": "dead"}
    port = 1 if kind == "dead" else sink.port
    return f"http://127.0.0.1:{port}/{paths[kind]}/{number}"


def _publish(database: Database, place: int) -> float:
    """Write one event; when it was committed (seconds of the machine's monotonic clock)."""
    kind: EventType = "indicator.corroborated" if place % URGENT_EVERY == 0 else "signal.recorded"
    with database.transaction() as uow:
        publish(uow, [Happening(kind, 1, place, place, labels=frozenset({LABELS[place % 2]}),
                                free_labels=frozenset({LABELS[place % 2]}))])  # fmt: skip
    return time.monotonic()


def _publish_all(database: Database) -> list[float]:
    begun, published = time.monotonic(), []
    for place in range(EVENTS):
        time.sleep(max(0.0, begun + place * EVENT_SECONDS - time.monotonic()))
        published.append(_publish(database, place))
    return published


def _gather(sink: FarSink, asked: Sequence[Asked]) -> list[Received]:
    """Everything that comes until the healthy have what is theirs, or patience ends."""
    wanted = sum(one.wants(place) for one in asked if one.kind == "ok" for place in range(EVENTS))
    came: list[Received] = []
    seen: set[tuple[str, str]] = set()
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends and len(seen) < wanted:
        time.sleep(1)
        more = sink.take()
        came += more
        seen |= {(one.path, one.message) for one in more if one.path.startswith("/ok/")}
    return came


def _waits(
    came: Sequence[Received], asked: Sequence[Asked], published: Sequence[float]
) -> dict[int, list[float]]:
    """By lane, how long each event took to each healthy endpoint; the first time it came counts."""
    had: dict[int, dict[int, float]] = defaultdict(dict)
    for request in came:
        number = int(request.path.rpartition("/")[2])
        place = int(getattr(parse_notification(request.body).data, "cursor", -1))
        _demand(place >= 0 and asked[number].wants(place), "an event that was not asked for")
        had[number].setdefault(place, request.at)
    waits: dict[int, list[float]] = {0: [], 1: []}
    for number, one in enumerate(asked):
        if one.kind != "ok":
            continue
        for place in filter(one.wants, range(EVENTS)):
            _demand(place in had[number], "a healthy endpoint misses an event")
            waits[0 if place % URGENT_EVERY == 0 else 1].append(had[number][place] - published[place])
    return waits

"""Sending a feed: from stored segments and from rows, against a bare `sendfile` of the same bytes; and memory.

The reader is a bare socket that throws away what it gets, so that what is measured is the sending. All of it shares the
machine: hub, reader, database.
"""

import base64
import multiprocessing
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import text

from tests.benchmarks.figures import Figure, hub_on, median, timed
from tests.benchmarks.seeding import COMMUNITY, report
from tests.support.hub import LiveHub
from tests.support.parties import Party
from tocsin.ledger import service as ledger
from tocsin.signals.store import admission as store
from tocsin_client.submit import new_jti
from tocsin_schemas.feed import MAX_PAGE, SEGMENT
from tocsin_schemas.ledger import Entry, commit, new_nonce
from tocsin_schemas.policy import DAY

RECORDS = 1_000_000
ROW_RECORDS = 20 * SEGMENT
ROUNDS = 15
FOLLOWERS = 50
BATCH = 20_000
BUFFER = 1 << 20
PATIENCE = 600


Received = TypeVar("Received", bytes, int)


class Got(NamedTuple):
    """An answer: its headers in lower case, and how many bytes its body had."""

    headers: dict[str, str]
    size: int


def feed_segments() -> Iterator[Figure]:
    """Records a second of a whole feed from stored segments; the floor is `sendfile` of the same bytes."""
    with hub_on("sqlite") as hub:
        headers = _serving(hub, RECORDS)
        with (
            _following(hub, headers, MAX_PAGE) as pull,
            _sendfile([page.size for page in pull()]) as send,
        ):
            send()
            # In turn, since the machine is not as fast at one time as at another.
            rounds = [(timed(pull), timed(send)) for _ in range(ROUNDS)]
    seconds, floor = (median([one[at] for one in rounds]) for at in (0, 1))
    ratio = median([pulled / sent for pulled, sent in rounds])
    yield Figure("feed-segments", RECORDS / seconds, "records/s", RECORDS / floor, ratio, RECORDS, "sqlite")


def feed_rows(dialect: str) -> Iterator[Figure]:
    """Records a second when every page is rendered from rows and compressed; the floor is the same from segments."""
    with hub_on(dialect) as hub:
        headers = _serving(hub, ROW_RECORDS)
        with _following(hub, headers, MAX_PAGE) as pull:
            pull()
            stored = median([timed(pull) for _ in range(ROUNDS)])
        # One record fewer than a segment has, so that none fits.
        with _following(hub, headers, SEGMENT - 1) as pull:
            pull()
            rendered = median([timed(pull) for _ in range(ROUNDS)])
    yield Figure(
        "feed-rows",
        ROW_RECORDS / rendered,
        "records/s",
        ROW_RECORDS / stored,
        rendered / stored,
        ROW_RECORDS,
        dialect,
    )


def feed_memory() -> Iterator[Figure]:
    """MiB that the server grows by while 50 slow followers pull a whole feed; the floor is one segment for each.

    Files that it maps are not counted: the system has them once, however many readers there are.
    """
    with hub_on("sqlite") as hub:
        headers = _serving(hub, ROW_RECORDS)
        with _following(hub, headers, SEGMENT) as pull:
            segment = max(page.size for page in pull())
        assert hub.process is not None
        pid = hub.process.pid
        before = peak = _memory(pid)
        threads = [threading.Thread(target=_follow_slowly, args=(hub, headers)) for _ in range(FOLLOWERS)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            peak = max(peak, _memory(pid))
            time.sleep(0.02)
    grown, floor = (peak - before) / 2**20, FOLLOWERS * segment / 2**20
    yield Figure("feed-memory", grown, "MiB", floor, grown / floor, FOLLOWERS, "sqlite")


def _follow_slowly(hub: LiveHub, headers: dict[str, str]) -> None:
    with _following(hub, headers, MAX_PAGE, pace=0.01) as pull:
        pull()


def _serving(hub: LiveHub, records: int) -> dict[str, str]:
    """Have a hub serve that many records from segments, with no job beside it; a reader's headers."""
    writer, reader = hub.party("pixel"), hub.party("muse", member_class="model_vendor")
    _fill(hub, writer, records)
    await_segments(hub, records)
    hub.stop()
    hub.env["TOCSIN_RUN_JOBS"] = "false"
    hub.start()
    return reader.bearer()


def _fill(hub: LiveHub, writer: Party, records: int) -> None:
    """Put statements into the hub's log without its front door, and without what only submission asks for."""
    with hub.database.snapshot() as uow:
        author = next(i for i, org in hub.members.orgs(uow).items() if org.issuer == writer.issuer)
    make = _tokens(writer, hub)
    done = 0
    while done < records:
        count = min(BATCH, records - done)
        with hub.database.transaction() as uow:
            first = ledger.locked_size(uow)
            rows: list[tuple[object, ...]] = []
            entries: list[Entry] = []
            for seq in range(first, first + count):
                token, nonce = make(), new_nonce()
                rows.append(
                    (
                        seq, 1, author, "report", new_jti(), secrets.token_bytes(32), token, nonce,
                        "human_confirmed", uow.now, uow.now, uow.now, uow.now + 90 * DAY, "candidate",
                        None, None, None,
                    )
                )  # fmt: skip
                entries.append(Entry(COMMUNITY, "report", uow.now, commit(nonce, token)))
            ledger.append(uow, first, entries)
            store.record(uow, rows, [], [])
        done += count


def _tokens(party: Party, hub: LiveHub) -> Callable[[], bytes]:
    """Tokens of the right length, each with a value, an id and a signature of its own: what compresses is the rest."""
    value = secrets.token_bytes(32)
    header, payload, _ = report(party, hub.issuer, value).split(b".")
    claims = base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))
    before, after = claims.split(value.hex().encode())

    def make() -> bytes:
        said = before + secrets.token_hex(32).encode() + after
        at = said.index(b'"jti":"') + 7
        said = said[:at] + secrets.token_hex(16).encode() + said[at + 32 :]
        signature = base64.urlsafe_b64encode(secrets.token_bytes(64)).rstrip(b"=")
        return b".".join((header, base64.urlsafe_b64encode(said).rstrip(b"="), signature))

    return make


def await_segments(hub: LiveHub, records: int) -> None:
    """Wait until the hub's jobs have published the log and stored every whole segment."""
    until = time.monotonic() + PATIENCE
    ready = text("SELECT count(*) FROM feed_segment WHERE NOT stale")
    while True:
        with hub.database.snapshot() as uow:
            if uow.conn.execute(ready).scalar_one() == records // SEGMENT:
                return
        if time.monotonic() > until:
            raise RuntimeError("the hub has not stored the feed's segments")
        time.sleep(0.2)


@contextmanager
def _following(
    hub: LiveHub, headers: dict[str, str], limit: int, *, pace: float = 0
) -> Iterator[Callable[[], list[Got]]]:
    """Follow the whole feed on one connection; `pace` seconds pass before each read of a part of it."""
    first = f"/v1/communities/{COMMUNITY}/feed?limit={limit}"

    def pull() -> list[Got]:
        found: list[Got] = []
        path = first
        while True:
            got = _get(connection, path, {**headers, "Accept-Encoding": "zstd"}, pace)
            found.append(got)
            if "link" not in got.headers:
                return found
            path = got.headers["link"].partition(">")[0].partition(hub.issuer)[2]

    with socket.create_connection(("127.0.0.1", int(hub.issuer.rpartition(":")[2]))) as connection:
        yield pull


def _get(connection: socket.socket, path: str, headers: dict[str, str], pace: float = 0) -> Got:
    """One request on an open connection; the body is read and thrown away."""
    lines = [f"GET {path} HTTP/1.1", "Host: hub", *(f"{name}: {value}" for name, value in headers.items())]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += _some(connection.recv(BUFFER))
    top, _, rest = head.partition(b"\r\n\r\n")
    status, *fields = top.decode().split("\r\n")
    if " 200 " not in f"{status} ":
        raise RuntimeError(f"the hub answered {status}")
    found = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
    size = int(found["content-length"])
    left = size - len(rest)
    buffer = bytearray(BUFFER)
    while left > 0:
        if pace:
            time.sleep(pace)
        left -= _some(connection.recv_into(buffer, min(left, BUFFER)))
    return Got(found, size)


def _some(received: Received) -> Received:
    """What came, if anything did."""
    if not received:
        raise RuntimeError("the connection ended")
    return received


@contextmanager
def _sendfile(sizes: list[int]) -> Iterator[Callable[[], None]]:
    """Fetch answers of these sizes from a process that only calls `sendfile`."""
    with NamedTemporaryFile() as file:
        file.write(secrets.token_bytes(max(sizes)))
        file.flush()
        context = multiprocessing.get_context("spawn")
        ready = context.Queue()
        process = context.Process(target=_send, args=(file.name, sizes, ready), daemon=True)
        process.start()
        with socket.create_connection(("127.0.0.1", ready.get())) as connection:

            def pull() -> None:
                for at in range(len(sizes)):
                    _get(connection, f"/{at}", {})

            yield pull
        process.terminate()
        process.join()


def _send(path: str, sizes: list[int], ready: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, Path(path).open("rb") as file:
        ready.put(listener.getsockname()[1])
        connection, _ = listener.accept()
        with connection, suppress(ConnectionError):
            while request := connection.recv(BUFFER):
                size = sizes[int(request.split(b" ", 2)[1][1:])]
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                sent = 0
                while sent < size:
                    sent += os.sendfile(connection.fileno(), file.fileno(), sent, size - sent)


def _memory(pid: int) -> int:
    """Bytes of memory that a process holds for itself."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024

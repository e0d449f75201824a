"""Following: a member that mirrors everything, verifies all of it and stores it, against bare verification."""

import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from tests.benchmarks.figures import Figure, fill, hub_on, median
from tests.benchmarks.floors import bare_verification
from tests.benchmarks.reading import id_of
from tests.benchmarks.seeding import COMMUNITY, report
from tests.benchmarks.streaming import await_segments
from tests.support.hub import LiveHub
from tests.support.parties import Party
from tocsin_client.config import Home, Profile

RECORDS = 200_000
ROUNDS = 5


def follow(dialect: str) -> Iterator[Figure]:
    """Microseconds a record of `Mirror.follow` on all cores, from the first request to the last commit.

    The checkpoint, tiles, entries and the feed are fetched from a hub on the same machine, every entry is proved, every
    commitment opened, every signature and claim verified, everything stored durably; the start of the worker processes
    counts. The floor is `cryptography` on all cores, signatures alone, before and after each round: a shared machine
    slows down and recovers within a minute.
    """
    with hub_on(dialect) as hub:
        writer, reader = hub.party("pixel"), hub.party("muse", member_class="model_vendor")
        tokens = [report(writer, hub.issuer, secrets.token_bytes(32)) for _ in range(RECORDS)]
        unused = iter(tokens)
        fill(hub.database, COMMUNITY, id_of(hub, writer), RECORDS, lambda _: next(unused))
        await_segments(hub, RECORDS)
        floors, values = [bare_verification(tokens, writer.key.public) / RECORDS], []
        for _ in range(ROUNDS):
            values.append(_follow(hub, reader) / RECORDS)
            floors.append(bare_verification(tokens, writer.key.public) / RECORDS)
    value, floor = median(values), median(floors)
    ratio = median([2 * a / sum(b) for a, b in zip(values, pairwise(floors), strict=True)])
    yield Figure("follow", value * 1e6, "us/record", floor * 1e6, ratio, ROUNDS * RECORDS, dialect)


def _follow(hub: LiveHub, reader: Party) -> float:
    """Seconds that a follower with an empty home takes, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        home = Home.locate(Path(folder))
        key = home.config / "member.jwk"
        key.touch(mode=0o600)
        key.write_text(json.dumps(reader.key.jwk()))
        home.save(
            Profile(
                hub=hub.issuer,
                issuer=reader.issuer,
                client_id=reader.client_id,
                key=key,
                community=COMMUNITY,
            )
        )
        words = [sys.executable, "-m", "tests.benchmarks.follower", folder]
        seconds, stored = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    if int(stored) != RECORDS:
        raise RuntimeError("the follower did not store every record")
    return float(seconds)

"""A follower that is killed again and again ends with exactly the right records."""

import os
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from tests.client.simulator import DAY, report, sha256
from tests.support.databases import Databases
from tests.support.forks import Forked, started
from tests.support.hub import LiveHub, in_own_process
from tocsin_client.audit import audit
from tocsin_client.config import Home, Profile
from tocsin_client.mirror import Mirror
from tocsin_client.submit import Rejection
from tocsin_schemas.feed import Receipt
from tocsin_schemas.signals import Dispute, Retraction

SLUG = "child-safety"
KILLS = 20
RECORDS = 1_000
LIMIT = 8


def fill(hub: LiveHub) -> None:
    """Reports of two communities, mixed, some of them disputed or withdrawn."""
    pixel, forum = (hub.party(name, communities={SLUG: "rw", "ncii": "rw"}) for name in ("pixel", "forum"))
    client = pixel.sdk(retries=3)
    sound = report(hub.clock() + 30 * DAY)
    audiences = [client.audience(SLUG if number % 5 else "ncii") for number in range(RECORDS)]
    tokens = [
        pixel.author.sign(sound, [sha256(f"{number}")], audience=audience)
        for number, audience in enumerate(audiences)
    ]
    receipts = list(client.submit(tokens))
    retractions = []
    for number in range(1, RECORDS, 40):
        receipt = receipts[number]
        assert isinstance(receipt, Receipt)
        retractions.append(
            pixel.author.sign(
                Retraction(reason="error"), bytes.fromhex(receipt.statement), audience=audiences[number]
            )
        )
    assert not any(isinstance(result, Rejection) for result in client.submit(retractions))
    event = Dispute(reason="false_positive", basis="human_confirmed")
    disputes = [
        forum.author.sign(event, [sha256(f"{number}")], audience=client.audience(SLUG))
        for number in range(2, RECORDS, 40)
    ]
    assert not any(isinstance(result, Rejection) for result in forum.sdk(retries=3).submit(disputes))


def places(path: Path) -> tuple[int, list[int]]:
    """The cursor, and every sequence number the mirror accounts for."""
    conn = sqlite3.connect(path)
    assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    cursor = conn.execute("SELECT cursor FROM state").fetchone()[0]
    kept = "SELECT seq FROM statement UNION ALL SELECT seq FROM absent UNION ALL SELECT seq FROM hub_event"
    seqs = sorted(seq for (seq,) in conn.execute(kept))
    orphans = conn.execute("SELECT count(*) FROM indicator WHERE seq NOT IN (SELECT seq FROM statement)")
    assert orphans.fetchone() == (0,)
    conn.close()
    return cursor, seqs


def contents(mirror: Mirror) -> object:
    counts = mirror.store.counts()
    return counts, [row for _, rows in mirror.store.folded() for row in rows], mirror.tally()


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_a_follower_killed_twenty_times(databases: Databases, tmp_path: Path) -> None:
    rng = random.Random(2)
    folder = tmp_path / "hub"
    folder.mkdir(mode=0o700)
    with databases.migrated("sqlite", folder) as url, in_own_process(url, folder) as hub:
        fill(hub)
        model = hub.party("model")
        home = Home.locate(tmp_path / "home")
        home.save(
            Profile(
                hub=hub.issuer,
                issuer=model.issuer,
                client_id=model.client_id,
                key=write(tmp_path / "model.jwk", model.key.jwk()),
                community=SLUG,
            )
        )
        path = home.mirror_file(hub.issuer, SLUG)
        with Mirror.open(tmp_path / "whole.sqlite3", hub.issuer, SLUG) as whole:
            reader = model.sdk(retries=3)
            whole.follow(reader, at_least=reader.me().log_size)
            expected, everything = places(tmp_path / "whole.sqlite3")

            cursors = [-1]
            for _ in range(KILLS):
                follower = start(home)
                for _ in range(rng.randint(0, 4)):
                    next(follower.stdout)
                time.sleep(rng.uniform(0.0, 0.03))
                follower.kill()
                output = follower.communicate()
                assert follower.returncode == -signal.SIGKILL, (output, errors(home))
                cursor, seqs = places(path)
                assert seqs == [seq for seq in everything if seq <= cursor], (
                    "whole pages, none lost, none twice"
                )
                cursors.append(cursor)
            assert cursors == sorted(cursors)
            assert len(set(cursors)) > KILLS / 2, "it was killed at work"
            assert cursors[-1] < expected, "it was not done before the last kill"

            follower = start(home)
            output = follower.communicate(timeout=120)
            assert (follower.returncode, output.splitlines()[-1:]) == (0, ["done"]), errors(home)
            assert places(path) == (expected, everything)
            with Mirror.open(path, hub.issuer, SLUG) as killed:
                assert contents(killed) == contents(whole)
                assert audit(killed).failures == []


def write(path: Path, jwk: dict[str, str]) -> Path:
    import json

    path.touch(mode=0o600)
    path.write_text(json.dumps(jwk))
    return path


def start(home: Home) -> Forked:
    with (home.config / "errors").open("a") as errors:
        follower = started("tests.client.follower", [str(home.config), str(LIMIT)], os.environ, errors)
    assert next(follower.stdout) == "following\n"
    return follower


def errors(home: Home) -> str:
    return (home.config / "errors").read_text()

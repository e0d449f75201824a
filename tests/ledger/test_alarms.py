"""What a witness has seen of our log that we have not: heeded, told apart, and forgotten when it is settled."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.client.webserver import Answer
from tests.ledger.logs import append, open_log
from tests.ledger.witnesses import (
    LOG,
    Other,
    cosigners,
    late,
    policy,
    witness_set,
    witnesses,
)
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tocsin.db import Database
from tocsin.errors import Misconfigured
from tocsin.ledger import service
from tocsin.ledger.service import Ledger
from tocsin.ledger.service.asking import Feed
from tocsin.ledger.service.feeding import LONGEST_PAUSE
from tocsin_schemas.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from tocsin_schemas.merkle import Tile, TileTree
from tocsin_schemas.problems import Refused


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("text/plain", b"9\n"),
        ("text/x.tlog.size", b"9"),
        ("text/x.tlog.size", b"09\n"),
        ("text/x.tlog.size", b"\xff\n"),
    ],
)
def test_a_409_that_is_not_spelled_as_the_specification_says_alarms_nobody(
    ledger: Ledger, database: Database, other: Other, media_type: str, body: bytes
) -> None:
    other.answers = lambda _asked: Answer(409, body, {"Content-Type": media_type})
    append(database, 5)
    service.publish(ledger)
    assert witnesses(ledger).alarms() == []
    assert len(other.submitted) == 1


def signs_nothing(ledger: Ledger, database: Database) -> None:
    """Whatever is recorded, nothing new is signed."""
    before = ledger.objects.read("checkpoint")
    append(database, 7)
    assert service.publish(ledger) == 0
    assert ledger.objects.read("checkpoint") == before
    with pytest.raises(Misconfigured):
        service.start(ledger)


def test_a_witness_that_shows_a_larger_log_of_ours_stops_publishing(
    ledger: Ledger, database: Database, other: Other
) -> None:
    append(database, 10)
    service.publish(ledger)
    with database.transaction() as uow:
        uow.conn.execute(text("DELETE FROM log_witness"))
    other.witness.database.engine.dispose()
    with other.witness.database.transaction() as uow:  # as if it had seen more before our backup was restored
        uow.conn.execute(text("DELETE FROM witnessed_key"))
        uow.conn.execute(text("DELETE FROM witnessed_log"))
    other.witness.add_log(LOG.verifier)
    other.has_seen(50, b"r" * 32)
    before = ledger.objects.read("checkpoint")
    append(database, 1)
    service.publish(ledger)
    # It had to be signed to ask for its cosignature, and is not shown.
    assert ledger.objects.read("checkpoint") == before
    (alarm,) = witnesses(ledger).alarms()
    assert "w0-4, w0-6" in alarm.what
    assert "shows a checkpoint of this log with 50 entries" in alarm.what
    assert "log recover" in alarm.advice
    signs_nothing(ledger, database)


def test_a_witness_that_shows_another_log_of_ours_stops_publishing(
    ledger: Ledger, database: Database, other: Other
) -> None:
    other.has_seen(4, b"r" * 32)
    append(database, 10)
    service.publish(ledger)
    (alarm,) = witnesses(ledger).alarms()
    assert "with 4 entries" in alarm.what
    assert "has forked" in alarm.what
    signs_nothing(ledger, database)
    # The proof is kept: a note under our own key.
    with database.snapshot() as uow:
        proof = bytes(uow.conn.execute(text("SELECT shown FROM log_witness")).scalar_one())
    assert open_checkpoint(proof, LOG.verifier).checkpoint.root == b"r" * 32


def test_a_restored_backup_is_noticed_by_the_witness_alone(
    databases: Databases, tmp_path: Path, other: Other, clock: MovableClock
) -> None:
    (tmp_path / "ours").mkdir()
    with databases.migrated("sqlite", tmp_path / "ours") as url:
        database = Database(url, clock=clock)
        ledger = replace(open_log(database, tmp_path / "log"), witnesses=witness_set(database, policy(other)))
        append(database, 10)
        service.publish(ledger)
        database.settle()
        shutil.copy(tmp_path / "ours" / "tocsin.db", tmp_path / "backup.db")
        shutil.copytree(tmp_path / "log", tmp_path / "backup-log")
        append(database, 10)
        service.publish(ledger)
        database.dispose()
    restored = Database(f"sqlite:///{tmp_path / 'backup.db'}", clock=clock)
    again = replace(
        open_log(restored, tmp_path / "backup-log"), witnesses=witness_set(restored, policy(other))
    )
    append(restored, 3)  # another history
    with pytest.raises(Misconfigured, match="20 entries"):
        service.start(again)
    assert service.publish(again) == 0
    restored.dispose()


def test_a_witness_that_says_so_without_proof_stops_publishing_until_it_is_struck_out_or_cosigns(
    ledger: Ledger, database: Database, other: Other, clock: MovableClock
) -> None:
    append(database, 10)
    service.publish(ledger)
    append(database, 1)
    sizes = Answer(409, b"1000000\n", {"Content-Type": "text/x.tlog.size"})
    other.answers = lambda asked: sizes if asked.method == "POST" else Answer(404)
    assert service.publish(ledger) == 1  # the checkpoint was signed before the witness was asked
    (alarm,) = witnesses(ledger).alarms()
    assert "says that it has cosigned 1000000 entries" in alarm.what
    assert witnesses(ledger).halted()
    signs_nothing(ledger, database)
    without = replace(ledger, witnesses=witness_set(database, b"quorum none\n"))
    assert not without.witnesses.halted()
    assert service.publish(without) == 7
    append(database, 2)
    other.answers = lambda _asked: None
    clock.advance(LONGEST_PAUSE)
    assert service.publish(ledger) == 2
    assert witnesses(ledger).alarms() == []
    assert cosigners(ledger) == [4, 6]


def test_a_witness_that_shows_what_we_have_is_taken_at_its_word(
    ledger: Ledger, database: Database, other: Other
) -> None:
    append(database, 10)
    service.publish(ledger)
    append(database, 1)
    other.answers = lambda asked: Answer(422) if asked.method == "POST" else None
    service.publish(ledger)
    assert [alarm.what for alarm in witnesses(ledger).alarms()] != []


def test_a_witness_that_refuses_a_first_checkpoint_is_only_broken(
    ledger: Ledger, database: Database, other: Other
) -> None:
    other.answers = lambda _asked: Answer(422)
    append(database, 10)
    service.publish(ledger)
    assert witnesses(ledger).alarms() == []


def test_a_witness_that_contradicts_and_then_falls_silent_is_heard_all_the_same(
    database: Database, folder: Path, other: Other
) -> None:
    ledger = replace(open_log(database, folder), witnesses=witness_set(database, policy(other), 0.5))
    append(database, 10)
    sizes = Answer(409, b"99\n", {"Content-Type": "text/x.tlog.size"})
    other.answers = lambda asked: sizes if asked.method == "POST" else late(Answer(200))
    service.publish(ledger)
    (alarm,) = witnesses(ledger).alarms()
    assert "99 entries" in alarm.what


def test_a_publisher_that_lags_behind_another_raises_no_alarm(
    ledger: Ledger, database: Database, other: Other
) -> None:
    append(database, 10)
    service.publish(ledger)
    earlier = service.published(ledger)
    assert earlier is not None
    lagging = open_checkpoint(earlier.note, LOG.verifier).checkpoint
    append(database, 10)
    service.publish(ledger)
    before = witnesses(ledger)._known()
    lines = witnesses(ledger).collect(lagging, earlier.note, service.tree(ledger, earlier), everyone=True)
    assert lines == []
    assert witnesses(ledger).alarms() == []
    assert [item._replace(cosigned_at=None) for item in witnesses(ledger)._known().values()] == [
        item._replace(cosigned_at=None) for item in before.values()
    ]


def test_a_store_that_cannot_tell_convicts_nobody(ledger: Ledger) -> None:
    def gone(_tile: Tile) -> bytes:
        raise Refused("log-tile-mismatch", "tile", "not in the log's store")

    head = Checkpoint(LOG.verifier.name, 300, b"r" * 32)
    note = sign_checkpoint(head.origin, head.size, head.root, LOG)
    feed = Feed.of(head, note, LOG.verifier, TileTree(300, head.root, gone), ledger.database.clock())
    assert not asyncio.run(feed.contradicts(head._replace(size=100)))

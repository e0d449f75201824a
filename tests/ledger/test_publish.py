"""Publishing: every entry once, signed once, by whoever comes first; and the store can be lost."""

import shutil
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ledger.logs import Notary, append, open_log, watching
from tests.support.published import check_published
from tocsin.db import Database
from tocsin.errors import Misconfigured
from tocsin.ledger import service
from tocsin.objects import Object
from tocsin.objects.files import FileObjects
from tocsin_schemas.checkpoint import open_checkpoint, sign_checkpoint
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.notes import ED25519, NoteSigner


@pytest.mark.parametrize("steps", [[0, 1, 255, 1, 255, 2], [256, 256, 65_024, 1], [300, 70_000]])
def test_every_size_is_published_whole(database: Database, tmp_path: Path, steps: list[int]) -> None:
    ledger, world = open_log(database, tmp_path / "log"), watching(tmp_path / "log")
    size = 0
    for count in steps:
        size = append(database, count)
        assert service.unpublished(ledger) or not count
        assert service.publish(ledger) == count
        assert not service.unpublished(ledger)
        assert check_published(world, database, tidy=True) == size
        assert service.publish(ledger) == 0
    published = service.published(ledger)
    assert published is not None
    assert (published.size, published.published_at) == (size, database.clock())
    tree = service.tree(ledger, published)
    assert tree.root_at(size) == published.root


def test_a_long_backlog_is_published_in_bounded_turns(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.ledger.service.publishing.TURN", 100)
    ledger, world = open_log(database, tmp_path / "log"), watching(tmp_path / "log")
    append(database, 1050)
    assert service.publish(ledger) == 1050
    assert check_published(world, database, tidy=True) == 1050


def test_cosignatures_stand_below_the_note_that_is_shown(database: Database, tmp_path: Path) -> None:
    notary = Notary(database)
    ledger = replace(open_log(database, tmp_path / "log"), witnesses=notary)
    append(database, 10)
    service.publish(ledger)
    shown = ledger.objects.read("checkpoint")
    published = service.published(ledger)
    assert published is not None
    assert published.note == shown
    opened = open_checkpoint(shown, ledger.signer.verifier, [notary.signer.verifier])
    assert [seen.name for seen in opened.cosignatures] == ["witness.example"]
    assert check_published(watching(tmp_path / "log"), database, tidy=True) == 10


def test_a_cosignature_that_is_due_again_replaces_the_older_one(database: Database, tmp_path: Path) -> None:
    notary = Notary(database)
    ledger = replace(open_log(database, tmp_path / "log"), witnesses=notary)
    append(database, 10)
    service.publish(ledger)
    first = ledger.objects.read("checkpoint")
    notary.clock = lambda: database.clock() + 1200
    assert service.unpublished(ledger)
    assert service.publish(ledger) == 0
    second = ledger.objects.read("checkpoint")
    assert second != first
    assert second is not None
    (cosigned,) = open_checkpoint(second, ledger.signer.verifier, [notary.signer.verifier]).cosignatures
    assert cosigned.time == database.clock() + 1200


def test_while_a_witness_knows_another_log_nothing_is_signed(database: Database, tmp_path: Path) -> None:
    notary = Notary(database)
    notary.seen = [service.Alarm("witness.example", "has seen more", "restore a newer backup")]
    ledger = open_log(database, tmp_path / "log")
    append(database, 10)
    service.publish(ledger)
    before = ledger.objects.read("checkpoint")
    alarmed = replace(ledger, witnesses=notary)
    append(database, 10)
    assert service.publish(alarmed) == 0
    published = service.published(ledger)
    assert published is not None
    assert published.size == 10
    assert before is not None
    assert (ledger.objects.read("checkpoint") or b"").startswith(before), "only a cosignature is added"
    with pytest.raises(Misconfigured, match="has seen more"):
        service.start(alarmed)


def test_two_publishers_and_a_writer_at_once(database_url: str, tmp_path: Path) -> None:
    folder, stop, failures = tmp_path / "log", threading.Event(), []

    def keep_publishing() -> None:
        own = Database(database_url)
        try:
            ledger = open_log(own, folder)
            while not stop.is_set():
                service.publish(ledger)
        except BaseException as error:
            failures.append(error)
            raise
        finally:
            own.dispose()

    publishers = [threading.Thread(target=keep_publishing) for _ in range(2)]
    database, world = Database(database_url), watching(folder)
    for thread in publishers:
        thread.start()
    for turn in range(60):
        append(database, 1 + turn * 7 % 120)
        world.look()
    stop.set()
    for thread in publishers:
        thread.join()
    assert failures == []
    service.publish(open_log(database, folder))
    with database.snapshot() as uow:
        assert check_published(world, database) == service.size(uow)
    database.dispose()


def test_who_comes_second_signs_nothing_of_its_own(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another publisher does everything between the first one's tiles and its commit."""
    folder = tmp_path / "log"
    ledger, world = open_log(database, folder), watching(folder)

    class Interrupted(FileObjects):
        def write_many(self, items: Iterable[Object]) -> None:
            super().write_many(items)
            if interruptions:
                interruptions.pop()()

    def other() -> None:
        append(database, 100)
        assert service.publish(ledger) == 400

    interruptions = [other]
    append(database, 300)
    assert service.publish(open_log(database, folder, Interrupted(folder))) == 0
    assert check_published(world, database, tidy=True) == 400


@pytest.mark.parametrize("kept", [0, 100, 300, 600])
def test_a_store_that_was_lost_or_put_back_is_filled_again(
    database: Database, tmp_path: Path, kept: int
) -> None:
    """`kept` is the size that the store had which was put back; 0 for none."""
    folder, backup, size = tmp_path / "log", tmp_path / "backup", 0
    ledger, world = open_log(database, folder), watching(folder)
    backup.mkdir()
    for count in (100, 200, 300, 400):
        size = append(database, count)
        service.publish(ledger)
        if size == kept:
            shutil.copytree(folder, backup, dirs_exist_ok=True)
    shutil.rmtree(folder)
    shutil.copytree(backup, folder)
    service.start(ledger)
    assert service.publish(ledger) == 0
    assert check_published(world, database, tidy=True) == 1000


def test_a_store_whose_tiles_are_gone_is_filled_again(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    ledger, world = open_log(database, folder), watching(folder)
    append(database, 600)
    service.publish(ledger)
    before = ledger.objects.read("checkpoint")
    assert before is not None
    append(database, 600)
    service.publish(ledger)
    shutil.rmtree(folder / "tile")
    (folder / "checkpoint").write_bytes(before)
    service.publish(ledger)
    assert check_published(world, database, tidy=True) == 1200


def test_entries_that_do_not_make_the_signed_tree_are_never_shown(database: Database, tmp_path: Path) -> None:
    ledger = open_log(database, tmp_path / "log")
    append(database, 10)
    service.publish(ledger)
    with database.transaction() as uow:
        uow.conn.exec_driver_sql("UPDATE entry SET recorded_at = recorded_at + 1 WHERE seq = 3")
    shutil.rmtree(tmp_path / "log")
    with pytest.raises(RuntimeError, match="not those it has signed"):
        service.publish(ledger)
    assert ledger.objects.read("checkpoint") is None
    with database.transaction() as uow:
        uow.conn.exec_driver_sql("DELETE FROM entry WHERE seq = 4")
    with pytest.raises(RuntimeError, match="gap"):
        service.publish(ledger)


def test_the_store_of_another_log_is_refused(database: Database, tmp_path: Path) -> None:
    ledger = open_log(database, tmp_path / "log")
    append(database, 3)
    service.publish(ledger)
    stranger = NoteSigner(ledger.origin, ED25519, SigningKey.generate())
    with pytest.raises(Misconfigured, match="this hub has not signed"):
        service.publish(replace(ledger, signer=stranger))
    note = ledger.objects.read("checkpoint")
    assert note is not None
    ledger.objects.write(Object("checkpoint", note[:-5], "text/plain", "brief"))
    with pytest.raises(Misconfigured, match="this hub has not signed"):
        service.start(ledger)


def test_two_trees_of_one_size_are_refused(database: Database, tmp_path: Path) -> None:
    ledger = open_log(database, tmp_path / "log")
    append(database, 3)
    service.publish(ledger)
    forged = sign_checkpoint(ledger.origin, 3, bytes(32), ledger.signer)
    ledger.objects.write(Object("checkpoint", forged, "text/plain", "brief"))
    for call in (service.start, service.publish, service.unpublished):
        with pytest.raises(Misconfigured, match="fork"):
            call(ledger)

"""A database restored from a backup: the hub does not start before it fits the published log again."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.ledger.logs import append, open_log, watching
from tests.signals.material import COMMUNITY, Voice, md5
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tests.support.hub import ISSUER, Hub, in_process
from tests.support.invariants import check_hub, dump
from tests.support.published import check_log, check_published
from tocsin import keys
from tocsin.config import Settings
from tocsin.db import Database, table
from tocsin.errors import Misconfigured
from tocsin.ledger import service
from tocsin.ledger.store.tables import PublicationRow
from tocsin.objects import Object
from tocsin.signals.service.context import open_context
from tocsin.signals.service.recover import recover
from tocsin_schemas.ledger import BUNDLE_ENTRIES, bundle_path

BACKED_UP, LOST = 300, 700


@pytest.fixture
def restored(databases: Databases, clock: MovableClock, tmp_path: Path) -> Settings:
    """A hub whose log was published to 1,000 entries, and whose database is that of entry 300 again."""
    with databases.migrated("sqlite", tmp_path) as url:
        settings = Settings(
            issuer=ISSUER,
            data_dir=tmp_path / "data",
            database_url=SecretStr(url),
            ingest_processes=0,
            run_jobs=False,
            sandbox=True,
        )
        with in_process(settings, clock) as hub:
            pixel = Voice(hub, "pixel", communities={COMMUNITY: "rw", "ncii": "rw"})
            pixel.batch([pixel.report(md5(n)) for n in range(BACKED_UP)])
            hub.publish()
            backup = sqlite3.connect(tmp_path / "backup.db")
            with sqlite3.connect(tmp_path / "tocsin.db") as live:
                live.backup(backup)
            backup.close()
            live.close()
            for part in range(0, LOST, 350):
                community = "ncii" if part else COMMUNITY
                first = BACKED_UP + part
                pixel.batch([pixel.report(md5(first + n), community=community) for n in range(350)])
                hub.publish()
        for name in ("tocsin.db-wal", "tocsin.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        shutil.copy(tmp_path / "backup.db", tmp_path / "tocsin.db")
        return settings


def opened(settings: Settings, clock: MovableClock) -> service.Ledger:
    database = Database(settings.database(), clock=clock)
    return service.open_ledger(settings, database, keys.load(settings))


def test_it_does_not_start_and_says_what_to_do(restored: Settings, clock: MovableClock) -> None:
    ledger = opened(restored, clock)
    before = dump(ledger.database)
    shown = ledger.objects.read("checkpoint")
    with pytest.raises(Misconfigured) as caught, in_process(restored, clock):
        pass
    found = caught.value
    assert "older than the published log" in found.what
    assert "300" in found.what
    assert "1000" in found.what
    assert "tocsin-hub log recover" in found.advice
    for refused in (service.publish, service.unpublished, service.start):
        with pytest.raises(Misconfigured, match="older than the published log"):
            refused(ledger)
    assert dump(ledger.database) == before
    assert ledger.objects.read("checkpoint") == shown
    ledger.database.dispose()


def test_what_was_lost_comes_back_as_tombstones(restored: Settings, clock: MovableClock) -> None:
    ledger = opened(restored, clock)
    before = ledger.objects.read("checkpoint")
    ledger.database.dispose()
    assert _recovered(restored, clock) == BACKED_UP + LOST
    with in_process(restored, clock) as hub:
        assert check_hub(hub.database, restored) == BACKED_UP + LOST
        assert hub.publish() == 0
        assert hub.ledger.objects.read("checkpoint") == before, "what was signed stays as it was"
        reader = Voice(hub, "frame", communities={COMMUNITY: "r", "ncii": "r"})
        records = reader.feed(limit=1000)
        assert [record["seq"] for record in records] == list(range(650))
        assert all("jws" in record for record in records[:BACKED_UP])
        assert {record.get("gone") for record in records[BACKED_UP:]} == {"erased"}
        pixel = Voice(hub, "pixel2")
        assert pixel.batch([pixel.report(md5(9999))])[0]["seq"] == BACKED_UP + LOST
        assert hub.publish() == 1
        assert check_hub(hub.database, restored) == BACKED_UP + LOST + 1


def _recovered(settings: Settings, clock: MovableClock) -> int:
    """Bring it back, as the command does; twice, since a second time finds nothing to do."""
    context = open_context(settings, clock)
    ledger = service.open_ledger(settings, context.database, keys.load(settings))
    assert recover(context, ledger) == LOST
    assert recover(context, ledger) == 0
    shown = check_log(context.database, settings)
    context.database.dispose()
    return shown


def nothing(*_args: object) -> None:
    """No tombstones: the entries alone are looked at."""


@pytest.fixture
def behind(database: Database, tmp_path: Path) -> tuple[service.Ledger, Path]:
    """A log of 600 published entries whose database has 200 left, 100 of them published."""
    folder = tmp_path / "log"
    ledger = open_log(database, folder)
    append(database, 100)
    service.publish(ledger)
    kept = dump(database)["publication"][0]
    append(database, 500)
    service.publish(ledger)
    cut_back(database, kept, 200)
    return ledger, folder


def cut_back(database: Database, publication: tuple, size: int) -> None:
    with database.transaction() as uow:
        run = uow.conn.exec_driver_sql
        run(f"DELETE FROM entry WHERE seq >= {size}")
        run(f"UPDATE ledger_head SET size = {size}")
        run("DELETE FROM publication")
        run("DELETE FROM entry_day")
        uow.insert_rows(
            table(PublicationRow), ("id", "size", "root", "edge", "checkpoint", "published_at"), [publication]
        )


def test_entries_come_back_in_bounded_turns(
    behind: tuple[service.Ledger, Path], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, folder = behind
    monkeypatch.setattr("tocsin.ledger.service.recovery.TURN", 90)
    buried: list[range] = []
    with pytest.raises(Misconfigured):
        service.start(ledger)
    assert (
        service.recover(ledger, lambda _uow, first, found: buried.append(range(first, first + len(found))))
        == 400
    )
    assert [seq for turn in buried for seq in turn] == list(range(200, 600))
    service.start(ledger)
    assert check_published(watching(folder), database, tidy=True) == 600
    append(database, 10)
    service.publish(ledger)
    assert check_published(watching(folder), database, tidy=True) == 610


def test_a_recovery_that_was_cut_off_is_continued(
    behind: tuple[service.Ledger, Path], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, folder = behind
    monkeypatch.setattr("tocsin.ledger.service.recovery.TURN", 90)

    def fails_later(_uow: object, first: int, _entries: object) -> None:
        if first > 300:
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011  # our own, without words
        service.recover(ledger, fails_later)
    with pytest.raises(Misconfigured):
        service.start(ledger)
    assert service.recover(ledger, nothing) == 220
    assert check_published(watching(folder), database, tidy=True) == 600


def test_a_database_that_went_its_own_way_is_not_mended(
    behind: tuple[service.Ledger, Path], database: Database
) -> None:
    ledger, _ = behind
    with database.transaction() as uow:
        uow.conn.exec_driver_sql("UPDATE entry SET recorded_at = recorded_at + 1 WHERE seq = 150")
    before = dump(database)
    with pytest.raises(Misconfigured, match="not those of the published log"):
        service.recover(ledger, nothing)
    assert dump(database) == before


@pytest.mark.parametrize("damage", ["missing", "altered"])
def test_bundles_that_are_not_whole_bring_nothing_back(
    behind: tuple[service.Ledger, Path], database: Database, damage: str
) -> None:
    ledger, folder = behind
    path = bundle_path(1, BUNDLE_ENTRIES)
    if damage == "missing":
        (folder / path).unlink()
    else:
        raw = bytearray((folder / path).read_bytes())
        raw[40] ^= 1
        ledger.objects.write(Object(path, bytes(raw), "application/octet-stream", "immutable"))
    before = dump(database)
    with pytest.raises(Misconfigured, match="bundle"):
        service.recover(ledger, nothing)
    assert dump(database) == before


def test_where_nothing_is_missing_nothing_is_done(database: Database, tmp_path: Path) -> None:
    ledger = open_log(database, tmp_path / "log")
    assert service.recover(ledger, nothing) == 0
    append(database, 5)
    service.publish(ledger)
    append(database, 5)
    before = dump(database)
    assert service.recover(ledger, nothing) == 0
    assert dump(database) == before


def test_a_community_that_is_not_there_is_named(restored: Settings, clock: MovableClock) -> None:
    context = open_context(restored, clock)
    with context.database.transaction() as uow:
        uow.conn.exec_driver_sql("UPDATE community SET slug = 'renamed' WHERE slug = 'ncii'")
    ledger = service.open_ledger(restored, context.database, keys.load(restored))
    with pytest.raises(Misconfigured) as caught:
        recover(context, ledger)
    assert "tocsin-hub community add ncii" in caught.value.advice
    context.database.dispose()


def test_a_hub_that_fits_its_log_starts(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.batch([pixel.report(md5(n)) for n in range(3)])
    hub.publish()
    with in_process(hub.settings, hub.clock) as again:
        assert again.http.get("/readyz").status_code == 200

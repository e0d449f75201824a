"""Searching the published log: exactly what matches, newest first, page by page, and never the whole table."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from sqlalchemy import event, text

from tests.ledger.logs import open_log
from tocsin.db import Database
from tocsin.ledger import service
from tocsin.ledger.service import Ledger, searching
from tocsin.ledger.service.searching import Wanted
from tocsin.ledger.store import publication
from tocsin.ledger.store.publication import Publication
from tocsin_schemas.ledger import Entry
from tocsin_schemas.policy import DAY
from tocsin_schemas.vocabulary import BOARD, DOCKET

FIRST_DAY = 20_000
PUBLISHED = 400
SAID = (
    ("child-safety", "report"),
    ("child-safety", "sighting"),
    ("kiosks", "report"),
    ("child-safety", "report"),
    (BOARD, "decision"),
    (DOCKET, "proceeding"),
    (BOARD, "member-state"),
)
Numbered = list[tuple[int, Entry]]


@pytest.fixture
def log(database: Database, tmp_path: Any) -> tuple[Ledger, Numbered]:
    """Four days of entries, some of them entered a little late, and others that are not published yet."""
    made = []
    for number in range(PUBLISHED + 20):
        community, kind = SAID[number % len(SAID)]
        # On the second day there is no sighting, and only on the third a release.
        day = number // 100
        kind = "outcome" if (day, kind) == (1, "sighting") else kind
        kind = "release" if number == 250 else kind
        late = 90 if number % 100 == 0 and number else 0
        at = (FIRST_DAY + day) * DAY + number % 100 - late
        made.append(Entry(community, kind, at, number.to_bytes(32)))
    with database.transaction() as uow:
        service.append(uow, service.locked_size(uow), made)
        publication.advance(uow, None, Publication(PUBLISHED, bytes(32), b"", b"", uow.now))
    return open_log(database, tmp_path), list(enumerate(made))[:PUBLISHED]


@pytest.fixture(params=[(250_000, 50_000), (30, 5), (7, 2)], ids=["at-once", "in-parts", "in-many-parts"])
def bounds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much is looked at, and how far out of order entries may be."""
    monkeypatch.setattr(searching, "LOOKED_AT", request.param[0])
    monkeypatch.setattr(searching, "OUT_OF_ORDER", request.param[1])


def pages(ledger: Ledger, wanted: Wanted, count: int) -> Iterator[searching.Matches]:
    before: int | None = None
    while True:
        matches = searching.search(ledger, wanted, count, before)
        yield matches
        if matches.older is None:
            return
        assert before is None or matches.older < before
        before = matches.older


def of(log: Numbered, wanted: Wanted) -> Numbered:
    """What matches, by looking at everything."""
    return [
        (number, entry)
        for number, entry in reversed(log)
        if wanted.kind in {None, entry.kind}
        and wanted.community in {None, entry.community}
        and wanted.day in {None, entry.recorded_at // DAY}
    ]


@pytest.mark.usefixtures("bounds")
def test_every_search_finds_what_looking_at_everything_does(log: tuple[Ledger, Numbered]) -> None:
    ledger, everything = log
    kinds = (None, "report", "sighting", "release", "decision", "proceeding", "expiry")
    communities = (None, "child-safety", "kiosks", "nowhere", BOARD, DOCKET)
    days = (None, FIRST_DAY - 1, FIRST_DAY, FIRST_DAY + 1, FIRST_DAY + 3, FIRST_DAY + 4)
    for said in product(kinds, communities, days):
        wanted = Wanted(*said)
        expected = of(everything, wanted)
        read = [found for page in pages(ledger, wanted, 11) for found in page.found]
        assert read == expected, wanted
    wanted = Wanted(kind="report", day=FIRST_DAY + 1)
    assert list(searching.every(ledger, wanted)) == of(everything, wanted)


def test_a_page_says_what_was_looked_at(
    log: tuple[Ledger, Numbered], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, _ = log
    assert searching.search(ledger, Wanted("expiry"), 11) == ([], PUBLISHED, PUBLISHED, None)
    monkeypatch.setattr(searching, "LOOKED_AT", 150)
    assert searching.search(ledger, Wanted(community="nowhere"), 11) == ([], 250, PUBLISHED, 250)
    assert searching.search(ledger, Wanted(community="nowhere"), 11, 250) == ([], 100, 250, 100)
    assert searching.search(ledger, Wanted(community="nowhere"), 11, 100) == ([], 0, 100, None)
    # The board's have an index, and are looked through whole.
    assert searching.search(ledger, Wanted(community=BOARD), 400).older is None


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(), ""),
        (Wanted("report", None, FIRST_DAY + 2), ""),
        (Wanted("report", "nowhere", None), ""),
        (Wanted("decision", None, None), "entry_board"),
        (Wanted(None, DOCKET, FIRST_DAY + 1), "entry_docket"),
    ],
)
def test_a_large_log_is_not_read_whole(
    database: Database, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, wanted: Wanted, index: str
) -> None:
    """The plan of both databases, for a log of 200,000 entries on four days, a tenth of which is looked at."""
    monkeypatch.setattr(searching, "LOOKED_AT", 20_000)
    monkeypatch.setattr(searching, "OUT_OF_ORDER", 5_000)
    size, per_day = 200_000, 50_000
    rows = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :size - 1)"
        " INSERT INTO entry SELECT i, {community}, {kind}, {at}, zeroblob(32) FROM n",
        "postgresql": "INSERT INTO entry SELECT i, {community}, {kind}, {at}, decode(repeat('00', 32), 'hex')"
        " FROM generate_series(0, :size - 1) AS n(i)",
    }[database.dialect].format(
        community="CASE i % 5000 WHEN 0 THEN 'board' WHEN 1 THEN 'docket' ELSE 'child-safety' END",
        kind="CASE i % 5000 WHEN 0 THEN 'decision' WHEN 1 THEN 'proceeding' ELSE 'report' END",
        at=f"(CAST({FIRST_DAY} AS BIGINT) + i / {per_day}) * {DAY}",
    )
    with database.transaction() as uow:
        service.locked_size(uow)
        uow.conn.execute(text(rows), {"size": size})
        publication.advance(uow, None, Publication(size, bytes(32), b"", b"", uow.now))
        uow.conn.execute(text("ANALYZE"))
    asked: list[tuple[str, Any]] = []

    def hear(_conn: object, _cursor: object, statement: str, given: Any, *_: object) -> None:
        asked.append((statement, given))

    event.listen(database._reading, "before_cursor_execute", hear)
    searching.search(open_log(database, tmp_path), wanted, 50)
    event.remove(database._reading, "before_cursor_execute", hear)
    explain = "EXPLAIN QUERY PLAN " if database.dialect == "sqlite" else "EXPLAIN "
    plans = []
    with database.snapshot() as uow:
        for statement, given in asked:
            if " entry " in statement.replace("\n", " ") and "ORDER BY entry.seq" in statement:
                plans.append(str(uow.conn.exec_driver_sql(explain + statement, given).all()))
    assert plans
    for plan in plans:
        assert "Seq Scan" not in plan
        assert "SCAN entry" not in plan
        assert "TEMP B-TREE" not in plan
        assert index in plan

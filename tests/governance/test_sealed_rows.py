"""Every table of the proceedings: a row that another hand edits, deletes or adds is named, and put right."""

import logging
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Table, delete, insert, select, update

from tests.support.board import DOCUMENT, VETTERS, Board, found
from tests.support.hub import Hub
from tests.support.invariants import check_hub
from tests.support.officers import panel, seats
from tocsin.governance.rules.people import Caller
from tocsin.governance.service import applications, motions, seat_acts, startup, vetting
from tocsin.governance.service.proceedings import dossier_open, proceedings
from tocsin.governance.store import desk_tables as tables
from tocsin.governance.store.cases import PARTS
from tocsin.members.service import ROW, Difference
from tocsin_client.board.seat_acts import SEAT_ACT_TYP
from tocsin_schemas import envelope
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.signals import dump_object

ALL = {part.table.name: part for parts in PARTS.values() for part in parts}
NOTHING = bytes(32)
EDITED: dict[str, dict[str, Any]] = {
    "motion": {"until": 5},
    "motion_endorsement": {"endorsed_at": 5},
    "motion_remark": {"stance": "concern"},
    "motion_declaration": {"conflict": False},
    "motion_ballot": {"choice": "yes"},
    "application": {"control_group_id": "cg_" + "a" * 16},
    "application_answer": {"digest": NOTHING},
    "application_key": {"public": NOTHING},
    "application_community": {"may_write": False},
    "application_asked": {"question": "ownership"},
    "sponsorship": {"handle": "mallory"},
    "vetting_check": {"evidence": NOTHING},
    "seat_tie": {"ended_at": 5},
    "seat_act": {"expires_at": 5},
}
"""What is written into one row of each table."""
ADDED: dict[str, dict[str, Any]] = {
    "motion": {"id": "mo_" + "0" * 32},
    "motion_endorsement": {"seat": "s5"},
    "motion_remark": {"id": 999},
    "motion_declaration": {"seat": "s4"},
    "motion_ballot": {"seat": "s2"},
    "application": {"id": "ap_" + "0" * 32},
    "application_answer": {"place": 9},
    "application_key": {"kid": "A" * 43},
    "application_community": {"community": "elsewhere"},
    "application_asked": {"question": "ownership"},
    "sponsorship": {"issuer": "https://made-up.example"},
    "vetting_check": {"id": 999},
    "seat_tie": {"issuer": "https://made-up.example"},
    "seat_act": {"jti": bytes(16)},
}
"""How a row that is added differs from one that is there."""


@dataclass
class Scene:
    """A board with a row in every table of the proceedings; `ids` are its motions and applications by name."""

    board: Board
    ids: dict[str, str]

    def rows(self, table: Table) -> list[Mapping[str, Any]]:
        with self.board.hub.database.snapshot() as uow:
            found = uow.conn.execute(select(table)).mappings()
            return sorted((dict(row) for row in found), key=str)

    def write(self, *statements: Any) -> None:
        """As somebody with the database's password would."""
        with self.board.hub.database.engine.begin() as conn:
            for statement in statements:
                done = conn.execute(statement, execution_options={"preserve_rowcount": True})
                assert done.rowcount > 0

    def audit(self) -> list[Difference]:
        return startup.audit(self.board.chain, self.board.hub.app.state.ledger)


@pytest.fixture(scope="module")
def scene(module_hub: Hub) -> Scene:
    board = found(module_hub, [*seats(5), *panel()])
    for name in ("pixel", "frame"):
        board.member(name)
    board.activate("pixel", "frame")
    vetted, asked, bare = (board.apply(name, SigningKey.generate()) for name in ("vox", "echo", "bare"))
    for application in (vetted, asked):
        vetting.begin(board.chamber, application, VETTERS[0])
    vetting.check(board.chamber, vetted, VETTERS[0], "identity", "pass", DOCUMENT)
    adam = Caller("adam", frozenset({"org_admin"}), "https://pixel.example")
    applications.sponsor(board.chamber, vetted, adam)
    vetting.request_info(board.chamber, asked, VETTERS[0], ["domain"])
    motions.declare_tie(board.chamber, board.seated("s1"), "https://tied.example", None)
    bare_motion = board.propose("community.open", "bare")
    voted = board.propose("community.open", "voted")
    board.endorse(voted, "s2", "s3")
    motions.declare(board.chamber, board.seated("s5"), voted, conflict=True)
    board.discuss(voted)
    board.vote(voted, "s1", "no")
    discussed = board.propose("community.open", "discussed")
    key = board.officers["s3"].key
    assert key is not None
    said = {
        "seat": "s3", "aud": board.hub.issuer, "iat": board.clock(), "jti": secrets.token_hex(16),
        "act": "endorse", "motion": discussed,
    }  # fmt: skip
    seat_acts.perform(board.chamber, envelope.sign(dump_object(said), key, SEAT_ACT_TYP))
    motions.remark(board.chamber, board.seated("s4"), discussed, "support", "agreement")
    board.hub.publish()
    ids = {"vetted": vetted, "asked": asked, "bare": bare, "moved": bare_motion, "voted": voted}
    return Scene(board, ids)


def one(scene: Scene, table: Table) -> Mapping[str, Any]:
    """A row to be edited, or copied."""
    rows = scene.rows(table)
    if table is tables.motion:
        return next(row for row in rows if row["id"] == scene.ids["moved"])
    if table is tables.application:
        return next(row for row in rows if row["id"] == scene.ids["bare"])
    if table is tables.motion_declaration:
        return next(row for row in rows if row["conflict"])
    if table is tables.application_answer:
        found = (row for row in rows if row["digest"] and row["application_id"] == scene.ids["vetted"])
        return next(found)
    if table in {tables.application_key, tables.application_community}:
        return next(row for row in rows if row["application_id"] == scene.ids["vetted"])
    return rows[0]


def key_of(table: Table, row: Mapping[str, Any]) -> Any:
    part = ALL[table.name]
    return [table.c[name] == row[name] for name in (part.of, *part.key)]


def changed(scene: Scene, name: str, how: str) -> list[Any]:
    """What another hand does to a table."""
    table = ALL[name].table
    row = one(scene, table)
    if how == "edited":
        return [update(table).where(*key_of(table, row)).values(EDITED[name])]
    if how == "added":
        return [insert(table).values({**row, **ADDED[name]})]
    if table is not tables.application:
        return [delete(table).where(*key_of(table, row))]
    # Nothing may refer to it.
    parts = PARTS["application"]
    written = [part for part in parts if any(r[part.of] == row["id"] for r in scene.rows(part.table))]
    return [delete(part.table).where(part.table.c[part.of] == row["id"]) for part in reversed(written)]


def test_there_is_a_row_in_every_table(scene: Scene) -> None:
    assert {part.table.name for part in ALL.values() if not scene.rows(part.table)} == set()
    assert ALL.keys() == EDITED.keys() == ADDED.keys()
    assert scene.audit() == []


@pytest.mark.parametrize("how", ["edited", "deleted", "added"])
@pytest.mark.parametrize("name", ALL)
def test_the_audit_names_it_and_puts_it_right(
    scene: Scene, caplog: pytest.LogCaptureFixture, name: str, how: str
) -> None:
    before = {part.table.name: scene.rows(part.table) for part in ALL.values()}
    scene.write(*changed(scene, name, how))
    assert scene.rows(ALL[name].table) != before[name]
    with caplog.at_level(logging.ERROR):
        found = scene.audit()
    assert {item.table for item in found} >= {name}
    whole = how != "edited" or name == "application_asked"
    assert {item.column for item in found if item.table == name} == ({ROW} if whole else {*EDITED[name]})
    named = {(r.table, r.row, r.column, r.repaired) for r in caplog.records}  # type: ignore[attr-defined]  # our extras
    assert named == {(*item, True) for item in found}
    # Whom somebody has a tie to is theirs to tell.
    assert "tied.example" not in caplog.text
    assert {part.table.name: scene.rows(part.table) for part in ALL.values()} == before
    assert scene.audit() == []
    check_hub(scene.board.hub.database)


@pytest.mark.parametrize("how", ["edited", "deleted", "added"])
@pytest.mark.parametrize("name", sorted(ALL.keys() - {"application"}))
def test_the_next_act_finds_it_as_it_was_sealed(scene: Scene, name: str, how: str) -> None:
    table = ALL[name].table
    before = scene.rows(table)
    scene.write(*changed(scene, name, how))
    board = scene.board.chamber
    if ALL[name] in PARTS["application"]:
        with dossier_open(board, scene.ids["vetted"], scene.ids["asked"]):
            assert scene.rows(table) == before
    else:
        with proceedings(board):
            assert scene.rows(table) == before
    assert scene.audit() == []


def test_an_application_is_as_it_was_sealed_for_who_acts_on_it(scene: Scene) -> None:
    table = tables.application
    before = scene.rows(table)
    for how in ("edited", "deleted"):
        scene.write(*changed(scene, "application", how))
        with dossier_open(scene.board.chamber, scene.ids["bare"]):
            assert scene.rows(table) == before
    check_hub(scene.board.hub.database)


def test_cases_named_by_bytes_are_none(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """A column of text takes bytes on SQLite, from whoever does not ask for foreign keys to be kept."""
    if scene.board.hub.database.dialect != "sqlite":
        pytest.skip("PostgreSQL takes nothing but text there")
    before = {part.table.name: scene.rows(part.table) for part in ALL.values()}
    with sqlite3.connect(scene.board.hub.database.url.partition("///")[2]) as conn:
        for name, part in ALL.items():
            taken = {column.name: column.name for column in part.table.c} | {part.of: "x'ff'"}
            taken |= {"id": f"(SELECT max(id) + 1 FROM {name})"} if "id" in part.key else {}
            said = ", ".join(taken), ", ".join(taken.values())
            where = "decision IS NULL" if part.table is tables.motion else "TRUE"
            conn.execute(f"INSERT INTO {name} ({said[0]}) SELECT {said[1]} FROM {name} WHERE {where} LIMIT 1")
    assert all(len(scene.rows(part.table)) == len(before[name]) + 1 for name, part in ALL.items())
    with caplog.at_level(logging.ERROR), proceedings(scene.board.chamber):
        named = [(r.table, r.column) for r in caplog.records]  # type: ignore[attr-defined]  # our extras
        assert sorted(named) == sorted((name, ROW) for name in ALL)
    assert {part.table.name: scene.rows(part.table) for part in ALL.values()} == before
    assert scene.audit() == []

"""A row of the database changed by hand: it is named, put right, and what the service does follows the log."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from tests.governance.played import FRAME, PIXEL, board, founded, governed, play, playing, state
from tests.schemas.boards import Hall, copied
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tests.support.hub import ISSUER, Hub, in_process
from tests.support.invariants import BOOKKEEPING, check_hub, dump, unchanged
from tocsin.config import Settings
from tocsin.errors import Misconfigured
from tocsin.governance.service import startup
from tocsin.members.service import Difference
from tocsin.objects import Object
from tocsin_schemas.policy import Policy

STRANGER = "https://stranger.example"
KID = "A" * 43
LEFT_BY_RUNNING = BOOKKEEPING | {"publication", "board_founding"}


@pytest.fixture(scope="module")
def hall() -> Hall:
    """A community, two active members; a third was suspended."""
    hall = founded()
    hall.admit(STRANGER, "c", sponsors=[PIXEL, FRAME])
    hall.decide("member.emergency_suspend", STRANGER)
    return hall


@pytest.fixture
def hub(settings: Settings, clock: MovableClock, hall: Hall) -> Iterator[Hub]:
    """Their hub, its log published and the copies of the records beside it."""
    with playing(settings, clock, hall) as found:
        found.publish()
        assert found.run_job("governance.publish") == len(hall.records)
        yield found


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def lasting(
    request: pytest.FixtureRequest,
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    hall: Hall,
) -> Iterator[Hub]:
    """The same, for all edits one behind the other: each is repaired."""
    folder = tmp_path_factory.mktemp("edited")
    with databases.migrated(request.param, folder) as url:
        settings = Settings(
            issuer=ISSUER,
            data_dir=folder / "data",
            database_url=SecretStr(url),
            ingest_processes=0,
            run_jobs=False,
        )
        with playing(settings, MovableClock(), hall) as found:
            found.publish()
            found.run_job("governance.publish")
            yield found


def edit(hub: Hub, *statements: str) -> None:
    """As somebody with the database's password would."""
    with hub.database.transaction() as uow:
        for statement in statements:
            uow.conn.execute(text(statement))


def named(caplog: pytest.LogCaptureFixture) -> set[Difference]:
    """What the hub's own log calls changed."""
    found = [
        record for record in caplog.records if record.getMessage() == "a row was changed by another hand"
    ]
    assert all(record.levelno == logging.ERROR for record in found)
    return {Difference(record.table, record.row, record.column) for record in found}  # type: ignore[attr-defined]  # our extras


def org(issuer: str) -> str:
    return f"(SELECT id FROM organisation WHERE issuer = '{issuer}')"


EDITS: dict[str, tuple[tuple[str, ...], set[tuple[str, str]]]] = {
    "a suspended member made active": (
        (f"UPDATE organisation SET state = 'active' WHERE issuer = '{STRANGER}'",),
        {("organisation", "state")},
    ),
    "a member that never was active is said to have been": (
        (f"UPDATE organisation SET trial_since = NULL WHERE issuer = '{STRANGER}'",),
        {("organisation", "trial_since")},
    ),
    "since when": (
        (f"UPDATE organisation SET state_since = 5 WHERE issuer = '{PIXEL}'",),
        {("organisation", "state_since")},
    ),
    "two owners made one": (
        (f"UPDATE organisation SET control_group_id = 'cg_{'a' * 16}' WHERE issuer = '{FRAME}'",),
        {("organisation", "control_group_id")},
    ),
    "another class": (
        (f"UPDATE organisation SET member_class = 'observer' WHERE issuer = '{PIXEL}'",),
        {("organisation", "member_class")},
    ),
    "a cap of its own": (
        (f"UPDATE organisation SET signals_per_hour = 9 WHERE issuer = '{PIXEL}'",),
        {("organisation", "signals_per_hour")},
    ),
    "a member renamed": (
        (f"UPDATE organisation SET issuer = 'https://other.example' WHERE issuer = '{PIXEL}'",),
        {("organisation", "issuer")},
    ),
    "a member that nobody admitted": (
        (
            (
                "INSERT INTO organisation (issuer, member_class, control_group_id, state, state_since, created_at)"
                f" VALUES ('https://made-up.example', 'platform', 'cg_{'a' * 16}', 'active', 1, 1)"
            ),
        ),
        {("organisation", "state")},
    ),
    "a key of somebody else": (
        (
            (
                f"INSERT INTO member_key SELECT '{KID}', organisation_id, alg, public, not_before, not_after,"
                f" revoked_at FROM member_key WHERE organisation_id = {org(PIXEL)}"
            ),
        ),
        {("member_key", "row")},
    ),
    "a key given to another member": (
        (f"UPDATE member_key SET organisation_id = {org(FRAME)} WHERE organisation_id = {org(PIXEL)}",),
        {("member_key", "organisation_id")},
    ),
    "a key that lives longer": (
        (f"UPDATE member_key SET not_after = not_after + 1 WHERE organisation_id = {org(PIXEL)}",),
        {("member_key", "not_after")},
    ),
    "a key revoked": (
        (f"UPDATE member_key SET revoked_at = 9 WHERE organisation_id = {org(PIXEL)}",),
        {("member_key", "revoked_at")},
    ),
    "a key deleted": (
        (f"DELETE FROM member_key WHERE organisation_id = {org(PIXEL)}",),
        {("member_key", "row")},
    ),
    "a right taken": (
        (f"UPDATE community_member SET may_read = false WHERE organisation_id = {org(PIXEL)}",),
        {("community_member", "rights")},
    ),
    "a right given": (
        (
            "INSERT INTO community (slug, created_at) VALUES ('gifted', 8)",
            (
                "INSERT INTO community_member (community_id, organisation_id, may_read, may_write)"
                f" SELECT id, {org(PIXEL)}, true, true FROM community WHERE slug = 'gifted'"
            ),
        ),
        {("community_member", "rights")},
    ),
    "a community that nobody opened": (
        ("INSERT INTO community (slug, created_at) VALUES ('ncii', 7)",),
        {("community", "row")},
    ),
    "a community renamed": (
        ("UPDATE community SET slug = 'elsewhere' WHERE slug = 'child-safety'",),
        {("community", "slug")},
    ),
    "the policy": (
        ("UPDATE board_policy SET document = :policy",),
        {("board_policy", "document")},
    ),
    "the policy deleted": (("DELETE FROM board_policy",), {("board_policy", "document")}),
    "the bytes of a record": (
        ("UPDATE board_record SET raw = nonce WHERE seq = 3",),
        {("board_record", "raw")},
    ),
    "one record in the place of another": (
        ("UPDATE board_record SET raw = (SELECT raw FROM board_record WHERE seq = 1) WHERE seq = 5",),
        {("board_record", "raw")},
    ),
    "a digest": (
        ("UPDATE board_record SET digest = nonce WHERE seq = 3",),
        {("board_record", "digest")},
    ),
    "the newest record deleted": (
        ("DELETE FROM board_record WHERE seq = (SELECT max(seq) FROM board_record)",),
        {("board_record", "row")},
    ),
    "a record that is no entry": (
        (
            (
                "INSERT INTO board_record (seq, log_seq, digest, raw, nonce, shown)"
                " SELECT seq + 1, log_seq + 1, digest, raw, nonce, shown FROM board_record"
                " WHERE seq = (SELECT max(seq) FROM board_record)"
            ),
        ),
        {("board_record", "row")},
    ),
    "an entry of the log, and its record with it": (
        (
            (
                "UPDATE board_record SET raw = (SELECT raw FROM board_record WHERE seq = 1),"
                " nonce = (SELECT nonce FROM board_record WHERE seq = 1) WHERE seq = 5"
            ),
            "UPDATE entry SET commitment = (SELECT commitment FROM entry WHERE seq = 1) WHERE seq = 5",
        ),
        {("entry", "row"), ("board_record", "raw")},
    ),
    "an entry taken from the board": (
        ("UPDATE entry SET community = 'child-safety' WHERE seq = 4",),
        {("entry", "row")},
    ),
}


def with_power(name: str, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows of a table without those that stay because something may have been signed under them."""
    powerless: dict[str, Callable[[tuple[Any, ...]], bool]] = {
        "organisation": lambda row: "expelled" in row,
        "member_key": lambda row: row[0] == KID,
        "community": lambda row: "gifted" in row,
        "community_member": lambda row: not row[2] and not row[3],
    }
    return [row for row in rows if not powerless.get(name, lambda _row: False)(row)]


def make(hub: Hub, statements: tuple[str, ...]) -> None:
    policy = Policy(version=9, corroborating_groups=5).model_dump_json().encode()
    with hub.database.transaction() as uow:
        for statement in statements:
            uow.conn.execute(text(statement), {"policy": policy} if ":policy" in statement else {})


@pytest.mark.parametrize(("statements", "expected"), EDITS.values(), ids=EDITS)
def test_the_audit_names_and_repairs_it(
    lasting: Hub,
    statements: tuple[str, ...],
    expected: set[tuple[str, str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    hub = lasting
    before = {name: with_power(name, rows) for name, rows in dump(hub.database, LEFT_BY_RUNNING).items()}
    make(hub, statements)
    assert hub.run_job("governance.audit")
    assert {(item.table, item.column) for item in named(caplog)} == expected
    after = dump(hub.database, LEFT_BY_RUNNING)
    assert {name: with_power(name, rows) for name, rows in after.items()} == before
    caplog.clear()
    assert hub.run_job("governance.audit") == 0
    check_hub(hub.database, hub.settings)


KINDS = ("a suspended member made active", "a key given to another member", "a right taken", "a community renamed",
         "the policy", "the bytes of a record", "an entry of the log, and its record with it")  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_start_names_and_repairs_it(
    settings: Settings, clock: MovableClock, hall: Hall, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    statements, expected = EDITS[kind]
    with playing(settings, clock, hall) as hub:
        hub.publish()
        hub.run_job("governance.publish")
        make(hub, statements)
    with in_process(governed(settings), clock) as again:
        assert {(item.table, item.column) for item in named(caplog)} == expected
        assert state(again).tip == hall.state.tip
        check_hub(again.database, again.settings)


def test_what_the_service_does_follows_the_log(settings: Settings, clock: MovableClock, hall: Hall) -> None:
    with playing(settings, clock, hall) as hub:
        hub.publish()
        hub.run_job("governance.publish")
        make(hub, EDITS["a suspended member made active"][0] + EDITS["the policy"][0])
    with in_process(governed(settings), clock) as again:
        states = {view.org.issuer: view.org.state for view in again.members.list_members()}
        assert states == {PIXEL: "active", FRAME: "active", STRANGER: "emergency_suspended"}
        with again.database.snapshot() as uow:
            assert board(again).policy_in_force(uow) == Policy()


def test_a_running_hub_keeps_to_the_chain_it_knows(hub: Hub, hall: Hall) -> None:
    make(hub, EDITS["the bytes of a record"][0])
    assert state(hub).tip == hall.state.tip
    make(hub, EDITS["a suspended member made active"][0])
    # The next record puts the rows right on its way.
    later = copied(hall)
    later.wait(days=1)
    later.act(PIXEL, "attest", year=2027)
    play(hub, later)
    states = {view.org.issuer: view.org.state for view in hub.members.list_members()}
    assert states[STRANGER] == "emergency_suspended"


def test_a_lost_record_is_not_made_up(settings: Settings, clock: MovableClock, hall: Hall) -> None:
    with playing(settings, clock, hall) as hub:
        hub.publish()
        make(hub, EDITS["the bytes of a record"][0])  # no copy lies beside the log yet
        with unchanged(hub.database), pytest.raises(Misconfigured, match="record 3") as caught:
            startup.audit(board(hub), hub.ledger)
        assert "board/records/3.json" in caught.value.advice
        with unchanged(hub.database), pytest.raises(Misconfigured, match="record 3"):
            with in_process(governed(settings), clock):
                pass


def test_a_copy_that_was_edited_too_is_not_believed(hub: Hub) -> None:
    make(hub, EDITS["the bytes of a record"][0])
    with hub.database.snapshot() as uow:
        (row,) = uow.conn.execute(text("SELECT raw FROM board_record WHERE seq = 1")).all()
    for forged in (bytes(row.raw), b'{"what": 1}', hub.ledger.objects.read("board/records/1.json")):
        assert forged is not None
        hub.ledger.objects.write(hub_object("board/records/3.json", forged))
        with unchanged(hub.database), pytest.raises(Misconfigured, match="record 3"):
            startup.audit(board(hub), hub.ledger)


def hub_object(path: str, data: bytes) -> Object:
    return Object(path, data, "application/x-ndjson", "immutable")


def test_a_read_only_hub_looks_and_leaves_it(
    settings: Settings, clock: MovableClock, hall: Hall, caplog: pytest.LogCaptureFixture
) -> None:
    with playing(settings, clock, hall) as hub:
        make(hub, EDITS["a suspended member made active"][0])
        with unchanged(hub.database):
            with in_process(governed(settings).model_copy(update={"read_only": True}), clock):
                assert named(caplog) == {Difference("organisation", STRANGER, "state")}


def test_values_are_never_named(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    edit(hub, f"UPDATE organisation SET control_group_id = 'cg_{'a' * 16}' WHERE issuer = '{FRAME}'")
    hub.run_job("governance.audit")
    said = [record.__dict__ for record in caplog.records if record.name.startswith("tocsin")]
    assert said
    assert "cg_" not in repr([(item["msg"], item["table"], item["row"], item["column"]) for item in said])


def test_checking_names_it_and_changes_nothing(hub: Hub) -> None:
    make(hub, EDITS["a right taken"][0])
    with unchanged(hub.database):
        found = startup.audit(board(hub), hub.ledger, repair=False)
    assert [(item.table, item.column) for item in found] == [("community_member", "rights")]

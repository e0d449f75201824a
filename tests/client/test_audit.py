import pytest

from tests.client.simulator import Simulator, sha256
from tests.support.clock import MovableClock
from tocsin_client.audit import Audit, audit
from tocsin_client.config import NotReady
from tocsin_client.mirror import Mirror
from tocsin_client.mirror_store import MirrorStore


@pytest.fixture
def filled(mirror: Mirror, simulator: Simulator) -> Mirror:
    simulator.report("pixel", "a", "b")
    simulator.report("forum", "a")
    _, digest = simulator.report("model", "c")
    simulator.retract("model", digest)
    simulator.dispute("model", "b")
    simulator.elsewhere()
    simulator.expiry(simulator.gone())
    mirror.follow(simulator)
    return mirror


def codes(mirror: Mirror) -> list[tuple[int | None, str, str]]:
    return [(item.seq, item.code, item.field) for item in audit(mirror).failures]


def change(store: MirrorStore, statement: str, *values: object) -> None:
    assert store._conn.execute(statement, values).rowcount >= 1


def test_a_sound_mirror_verifies(filled: Mirror) -> None:
    done: list[int] = []
    found = audit(filled, on_progress=done.append)
    assert found == Audit(statements=4, hub_events=1, standings={"human_confirmed": 1, "candidate": 1})
    assert done == [4]


def test_worker_processes_find_the_same(filled: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin_client.audit.CHUNK", 1)
    change(filled.store, "UPDATE statement SET author = 'https://forum.example' WHERE seq = 0")
    assert audit(filled, workers=2) == audit(filled)
    assert len(audit(filled).failures) == 1


def test_an_empty_mirror_has_nothing_to_verify(mirror: Mirror) -> None:
    with pytest.raises(NotReady):
        audit(mirror)


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("r", bytes(32), "commitment-mismatch"),
        ("commitment", bytes(32), "commitment-mismatch"),
        ("jws", b"a.b.c", "commitment-mismatch"),
        ("id", bytes(32), "row-altered"),
        ("author", "https://pixel.example", "row-altered"),
        ("iat", 5, "row-altered"),
        ("basis", "classifier", "row-altered"),
        ("kind", "dispute", "kind-mismatch"),
        ("kind", "expiry", "key-unknown"),
        ("kind", "rumour", "entry-malformed"),
        ("expires_at", 250_000_000_000, "expiry-mismatch"),
        ("seq", 99, "row-altered"),
    ],
)
def test_a_changed_column_is_found(filled: Mirror, column: str, value: object, code: str) -> None:
    filled.store._conn.execute("PRAGMA foreign_keys = OFF")
    change(filled.store, f"UPDATE statement SET {column} = ? WHERE seq = 1", value)
    assert code in [found for _, found, _ in codes(filled)]


def test_a_changed_indicator_is_found(filled: Mirror) -> None:
    change(filled.store, "UPDATE indicator SET value = ? WHERE seq = 1", sha256("z").value)
    assert codes(filled) == [(1, "row-altered", "indicator")]


def test_a_missing_indicator_is_found(filled: Mirror) -> None:
    change(filled.store, "DELETE FROM indicator WHERE seq = 1")
    assert codes(filled) == [(1, "row-altered", "indicator")]


def test_a_statement_that_its_author_withdrew_is_found(
    filled: Mirror, simulator: Simulator, clock: MovableClock
) -> None:
    change(
        filled.store, "UPDATE statement SET target = (SELECT id FROM statement WHERE seq = 0) WHERE seq = 3"
    )
    change(filled.store, "UPDATE statement SET author = 'https://pixel.example' WHERE seq = 3")
    assert (0, "retraction-ignored", "") in codes(filled)


@pytest.mark.parametrize(
    ("column", "value", "code"), [("jws", b"a.b.c", "commitment-mismatch"), ("kind", "report", "key-unknown")]
)
def test_a_changed_event_of_the_hub_is_found(filled: Mirror, column: str, value: object, code: str) -> None:
    change(filled.store, f"UPDATE hub_event SET {column} = ?", value)
    assert codes(filled) == [(7, code, codes(filled)[0][2])]


def test_a_members_statement_among_the_hubs_events_is_found(filled: Mirror) -> None:
    columns = "seq, kind, recorded_at, commitment, r, jws"
    change(filled.store, f"INSERT INTO hub_event ({columns}) SELECT {columns} FROM statement WHERE seq = 0")
    assert codes(filled) == [(0, "expiry-mismatch", "expires_at")]


def test_an_event_of_the_hub_among_the_statements_is_found(filled: Mirror) -> None:
    columns = "seq, kind, recorded_at, commitment, r, jws"
    change(
        filled.store,
        f"INSERT INTO statement ({columns}, id, author, iat, expires_at)"
        f" SELECT {columns}, zeroblob(32), 'https://hub.example', 0, 9 FROM hub_event",
    )
    assert codes(filled) == [(7, "row-altered", "kind")]


def test_a_key_that_the_directory_no_longer_lists_is_found(filled: Mirror, simulator: Simulator) -> None:
    del simulator.members["forum"]
    filled.follow(simulator)
    assert codes(filled) == [(1, "key-unknown", "header.kid")]

"""A mirror held against the whole log: nothing dropped, nothing put in, nothing changed."""

import pytest

from tests.client.simulated_log import SimulatedLog
from tests.client.simulator import Simulator
from tests.support.clock import MovableClock
from tocsin_client.log import Log, LogUnverified, View
from tocsin_client.log_audit import REPORTED, LogAudit, audit_log
from tocsin_client.log_copy import LogCopy
from tocsin_client.mirror import Mirror
from tocsin_schemas.ledger import Entry


@pytest.fixture
def filled(mirror: Mirror, simulator: Simulator) -> Mirror:
    simulator.report("pixel", "a")
    simulator.elsewhere(2)
    simulator.report("forum", "a")
    simulator.expiry(simulator.gone())
    simulator.report("model", "b")
    simulator.replace(6, withheld="quarantine")
    mirror.follow(simulator)
    return mirror


def view_of(mirror: Mirror, simulator: Simulator, clock: MovableClock) -> View:
    return Log(simulator.log, mirror.log, simulator.hub, clock=clock).latest()


def found(mirror: Mirror, simulator: Simulator, clock: MovableClock) -> list[tuple[int | None, str]]:
    audit = audit_log(view_of(mirror, simulator, clock), mirror.store)
    return [(item.seq, item.code) for item in audit.failures]


def change(mirror: Mirror, statement: str) -> None:
    assert mirror.store._conn.execute(statement).rowcount >= 1


def test_a_sound_mirror_fits(filled: Mirror, simulator: Simulator, clock: MovableClock) -> None:
    simulator.report("pixel", "later")
    audit = audit_log(view_of(filled, simulator, clock), filled.store)
    assert audit == LogAudit(entries=8, ours=6, held=3, absent=2, ahead=1)


def test_a_mirror_with_refused_records_says_so(
    mirror: Mirror, simulator: Simulator, clock: MovableClock
) -> None:
    simulator.report("pixel", "a")
    simulator.amend(0, r="0" * 64)
    mirror.follow(simulator, keep_going=True)
    assert audit_log(view_of(mirror, simulator, clock), mirror.store) == LogAudit(
        entries=1, ours=1, refused=1
    )


def test_an_older_copy_is_held_against_the_mirror_as_far_as_it_goes(
    filled: Mirror, simulator: Simulator, clock: MovableClock
) -> None:
    copy = SimulatedLog(lambda: simulator.hub, clock)
    copy.key, copy.leaves, copy.shown = simulator.log.key, simulator.log.leaves, 4
    view = LogCopy(copy, filled.log, simulator.hub, simulator.log, clock=clock).latest()
    assert audit_log(view, filled.store) == LogAudit(entries=4, ours=2, held=2, beyond=3)
    change(filled, "INSERT INTO absent VALUES (70, 'gone', 'erased', NULL)")
    change(filled, "DELETE FROM statement WHERE seq = 3")
    failures = audit_log(view, filled.store).failures
    assert [(item.seq, item.code) for item in failures] == [(3, "record-missing"), (70, "record-unlogged")]


def test_a_log_without_a_mirror(simulator: Simulator, filled: Mirror, clock: MovableClock) -> None:
    assert audit_log(view_of(filled, simulator, clock)) == LogAudit(entries=7)


def test_progress_is_told(simulator: Simulator, mirror: Mirror, clock: MovableClock) -> None:
    simulator.elsewhere(2 * REPORTED + 5)
    told: list[int] = []
    audit_log(view_of(mirror, simulator, clock), mirror.store, on_progress=told.append)
    assert told == [REPORTED, REPORTED]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("DELETE FROM absent WHERE seq = 4", (4, "record-missing")),
        ("DELETE FROM hub_event WHERE seq = 5", (5, "record-missing")),
        ("UPDATE statement SET commitment = zeroblob(32) WHERE seq = 3", (3, "entry-mismatch")),
        ("UPDATE statement SET recorded_at = recorded_at + 1 WHERE seq = 3", (3, "entry-mismatch")),
        ("UPDATE hub_event SET kind = 'snapshot'", (5, "entry-mismatch")),
        ("INSERT INTO absent VALUES (1, 'gone', 'erased', NULL)", (1, "record-unlogged")),
        ("INSERT INTO absent VALUES (70, 'gone', 'erased', NULL)", (70, "record-unlogged")),
        ("INSERT INTO absent VALUES (-5, 'gone', 'erased', NULL)", (-5, "record-unlogged")),
    ],
)
def test_what_was_changed_since_is_named(
    filled: Mirror, simulator: Simulator, clock: MovableClock, statement: str, code: tuple[int, str]
) -> None:
    change(filled, statement)
    assert found(filled, simulator, clock) == [code]


def test_an_entry_that_is_none(filled: Mirror, simulator: Simulator, clock: MovableClock) -> None:
    simulator.log.leaves.append(b'{"community":"?"}')
    assert found(filled, simulator, clock) == [(7, "entry-malformed")]


def test_a_log_that_was_changed_under_the_mirror(
    filled: Mirror, simulator: Simulator, clock: MovableClock
) -> None:
    simulator.log.leaves[3] = Entry("child-safety", "report", 0, bytes(32)).encode()
    with pytest.raises(LogUnverified) as caught:
        found(filled, simulator, clock)
    assert caught.value.code == "log-forked"

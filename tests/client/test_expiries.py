"""What the hub's daily event says has expired, held against what expired in the mirror."""

from pathlib import Path

import pytest

from tests.client.simulator import DAY, Simulator
from tests.support.clock import MovableClock
from tocsin_client.audit import audit
from tocsin_client.mirror import Mirror, VerificationFailed

TODAY = "2026-11-22"
HOUR = 1 / 24


def refused(mirror: Mirror, simulator: Simulator) -> str:
    """Why following stops; nothing of it is stored."""
    before = (mirror.store.cursor, mirror.store.counts())
    with pytest.raises(VerificationFailed) as caught:
        mirror.follow(simulator)
    assert caught.value.failure.code == "expired-unlike"
    assert (mirror.store.cursor, mirror.store.counts()) == before
    return caught.value.failure.reason


def hold(mirror: Mirror, simulator: Simulator, clock: MovableClock) -> list[int]:
    """Three statements, of which two end today; a day later they have been dropped."""
    lives = {"a": HOUR, "b": HOUR, "c": 3}
    seqs = [simulator.report("pixel", text, days=days)[0] for text, days in lives.items()]
    mirror.follow(simulator)
    clock.advance(DAY)
    for seq in seqs[:2]:
        simulator.replace(seq, gone="expired")
    return seqs


def test_the_days_event_fits(mirror: Mirror, simulator: Simulator, clock: MovableClock) -> None:
    first, second, _ = hold(mirror, simulator, clock)
    event = simulator.expiry(first, second, day=TODAY)
    assert mirror.follow(simulator).cursor == event
    assert audit(mirror).failures == []
    assert mirror.store.counts()["hub:expiry"] == 1


def test_even_while_this_clock_is_behind(mirror: Mirror, simulator: Simulator, clock: MovableClock) -> None:
    first, second, _ = hold(mirror, simulator, clock)
    clock.advance(-DAY)
    simulator.expiry(first, second, day=TODAY)
    mirror.follow(simulator)
    assert mirror.store.counts()["statement:report"] == 3


def test_fewer_than_expired_here(mirror: Mirror, simulator: Simulator, clock: MovableClock) -> None:
    first, _, _ = hold(mirror, simulator, clock)
    mirror.follow(simulator)
    simulator.expiry(first, day=TODAY)
    assert "more statements expired here" in refused(mirror, simulator)


def test_others_than_expired_here(mirror: Mirror, simulator: Simulator, clock: MovableClock) -> None:
    first, _, third = hold(mirror, simulator, clock)
    mirror.follow(simulator)
    simulator.expiry(first, third, day=TODAY)
    assert "are not those" in refused(mirror, simulator)


def test_more_than_this_mirror_was_ever_given(
    mirror: Mirror, simulator: Simulator, clock: MovableClock
) -> None:
    seqs = hold(mirror, simulator, clock)
    mirror.follow(simulator)
    simulator.expiry(*seqs, day=TODAY)
    assert "never given" in refused(mirror, simulator)


def test_another_day(mirror: Mirror, simulator: Simulator, clock: MovableClock) -> None:
    first, second, _ = hold(mirror, simulator, clock)
    mirror.follow(simulator)
    simulator.expiry(first, second, day="2026-11-21")
    assert "never given" in refused(mirror, simulator)


def test_a_late_comer_knows_only_how_many(simulator: Simulator, clock: MovableClock, tmp_path: Path) -> None:
    gone = [simulator.gone(), simulator.gone()]
    simulator.expiry(*gone, day=TODAY)
    for count, fits in ((2, True), (3, False)):
        with Mirror.open(tmp_path / f"{count}.db", simulator.hub, simulator.community, clock=clock) as late:
            if not fits:
                simulator.expiry(*gone, 0, day=TODAY)
                late.follow(simulator, keep_going=True)
                assert [item.code for item in late.store.refusals()] == ["expired-unlike"]
            else:
                assert late.follow(simulator).refused == []


def test_what_was_withheld_may_be_among_them(
    mirror: Mirror, simulator: Simulator, clock: MovableClock
) -> None:
    simulator.report("forum", "x")
    simulator.replace(0, withheld="quarantine")
    first, second, _ = hold(mirror, simulator, clock)
    simulator.expiry(0, first, second, day=TODAY)
    assert mirror.follow(simulator).refused == []


def test_keep_going_notes_the_event_and_keeps_the_rest(
    mirror: Mirror, simulator: Simulator, clock: MovableClock
) -> None:
    first, _, _ = hold(mirror, simulator, clock)
    event = simulator.expiry(first, day=TODAY)
    simulator.report("pixel", "d")
    step = mirror.follow(simulator, keep_going=True)
    assert ([item.seq for item in step.refused], step.stored, step.cursor) == ([event], 1, event + 1)
    assert "hub:expiry" not in mirror.store.counts()


def test_a_step_stops_right_before_it(mirror: Mirror, simulator: Simulator, clock: MovableClock) -> None:
    first, _, _ = hold(mirror, simulator, clock)
    simulator.report("pixel", "d")
    event = simulator.expiry(first, day=TODAY)
    with pytest.raises(VerificationFailed):
        mirror.follow(simulator)
    assert mirror.store.cursor == event - 1


class TestRetractedInTime:
    """A follower that was away drops by the clock what had been withdrawn before it expired."""

    def test_its_retraction_counts_when_it_arrives(
        self, mirror: Mirror, simulator: Simulator, clock: MovableClock
    ) -> None:
        statements = [simulator.report("pixel", text, days=HOUR) for text in "ab"]
        mirror.follow(simulator)
        simulator.retract("pixel", statements[0][1])
        clock.advance(DAY)
        simulator.expiry(statements[1][0], day=TODAY)
        assert mirror.follow(simulator).expired == 2
        counts = mirror.store.counts()
        assert (counts["gone:retracted"], counts["gone:expired"]) == (1, 1)
        assert audit(mirror).failures == []

    def test_nobody_elses_does(self, mirror: Mirror, simulator: Simulator, clock: MovableClock) -> None:
        seq, statement = simulator.report("pixel", "a", days=HOUR)
        mirror.follow(simulator)
        simulator.retract("forum", statement)
        clock.advance(DAY)
        simulator.expiry(seq, day=TODAY)
        mirror.follow(simulator)
        assert mirror.store.counts()["gone:expired"] == 1

    def test_nothing_of_it_stays_behind_the_step(
        self, mirror: Mirror, simulator: Simulator, clock: MovableClock
    ) -> None:
        _, statement = simulator.report("pixel", "a", days=HOUR)
        mirror.follow(simulator)
        clock.advance(DAY)
        mirror.follow(simulator)
        path = Path(mirror.store._conn.execute("PRAGMA database_list").fetchone()[2])
        content = b"".join(file.read_bytes() for file in path.parent.glob(path.name + "*"))
        assert statement not in content

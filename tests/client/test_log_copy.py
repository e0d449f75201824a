"""Copies of a log: an older one is no accusation, a forked one always is, and neither replaces what was seen."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client.simulated_log import SimulatedLog, built
from tests.support.clock import MovableClock
from tocsin_client.evidence import judge
from tocsin_client.http import HubUnreachable
from tocsin_client.log import MAX_AGE, Log, LogUnverified, Older, View
from tocsin_client.log_copy import LogCopy
from tocsin_client.log_store import LogStore
from tocsin_schemas.jwk import SigningKey

HUB = "https://hub.example"


class OutOfReach:
    """A hub that does not answer."""

    name = HUB

    def read(self, path: str) -> bytes | None:
        raise HubUnreachable("hub-unreachable")


@pytest.fixture
def served(clock: MovableClock) -> SimulatedLog:
    """The hub's log, which demands a witness."""
    log = SimulatedLog(lambda: HUB, clock)
    log.leaves += [b"entry %d" % number for number in range(800)]
    log.add_witness("witness.example")
    log.quorum = "w1"
    return log


@pytest.fixture
def copied(served: SimulatedLog, clock: MovableClock) -> SimulatedLog:
    """A copy of it."""
    log = SimulatedLog(lambda: HUB, clock)
    log.key, log.quorum, log.leaves = served.key, served.quorum, list(served.leaves)
    log.witnesses = list(served.witnesses)
    return log


@pytest.fixture
def store(served: SimulatedLog, tmp_path: Path, clock: MovableClock) -> LogStore:
    """This machine has seen all 800 entries."""
    kept = LogStore(tmp_path / "log")
    Log(served, kept, HUB, clock=clock).latest()
    return kept


@pytest.fixture
def copy(copied: SimulatedLog, served: SimulatedLog, store: LogStore, clock: MovableClock) -> LogCopy:
    return LogCopy(copied, store, HUB, served, clock=clock)


def refused(look: Callable[[], object]) -> LogUnverified:
    with pytest.raises(LogUnverified) as caught:
        look()
    return caught.value


def prefix(copy: LogCopy, size: int) -> View:
    """The copy is accepted as the beginning of the 800 entries seen, and changes nothing of what is kept."""
    before = copy.store.kept()
    view = copy.latest()
    assert (view.size, view.older) == (size, Older(800, shown=True))
    assert (copy.store.kept(), copy.store.evidence()) == (before, [])
    return view


@pytest.mark.parametrize("size", [0, 1, 255, 256, 512, 700, 799])
def test_an_older_copy_is_a_prefix(copy: LogCopy, copied: SimulatedLog, size: int) -> None:
    copied.shown = size
    view = prefix(copy, size)
    assert [raw for _, raw in view.entries(0, 800)] == copied.leaves[:size]


def test_also_of_a_log_that_has_grown_since(
    copy: LogCopy, copied: SimulatedLog, served: SimulatedLog
) -> None:
    served.leaves += [b"entry %d" % number for number in range(800, 1100)]
    # Partial tiles go when a whole one has taken their place, which no tile of level 1 has yet.
    served.forged["tile/1/000.p/3"] = built(tuple(copied.leaves))[1]["tile/1/000.p/3"]
    served.sizes = {1100}
    copied.shown = 700
    prefix(copy, 700)


def test_where_the_hub_is_away_the_copys_own_tiles_may_show_it(
    copied: SimulatedLog, store: LogStore, clock: MovableClock
) -> None:
    copied.sizes = {800}
    copied.shown = 700
    prefix(LogCopy(copied, store, HUB, OutOfReach(), clock=clock), 700)


def test_where_nobody_has_the_tiles_it_is_not_said_to_be_one(
    copied: SimulatedLog, store: LogStore, clock: MovableClock
) -> None:
    copied.leaves = copied.leaves[:700]
    before = store.kept()
    view = LogCopy(copied, store, HUB, OutOfReach(), clock=clock).latest()
    assert (view.size, view.older) == (700, Older(800, shown=False))
    assert (store.kept(), store.evidence()) == (before, [])


def test_what_was_seen_elsewhere_is_compared_as_well(
    copy: LogCopy, copied: SimulatedLog, served: SimulatedLog
) -> None:
    served.leaves += [b"entry %d" % number for number in range(800, 1100)]
    later = served.checkpoint()
    copied.shown = 700
    view = copy.latest()
    copy.demand_continuation(view, later, "your mirror, before")
    assert view.older == Older(1100, shown=True)
    served.forged["tile/1/000.p/4"] = None
    view.older = None
    copy.demand_continuation(view, later, "your mirror, before")
    assert view.older == Older(1100, shown=False)
    assert copy.store.evidence() == []


def test_a_copy_as_new_as_what_was_seen_is_not_older(copy: LogCopy) -> None:
    assert copy.latest().older is None


def test_a_newer_copy_is_a_continuation(copy: LogCopy, copied: SimulatedLog) -> None:
    copied.leaves.append(b"one more")
    view = copy.latest()
    assert (view.size, view.older, copy.store.kept()) == (801, None, view.note)


def test_cosignatures_may_be_of_any_age(copy: LogCopy, copied: SimulatedLog, clock: MovableClock) -> None:
    copied.cosigned_at = clock() - 10 * MAX_AGE
    copied.shown = 700
    assert prefix(copy, 700).cosigned[0].name == "witness.example"


def test_they_must_be_there(copy: LogCopy, copied: SimulatedLog) -> None:
    copied.shown = 700
    copied.witnesses.clear()
    assert refused(copy.latest).code == "quorum-missing"
    assert copy.store.evidence() == []


@pytest.mark.parametrize("cosigned", [True, False])
@pytest.mark.parametrize("size", [1, 512, 700, 800, 801, 1024])
def test_a_forked_copy_is_a_fork_whoever_cosigned_it(
    copy: LogCopy, copied: SimulatedLog, served: SimulatedLog, *, size: int, cosigned: bool
) -> None:
    before = copy.store.kept()
    copied.leaves = [b"another %d" % number for number in range(size)]
    if not cosigned:
        copied.witnesses.clear()
    error = refused(copy.latest)
    assert (error.code, str(size) in error.reason) == ("log-forked", True)
    assert copy.store.evidence() == [error.evidence]
    assert error.evidence is not None
    assert judge(error.evidence, served.policy()) == "log-forked"
    assert json.loads((error.evidence / "finding.json").read_bytes())["code"] == "log-forked"
    assert copy.store.kept() == before


def test_what_another_key_signed_is_no_fork(copy: LogCopy, copied: SimulatedLog) -> None:
    copied.leaves[3] = b"something else"
    copied.key = SigningKey.generate()
    assert refused(copy.latest).code == "checkpoint-unsigned"
    assert copy.store.evidence() == []

"""Reading what an accepted checkpoint covers: what does not lead to its root is named (step 6)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client.simulated_log import SimulatedLog, built
from tests.support.clock import MovableClock
from tocsin_client.log import Log, LogUnverified, View
from tocsin_client.log_store import LogStore
from tocsin_schemas import ledger, merkle
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_proof import Proof

HUB = "https://hub.example"


@pytest.fixture
def served(clock: MovableClock) -> SimulatedLog:
    """A log of three whole bundles and a part of one."""
    log = SimulatedLog(lambda: HUB, clock)
    log.leaves += [b"entry %d" % number for number in range(800)]
    return log


@pytest.fixture
def log(served: SimulatedLog, tmp_path: Path, clock: MovableClock) -> Log:
    return Log(served, LogStore(tmp_path / "logs" / "hub.example"), HUB, clock=clock)


def refused(look: Callable[[], object]) -> LogUnverified:
    with pytest.raises(LogUnverified) as caught:
        look()
    assert caught.value.reason
    return caught.value


@pytest.fixture
def view(log: Log) -> View:
    return log.latest()


@pytest.mark.parametrize(
    ("first", "last"), [(0, 0), (0, 799), (255, 256), (300, 500), (790, 5_000), (768, 768)]
)
def test_any_range(view: View, served: SimulatedLog, first: int, last: int) -> None:
    found = list(view.entries(first, last))
    assert found == list(enumerate(served.leaves))[first : last + 1]


def test_nothing_beyond(view: View) -> None:
    assert list(view.entries(800, 900)) == []
    assert list(view.entries(5, 4)) == []


@pytest.mark.parametrize("seq", [0, 300, 770, 799])
def test_an_edited_entry_is_named(view: View, served: SimulatedLog, seq: int) -> None:
    start = seq - seq % 256
    bundle = served.leaves[start : start + 256]
    bundle[seq - start] = b"something else"
    served.forged[ledger.bundle_path(start // 256, len(bundle))] = ledger.encode_bundle(bundle)
    error = refused(lambda: list(view.entries(0, 799)))
    assert (error.code, f"entry {seq} " in error.reason) == ("log-entry-mismatch", True)


@pytest.mark.parametrize("seq", [0, 300, 799])
def test_a_dropped_entry_is_named(view: View, served: SimulatedLog, seq: int) -> None:
    start = seq - seq % 256
    bundle = served.leaves[start : start + 256]
    path = ledger.bundle_path(start // 256, len(bundle))
    del bundle[seq - start]
    served.forged[path] = ledger.encode_bundle(bundle)
    error = refused(lambda: list(view.entries(0, 799)))
    assert (error.code, f"entry {seq}" in error.reason) == ("log-entry-mismatch", True)


def test_a_bundle_that_is_none(view: View, served: SimulatedLog) -> None:
    served.forged["tile/entries/001"] = b"\x00\x09short"
    error = refused(lambda: list(view.entries(256, 256)))
    assert (error.code, "tile/entries/001" in error.reason) == ("log-entry-mismatch", True)


def test_a_bundle_that_is_not_there(view: View, served: SimulatedLog) -> None:
    served.forged |= {"tile/entries/003.p/32": None}
    assert refused(lambda: list(view.entries(799, 799))).code == "log-incomplete"


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("tile/0/001", "tile/0/000"),
        ("tile/0/003.p/32", "tile/0/002"),
        ("tile/1/000.p/3", "tile/0/000"),
    ],
)
def test_a_swapped_tile_is_named(view: View, served: SimulatedLog, path: str, other: str) -> None:
    served.forged[path] = served.read(other)
    error = refused(lambda: list(view.entries(256, 799, tiles=True)))
    assert (error.code, path in error.reason) == ("log-tile-mismatch", True)


def test_whole_tiles_stand_in_for_partial_ones_that_are_gone(log: Log, served: SimulatedLog) -> None:
    served.shown = 300
    view = log.latest()
    assert [raw for _, raw in view.entries(0, 299)] == served.leaves[:300]
    view = log.latest()
    served.shown = None
    # The hub may drop what a whole one has replaced; the one of level 1 is still partial.
    served.forged["tile/1/000.p/1"] = built(tuple(served.leaves[:300]))[1]["tile/1/000.p/1"]
    served.sizes = {800}
    assert [raw for _, raw in view.entries(0, 299)] == served.leaves[:300]


@pytest.mark.parametrize("seq", [0, 255, 256, 799])
def test_proofs_verify_by_the_policy_alone(
    view: View, served: SimulatedLog, clock: MovableClock, seq: int
) -> None:
    proof = Proof.decode(view.proof(seq, b"extra").encode())
    shown = proof.verify(merkle.leaf_hash(served.leaves[seq]), served.policy(), clock())
    assert (shown.checkpoint.size, proof.index, proof.extra) == (800, seq, b"extra")
    with pytest.raises(Refused, match="inclusion-invalid"):
        proof.verify(merkle.leaf_hash(served.leaves[seq - 1]), served.policy(), clock())


@pytest.mark.parametrize("seq", [-1, 800])
def test_no_proof_of_what_is_not_covered(view: View, seq: int) -> None:
    with pytest.raises(Refused, match="not-found"):
        view.proof(seq)

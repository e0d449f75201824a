"""Accepting checkpoints: each lie is found by its step, and what is kept stays."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client.simulated_log import SimulatedLog, built
from tests.support.clock import MovableClock
from tocsin_client.config import NotReady
from tocsin_client.log import LOOKS, MAX_AGE, PATIENCE, Log, LogUnverified
from tocsin_client.log_source import FolderLog
from tocsin_client.log_store import LogStore
from tocsin_schemas import ledger, merkle
from tocsin_schemas.checkpoint import is_sandbox, log_origin, sign_checkpoint
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.notes import NoteSigner
from tocsin_schemas.tlog_policy import Log as KnownLog
from tocsin_schemas.tlog_policy import LogPolicy, Witness

HUB = "https://hub.example"


def entries(count: int, first: int = 0) -> list[bytes]:
    return [b"entry %d" % number for number in range(first, first + count)]


@pytest.fixture
def served(clock: MovableClock) -> SimulatedLog:
    """A log of three whole bundles and a part of one."""
    log = SimulatedLog(lambda: HUB, clock)
    log.leaves += entries(800)
    return log


@pytest.fixture
def store(tmp_path: Path) -> LogStore:
    return LogStore(tmp_path / "logs" / "hub.example")


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def log(served: SimulatedLog, store: LogStore, clock: MovableClock, pauses: list[float]) -> Log:
    return Log(served, store, HUB, clock=clock, pause=pauses.append)


def remembered(store: LogStore) -> dict[str, bytes]:
    """Everything kept except evidence."""
    return {path.name: path.read_bytes() for path in store.folder.glob("*") if path.is_file()}


def refused(look: Callable[[], object]) -> LogUnverified:
    with pytest.raises(LogUnverified) as caught:
        look()
    assert caught.value.reason
    return caught.value


class TestAcceptance:
    def test_the_first_time_the_policy_served_is_pinned(
        self, log: Log, served: SimulatedLog, store: LogStore
    ) -> None:
        view = log.latest()
        assert (view.size, view.checkpoint.origin, view.cosigned) == (800, "hub.example/log", ())
        assert store.kept() == view.note == served.checkpoint()
        assert store.policy() == served.policy()
        served.asked.clear()
        log.latest()
        assert "policy" not in served.asked

    def test_a_log_that_grows_is_followed(self, log: Log, served: SimulatedLog, store: LogStore) -> None:
        for size in (0, 1, 255, 256, 257, 511, 512, 799, 800):
            served.shown = size
            view = log.latest()
            assert view.size == size
            assert [raw for _, raw in view.entries(0, 9_999)] == served.leaves[:size]
        assert store.kept() == served.checkpoint()

    def test_the_same_checkpoint_again_is_no_news(self, log: Log, store: LogStore) -> None:
        log.latest()
        before = remembered(store)
        assert log.latest().size == 800
        assert remembered(store) == before

    def test_fresh_cosignatures_take_the_place_of_old_ones(
        self, log: Log, served: SimulatedLog, clock: MovableClock, store: LogStore
    ) -> None:
        served.add_witness("witness.example")
        log.latest()
        clock.advance(60)
        assert log.latest().cosigned[0].time == clock()
        assert store.kept() == served.checkpoint()

    @pytest.mark.parametrize(
        ("shown", "code"),
        [
            (b"nonsense", "note-malformed"),
            (None, "log-incomplete"),
            (b"\xff", "note-malformed"),
        ],
    )
    def test_1_what_is_no_checkpoint(
        self, log: Log, served: SimulatedLog, store: LogStore, shown: bytes | None, code: str
    ) -> None:
        log.latest()
        before = remembered(store)
        served.forged["checkpoint"] = shown
        assert refused(log.latest).code == code
        assert remembered(store) == before

    def test_1_another_key(self, log: Log, served: SimulatedLog, store: LogStore) -> None:
        log.latest()
        before = remembered(store)
        served.key = SigningKey.generate()
        assert refused(log.latest).code == "checkpoint-unsigned"
        assert remembered(store) == before

    def test_1_a_signature_that_does_not_fit(self, log: Log, served: SimulatedLog) -> None:
        log.latest()
        lines = served.checkpoint().split(b"\n")
        lines[1] = b"801"
        served.forged["checkpoint"] = b"\n".join(lines)
        assert refused(log.latest).code == "signature-invalid"

    def test_1_another_log_of_the_same_policy(self, log: Log, served: SimulatedLog, store: LogStore) -> None:
        other = NoteSigner("other.example/log", 0x01, SigningKey.generate())
        known = (KnownLog(served.signer.verifier), KnownLog(other.verifier))
        store.pin(LogPolicy(logs=known))
        served.forged["checkpoint"] = sign_checkpoint("other.example/log", 0, merkle.EMPTY_ROOT, other)
        assert "another log" in refused(log.latest).reason

    @pytest.mark.parametrize("age", [0, MAX_AGE])
    def test_5_a_quorum_that_is_there_and_young(
        self, log: Log, served: SimulatedLog, clock: MovableClock, age: int
    ) -> None:
        served.add_witness("witness.example")
        served.quorum = "w1"
        served.cosigned_at = clock() - age
        assert [item.name for item in log.latest().cosigned] == ["witness.example"]

    def test_5_a_quorum_that_is_missing_or_old(
        self, log: Log, served: SimulatedLog, clock: MovableClock, store: LogStore
    ) -> None:
        witness = served.add_witness("witness.example")
        served.quorum = "w1"
        log.latest()
        before = remembered(store)
        served.cosigned_at = clock() - MAX_AGE - 1
        assert refused(log.latest).code == "checkpoint-stale"
        served.witnesses.remove(witness)
        assert refused(log.latest).code == "quorum-missing"
        assert remembered(store) == before

    def test_2_shorter_than_before(
        self, log: Log, served: SimulatedLog, store: LogStore, pauses: list[float]
    ) -> None:
        log.latest()
        before, longer = remembered(store), served.checkpoint()
        served.shown = 700
        error = refused(log.latest)
        assert (error.code, "700 entries" in error.reason, "800" in error.reason) == (
            "log-rolled-back", True, True
        )  # fmt: skip
        assert len(pauses) == LOOKS - 1, "a cache may lag for a moment"
        assert error.evidence is not None
        assert (error.evidence / "smaller").read_bytes() == served.checkpoint()
        assert (error.evidence / "larger").read_bytes() == longer
        assert remembered(store) == before

    def test_2_a_cache_that_lags_is_waited_for(
        self, served: SimulatedLog, store: LogStore, clock: MovableClock
    ) -> None:
        waits: list[float] = []

        def catch_up(seconds: float) -> None:
            waits.append(seconds)
            served.shown = 800 if len(waits) == 2 else 700

        log = Log(served, store, HUB, clock=clock, pause=catch_up)
        log.latest()
        served.shown = 700
        assert log.latest().size == 800
        assert store.evidence() == []

    def test_2_shorter_and_another_log_besides(self, log: Log, served: SimulatedLog) -> None:
        log.latest()
        kept = dict(built(tuple(served.leaves))[1])
        served.leaves[:] = entries(700, first=5_000)
        served.forged |= {path: kept[path] for path in kept if "entries" not in path}
        error = refused(log.latest)
        assert (error.code, "do not agree" in error.reason) == ("log-forked", True)

    def test_3_another_root_at_the_same_size(self, log: Log, served: SimulatedLog, store: LogStore) -> None:
        log.latest()
        before, honest = remembered(store), served.checkpoint()
        served.leaves[5] = b"something else"
        error = refused(log.latest)
        assert error.code == "log-forked"
        assert error.evidence is not None
        assert {(error.evidence / name).read_bytes() for name in ("smaller", "larger")} == {
            honest, served.checkpoint()
        }  # fmt: skip
        assert remembered(store) == before

    def test_3_which_shows_without_any_tile(self, log: Log, served: SimulatedLog) -> None:
        log.latest()
        served.leaves[5] = b"something else"
        note = served.checkpoint()
        served.leaves[5] = b"entry 5"
        served.forged["checkpoint"] = note
        served.asked.clear()
        assert refused(log.latest).code == "log-forked"
        assert served.asked == ["checkpoint"]

    @pytest.mark.parametrize("size", [700, 800, 1024])
    def test_2_3_4_that_the_witnesses_are_missing_hides_nothing(
        self, log: Log, served: SimulatedLog, store: LogStore, size: int
    ) -> None:
        witness = served.add_witness("witness.example")
        served.quorum = "w1"
        log.latest()
        before = remembered(store)
        served.witnesses.remove(witness)
        served.leaves[:] = entries(size, first=5_000)
        error = refused(log.latest)
        assert error.code == ("log-rolled-back" if size == 700 else "log-forked")
        assert store.evidence() == [error.evidence]
        assert remembered(store) == before

    @pytest.mark.parametrize("size", [801, 1024, 70_000])
    def test_4_longer_and_not_a_continuation(
        self, log: Log, served: SimulatedLog, store: LogStore, size: int
    ) -> None:
        log.latest()
        before = remembered(store)
        served.leaves[799] = b"something else"
        served.leaves += entries(size - 800, first=800)
        error = refused(log.latest)
        assert (error.code, f"{size} entries" in error.reason) == ("log-forked", True)
        assert remembered(store) == before
        assert store.evidence() == [error.evidence]
        refused(log.latest)
        assert store.evidence() == [error.evidence], "the same finding is kept once"

    def test_5_of_two_that_follow_one_log_the_second_continues_the_first(
        self, served: SimulatedLog, store: LogStore, clock: MovableClock
    ) -> None:
        log = Log(served, store, HUB, clock=clock)
        log.latest()
        served.leaves += entries(10, first=800)
        keep = store.keep
        kept: list[bytes] = []

        def keep_after_another(note: bytes, instead_of: bytes | None) -> bool:
            if not kept:
                kept.append(note)
                served.leaves.append(b"one more")
                assert Log(served, LogStore(store.folder), HUB, clock=clock).latest().size == 811
            return keep(note, instead_of)

        store.keep = keep_after_another  # type: ignore[method-assign]  # the moment in between
        assert log.latest().size == 811

    def test_what_is_recorded_and_not_published_is_waited_for(
        self, served: SimulatedLog, store: LogStore, clock: MovableClock
    ) -> None:
        waits: list[float] = []

        def publish_one(seconds: float) -> None:
            waits.append(seconds)
            served.leaves.append(b"x")

        log = Log(served, store, HUB, clock=clock, pause=publish_one)
        assert log.latest(at_least=803).size == 803
        assert len(waits) == 3

    def test_and_not_for_ever(self, log: Log, pauses: list[float]) -> None:
        assert log.latest(at_least=900).size == 800
        assert len(pauses) == PATIENCE - 1

    @pytest.mark.parametrize("text", [b"quorum nobody\n", b"quorum none\n", b"\x00"])
    def test_a_policy_that_is_none_or_of_another_log_is_not_pinned(
        self, log: Log, served: SimulatedLog, store: LogStore, text: bytes
    ) -> None:
        served.forged["policy"] = text
        assert refused(log.latest).code == "policy-malformed"
        assert remembered(store) == {}

    def test_a_hub_without_a_policy(self, log: Log, served: SimulatedLog) -> None:
        served.forged["policy"] = None
        assert refused(log.latest).code == "log-incomplete"

    def test_a_pinned_policy_outlives_what_the_hub_serves(
        self, log: Log, served: SimulatedLog, store: LogStore, clock: MovableClock
    ) -> None:
        mine = NoteSigner("mine.example", 0x04, SigningKey.generate())
        log.pin(
            LogPolicy((KnownLog(served.signer.verifier),), {"mine": Witness(mine.verifier)}, quorum="mine")
        )
        assert refused(log.latest).code == "quorum-missing"
        served.witnesses.append(mine)
        assert log.latest().size == 800


class TestStore:
    def test_a_damaged_policy_says_what_to_do(self, log: Log, store: LogStore) -> None:
        log.latest()
        (store.folder / "policy").write_bytes(b"what\n")
        with pytest.raises(NotReady, match="log trust"):
            log.latest()

    def test_a_damaged_checkpoint_says_what_to_do(self, log: Log, store: LogStore) -> None:
        log.latest()
        (store.folder / "checkpoint").write_bytes(b"what\n")
        with pytest.raises(NotReady, match="damaged"):
            log.latest()

    def test_only_its_owner_can_enter(self, log: Log, store: LogStore) -> None:
        log.latest()
        assert store.folder.stat().st_mode & 0o777 == 0o700

    def test_keeping_needs_to_know_what_is_there(self, store: LogStore) -> None:
        assert store.keep(b"one", None)
        assert not store.keep(b"two", None)
        assert not store.keep(b"two", b"three")
        assert store.kept() == b"one"
        assert store.keep(b"two", b"one")
        assert store.kept() == b"two"

    def test_a_finding_names_when_and_where(
        self, log: Log, served: SimulatedLog, clock: MovableClock
    ) -> None:
        log.latest()
        served.leaves[0] = b"x"
        served.leaves.append(b"y")
        folder = refused(log.latest).evidence
        assert folder is not None
        said = json.loads((folder / "finding.json").read_bytes())
        assert said["found_at"] == ledger.rfc3339(clock())
        assert (said["smaller_seen_at"], said["larger_seen_at"]) == ("this machine, before", HUB)


class TestFolder:
    @pytest.fixture
    def folder(self, served: SimulatedLog, tmp_path: Path) -> FolderLog:
        for path, raw in {**built(tuple(served.leaves))[1], "checkpoint": served.checkpoint()}.items():
            target = tmp_path / "copy" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(raw)
        return FolderLog(tmp_path / "copy")

    def test_a_copy_reads_like_the_log(
        self, folder: FolderLog, served: SimulatedLog, store: LogStore, clock: MovableClock
    ) -> None:
        store.pin(served.policy())
        view = Log(folder, store, HUB, clock=clock).latest()
        assert [raw for _, raw in view.entries(0, 799)] == served.leaves

    def test_what_is_not_there_is_none(self, folder: FolderLog) -> None:
        assert folder.read("tile/0/004") is None
        assert folder.read("checkpoint/x") is None


def test_the_origin_is_the_hubs_address() -> None:
    assert log_origin("https://hub.example") == "hub.example/log"
    assert log_origin("http://127.0.0.1:8000") == "127.0.0.1:8000/log"
    assert log_origin("https://hub.example", sandbox=True) == "hub.example/sandbox/log"
    assert is_sandbox(log_origin("https://hub.example", sandbox=True))
    assert not is_sandbox(log_origin("https://sandbox"))

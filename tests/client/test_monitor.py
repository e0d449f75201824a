"""Several vantage points on one log: agreement, silence, and every way to contradict."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.client.simulated_log import SimulatedLog
from tests.support.clock import MovableClock
from tocsin_client.evidence import judge
from tocsin_client.http import HubUnreachable
from tocsin_client.log import PATIENCE, Log, LogUnverified
from tocsin_client.log_source import FolderLog
from tocsin_client.log_store import LogStore
from tocsin_client.monitor import Look, Sight, Vantage, look, witnessed
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_policy import Log as KnownLog
from tocsin_schemas.tlog_policy import LogPolicy

HUB = "https://hub.example"


class Elsewhere:
    """A place that has one file, or cannot be reached."""

    name = "another place"

    def __init__(self, note: bytes | None = None, path: str = "checkpoint", *, away: bool = False) -> None:
        self._files = {path: note}
        self._away = away

    def read(self, path: str) -> bytes | None:
        if self._away:
            raise HubUnreachable("hub-unreachable")
        return self._files.get(path)


@pytest.fixture
def served(clock: MovableClock) -> SimulatedLog:
    log = SimulatedLog(lambda: HUB, clock)
    log.leaves += [b"entry %d" % number for number in range(600)]
    return log


@pytest.fixture
def other(served: SimulatedLog, clock: MovableClock) -> SimulatedLog:
    """The same log, as it is shown to somebody else."""
    log = SimulatedLog(lambda: HUB, clock)
    log.key = served.key
    log.leaves += served.leaves
    return log


@pytest.fixture
def log(served: SimulatedLog, clock: MovableClock, tmp_path: Path) -> Log:
    return Log(served, LogStore(tmp_path / "log"), HUB, clock=clock, pause=lambda _: None)


def see(log: Log, *places: Elsewhere, after: int = 0) -> Look:
    return look(log, [Vantage(place) for place in places], after)


def alarm(log: Log, others: Sequence[Vantage]) -> LogUnverified:
    with pytest.raises(LogUnverified) as caught:
        look(log, others, 0)
    assert caught.value.evidence is not None
    return caught.value


def test_everything_new_is_read_once(log: Log, served: SimulatedLog) -> None:
    assert see(log)[1:3] == (600, 600)
    served.asked.clear()
    assert see(log, after=600)[1:3] == (0, 0)
    assert [path for path in served.asked if "tile" in path and "entries" in path] == []
    served.leaves.append(b"one more")
    assert see(log, after=600)[1:3] == (1, 1)


def test_new_is_what_this_machine_had_not_seen(log: Log, served: SimulatedLog) -> None:
    log.latest()
    assert see(log)[1:3] == (600, 0)
    served.leaves += [b"one more", b"and another"]
    assert see(log)[1:3] == (602, 2)


def test_what_the_others_have(log: Log, served: SimulatedLog, other: SimulatedLog) -> None:
    other.shown = 500
    strange = SimulatedLog(lambda: HUB, lambda: 0)
    found = see(
        log,
        Elsewhere(other.checkpoint()),
        Elsewhere(served.checkpoint()),
        Elsewhere(None),
        Elsewhere(away=True),
        Elsewhere(strange.checkpoint()),
        Elsewhere(b"nonsense"),
    )
    assert [(sight.state, sight.size) for sight in found.sights] == [
        ("older, and a prefix", 500),
        ("agrees", 600),
        ("has nothing", None),
        ("cannot be reached", None),
        ("shows nothing the log signed", None),
        ("shows nothing the log signed", None),
    ]


def test_a_witness_has_it_below_the_origins_hash(log: Log, served: SimulatedLog) -> None:
    path = hashlib.sha256(b"hub.example/log").hexdigest() + "/checkpoint"
    place = Elsewhere(served.checkpoint(), path)
    assert look(log, [witnessed(place, log.origin)], 0).sights == [Sight("another place", "agrees", 600)]


def test_what_another_follower_keeps_is_a_vantage_point(
    log: Log, served: SimulatedLog, clock: MovableClock, tmp_path: Path
) -> None:
    theirs = LogStore(tmp_path / "theirs")
    Log(served, theirs, HUB, clock=clock).latest()
    assert see(log, FolderLog(theirs.folder)).sights[0].state == "agrees"  # type: ignore[arg-type]  # a source too


def test_one_that_is_ahead_is_waited_for(
    served: SimulatedLog, other: SimulatedLog, clock: MovableClock, tmp_path: Path
) -> None:
    other.leaves.append(b"one more")
    log = Log(
        served,
        LogStore(tmp_path / "log"),
        HUB,
        clock=clock,
        pause=lambda _: served.leaves.append(b"one more"),
    )
    found = see(log, Elsewhere(other.checkpoint()))
    assert (found.view.size, found.read, found.new) == (601, 601, 601)


def test_one_that_stays_ahead_shows_that_the_hub_rolled_back(
    served: SimulatedLog, other: SimulatedLog, clock: MovableClock, tmp_path: Path
) -> None:
    other.leaves.append(b"one more")
    pauses: list[float] = []
    log = Log(served, LogStore(tmp_path / "log"), HUB, clock=clock, pause=pauses.append)
    error = alarm(log, [Vantage(Elsewhere(other.checkpoint()))])
    assert (error.code, "another place" in error.reason) == ("log-rolled-back", True)
    assert len(pauses) == PATIENCE - 1
    assert error.evidence is not None
    assert judge(error.evidence, served.policy()) == "log-rolled-back"


@pytest.mark.parametrize("size", [512, 599, 600])
def test_two_followers_are_shown_different_logs(
    log: Log, served: SimulatedLog, other: SimulatedLog, size: int
) -> None:
    other.leaves[100] = b"something else"
    other.shown = size
    error = alarm(log, [Vantage(Elsewhere(other.checkpoint()))])
    assert (error.code, "another place" in error.reason) == ("log-forked", True)
    assert error.evidence is not None
    assert judge(error.evidence, served.policy()) == "log-forked"


class TestEvidence:
    """Evidence stands by itself, and nobody can be accused falsely."""

    @pytest.fixture
    def folder(self, log: Log, other: SimulatedLog) -> Path:
        other.leaves[100] = b"something else"
        other.shown = 512
        evidence = alarm(log, [Vantage(Elsewhere(other.checkpoint()))]).evidence
        assert evidence is not None
        return evidence

    def refused(self, folder: Path, policy: LogPolicy) -> str:
        with pytest.raises(Refused) as caught:
            judge(folder, policy)
        return caught.value.code

    def test_it_proves_a_fork(self, folder: Path, served: SimulatedLog) -> None:
        assert judge(folder, served.policy()) == "log-forked"

    def test_not_with_another_root_inside(
        self, folder: Path, served: SimulatedLog, other: SimulatedLog
    ) -> None:
        path = folder / "finding.json"
        said = path.read_text()
        start = said.index('root_in_larger": "') + len('root_in_larger": "')
        path.write_text(said[:start] + "A" * 43 + "=" + said[start + 44 :])
        assert self.refused(folder, served.policy()) == "consistency-invalid"

    def test_not_against_an_honest_log(self, folder: Path, served: SimulatedLog) -> None:
        served.shown = 512
        (folder / "smaller").write_bytes(served.checkpoint())
        assert self.refused(folder, served.policy()) == "consistency-invalid"

    def test_not_the_other_way_round(self, folder: Path, served: SimulatedLog) -> None:
        smaller, larger = (folder / "smaller").read_bytes(), (folder / "larger").read_bytes()
        (folder / "smaller").write_bytes(larger)
        (folder / "larger").write_bytes(smaller)
        assert self.refused(folder, served.policy()) == "consistency-invalid"

    def test_not_with_notes_that_the_log_did_not_sign(self, folder: Path, clock: MovableClock) -> None:
        forger = SimulatedLog(lambda: HUB, clock)
        assert self.refused(folder, forger.policy()) == "checkpoint-unsigned"
        key = LogPolicy((KnownLog(forger.signer.verifier),))
        assert self.refused(folder, key) == "checkpoint-unsigned"

    @pytest.mark.parametrize(
        "text",
        [
            b"{",
            b"[]",
            b"{}",
            b'{"code":"x","root_in_larger":1}',
            b'{"code":"x","root_in_larger":"?","consistency_proof":[]}',
        ],
    )
    def test_not_with_a_finding_that_is_none(self, folder: Path, served: SimulatedLog, text: bytes) -> None:
        (folder / "finding.json").write_bytes(text)
        assert self.refused(folder, served.policy()) == "proof-malformed"


def test_a_key_of_a_policy_that_changed_is_not_believed_any_more(log: Log, served: SimulatedLog) -> None:
    see(log)
    old = served.checkpoint()
    served.key = SigningKey.generate()
    log.store.pin(served.policy())
    assert see(log, Elsewhere(old)).sights[0].state == "shows nothing the log signed"

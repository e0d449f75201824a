"""A simulated board that has decided a few things, and a machine that verifies it."""

from pathlib import Path

import pytest

from tests.client.board.simulated import HUB, SimulatedBoard
from tests.client.terminal import Terminal
from tests.support.clock import MovableClock
from tocsin_client.board.reading import log_in
from tocsin_client.log import Log
from tocsin_client.log_store import LogStore
from tocsin_schemas.decisions import Admit, Grant, Plain
from tocsin_schemas.jwk import SigningKey

PIXEL = "https://pixel.example"


@pytest.fixture
def member_key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture
def board(clock: MovableClock, member_key: SigningKey) -> SimulatedBoard:
    """Six records, among other entries of the log: founded, a community opened, a member admitted, and more."""
    made = SimulatedBoard(clock)
    made.chatter(3)
    clock.advance(60)
    made.decide("community.open", "child-safety", Plain())
    clock.advance(60)
    made.decide("member.admit", PIXEL, admission(member_key))
    made.chatter(260)
    clock.advance(60)
    made.decide("community.open", "hotlines", Plain())
    clock.advance(60)
    made.decide("community.open", "rehearsal", Plain(), choices={"s2": "no", "s3": "no"}, result="fails")
    clock.advance(60)
    made.decide("community.open", "archive", Plain())
    return made


@pytest.fixture
def store(tmp_path: Path) -> LogStore:
    return LogStore(tmp_path / "log")


@pytest.fixture
def log(board: SimulatedBoard, store: LogStore, clock: MovableClock) -> Log:
    """The board's log as this machine believes it; nothing is waited for."""
    return Log(board.tlog, store, HUB, clock=clock, pause=lambda _: None)


@pytest.fixture
def copy(board: SimulatedBoard, tmp_path: Path) -> Path:
    return board.write(tmp_path / "copy")


@pytest.fixture
def terminal(copy: Path, tmp_path: Path) -> Terminal:
    """A machine that was never logged in, and believes the log's own policy."""
    made = Terminal(tmp_path / "home")
    made.run("log", "trust", "--hub", HUB, "--policy", log_in(copy) / "policy")
    return made


def admission(key: SigningKey) -> Admit:
    return Admit(
        member_class="platform",
        control_group="cg_" + "p" * 16,
        sponsors=[],
        vetting="0" * 64,
        keys=[key.public.kid],
        communities=[Grant(community="child-safety", read=True, write=True)],
    )

"""Playing a chain that was decided in memory into a hub: the same bodies at the same times are the same records."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.schemas.boards import Hall
from tests.support.clock import MovableClock
from tests.support.hub import Hub, in_process
from tocsin.config import Settings
from tocsin.governance.service.chain import Chain
from tocsin_schemas.board import BoardState
from tocsin_schemas.governance import Genesis

PIXEL, FRAME = "https://pixel.example", "https://frame.example"


def governed(settings: Settings) -> Settings:
    """The settings of a hub with a board."""
    return settings.model_copy(update={"sandbox": False})


def founded() -> Hall:
    """A community in which two unrelated members are active."""
    hall = Hall()
    hall.decide("community.open", "child-safety")
    for issuer, name in ((PIXEL, "a"), (FRAME, "b")):
        hall.admit(issuer, name)
    hall.wait(days=90)
    hall.tick()
    return hall


@contextmanager
def playing(settings: Settings, clock: MovableClock, hall: Hall) -> Iterator[Hub]:
    """A hub whose board has decided what `hall` has."""
    with in_process(governed(settings), clock) as hub:
        play(hub, hall)
        yield hub


def play(hub: Hub, hall: Hall) -> None:
    """Append what the hub does not have yet, each record in a transaction of its own, at its time."""
    chain = board(hub)
    with hub.database.snapshot() as uow:
        first = chain.state(uow).size if chain.founded(uow) else 0
    for record in hall.records[first:]:
        hub.clock.now = record.at
        with hub.database.transaction() as uow:
            body = record.body
            made = chain.found(uow, body) if isinstance(body, Genesis) else chain.append(uow, body)
        assert made == record
    hub.clock.now = hall.now


def board(hub: Hub) -> Chain:
    """The hub's chain."""
    found: Chain = hub.app.state.board
    return found


def state(hub: Hub) -> BoardState:
    """What it says."""
    with hub.database.snapshot() as uow:
        return board(hub).state(uow)

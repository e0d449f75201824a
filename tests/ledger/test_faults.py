"""Every write of publishing fails once, in each form: not done, half done, done and reported as failed.

After each the whole log is verified, the next run heals it, and no two trees of one size were ever shown or signed.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ledger.logs import Notary, append, open_log, watching
from tests.support.published import check_published
from tocsin.db import Database, UnitOfWork
from tocsin.ledger import service
from tocsin.ledger.service import Ledger
from tocsin.objects import Object
from tocsin.objects.files import FileObjects

FORMS = ("failed", "half", "stored")
STEPS = [
    "write_many",  # entry bundles and tiles
    "commit",  # the publication's row
    "commit",  # its cosignatures
    "delete_under",  # partial tiles and bundles of which the full ones are there
    "delete_under",
    "swap",  # the checkpoint
]


class Failure(OSError):
    """What the disk, the network or the database may do at any time."""


class Trap:
    """Counts writes, and springs at one of them."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.at = -1
        self.form = ""

    def set(self, at: int, form: str) -> None:
        self.done, self.at, self.form = [], at, form

    def step(self, name: str, whole: Callable[[], object], half: Callable[[], object]) -> None:
        """Do a write, or fail at it."""
        springs = len(self.done) == self.at
        self.done.append(name)
        if not springs:
            whole()
            return
        if self.form == "stored":
            whole()
        elif self.form == "half":
            half()
        raise Failure


class FailingObjects(FileObjects):
    """A folder whose writes go through a trap."""

    def __init__(self, root: Path, trap: Trap) -> None:
        super().__init__(root)
        self.trap = trap

    def write_many(self, items: Iterable[Object]) -> None:
        listed, whole = list(items), super().write_many
        if listed and listed[0].path == "checkpoint":
            whole(listed)
            return
        self.trap.step("write_many", lambda: whole(listed), lambda: whole(listed[::2]))

    def swap(self, expected: bytes | None, item: Object) -> bool:
        done: list[bool] = []
        swap = super().swap
        self.trap.step("swap", lambda: done.append(swap(expected, item)), lambda: None)
        return done[0]

    def delete_under(self, folder: str) -> None:
        whole = super().delete_under
        self.trap.step(
            "delete_under",
            lambda: whole(folder),
            lambda: self.delete(sorted(self.list(folder))[:1]),
        )


class FailingDatabase(Database):
    """A database whose commits go through a trap; half done is not done."""

    trap: Trap | None = None

    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        if self.trap is None:
            with super().transaction() as uow:
                yield uow
            return
        springs = len(self.trap.done) == self.trap.at
        self.trap.done.append("commit")
        with super().transaction() as uow:
            yield uow
            if springs and self.trap.form != "stored":
                raise Failure
        if springs:
            raise Failure


@pytest.fixture
def failing(database: Database, tmp_path: Path) -> Iterator[tuple[Ledger, Trap]]:
    trap = Trap()
    own = FailingDatabase(database.url, clock=database.clock)
    ledger = open_log(own, tmp_path / "log", FailingObjects(tmp_path / "log", trap))
    ledger = replace(ledger, witnesses=Notary(database))
    append(database, 10)
    service.publish(ledger)
    own.trap = trap
    yield ledger, trap
    own.dispose()


def test_the_steps_are_these(failing: tuple[Ledger, Trap], database: Database) -> None:
    ledger, trap = failing
    append(database, 300)
    trap.set(-1, "")
    service.publish(ledger)
    assert trap.done == STEPS


def test_a_fault_at_any_write_forks_nothing_and_loses_nothing(
    failing: tuple[Ledger, Trap], database: Database, tmp_path: Path
) -> None:
    ledger, trap = failing
    world = watching(tmp_path / "log")
    for at in range(len(STEPS)):
        for form in FORMS:
            shown = check_published(world, database)
            size = append(database, 300)
            trap.set(at, form)
            with pytest.raises(Failure):
                service.publish(ledger)
            assert shown <= check_published(world, database) <= size, f"{STEPS[at]} {form}"
            # A restart finds the same as the next turn of the job.
            trap.set(-1, "")
            service.start(ledger)
            if at % 2:
                size = append(database, 7)
            service.publish(ledger)
            assert check_published(world, database, tidy=True) == size, f"{STEPS[at]} {form}"
            assert not service.unpublished(ledger)


def test_a_fault_at_two_writes_in_a_row(
    failing: tuple[Ledger, Trap], database: Database, tmp_path: Path
) -> None:
    """The run that heals fails as well, at each of its own writes."""
    ledger, trap = failing
    world = watching(tmp_path / "log")
    for first in range(len(STEPS)):
        for second in range(len(STEPS)):
            size = append(database, 260)
            for at in (first, second):
                trap.set(at, FORMS[(first + at) % len(FORMS)])
                with suppress(Failure):
                    service.publish(ledger)
                world.look()
            trap.set(-1, "")
            service.publish(ledger)
            assert check_published(world, database, tidy=True) == size


def test_another_publisher_between_any_two_writes(
    failing: tuple[Ledger, Trap], database: Database, tmp_path: Path
) -> None:
    """One stops for good after a write that was done; another, which knows nothing of it, goes on at once."""
    ledger, trap = failing
    world = watching(tmp_path / "log")
    other = open_log(database, tmp_path / "log")
    for at in range(len(STEPS)):
        append(database, 300)
        trap.set(at, "stored")
        with pytest.raises(Failure):
            service.publish(ledger)
        size = append(database, 150)
        service.publish(other)
        assert check_published(world, database, tidy=True) == size
        service.publish(ledger)
        assert check_published(world, database, tidy=True) == size

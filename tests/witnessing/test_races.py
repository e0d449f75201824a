"""Two submissions at once, and a commit that fails: what is cosigned is one line of trees, whatever happens."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.support.state import contents
from tests.witnessing.logs import Log
from tocsin.db import Database, UnitOfWork
from tocsin.witnessing.rules import Behind, Head
from tocsin.witnessing.service import Cosigned, Witness
from tocsin_schemas.akp import AkpKey
from tocsin_schemas.checkpoint import open_checkpoint
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.notes import ED25519_COSIGNER, ML_DSA_44_COSIGNER, NoteSigner
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_witness import parse_submission

COSIGNERS = (
    NoteSigner("witness.example", ED25519_COSIGNER, SigningKey.generate()),
    NoteSigner("witness.example", ML_DSA_44_COSIGNER, AkpKey.generate().private),
)


def opened(database: Database) -> Witness:
    return Witness(database, "witness.example", COSIGNERS, "hub.example/log")


def test_of_many_at_once_every_cosigned_head_continues_the_others(database: Database) -> None:
    """Eight threads race along two forks of one log; whatever was cosigned lies on one of them."""
    log = Log()
    forks = [log, log.forked(0)]
    opened(database).add_log(log.key)
    together = threading.Barrier(8)

    def race(number: int) -> list[Head]:
        witness, mine = opened(database), forks[number % 2]
        cosigned: list[Head] = []
        known = 0
        together.wait()
        for size in range(1 + number // 2, 40, 4):
            for _ in range(3):
                body = mine.request(known, max(size, known))
                try:
                    answer = witness.submit(body)
                except Refused:
                    return cosigned
                if isinstance(answer, Cosigned):
                    head = parse_submission(body).checkpoint
                    cosigned.append(Head(head.size, head.root))
                    break
                known = answer.size
        return cosigned

    with ThreadPoolExecutor(8) as pool:
        cosigned = [head for found in pool.map(race, range(8)) for head in found]
    assert len(cosigned) > 10
    (mine,) = [fork for fork in forks if all(head.root == fork.root(head.size) for head in cosigned)]
    (view,) = opened(database).logs()
    assert (view.size, view.root) == max(cosigned)
    assert view.root == mine.root(view.size)


class Failing(Database):
    """A database whose commit fails: before it has stored anything, or after."""

    stored = False
    armed = False

    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        if not self.armed:
            with super().transaction() as uow:
                yield uow
            return
        self.armed = False
        if self.stored:
            with super().transaction() as uow:
                yield uow
            raise OSError("the connection was lost")
        with super().transaction() as uow:
            yield uow
            raise OSError("the disk is full")


@pytest.mark.parametrize("stored", [False, True], ids=["failed", "failed but stored"])
def test_a_commit_that_fails_answers_nothing_and_is_healed_by_the_next(
    database_url: str, database: Database, stored: bool
) -> None:
    log = Log()
    failing = Failing(database_url, clock=database.clock)
    witness = opened(failing)
    witness.add_log(log.key)
    witness.submit(log.request(0, 9))
    before = contents(database)
    failing.armed, failing.stored = True, stored
    with pytest.raises(OSError, match="the"):
        witness.submit(log.request(9, 12))
    assert (contents(database) == before) is not stored
    answer = witness.submit(log.request(9, 12))
    if stored:
        # As if the answer had been lost: 409 says where to go on from.
        assert answer == Behind(12)
        answer = witness.submit(log.request(12, 12))
    assert isinstance(answer, Cosigned)
    assert open_checkpoint(
        log.note(12) + answer.lines.encode(), log.key, witness.keys
    ).checkpoint == log.head(12)
    # A fork from before the failure is cosigned in neither case.
    assert witness.submit(log.forked(3).request(9, 15)) == Behind(12)
    failing.dispose()

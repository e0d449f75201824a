"""Proofs in tests: a hub that publishes while something waits for it, and what a proof shows to a stranger."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.hub import Hub
from tocsin_schemas.merkle import leaf_hash
from tocsin_schemas.tlog_policy import Log, LogPolicy
from tocsin_schemas.tlog_proof import Proof


@contextmanager
def publishing(hub: Hub) -> Iterator[None]:
    """The hub's log is published every tenth of a second, as its job does every second."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.1):
            hub.publish()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def verified(hub: Hub, raw: bytes, seq: int) -> dict[str, str]:
    """What is extra in a proof that shows its own entry at `seq`, by the hub's log key and nothing else."""
    proof = Proof.decode(raw)
    assert proof.extra is not None
    extra: dict[str, str] = json.loads(proof.extra)
    policy = LogPolicy(logs=(Log(hub.ledger.signer.verifier),))
    proof.verify(leaf_hash(extra["entry"].encode()), policy, hub.clock())
    assert proof.index == seq
    return extra

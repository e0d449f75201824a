"""Sealing anew what was sealed with the delivery key before the one in force, once that one has ended.

Not earlier: until then a process may run that has only the key before in hand.
"""

from typing import Final

from tocsin import keys
from tocsin.db import UnitOfWork
from tocsin.keys import Before
from tocsin.members.service import hub_keys
from tocsin.streams.service.context import Transmitter
from tocsin.streams.service.managing import CREDENTIAL, STATE
from tocsin.streams.store import streams as store
from tocsin.streams.store import waiting

BATCH: Final = 1000


def reseal(transmitter: Transmitter, before: Before) -> int:
    """Seal anew everything that needs the key before, and let that go; how much it was.

    Nothing unless it is on record that this key has ended.
    """
    with transmitter.database.snapshot() as uow:
        if not _ended(uow, before):
            return 0
    done, behind = 0, 0
    while True:
        with transmitter.database.transaction() as uow:
            sealed = store.sealed(uow, behind, BATCH)
            for stream in sealed:
                new = transmitter.seal.renewed(CREDENTIAL, stream.public_id, stream.credential or b"")
                if new is not None:
                    store.change(uow, stream.id, credential=new)
                    done += 1
        if len(sealed) < BATCH:
            break
        behind = sealed[-1].id
    done += _states(transmitter)
    keys.let_go(before)
    return done


def _states(transmitter: Transmitter) -> int:
    """What verifications that wait carry back; they are few, and forgotten soon."""
    done, behind = 0, 0
    while True:
        with transmitter.database.transaction() as uow:
            sealed = waiting.sealed(uow, behind, BATCH)
            streams = store.among(uow, {one.stream_id for one in sealed})
            for one in sealed:
                stream = streams.get(one.stream_id)
                new = None if stream is None else transmitter.seal.renewed(STATE, stream.public_id, one.state)
                if new is not None:
                    waiting.set_state(uow, one.id, new)
                    done += 1
        if len(sealed) < BATCH:
            return done
        behind = sealed[-1].id


def _ended(uow: UnitOfWork, before: Before) -> bool:
    last = hub_keys.succession(uow, "delivery")
    return last is not None and last.before == before.key.public.kid and last.until <= uow.now

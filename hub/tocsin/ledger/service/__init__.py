"""The public face of the log: appending to it, publishing it, reading it.

The sequence is contiguous because it is the log's own size, read under the lock of its head row and advanced in the
transaction that writes the entries. No reader can see entry n before every entry below n.
"""

from tocsin.ledger.service.context import Ledger, Witnesses, open_ledger
from tocsin.ledger.service.feeding import Alarm
from tocsin.ledger.service.mending import differing, under
from tocsin.ledger.service.nonces import nonce_for
from tocsin.ledger.service.prove import Prover, prover
from tocsin.ledger.service.publishing import publish, unpublished
from tocsin.ledger.service.read import alarms, published, tree
from tocsin.ledger.service.recovery import recover
from tocsin.ledger.service.startup import start
from tocsin.ledger.store.entries import (
    SIZE,
    append,
    earliest,
    entries_at,
    locked_size,
    of_the_board,
    of_the_docket,
    put_back,
    size,
)
from tocsin.ledger.store.publication import Publication, last_sign, published_size

__all__ = [
    "SIZE",
    "Alarm",
    "Ledger",
    "Prover",
    "Publication",
    "Witnesses",
    "alarms",
    "append",
    "differing",
    "earliest",
    "entries_at",
    "last_sign",
    "locked_size",
    "nonce_for",
    "of_the_board",
    "of_the_docket",
    "open_ledger",
    "prover",
    "publish",
    "published",
    "published_size",
    "put_back",
    "recover",
    "size",
    "start",
    "tree",
    "under",
    "unpublished",
]

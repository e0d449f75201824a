"""Appending to the log inside the caller's transaction, and reading it.

The sequence is contiguous because it is the log's own size, read under the lock of its head row and advanced in the
transaction that writes the entries. No reader can see entry n before every entry below n.
"""

from tocsin.db import Database
from tocsin.ledger import store
from tocsin_schemas.ledger import BUNDLE_ENTRIES, encode_bundle
from tocsin_schemas.problems import Refused

append = store.append
locked_size = store.locked_size
size = store.size
entries_at = store.entries_at


def bundle(database: Database, index: int, width: int = BUNDLE_ENTRIES) -> bytes:
    """Entry bundle `index` (256 entries; `width` fewer for a partial one), as C2SP tlog-tiles lays it out.

    Raises:
        Refused: `not-found` when the log does not reach that far.
    """
    with database.snapshot() as uow:
        found = store.entries(uow, index * BUNDLE_ENTRIES, width)
    if len(found) < width:
        raise Refused("not-found", "", "the log does not reach that far")
    return encode_bundle([entry.encode() for entry in found])

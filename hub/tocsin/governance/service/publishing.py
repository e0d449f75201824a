"""The records laid beside the public log, each as it is served: from there an edited row can be put right.

A copy is written once a checkpoint covers its entry, so what the world can see was never more than the log says.
`publish` may be called at any time and by several at once: it writes the same bytes, and a crash before they are marked
as shown has them written again.
"""

from typing import Final

from tocsin.governance.service.chain import Chain
from tocsin.governance.store import records as store
from tocsin.governance.store.records import Kept
from tocsin.ledger import service as ledger
from tocsin.objects import Object
from tocsin_schemas.governance import PublishedRecord, parse_record
from tocsin_schemas.roster import canonical

MEDIA_TYPE: Final = "application/x-ndjson"
FOLDER: Final = "board/records"


def publish(chain: Chain, log: ledger.Ledger) -> int:
    """Write the copies that are missing; how many.

    Raises:
        OSError: when the store does not do what it is asked; the next call goes on from there.
    """
    if chain.sandbox:
        return 0
    with log.database.snapshot() as uow:
        rows = store.unshown(uow, ledger.published_size(uow))
    if not rows:
        return 0
    log.objects.write_many(Object(path(row.seq), line(row), MEDIA_TYPE, "immutable") for row in rows)
    with log.database.transaction() as uow:
        store.mark_shown(uow, [row.seq for row in rows])
    return len(rows)


def unpublished(chain: Chain, log: ledger.Ledger) -> bool:
    """Whether `publish` has anything to do."""
    if chain.sandbox:
        return False
    with log.database.snapshot() as uow:
        return bool(store.unshown(uow, ledger.published_size(uow)))


def path(seq: int) -> str:
    """Where the copy of a record lies, below the log's prefix."""
    return f"{FOLDER}/{seq}.json"


def line(row: Kept) -> bytes:
    """A record as it is published: one line, with its log entry's index and the nonce that opens the commitment."""
    said = PublishedRecord(log_seq=row.log_seq, r=row.nonce.hex(), record=parse_record(row.raw))
    return canonical(said) + b"\n"

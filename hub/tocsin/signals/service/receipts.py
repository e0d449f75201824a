"""Receipts: the proof that a statement is in the log, with what opens its entry for those who may know it.

The entry and its proof are public. The random number that opens the entry's commitment is given to the author, and to
whoever would be given the statement by the feed, for as long as it lives.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from tocsin.ledger import service as log
from tocsin.ledger.service import Ledger, Prover
from tocsin.signals.service.context import Context
from tocsin.signals.service.lines import shown
from tocsin.signals.service.sight import sight
from tocsin.signals.store import reading
from tocsin.signals.store.reading import FeedRow

TURN: Final = 256
"""Statements looked up at once."""


def receipts(context: Context, ledger: Ledger, reader_id: int, seqs: Sequence[int]) -> Iterator[bytes]:
    """The receipts (C2SP tlog-proof) of the entries at these log indexes, in their order, in the newest tree.

    What is extra in a receipt is JSON: `entry`, the entry's exact bytes, and, if the member may have it, `r`.

    Raises:
        Refused: as `prover` for the last of them, and as `Prover.prove` on the way.
    """
    return _each(context, reader_id, seqs, log.prover(ledger, max(seqs)))


def _each(context: Context, reader_id: int, seqs: Sequence[int], prover: Prover) -> Iterator[bytes]:
    for at in range(0, len(seqs), TURN):
        turn = seqs[at : at + TURN]
        extras = _extras(context, reader_id, turn)
        yield from (prover.prove(seq, extras[seq]) for seq in turn)


def _extras(context: Context, reader_id: int, seqs: Sequence[int]) -> dict[int, bytes]:
    with context.database.snapshot() as uow:
        entries = log.entries_at(uow, seqs)
        statements = reading.placed(uow, seqs)
        grants = context.members.grants(uow, reader_id)
        seen = sight(context.members.orgs(uow), reader_id)
    made = {}
    for seq, entry in entries.items():
        community_id, row = statements[seq]
        extra = {"entry": entry.encode().decode()}
        reads = grants.get(community_id, (False, False))[1] and seen.hides(row) is None
        if row.nonce is not None and _may_open(row, reader_id, uow.now, reads=reads):
            extra["r"] = row.nonce.hex()
        made[seq] = json.dumps(extra, separators=(",", ":")).encode()
    return made


def _may_open(row: FeedRow, reader_id: int, now: int, *, reads: bool) -> bool:
    """Whether the member may have what opens a statement's entry; `reads`: nothing hides it from the member."""
    if row.author_id == reader_id:
        return row.expires_at is not None and row.expires_at > now
    return reads and shown(row, now)

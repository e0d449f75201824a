"""Proofs that an entry is in the published log (C2SP tlog-proof)."""

import logging
from dataclasses import dataclass
from typing import Final

from tocsin.errors import Refused
from tocsin.ledger.service.context import Ledger
from tocsin.ledger.service.read import published, tree
from tocsin.ledger.store import entries as rows
from tocsin.ledger.store.publication import Publication
from tocsin_schemas.merkle import TileTree
from tocsin_schemas.tlog_proof import Proof

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = 1
"""The log is published every second."""


@dataclass(frozen=True, slots=True)
class Prover:
    """Proves entries of one published tree. For one thread: neighbours share the tiles that were read."""

    publication: Publication
    _tree: TileTree

    def prove(self, number: int, extra: bytes | None = None) -> bytes:
        """The proof of entry `number` as a file; nobody vouches for what is `extra` in it.

        Raises:
            Refused: `unavailable` when the log's store does not hold this tree.
        """
        try:
            path = tuple(self._tree.inclusion(number))
        except Refused as refused:
            logger.exception(
                "the log's store does not hold what was published", extra={"tile": refused.field}
            )
            raise Refused(
                "unavailable", "log", "a tile of it is missing", retry_after=RETRY_SECONDS
            ) from None
        return Proof(number, path, self.publication.note, extra).encode()


def prover(ledger: Ledger, number: int) -> Prover:
    """A prover of the newest tree, which covers entry `number`.

    Raises:
        Refused: `not-yet-published` when the entry is recorded and no checkpoint covers it yet, `not-found` when the
            log does not reach that far.
    """
    newest = published(ledger)
    if newest is None or newest.size <= number:
        with ledger.database.snapshot() as uow:
            recorded = rows.size(uow) > number
        if recorded:
            raise Refused(
                "not-yet-published", "seq", "no checkpoint covers it yet", retry_after=RETRY_SECONDS
            )
        raise Refused("not-found", "seq", "the log does not reach that far")
    return Prover(newest, tree(ledger, newest))

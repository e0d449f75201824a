"""What the store shows the world, and whether it is this database's log."""

from typing import Final, NamedTuple

from tocsin.errors import Misconfigured
from tocsin.ledger.rules import EMPTY, Tree, compare
from tocsin.ledger.service.context import Ledger
from tocsin.ledger.store.publication import Publication
from tocsin_schemas.checkpoint import open_checkpoint
from tocsin_schemas.problems import Refused

CHECKPOINT: Final = "checkpoint"


class Shown(NamedTuple):
    """The stored checkpoint: its tree, and the note as it lies there."""

    tree: Tree
    note: bytes


def shown(ledger: Ledger) -> Shown | None:
    """The stored checkpoint, its signature verified; None when there is none yet.

    Raises:
        Misconfigured: when this hub's log key has not signed it.
    """
    note = ledger.objects.read(CHECKPOINT)
    if note is None:
        return None
    try:
        checkpoint = open_checkpoint(note, ledger.signer.verifier).checkpoint
    except Refused:
        raise Misconfigured(
            "the log's store holds a checkpoint that this hub has not signed, or not under this address",
            "TOCSIN_ISSUER with its port, TOCSIN_LOG_STORE and the log key must be what they were; a hub that was only"
            " a trial can begin anew in an empty TOCSIN_DATA_DIR",
        ) from None
    return Shown(Tree(checkpoint.size, checkpoint.root), note)


def require_ours(seen: Shown | None, standing: Publication | None) -> None:
    """See that the store shows nothing that the database has not signed.

    Raises:
        Misconfigured: when the database is older than the log that was shown, or shows another one.
    """
    ours = EMPTY if standing is None else Tree(standing.size, standing.root)
    how = "current" if seen is None else compare(seen.tree, ours)
    if seen is not None and how == "ahead":
        raise Misconfigured(
            f"the database is older than the published log: it has signed {ours.size} entries,"
            f" the world has seen {seen.tree.size}",
            "restore a newer backup or replay the database's write-ahead log up to its end; if what is missing is lost"
            " for good, `tocsin-hub log recover` takes its entries from the published log",
        )
    if how == "other":
        raise Misconfigured(
            f"the database and the published log differ, both with {ours.size} entries: this would be a fork",
            "restore the database that belongs to this log's store; nothing can mend two histories",
        )

"""Bringing back entries that the world has seen and the database has lost, from the published log itself.

For a database that was restored from a backup older than its log, when neither a newer backup nor the write-ahead log
is left. What the entries committed to is lost with the database, so that their records come back as tombstones; but
every number keeps its meaning, every proof stays valid, and the log goes on without a fork.

1. The store's checkpoint is ahead of the database and signed by this hub's log key.
2. What the database still has is a beginning of that log: the tree it signed, and every entry behind that.
3. Each missing entry is read from the stored bundles, and hashes to the leaf in tiles verified against the checkpoint.
4. Entries and tombstones are written, a bounded number a transaction; a run that was cut off is continued by the next.
5. The publication is moved to the stored checkpoint, whose root the entries must make.
"""

from collections.abc import Callable, Iterable
from typing import Final

from tocsin.db import UnitOfWork
from tocsin.errors import Misconfigured
from tocsin.ledger.rules import EMPTY, Tree, compare
from tocsin.ledger.service.context import Ledger
from tocsin.ledger.service.read import fetcher
from tocsin.ledger.service.shown import Shown, require_ours, shown
from tocsin.ledger.store import entries as rows
from tocsin.ledger.store import publication as store
from tocsin.ledger.store.publication import Publication
from tocsin_schemas.ledger import BUNDLE_ENTRIES, Entry, bundle_path, decode_bundle
from tocsin_schemas.merkle import Edge, TileTree, leaf_hash

TURN: Final = 4096
Bury = Callable[[UnitOfWork, int, list[Entry]], None]
"""Writes the tombstones of entries from a leaf index on, in the transaction that brings the entries back."""


def recover(ledger: Ledger, bury: Bury) -> int:
    """Bring back what is missing; the number of entries. Nothing is done where nothing is missing.

    Raises:
        Misconfigured: when the store's log is not a continuation of the database's, or is not whole.
        Refused: `log-tile-mismatch` when a stored tile is not of the tree that was signed.
    """
    # 1.
    seen = shown(ledger)
    with ledger.database.snapshot() as uow:
        standing, size = store.newest(uow), rows.size(uow)
    ours = EMPTY if standing is None else Tree(standing.size, standing.root)
    if seen is None or compare(seen.tree, ours) != "ahead":
        require_ours(seen, standing)
        return 0
    tree = TileTree(*seen.tree, fetcher(ledger))
    # 2.
    _require_beginning(ledger, tree, ours, min(size, seen.tree.size))
    # 3. and 4.
    for first in range(size, seen.tree.size, TURN):
        found = read_entries(ledger, tree, first, min(first + TURN, seen.tree.size))
        with ledger.database.transaction() as uow:
            if rows.locked_size(uow) != first:
                raise Misconfigured("the log grows while it is recovered", "stop every process of the hub")
            rows.append(uow, first, found)
            bury(uow, first, found)
    # 5.
    _move(ledger, standing, seen)
    return max(0, seen.tree.size - size)


def _require_beginning(ledger: Ledger, tree: TileTree, ours: Tree, size: int) -> None:
    same = tree.root_at(ours.size) == ours.root
    for first in range(ours.size, size, TURN):
        end = min(first + TURN, size)
        with ledger.database.snapshot() as uow:
            hashes = [leaf_hash(entry.encode()) for entry in rows.entries(uow, first, end)]
        same = same and hashes == tree.hashes(first, end)
    if not same:
        raise Misconfigured(
            "the database holds entries that are not those of the published log",
            "restore the backup once more, and run this before the hub records anything",
        )


def read_entries(ledger: Ledger, tree: TileTree, first: int, end: int) -> list[Entry]:
    """The entries `first` up to but without `end` from the stored bundles, each verified.

    Raises:
        Misconfigured: when a bundle is missing, or not of the tree.
        Refused: `log-tile-mismatch` when a stored tile is not.
    """
    raw: list[bytes] = []
    for index in range(first // BUNDLE_ENTRIES, -(-end // BUNDLE_ENTRIES)):
        raw += read_bundle(ledger, index, min(BUNDLE_ENTRIES, tree.size - index * BUNDLE_ENTRIES))
    wanted = raw[first % BUNDLE_ENTRIES :][: end - first]
    if [leaf_hash(entry) for entry in wanted] != tree.hashes(first, end):
        raise Misconfigured(
            "a stored entry bundle does not belong to the signed tree",
            "take the bundles from whoever has mirrored the log, or from a backup of its store",
        )
    return [Entry.decode(entry) for entry in wanted]


def read_bundle(ledger: Ledger, index: int, width: int) -> list[bytes]:
    """The encoded entries of a stored bundle, `width` of them or all; nothing of it is verified.

    Raises:
        Misconfigured: when it is missing.
    """
    for path in (bundle_path(index, width), bundle_path(index)):
        found = ledger.objects.read(path)
        if found is not None:
            return decode_bundle(found)
    raise Misconfigured(
        "an entry bundle is missing in the log's store",
        "take it from whoever has mirrored the log, or from a backup of its store",
    )


def _move(ledger: Ledger, standing: Publication | None, seen: Shown) -> None:
    edge = Edge.empty() if standing is None else Edge.decode(standing.size, standing.edge)
    for first in range(edge.size, seen.tree.size, TURN):
        end = min(first + TURN, seen.tree.size)
        with ledger.database.snapshot() as uow:
            edge.extend(_hashes(rows.entries(uow, first, end)))
    if edge.root() != seen.tree.root:
        raise RuntimeError("what was brought back does not make the signed tree")
    with ledger.database.transaction() as uow:
        after = Publication(seen.tree.size, seen.tree.root, edge.encode(), seen.note, uow.now)
        store.advance(uow, standing, after)


def _hashes(entries: Iterable[Entry]) -> Iterable[bytes]:
    return (leaf_hash(entry.encode()) for entry in entries)

"""Entries whose rows say something else than the log that was signed and shown."""

from collections.abc import Mapping, MutableMapping

from tocsin.ledger.service.context import Ledger
from tocsin.ledger.service.read import fetcher
from tocsin.ledger.service.recovery import read_bundle, read_entries
from tocsin.ledger.service.shown import shown
from tocsin_schemas.ledger import BUNDLE_ENTRIES, Entry
from tocsin_schemas.merkle import TileTree, leaf_hash


def differing(
    ledger: Ledger, rows: Mapping[int, Entry | None], proven: MutableMapping[int, bytes]
) -> dict[int, Entry]:
    """The entries at those leaf indexes that are not what their rows say, as the published log has them.

    What the stored checkpoint does not cover yet is left out. `proven` keeps the hashes of leaves that were verified,
    so that nothing is read twice.

    Raises:
        Misconfigured: when the checkpoint is not this hub's, or a stored bundle is not of its tree.
        Refused: `log-tile-mismatch` when a stored tile is not.
        OSError: when the store does not answer.
    """
    seen = shown(ledger)
    if seen is None:
        return {}
    tree = TileTree(*seen.tree, fetcher(ledger))
    found: dict[int, Entry] = {}
    for seq, entry in rows.items():
        if seq >= tree.size:
            continue
        if seq not in proven:
            (proven[seq],) = tree.hashes(seq, seq + 1)
        if entry is None or leaf_hash(entry.encode()) != proven[seq]:
            (found[seq],) = read_entries(ledger, tree, seq, seq + 1)
    return found


def under(ledger: Ledger, word: str, first: int) -> tuple[dict[int, Entry], int]:
    """The entries under a scope word from leaf index `first` on as the published log has them, and its size.

    Only bundles in which the word stands are verified: what is looked for is what the database does not say.

    Raises:
        Misconfigured, Refused, OSError: as `differing`.
    """
    seen = shown(ledger)
    if seen is None:
        return {}, 0
    tree = TileTree(*seen.tree, fetcher(ledger))
    found: dict[int, Entry] = {}
    said = f'"community":"{word}"'.encode()
    for index in range(first // BUNDLE_ENTRIES, -(-tree.size // BUNDLE_ENTRIES)):
        start, end = index * BUNDLE_ENTRIES, min((index + 1) * BUNDLE_ENTRIES, tree.size)
        if any(said in raw for raw in read_bundle(ledger, index, end - start)):
            listed = enumerate(read_entries(ledger, tree, start, end), start)
            found |= {seq: entry for seq, entry in listed if seq >= first and entry.community == word}
    return found, tree.size

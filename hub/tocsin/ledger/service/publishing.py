"""Publishing the log: from rows to tiles, entry bundles and a signed checkpoint (C2SP tlog-tiles).

`publish` may be called by anybody, at any time, by several at once, and again after a crash anywhere:

0. Finish what an earlier run has begun: the stored checkpoint is older than the database's publication. The normal
   path runs the same code: it commits in one turn of the loop and shows what was committed in the next.
1. Read the publication (size, root, right edge) and the entries above it, a bounded number a turn.
2. Write entry bundles, full and partial tiles. They are the same bytes whoever writes them, and nobody reads them yet.
3. Sign, and swap the publication's row in one transaction, if it still is the one that was read. This is the point of
   no return: a signature leaves this process only after the commit, so that no two trees of one size are ever signed.
4. Ask the witnesses for cosignatures, for a bounded time; those that came stand below the note.
5. Delete partial tiles that a full one has replaced.
6. Swap the stored checkpoint, if it still is the one that was read: it never goes to a smaller size.

| crash | what is left | what heals it |
|---|---|---|
| before 3 | tiles of entries that no checkpoint covers | step 2 of the next run writes the same bytes |
| between 3 and 6 | a publication that nobody has seen | step 0 of the next run |
| within 5 or 6 | partial tiles gone whose full ones are there | step 0 of the next run |
"""

from typing import Final

from tocsin.ledger.rules import EMPTY, Tree, merge, superseded
from tocsin.ledger.service.context import Ledger
from tocsin.ledger.service.read import fetcher, tree
from tocsin.ledger.service.shown import CHECKPOINT, Shown, require_ours, shown
from tocsin.ledger.store import entries as rows
from tocsin.ledger.store import publication as store
from tocsin.ledger.store.publication import Publication
from tocsin.objects import Object
from tocsin_schemas.checkpoint import MEDIA_TYPE, open_checkpoint, sign_checkpoint
from tocsin_schemas.ledger import BUNDLE_ENTRIES, bundle_path, encode_bundle
from tocsin_schemas.merkle import HASH_BYTES, Edge, Tile, leaf_hash
from tocsin_schemas.problems import Refused

TURN: Final = 65_536
"""Entries published at once: 256 bundles, about 10 MiB in memory."""
TILE_TYPE: Final = "application/octet-stream"


def publish(ledger: Ledger) -> int:
    """Publish every entry that the database holds; how many are newly covered by a checkpoint.

    Raises:
        Misconfigured: when the store shows a log that the database does not know (`require_ours`); nothing is signed.
        OSError: when the store does not do what it is asked; the next call goes on from there.
    """
    covered = 0
    written: int | None = None
    while True:
        seen, standing, size = _look(ledger)
        if standing is not None:
            _show(ledger, seen, standing, tiles_are_there=written == standing.size)
            if size == standing.size or ledger.witnesses.alarms():
                return covered
        signed = _sign(ledger, standing, min(size, (0 if standing is None else standing.size) + TURN))
        if signed is not None:
            covered += signed.size - (0 if standing is None else standing.size)
            written = signed.size


def unpublished(ledger: Ledger) -> bool:
    """Whether `publish` has anything to do: asked before a lease is taken for it."""
    seen, standing, size = _look(ledger)
    if standing is None or seen is None:
        return True
    due = ledger.witnesses.due(standing.note, ledger.database.clock())
    return due or size > standing.size or seen.note != standing.note


def _look(ledger: Ledger) -> tuple[Shown | None, Publication | None, int]:
    """The stored checkpoint, the publication and the size of the log."""
    # The store first: a publisher beside this one moves the database before it moves the store.
    seen = shown(ledger)
    with ledger.database.snapshot() as uow:
        standing, size = store.newest(uow), rows.size(uow)
    require_ours(seen, standing)
    return seen, standing, size


def _sign(ledger: Ledger, before: Publication | None, size: int) -> Publication | None:
    """Steps 1 to 3: the tree of `size` entries; None when another publisher was first."""
    edge = Edge.empty() if before is None else Edge.decode(before.size, before.edge)
    _write(ledger, edge, size)
    note = sign_checkpoint(ledger.origin, size, edge.root(), ledger.signer)
    with ledger.database.transaction() as uow:
        after = Publication(size, edge.root(), edge.encode(), note, uow.now)
        won = store.advance(uow, before, after)
    return after if won else None


def _write(ledger: Ledger, edge: Edge, size: int) -> None:
    """Step 2: grow `edge` to `size` leaves, and store every bundle and tile on the way."""
    first = edge.size // BUNDLE_ENTRIES * BUNDLE_ENTRIES
    with ledger.database.snapshot() as uow:
        entries = [entry.encode() for entry in rows.entries(uow, first, size)]
    if len(entries) != size - first:
        raise RuntimeError("the log has a gap")
    tiles = edge.extend(leaf_hash(entry) for entry in entries[edge.size - first :])
    objects = [_object(tile.path, hashes) for tile, hashes in [*tiles, *edge.partial_tiles()]]
    for at in range(0, len(entries), BUNDLE_ENTRIES):
        bundle = entries[at : at + BUNDLE_ENTRIES]
        path = bundle_path((first + at) // BUNDLE_ENTRIES, len(bundle))
        objects.append(_object(path, encode_bundle(bundle)))
    ledger.objects.write_many(objects)


def _show(ledger: Ledger, seen: Shown | None, standing: Publication, *, tiles_are_there: bool) -> None:
    """Steps 4 to 6 for what the database has signed; nothing to do where the store shows exactly that."""
    grows = seen is None or seen.tree.size < standing.size
    if grows and not tiles_are_there:
        write_again(ledger, seen, standing)
    note = cosigned(ledger, standing)
    if seen is not None and seen.note == note:
        return
    if grows and ledger.witnesses.alarms():
        return  # a witness knows better than our database: what was signed is not shown before that is settled
    for folder in superseded(0 if seen is None else seen.tree.size, standing.size):
        ledger.objects.delete_under(folder)
    item = Object(CHECKPOINT, note, MEDIA_TYPE, "brief")
    ledger.objects.swap(None if seen is None else seen.note, item)


def write_again(ledger: Ledger, seen: Shown | None, standing: Publication) -> None:
    """Write the tiles between what the store shows and what was signed: all of them where the store is new or empty.

    Raises:
        RuntimeError: when the entries do not make the tree that was signed: the database was changed by another hand.
    """
    edge = _stored_edge(ledger, EMPTY if seen is None else seen.tree)
    while edge.size < standing.size:
        _write(ledger, edge, min(standing.size, edge.size + TURN))
    if edge.root() != standing.root:
        raise RuntimeError("the database's entries are not those it has signed")


def _stored_edge(ledger: Ledger, shown_tree: Tree) -> Edge:
    """The right edge of the tree that the store shows, from its own tiles; the empty one where they are not whole."""
    fetch = fetcher(ledger)
    raw, level, width = b"", 0, shown_tree.size
    try:
        while width:
            tile = Tile(level, width // BUNDLE_ENTRIES, width % BUNDLE_ENTRIES)
            if tile.width:
                raw += fetch(tile)[: tile.width * HASH_BYTES]
            level, width = level + 1, width // BUNDLE_ENTRIES
        edge = Edge.decode(shown_tree.size, raw)
    except (Refused, ValueError):
        return Edge.empty()
    return edge if edge.root() == shown_tree.root else Edge.empty()


def cosigned(ledger: Ledger, standing: Publication, *, everyone: bool = False) -> bytes:
    """Step 4: the publication's note, with the cosignatures that came. With `everyone`, whether any is due or not."""
    witnesses = ledger.witnesses
    if not (everyone or witnesses.due(standing.note, ledger.database.clock())):
        return standing.note
    checkpoint = open_checkpoint(standing.note, ledger.signer.verifier).checkpoint
    lines = witnesses.collect(checkpoint, standing.note, tree(ledger, standing), everyone=everyone)
    note = merge(standing.note, lines)
    if note == standing.note:
        return note
    with ledger.database.transaction() as uow:
        # Where another publisher was first, its note is the one to show: the next run does.
        return note if store.cosign(uow, standing, note) else standing.note


def _object(path: str, data: bytes) -> Object:
    return Object(path, data, TILE_TYPE, "immutable")

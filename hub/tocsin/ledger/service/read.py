"""Reading what was published."""

from collections.abc import Callable, Sequence

from tocsin.ledger.service.context import Ledger
from tocsin.ledger.service.feeding import Alarm
from tocsin.ledger.store import publication as store
from tocsin.ledger.store.publication import Publication
from tocsin_schemas.merkle import Tile, TileTree
from tocsin_schemas.problems import Refused


def published(ledger: Ledger) -> Publication | None:
    """The newest tree that was signed, with the cosignatures it has; None before the first."""
    with ledger.database.snapshot() as uow:
        return store.newest(uow)


def tree(ledger: Ledger, publication: Publication) -> TileTree:
    """The tree of a publication, read through the stored tiles, each verified before it is used."""
    return TileTree(publication.size, publication.root, fetcher(ledger))


def alarms(ledger: Ledger) -> Sequence[Alarm]:
    """What witnesses have seen that forbids to sign anything new; empty when all is well."""
    return ledger.witnesses.alarms()


def fetcher(ledger: Ledger) -> Callable[[Tile], bytes]:
    """Reads tiles for a `TileTree`: a partial one that is gone is the beginning of the full one."""

    def fetch(tile: Tile) -> bytes:
        for path in (tile.path, Tile(tile.level, tile.index).path):
            found = ledger.objects.read(path)
            if found is not None:
                return found
        raise Refused("log-tile-mismatch", tile.path, "not in the log's store")

    return fetch

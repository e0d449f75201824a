"""What is known of each witness of this log; a witness without a row has never answered."""

from collections.abc import Collection
from typing import Final, NamedTuple

from sqlalchemy.dialects import postgresql, sqlite

from tocsin.db import UnitOfWork, table
from tocsin.ledger.rules import Conflict
from tocsin.ledger.store.tables import LogWitnessRow

_witness: Final = table(LogWitnessRow)


class Known(NamedTuple):
    """A witness: the size it cosigned last and when, failures in a row, when to ask again, and what contradicts us."""

    size: int = 0
    cosigned_at: int | None = None
    failures: int = 0
    retry_at: int = 0
    conflict: Conflict | None = None


def known(uow: UnitOfWork, places: Collection[bytes]) -> dict[bytes, Known]:
    """What is known of the witnesses at these places; every one of them is in the answer."""
    found = dict.fromkeys(places, Known())
    for row in uow.conn.execute(_witness.select().where(uow.among(_witness.c.place, places))):
        conflict = None
        if row.conflict is not None:
            conflict = Conflict(
                row.conflict, row.conflict_size, None if row.shown is None else bytes(row.shown)
            )
        found[bytes(row.place)] = Known(row.size, row.cosigned_at, row.failures, row.retry_at, conflict)
    return found


def put(uow: UnitOfWork, place: bytes, now_known: Known) -> None:
    """Remember that of the witness at `place`."""
    kind, size, shown = now_known.conflict or (None, None, None)
    values = {
        "size": now_known.size,
        "cosigned_at": now_known.cosigned_at,
        "failures": now_known.failures,
        "retry_at": now_known.retry_at,
        "conflict": kind,
        "conflict_size": size,
        "shown": shown,
    }
    insert = postgresql.insert if uow.dialect == "postgresql" else sqlite.insert
    uow.conn.execute(
        insert(_witness)
        .values(place=place, **values)
        .on_conflict_do_update(index_elements=[_witness.c.place], set_=values)
    )

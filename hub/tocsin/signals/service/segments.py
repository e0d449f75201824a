"""Building the feed's stored segments (docs/signal-lifecycle.md §6 says what readers get of them).

 1. Ranges that the published log has passed are entered: a stale row for every community with a record in them.
 2. Where the state of an author has changed, segments with signals that it bears on become stale. An erasure has made
    its segment stale already, in its own transaction, and so has a release.
 3. One stale segment after the other is claimed under a new generation, and its old objects are deleted, whoever wrote
    them. It is rendered from one state of the database, written, and served from the moment its row says so: unless it
    was claimed again or something in it erased meanwhile, for then its generation is another.
A process may die anywhere in between: the row is stale still, readers are given rows, and the next build begins with
deleting. What a builder writes that was overtaken, and dies before it can delete it, `sweep` finds.
"""

import hashlib
import re
from typing import Final, Literal

from tocsin.db import UnitOfWork
from tocsin.ledger import service as ledger
from tocsin.objects import Object
from tocsin.signals.coding import press
from tocsin.signals.service.context import Context
from tocsin.signals.service.lines import lines, shown
from tocsin.signals.service.sight import Sight, withheld
from tocsin.signals.store import reading, segments
from tocsin.signals.store.segments import Built, Place
from tocsin_schemas.feed import SEGMENT

ROOT: Final = "segments"
BATCH: Final = 256
"""How many ranges are entered, and how many segments built, in one turn."""
Form = Literal["zstd", "deflate"]
"""The forms a segment is stored in (`tocsin.signals.coding.Pressed`)."""
_START: Final = Place(-1, -1)
_PATH: Final = re.compile(ROOT + r"/([0-9]+)/([0-9]+)/([0-9]+)\.(?:zstd|deflate)")


def path(place: Place, generation: int, form: Form) -> str:
    """Where an object of a segment lies."""
    return f"{_folder(place)}/{generation}.{form}"


def due(context: Context) -> bool:
    """Whether there is anything to build."""
    with context.database.snapshot() as uow:
        return segments.end(uow) < ledger.published_size(uow) // SEGMENT or segments.pending(
            uow, withheld(context.members.orgs(uow).values())
        )


def build(context: Context) -> int:
    """Build what has to be built; the number of segments that were."""
    with context.database.transaction() as uow:
        # 1. Under the log's lock: whoever erases holds it, too.
        ledger.locked_size(uow)
        first = segments.end(uow)
        segments.enter(uow, first, min(ledger.published_size(uow) // SEGMENT, first + BATCH))
        # 2.
        segments.restate(uow, withheld(context.members.orgs(uow).values()))
    done = 0
    place = _START
    for _ in range(BATCH):
        # 3.
        with context.database.transaction() as uow:
            claimed = segments.claim(uow, place)
        if claimed is None:
            break
        place, generation = claimed
        done += _build(context, place, generation)
    return done


def sweep(context: Context) -> int:
    """Delete objects that no row names; their number."""
    found = list(context.feed_store.list(ROOT))
    with context.database.snapshot() as uow:
        # Read after they were listed: an object of a segment being built has its generation already.
        current = segments.current(uow)
    strays = [item for item in found if _named(item) not in current]
    context.feed_store.delete(strays)
    return len(strays)


def _build(context: Context, place: Place, generation: int) -> bool:
    context.feed_store.delete_under(_folder(place))
    with context.database.snapshot() as uow:
        content, built = _render(context, uow, place)
    pressed = press(content)
    written = {
        path(place, generation, "zstd"): pressed.zstd,
        path(place, generation, "deflate"): pressed.deflate,
    }
    context.feed_store.write_many(
        Object(at, data, "application/octet-stream", "private") for at, data in written.items()
    )
    built = built._replace(crc=pressed.crc, zstd=len(pressed.zstd), deflate=len(pressed.deflate))
    with context.database.transaction() as uow:
        finished = segments.finish(uow, place, generation, built)
    if not finished:
        context.feed_store.delete(written)
    return finished


def _render(context: Context, uow: UnitOfWork, place: Place) -> tuple[bytes, Built]:
    """A segment's lines, and what is known of them before they are compressed."""
    first = place.number * SEGMENT
    hidden = withheld(context.members.orgs(uow).values())
    rows = reading.page(uow, place.community_id, first, first + SEGMENT - 1, SEGMENT)
    content = lines(rows, uow.now, Sight(hidden))
    ends = [row.expires_at for row in rows if row.gone is None and row.expires_at is not None]
    # In the order of the log: what stays for an author is the last instant.
    latest = {
        row.author_id: row.recorded_at
        for row in rows
        if row.author_id is not None and row.kind != "retraction" and shown(row, uow.now)
    }
    return content, Built(
        records=len(rows),
        size=len(content),
        crc=0,
        zstd=0,
        deflate=0,
        digest=hashlib.sha256(content).digest(),
        until=min((end for end in ends if end > uow.now), default=None),
        authors=frozenset(
            (author, at, hidden[author] if author in hidden and at >= hidden[author] else None)
            for author, at in latest.items()
        ),
    )


def _folder(place: Place) -> str:
    return f"{ROOT}/{place.community_id}/{place.number}"


def _named(item: str) -> tuple[int, int, int] | None:
    """Community id, number and generation in an object's path."""
    match = _PATH.fullmatch(item)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))

"""The feed of a community: stored segments where there are any, rows where there are not.

What an answer covers ends with a range wherever it can, so that whoever follows its link comes to the next segment. All
of an answer is decided on one state of the database, and what is delivered is remembered before it leaves. Stored
segments are for those who may read everything; whoever may not is given rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from tocsin.db import Unforeseen, UnitOfWork, View
from tocsin.ledger import service as ledger
from tocsin.signals.service.context import Context, not_readable
from tocsin.signals.service.lines import lines
from tocsin.signals.service.segments import Form, path
from tocsin.signals.service.sight import sight
from tocsin.signals.store import reading, segments
from tocsin.signals.store.segments import Place, Stored
from tocsin_schemas.feed import SEGMENT

MAX_SEGMENTS: Final = 256
"""How many segments one answer joins: of a community with few records there are many small ones."""


class Reader(NamedTuple):
    """Which member reads, and the id of the community that it named, if it may read that."""

    member_id: int
    community_id: int | None


Identify = Callable[[View, str], Reader]
"""Says who reads the community of a name, by the state of the database that it reads."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a feed, of a log that had `size` entries.

    It holds every record behind the index that was asked for, up to index `covered`: as `rendered` lines or, where
    there are any, as stored `segments` of the community with id `community_id`. It is `new` to the member with id
    `reader_id` when that was never given so much: `remember` it before it leaves.
    """

    size: int
    covered: int
    reader_id: int
    community_id: int
    new: bool = False
    rendered: bytes = b""
    segments: tuple[Stored, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is no record in it."""
        return not self.rendered and not self.segments


def member(context: Context, member_id: int) -> Identify:
    """That one reads, whoever asks for it."""

    def identify(view: View, slug: str) -> Reader:
        found = context.members.readable(view, member_id, slug)
        return Reader(member_id, None if found is None else found.id)

    return identify


def page(
    context: Context,
    identify: Identify,
    slug: str,
    *,
    after: int = -1,
    last: int | None = None,
    limit: int,
    stored: bool = True,
) -> Page:
    """At most `limit` records of a community behind log index `after` (-1 for the beginning), and not behind `last`.

    Without `stored` all of it is rendered from rows.

    Raises:
        Refused: `not-found` when there is no such community that the member may read; what `identify` raises.
    """

    def look(view: View) -> Page:
        member_id, community_id = identify(view, slug)
        if community_id is None:
            raise not_readable()
        size = ledger.size(view)
        bound = size - 1 if last is None else min(last, size - 1)
        if after >= bound:
            # What is asked most: nothing is behind the end of the log.
            return Page(size, after, member_id, community_id)
        if not isinstance(view, UnitOfWork):
            raise Unforeseen
        begun = Page(size, bound, member_id, community_id)
        return _filled(context, view, begun, after, limit, stored=stored)

    return context.database.at_a_glance(look, ledger.SIZE)


def _filled(context: Context, uow: UnitOfWork, page: Page, after: int, limit: int, *, stored: bool) -> Page:
    """A page with what there is behind log index `after`, and not behind what it covers."""
    bound = page.covered
    first, end, delivered = reading.position(uow, page.community_id, page.reader_id, after)
    if first is None or first > bound:
        return page
    seen = sight(context.members.orgs(uow), page.reader_id)
    number = first // SEGMENT
    if stored and not seen.free and number * SEGMENT > after:
        run = segments.at(uow, page.community_id, number, seen.withheld, MAX_SEGMENTS + 1)
        chosen = _fitting(run, number, limit, bound)
        if chosen:
            behind = run[len(chosen)].number if len(chosen) < len(run) else end
            covered = min(behind * SEGMENT - 1, bound)
            return replace(page, covered=covered, new=covered > delivered, segments=tuple(chosen))
    until = min((number + 1) * SEGMENT - 1, bound)
    rows = reading.page(uow, page.community_id, first, until, limit)
    covered = rows[-1].seq if len(rows) == limit else until
    return replace(page, covered=covered, new=covered > delivered, rendered=lines(rows, uow.now, seen))


def remember(context: Context, page: Page) -> None:
    """Write down that the reader was given this page."""
    with context.database.transaction() as uow:
        reading.mark_delivered(uow, page.reader_id, page.community_id, page.covered)


async def piece(context: Context, page: Page, at: int, form: Form) -> memoryview | None:
    """The stored bytes of a page's segment number `at` in one form; None when they are not there (any more).

    Raises:
        OSError: when the store does not answer.
    """
    segment = page.segments[at]
    size = segment.deflate if form == "deflate" else segment.zstd
    found = await context.feed_store.aview(path(_place(page, at), segment.generation, form))
    return found if found is not None and len(found) == size else None


def lost(context: Context, page: Page, at: int) -> None:
    """A page's segment number `at` is not there: have it built again, unless it was replaced meanwhile."""
    if context.database.read_only:
        return
    with context.database.transaction() as uow:
        segments.lose(uow, _place(page, at), page.segments[at].generation)


def _place(page: Page, at: int) -> Place:
    return Place(page.community_id, page.segments[at].number)


def _fitting(run: Sequence[Stored], number: int, limit: int, bound: int) -> list[Stored]:
    """The first segments of a run that may be served whole, if it begins with this number."""
    chosen: list[Stored] = []
    if not run or run[0].number != number:
        return chosen
    for segment in run[:MAX_SEGMENTS]:
        limit -= segment.records
        if not segment.fresh or limit < 0 or (segment.number + 1) * SEGMENT - 1 > bound:
            break
        chosen.append(segment)
    return chosen

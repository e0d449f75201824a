"""A local mirror of one community: follow the hub's feed, believe only what verifies, answer offline.

One step of following; docs/signal-lifecycle.md uses the same numbers:
 1. Drop what the clock says has expired.
 2. Accept the log's newest checkpoint (the numbered steps of `tocsin_client.log`); it must continue the one by which
    this mirror was verified so far. The step ends where the checkpoint ends: what is recorded later waits.
 3. Fetch the directory and the policy; they must speak of this hub and community. Behind step 2, so that whoever signed
    what the checkpoint covers is listed. Where a member's state lets it be shown again, what was withheld is fetched
    once more; what a member said that left long ago is dropped.
 4. Fetch a page behind the cursor, and the log entries it covers, each proved by the checkpoint.
 5. Verify it (the numbered steps of `tocsin_client.feed`).
 6. In one transaction: store what verified, tombstones and withheld records, carry out retractions (only by the
    statement's own author), drop what has expired, hold the hub's expiry events against it, move the cursor to the end
    of what was covered, and keep the checkpoint. What an event of the hub names as released is fetched once more
    before. Then on to the next page, until the checkpoint's end.
A record that does not verify stops the step with an error behind everything before it; with `keep_going` it is noted as
refused and passed over. The process may die anywhere: the next step starts behind the last transaction.

Status is never stored: it is folded on reading, so the clock, a suspension and a new policy bite at once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final, Protocol, Self

from tocsin_client.clock import Clock, system_clock
from tocsin_client.feed import (
    Failure,
    FeedPage,
    HubEvent,
    Outcome,
    Part,
    check_part,
    parts,
    read_page,
    released,
)
from tocsin_client.http import HubError
from tocsin_client.log import Log, View
from tocsin_client.log_source import LogSource
from tocsin_client.log_store import LogStore
from tocsin_client.mirror_store import START, Applied, Contradicted, MirrorStore
from tocsin_client.pool import Crashed, Workers
from tocsin_client.statements import StatementRow, foldable, freed, left_behind
from tocsin_client.trust import Trust
from tocsin_schemas.feed import SEGMENT, Directory
from tocsin_schemas.fold import Standing, fold
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.policy import Policy
from tocsin_schemas.problems import Refused

PAGE: Final = 4 * SEGMENT
BATCH: Final = 2 * SEGMENT
"""Log entries after which what was verified is stored, if the page is longer."""
WORTH_WORKERS: Final = 2_000
"""From so many log entries on, worker processes verify."""


class Source(Protocol):
    """Where a mirror follows from: `tocsin_client.client.Client` is one."""

    @property
    def hub(self) -> str:
        """The hub's base URL, its issuer."""
        ...

    @property
    def log(self) -> LogSource:
        """The hub's public log."""
        ...

    def audience(self, community: str) -> str:
        """The URL of a community."""
        ...

    def directory(self, community: str) -> Directory:
        """The members of a community with their keys."""
        ...

    def policy(self) -> Policy:
        """The policy in force."""
        ...

    def page(self, community: str, after: int | None, limit: int) -> FeedPage:
        """Raw feed lines behind `after`, and how far they cover the log."""
        ...


class VerificationFailed(Exception):
    """The hub delivered a record that does not verify. Everything before it is stored, nothing of it or after it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


@dataclass(slots=True)
class Step:
    """What one step did: numbers of records, and those that were refused."""

    cursor: int = START
    pages: int = 0
    stored: int = 0
    absent: int = 0
    retracted: int = 0
    expired: int = 0
    refused: list[Failure] = field(default_factory=list)

    def add(self, applied: Applied) -> None:
        """Count what one transaction changed."""
        self.stored += applied.stored
        self.absent += applied.absent
        self.retracted += applied.retracted
        self.expired += applied.expired


class Mirror:
    """The mirror of one community of one hub, in the file at `path`. `clock` gives Unix seconds.

    `log` is what this machine remembers of the hub's log; by default it lies beside the mirror.
    """

    def __init__(self, store: MirrorStore, log: LogStore, *, clock: Clock = system_clock) -> None:
        self.store = store
        self.log = log
        self._clock = clock

    @classmethod
    def open(
        cls,
        path: Path,
        hub: str,
        community: str,
        *,
        log: LogStore | None = None,
        clock: Clock = system_clock,
        create: bool = True,
    ) -> Self:
        """Open or make a mirror.

        Raises:
            NotReady: as `MirrorStore.open`.
        """
        store = MirrorStore.open(path, hub, community, create=create)
        return cls(store, log or LogStore.of(path.parent, hub), clock=clock)

    def close(self) -> None:
        """Close the file."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def now(self) -> int:
        """The mirror's time, in Unix seconds."""
        return self._clock()

    # Follow.

    def follow(
        self,
        source: Source,
        *,
        keep_going: bool = False,
        limit: int = PAGE,
        workers: int = 1,
        at_least: int = 0,
        on_page: Callable[[Step], object] | None = None,
    ) -> Step:
        """One step: to the end of the log's newest checkpoint.

        `at_least` entries are waited for, for a few seconds, when that many are known to be recorded. With `workers`
        above one, so many processes verify what is much; a script that asks for them needs the `if __name__ ==
        "__main__":` of `multiprocessing`.

        Raises:
            LogUnverified: when the log does not prove what it should; nothing was stored by it.
            VerificationFailed: for the first record that does not verify, unless `keep_going`.
            HubError: when the hub cannot be reached or speaks of something else; whole pages stay.
            Moved: when another process follows the same mirror.
        """
        step = Step(cursor=self.store.cursor)
        # 1. What has expired.
        step.expired = self.store.expire(self._clock())
        # 2. The checkpoint.
        view = self._view(source, at_least)
        # 3. Whom to believe.
        trust = self._revisit(source, view, step, keep_going, limit)
        pages = self._pages(source, view, step.cursor, view.size - 1, limit)
        for batch in _verified(pages, trust, workers):
            # 6. Kept, what is released before what releases it: a process that dies in between looks again.
            self._fetch_again(source, view, trust, self._released(batch), step, keep_going, limit)
            self._apply(batch, view, step, keep_going)
            if on_page is not None:
                on_page(step)
        self.store.stepped(self._clock())
        return step

    def _view(self, source: Source, at_least: int) -> View:
        """Step 2."""
        log = Log(source.log, self.log, source.hub, clock=self._clock)
        view = log.latest(at_least)
        if (before := self.store.checkpoint) is not None:
            log.demand_continuation(view, before, "this mirror, before")
        return view

    def _directory(self, source: Source) -> Directory:
        community = self.store.community
        directory = source.directory(community)
        spoken = (directory.hub, directory.community, directory.audience)
        if spoken != (self.store.hub, community, source.audience(community)):
            raise HubError("directory-mismatch", "the directory is of another hub or community")
        return directory

    def _revisit(self, source: Source, view: View, step: Step, keep_going: bool, limit: int) -> Trust:
        """Step 3. When a state changed that records were withheld for, they are looked for again.

        The directory is kept only afterwards, so a process that dies in between looks again.
        """
        directory = self._directory(source)
        trust = _trusted(directory)
        absent = self.store.withheld()
        if absent and (reasons := freed(self.store.directory(), directory)):
            again = self.store.withheld(reasons)
            self._fetch_again(source, view, trust, again, step, keep_going, limit)
        self.store.remember(directory, source.policy())
        if left := left_behind(directory, self._clock()):
            step.absent += self.store.leave(left)
        return trust

    def _released(self, batch: "_Batch") -> list[int]:
        """The records withheld here that the hub says it shows now."""
        events = [item for item in batch.outcomes if isinstance(item, HubEvent) and item.kind == "release"]
        named = {seq for event in events for seq in released(event)}
        return [seq for seq in self.store.withheld() if seq in named] if named else []

    def _fetch_again(
        self,
        source: Source,
        view: View,
        trust: Trust,
        seqs: Sequence[int],
        step: Step,
        keep_going: bool,
        limit: int,
    ) -> None:
        """Fetch records that were withheld, and put what verifies in their place."""
        for first, last in _spans(seqs, limit):
            pages = self._pages(source, view, first - 1, last, min(limit, last - first + 1))
            for batch in _verified(pages, trust, 1):
                failures = [item for item in batch.outcomes if isinstance(item, Failure)]
                step.add(self.store.release(batch.outcomes, self._clock()))
                step.refused += failures
                if failures and (not keep_going or batch.end == batch.after):
                    raise VerificationFailed(failures[0])

    def _pages(self, source: Source, view: View, after: int, last: int, limit: int) -> Iterator[Part]:
        """Step 4: the parts of all pages from behind `after` to `last`, fetched as they are asked for."""
        while after < last:
            answer = source.page(self.store.community, None if after < 0 else after, limit)
            page = read_page(answer, after, view.size - 1)
            yield from parts(page, after, (raw for _, raw in view.entries(after + 1, page.end)))
            if page.end <= after:
                return
            after = page.end

    def _apply(self, batch: "_Batch", view: View, step: Step, keep_going: bool) -> None:
        """Step 6, or the error that ends the step."""
        while True:
            try:
                return self._try_to_apply(batch, view, step, keep_going)
            except Contradicted as error:
                failed = error.failure
                batch.outcomes = [failed if item.seq == failed.seq else item for item in batch.outcomes]

    def _try_to_apply(self, batch: "_Batch", view: View, step: Step, keep_going: bool) -> None:
        outcomes, cursor = batch.outcomes, batch.end
        failures = [item for item in outcomes if isinstance(item, Failure)]
        if failures and not keep_going:
            # What stands before the first failure in the log is sound. A failure without a place spoils the batch.
            places = [item.seq for item in failures if item.seq is not None and item.seq > step.cursor]
            end = min(places) if len(places) == len(failures) else step.cursor + 1
            outcomes = [item for item in outcomes if item.seq is not None and step.cursor < item.seq < end]
            cursor = end - 1
        stuck = cursor == step.cursor
        if not stuck:
            step.add(self.store.apply(outcomes, step.cursor, cursor, self._clock(), view.note))
            step.cursor = cursor
            step.pages += 1
        step.refused += failures
        if failures and (stuck or not keep_going):
            raise VerificationFailed(failures[0])

    # Read.

    def standing(self, indicator: Indicator) -> Standing:
        """Where an indicator stands now, and why."""
        return self.fold(self.store.about(indicator), self.store.directory(), self.store.policy())

    def fold(self, rows: Sequence[StatementRow], directory: Directory, policy: Policy) -> Standing:
        """The standing that statements about one indicator give at this time."""
        return fold(foldable(rows, directory), self._clock(), policy)

    def tally(self) -> dict[str, int]:
        """How many indicators stand at each status now."""
        counts: dict[str, int] = {}
        with self.store.reading():
            directory, policy = self.store.directory(), self.store.policy()
            for _, rows in self.store.folded():
                status = self.fold(rows, directory, policy).status
                counts[status] = counts.get(status, 0) + 1
        return counts


@dataclass(slots=True)
class _Batch:
    """What is stored together: everything about the log entries behind `after` up to `end`."""

    after: int
    end: int
    outcomes: list[Outcome] = field(default_factory=list)


def _verified(pages: Iterator[Part], trust: Trust, workers: int) -> Iterator[_Batch]:
    """Step 5: what is in the parts as outcomes, in the log's order, in batches to be stored together.

    While one batch is stored, the parts behind it are verified.
    """
    first = next(pages, None)
    if first is None:
        return
    few = first.closing and first.end - first.after < WORTH_WORKERS
    batch: _Batch | None = None
    with Workers(check_part, 1 if few else workers) as pool:
        for work, checked in pool.map((trust, part) for part in chain([first], pages)):
            part = work[1]
            batch = batch or _Batch(part.after, part.end)
            batch.outcomes += check_part(work) if isinstance(checked, Crashed) else checked
            batch.end = part.end
            if part.closing or part.end - batch.after >= BATCH:
                yield batch
                batch = None


def _trusted(directory: Directory) -> Trust:
    try:
        return Trust.of(directory)
    except Refused:
        raise HubError("answer-invalid", "a key in the hub's directory cannot be read") from None


def _spans(seqs: Sequence[int], limit: int) -> Iterator[tuple[int, int]]:
    """First and last of the spans to fetch for some sequence numbers: what lies close together is fetched at once."""
    first: int | None = None
    last = START
    for seq in seqs:
        if first is not None and seq - last > limit:
            yield first, last
            first = None
        first = seq if first is None else first
        last = seq
    if first is not None:
        yield first, last

"""A local mirror of one community: follow the hub's feed, believe only what verifies, answer offline.

One step of following:
 1. Drop what the clock says has expired.
 2. Fetch the directory and the policy; they must speak of this hub and community. Where a suspended member is active
    again, what was withheld meanwhile is fetched once more.
 3. Fetch a page behind the cursor, and the log entries it spans; an empty page ends the step.
 4. Verify it (the numbered steps of `tocsin_client.feed`). A key that is not known is looked for once more in a fresh
    directory: its owner may have joined meanwhile.
 5. In one transaction: store what verified, tombstones and withheld records, carry out retractions (only by the
    statement's own author), drop what has expired, move the cursor. Then on to the next page.
A record that does not verify stops the step with an error behind everything before it; with `keep_going` it is noted as
refused and passed over. The process may die anywhere: the next step starts behind the last whole page.

Status is never stored: it is folded on reading, so the clock, a suspension and a new policy bite at once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, Protocol, Self

from tocsin_client.clock import Clock, system_clock
from tocsin_client.feed import Failure, Outcome, Page, Pair, Trust, check_all, pair, read_page
from tocsin_client.http import HubError
from tocsin_client.mirror_store import START, Applied, MirrorStore
from tocsin_client.pool import Crashed, Workers
from tocsin_client.statements import StatementRow, foldable
from tocsin_schemas.feed import Directory
from tocsin_schemas.fold import Standing, fold
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.policy import Policy
from tocsin_schemas.problems import Refused

PAGE: Final = 5_000
CHUNK: Final = 500
"""Records that a worker process verifies at a time."""
WORTH_WORKERS: Final = 2_000
"""Pages of at least so many records are verified by worker processes."""


Pool = Workers[tuple[Trust, Sequence[Pair | Failure]], list[Outcome]]


class Source(Protocol):
    """Where a mirror follows from: `tocsin_client.client.Client` is one."""

    @property
    def hub(self) -> str:
        """The hub's base URL, its issuer."""
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

    def page(self, community: str, after: int | None, limit: int) -> list[bytes]:
        """Raw feed lines behind `after`."""
        ...

    def entries(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """Log entries `first` to `last`."""
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
    """The mirror of one community of one hub, in the file at `path`. `clock` gives Unix seconds."""

    def __init__(self, store: MirrorStore, *, clock: Clock = system_clock) -> None:
        self.store = store
        self._clock = clock

    @classmethod
    def open(
        cls, path: Path, hub: str, community: str, *, clock: Clock = system_clock, create: bool = True
    ) -> Self:
        """Open or make a mirror.

        Raises:
            NotReady: as `MirrorStore.open`.
        """
        return cls(MirrorStore.open(path, hub, community, create=create), clock=clock)

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
        on_page: Callable[[Step], object] | None = None,
    ) -> Step:
        """One step: to the end of the feed. With `workers` above one, so many processes verify large pages; a script
        that asks for them needs the `if __name__ == "__main__":` of `multiprocessing`.

        Raises:
            VerificationFailed: for the first record that does not verify, unless `keep_going`.
            HubError: when the hub cannot be reached or speaks of something else; whole pages stay.
            Moved: when another process follows the same mirror.
        """
        step = Step(cursor=self.store.cursor)
        step.expired = self.store.expire(self._clock())
        with Workers(check_all, workers) as pool:
            trust = self._revisit(source, step, keep_going, limit, pool)
            while lines := self._lines(source, step.cursor, limit):
                page = read_page(lines, step.cursor)
                outcomes = self._verify(source, page, trust, step.cursor, pool)
                if any(isinstance(item, Failure) and item.code == "key-unknown" for item in outcomes):
                    trust = self._fetch_trust(source)
                    outcomes = self._verify(source, page, trust, step.cursor, pool)
                self._apply(outcomes, page.last, step, keep_going)
                if on_page is not None:
                    on_page(step)
        self.store.stepped(self._clock())
        return step

    def _fetch_trust(self, source: Source) -> Trust:
        """Fetch directory and policy, and keep them."""
        directory = self._directory(source)
        trust = _trusted(directory)
        self.store.remember(directory, source.policy())
        return trust

    def _directory(self, source: Source) -> Directory:
        community = self.store.community
        directory = source.directory(community)
        spoken = (directory.hub, directory.community, directory.audience)
        if spoken != (self.store.hub, community, source.audience(community)):
            raise HubError("directory-mismatch", "the directory is of another hub or community")
        return directory

    def _revisit(self, source: Source, step: Step, keep_going: bool, limit: int, pool: Pool) -> Trust:
        """Step 2. When a member came back, records withheld because of its state are looked for again.

        The directory is kept only afterwards, so a process that dies in between looks again.
        """
        directory = self._directory(source)
        trust = _trusted(directory)
        span = self.store.withheld()
        if span is not None and _suspended(self.store.directory()) - _suspended(directory):
            after, last = span[0] - 1, span[1]
            while after < last and (lines := self._lines(source, after, limit)):
                page = read_page(lines, after)
                outcomes = self._verify(source, page, trust, after, pool)
                failures = [item for item in outcomes if isinstance(item, Failure)]
                step.add(self.store.release(outcomes, self._clock()))
                step.refused += failures
                if failures and (not keep_going or page.last == after):
                    raise VerificationFailed(failures[0])
                after = page.last
        self.store.remember(directory, source.policy())
        return trust

    def _lines(self, source: Source, after: int, limit: int) -> list[bytes]:
        return source.page(self.store.community, None if after < 0 else after, limit)

    def _verify(self, source: Source, page: Page, trust: Trust, after: int, pool: Pool) -> list[Outcome]:
        """Step 4: everything on a page as an outcome, the lines without a place first, then in the log's order."""
        entries = source.entries(after + 1, page.last) if page.last > after else iter(())
        found = pair(page, entries, trust.community)
        outcomes: list[Outcome] = [*page.failures]
        if len(page.records) < WORTH_WORKERS:
            return outcomes + check_all((trust, list(found)))
        parts = iter(lambda: list(islice(found, CHUNK)), [])
        for (_, part), checked in pool.map((trust, part) for part in parts):
            outcomes += check_all((trust, part)) if isinstance(checked, Crashed) else checked
        return outcomes

    def _apply(self, outcomes: list[Outcome], last: int, step: Step, keep_going: bool) -> None:
        """Step 5, or the error that ends the step."""
        failures = [item for item in outcomes if isinstance(item, Failure)]
        cursor = last
        if failures and not keep_going:
            # What stands before the first failure in the log is sound. A failure without a place spoils the page.
            places = [item.seq for item in failures if item.seq is not None and item.seq > step.cursor]
            end = min(places) if len(places) == len(failures) else step.cursor + 1
            outcomes = [item for item in outcomes if item.seq is not None and step.cursor < item.seq < end]
            cursor = end - 1
        stuck = cursor == step.cursor
        if not stuck:
            step.add(self.store.apply(outcomes, step.cursor, cursor, self._clock()))
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


def _trusted(directory: Directory) -> Trust:
    try:
        return Trust.of(directory)
    except Refused:
        raise HubError("answer-invalid", "a key in the hub's directory cannot be read") from None


def _suspended(directory: Directory) -> set[str]:
    return {member.issuer for member in directory.members if member.state != "active"}

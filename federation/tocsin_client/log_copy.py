"""Believe a copy of a log: it may be older than what was seen of the log, and says nothing of what the log shows now.

A copy's checkpoint is accepted by the steps of `tocsin_client.log`, with cosignatures of any age, but for step 2:

2. One that is shorter than the one accepted last must be its beginning: the accepted one's tree has the copy's root at
   the copy's size.                                                                       `log-forked`
   The tiles for it come from the log itself where it answers, else from the copy; where neither has them, `View.older`
   says that it was not shown. Such a copy never takes the place of the one accepted last, and is no evidence that the
   log was rolled back: it is not the log that shows it.
"""

from typing import ClassVar

from tocsin_client.clock import Clock, system_clock
from tocsin_client.evidence import Inside
from tocsin_client.http import HubError
from tocsin_client.log import Log, LogUnverified, Older, View
from tocsin_client.log_source import LogSource
from tocsin_client.log_store import LogStore, said_by
from tocsin_schemas.checkpoint import Opened


class LogCopy(Log):
    """A copy of one hub's log, read from `source`; `original` is where the hub itself serves the log."""

    catches_up: ClassVar = False

    def __init__(
        self,
        source: LogSource,
        store: LogStore,
        hub: str,
        original: LogSource,
        *,
        clock: Clock = system_clock,
    ) -> None:
        super().__init__(source, store, hub, clock=clock, max_age=None)
        self._original = original

    def _shorter(self, view: View, earlier: bytes, seen_at: str) -> None:
        """Step 2: the copy must be the beginning of what was seen."""
        inside = self._inside(earlier, view.size)
        if inside is not None and inside.root != view.checkpoint.root:
            raise self._parted(view, earlier, inside, seen_at)
        known, shown = said_by(earlier).size, inside is not None
        if view.older is not None:
            known, shown = max(known, view.older.size), shown and view.older.shown
        view.older = Older(known, shown)

    def _inside(self, longer: bytes, size: int) -> Inside | None:
        """The root that the longer tree had at `size`; None when neither place has the tiles that lead to it."""
        for source in (self._original, self.source):
            try:
                return View(Opened(said_by(longer), (), longer), source).inside(size)
            except (LogUnverified, HubError):
                continue
        return None

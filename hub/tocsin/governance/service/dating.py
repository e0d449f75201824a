"""Records that a clock has dated ahead: of this machine's time, or of an entry of the log behind them.

They cannot be taken back, and what they say is in force. So they are named for as long as there is a log; and while the
newest record is ahead of the clock, no rule of the calendar comes true: one of the two clocks was wrong.
"""

import threading
from collections.abc import Mapping

from tocsin.db import UnitOfWork
from tocsin.ledger import service as ledger
from tocsin_schemas.board import BoardState
from tocsin_schemas.ledger import Entry
from tocsin_schemas.log_times import SKEW, DatedAhead


class Dating:
    """How far the log was read for this; one for a process, since each entry is looked at once."""

    def __init__(self) -> None:
        self._ahead = DatedAhead()
        self._next: int | None = None
        self._lock = threading.Lock()

    def ahead(self, uow: UnitOfWork, places: Mapping[int, Entry], size: int) -> list[int]:
        """Which of the records at `places`, leaf indexes in order, are dated ahead; the log has `size` entries."""
        with self._lock:
            for seq, entry in places.items():
                if self._next is None or seq >= self._next:
                    self._read(uow, seq)
                    self._ahead.board(seq, entry.recorded_at)
                    self._next = seq + 1
            if self._next is not None:
                self._read(uow, max(size, self._next))
            shown = set(self._ahead.found)
        return [
            number
            for number, (seq, entry) in enumerate(places.items())
            if seq in shown or entry.recorded_at > uow.now + SKEW
        ]

    def _read(self, uow: UnitOfWork, end: int) -> None:
        """The entries up to but without `end`; before the first record there is nothing to compare."""
        if self._next is None:
            return
        earliest = ledger.earliest(uow, self._next, end)
        if earliest is not None:
            self._ahead.later(earliest)
        self._next = end


def calendar_waits(state: BoardState, now: int) -> bool:
    """Whether the newest record is ahead of the clock, so that no rule of the calendar comes true."""
    return state.at > now + SKEW

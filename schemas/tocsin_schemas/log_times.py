"""Whether the times in a log fit together: what the board's entries say against what stands behind them. Pure.

A hub writes its log in one order, and dates each entry with its clock as it is written. So an entry that is dated later
than one behind it was written by a clock that was ahead, and that stays visible as long as there is a log. Clocks of
several processes differ by seconds, and who waits for the log has read its own before: `SKEW` is allowed for both.
"""

from typing import Final

SKEW: Final = 60
"""Seconds by which honest clocks may differ."""
WITNESS_BEHIND: Final = 1200
"""Seconds that a witness's clock may be behind the hub's: a hub takes no cosignature that is older as it arrives."""


class DatedAhead:
    """Reads the log's entries in their order, and finds those of the board that are dated later than one behind them.

    `found` has their leaf indexes, each with the time (Unix seconds) of the entry that shows it. Only entries dated
    before `floor` can show anything; None as long as none can.
    """

    def __init__(self) -> None:
        self.found: dict[int, int] = {}
        self.floor: int | None = None
        self._standing: dict[int, int] = {}

    def board(self, seq: int, at: int) -> None:
        """The next entry is one of the board's, at leaf index `seq`, and is dated `at`."""
        self.later(at)
        self._standing[seq] = at
        self._settle()

    def later(self, at: int) -> None:
        """An entry behind all those so far is dated `at`."""
        if self.floor is not None and at < self.floor:
            shown = {seq: at for seq, dated in self._standing.items() if at < dated - SKEW}
            self.found |= shown
            self._standing = {seq: dated for seq, dated in self._standing.items() if seq not in shown}
            self._settle()

    def _settle(self) -> None:
        self.floor = max(self._standing.values()) - SKEW if self._standing else None

"""What a log says about power, read once from its beginning to its end."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tocsin_client.log import View
from tocsin_schemas.checkpoint import Cosigned
from tocsin_schemas.ledger import Entry, rfc3339
from tocsin_schemas.log_times import SKEW, DatedAhead
from tocsin_schemas.problems import Refused
from tocsin_schemas.vocabulary import BOARD, SCOPE_WORDS

REPORTED: Final = 1024
"""Entries of the log after which progress is told."""
Entries = Mapping[int, Entry]
"""The log's entries about power and what leads to it, by their index."""
Progress = Callable[[int], object]
_SCOPES: Final = tuple(f'"community":"{word}"'.encode() for word in sorted(SCOPE_WORDS))
_TIME: Final = slice(-22, -2)
"""Where an entry's bytes have its time; of two, the earlier one is the lesser as bytes."""


@dataclass(frozen=True, slots=True)
class Logged:
    """What a log says, as one view of it shows it.

    `unreadable` are the indexes of entries that name a scope word and are none. `ahead` are entries of the board that
    are dated later than one behind them, with the time of that one. `now` is when this was read, and `cosigned` when
    the view's checkpoint was cosigned last; each None if that is not known. Times are Unix seconds.
    """

    entries: Entries
    unreadable: tuple[int, ...] = ()
    ahead: Mapping[int, int] = field(default_factory=dict)
    now: int | None = None
    cosigned: int | None = None


def logged_in(view: View, now: int, on_progress: Progress | None = None) -> Logged:
    """Read every entry of a view, at `now`. Tiles are read, too: a copy needs them.

    Raises:
        LogUnverified: as `View.entries`.
    """
    found: dict[int, Entry] = {}
    unreadable: list[int] = []
    ahead = DatedAhead()
    floor = b""
    for seq, raw in view.entries(0, view.size - 1, tiles=True):
        if on_progress is not None and seq % REPORTED == REPORTED - 1:
            on_progress(REPORTED)
        about_power = any(scope in raw for scope in _SCOPES)
        if not about_power and raw[_TIME] >= floor:
            continue
        try:
            entry = Entry.decode(raw)
        except Refused:
            if about_power:
                unreadable.append(seq)
            continue
        if entry.community in SCOPE_WORDS:
            found[seq] = entry
        if entry.community == BOARD:
            ahead.board(seq, entry.recorded_at)
        else:
            ahead.later(entry.recorded_at)
        floor = b"" if ahead.floor is None else rfc3339(ahead.floor).encode()
    return Logged(found, tuple(unreadable), ahead.found, now, _last(view.cosigned, now))


def _last(cosigned: Iterable[Cosigned], now: int) -> int | None:
    """When a checkpoint was cosigned last; a cosignature of a time that has not come counts for nothing."""
    return max((item.time for item in cosigned if item.time <= now + SKEW), default=None)

"""Watch a hub's log from several places at once: does it show everybody the same, and never less than before?

One look:
1. Accept the hub's newest checkpoint (the numbered steps of `tocsin_client.log`).
2. Read every entry that is new since the last look, and the tiles over them, each proved by that checkpoint. The first
   look reads all there are; new are those behind the checkpoint that was kept on this machine before.
3. Ask each other vantage point what it was shown: copies of the log, other followers, witnesses. What they have counts
   if the log's own key has signed it, whoever hands it over.
4. Hold each against the hub's: the same root at the same size. An older one must be a prefix, which the hub's tiles
   show. One that is longer is waited for; if the hub does not catch up with what it has signed, it has rolled back.

Whatever contradicts ends the look with `LogUnverified`, and the two checkpoints are kept as evidence.
"""

import hashlib
from collections.abc import Sequence
from typing import Literal, NamedTuple

from tocsin_client.http import HubError
from tocsin_client.log import Log, View
from tocsin_client.log_source import CHECKPOINT, LogSource
from tocsin_client.log_store import said_by
from tocsin_schemas.checkpoint import open_checkpoint
from tocsin_schemas.problems import Refused

State = Literal[
    "agrees", "older, and a prefix", "has nothing", "cannot be reached", "shows nothing the log signed"
]


class Vantage(NamedTuple):
    """Another place where a checkpoint of the log can be read."""

    source: LogSource
    path: str = CHECKPOINT


class Sight(NamedTuple):
    """What a vantage point had: the size of its checkpoint, if it has one."""

    name: str
    state: State
    size: int | None = None


class Look(NamedTuple):
    """One look: the hub's log, how many entries were read, how many are new to this machine, what the others had."""

    view: View
    read: int
    new: int
    sights: list[Sight]


def witnessed(source: LogSource, origin: str) -> Vantage:
    """A witness's copy of a log's checkpoint, below its monitoring prefix (C2SP tlog-witness)."""
    return Vantage(source, f"{hashlib.sha256(origin.encode()).hexdigest()}/{CHECKPOINT}")


def look(log: Log, others: Sequence[Vantage], after: int) -> Look:
    """Look once; `after` is the size of the log at the look before, 0 for the first.

    Raises:
        LogUnverified: when the log does not prove what it should, or shows others something else.
        HubError: when the hub cannot be reached.
    """
    kept = log.store.kept()
    known = 0 if kept is None else said_by(kept).size
    # 1. and 2.
    view = log.latest()
    read = _read(view, after)
    sights = []
    for other in others:
        # 3. What it was shown.
        sight, note = _see(log, other)
        if note is not None and sight.size is not None:
            if sight.size > view.size:
                seen, view = view.size, log.latest(at_least=sight.size)
                read += _read(view, seen)
            # 4. Held against the hub's.
            log.demand_continuation(view, note, other.source.name)
            if sight.size < view.size:
                sight = sight._replace(state="older, and a prefix")
        sights.append(sight)
    return Look(view, read, view.size - known, sights)


def _read(view: View, after: int) -> int:
    return sum(1 for _ in view.entries(after, view.size - 1, tiles=True))


def _see(log: Log, other: Vantage) -> tuple[Sight, bytes | None]:
    name = other.source.name
    try:
        note = other.source.read(other.path)
    except (HubError, OSError):
        return Sight(name, "cannot be reached"), None
    if note is None:
        return Sight(name, "has nothing"), None
    try:
        head = open_checkpoint(note, [known.verifier for known in log.policy().logs]).checkpoint
    except Refused:
        head = None
    if head is None or head.origin != log.origin:
        return Sight(name, "shows nothing the log signed"), None
    return Sight(name, "agrees", head.size), note

"""Believe a log only as far as it proves itself: accept its checkpoints, read its entries and make its proofs.

A checkpoint is accepted by these steps; docs/signal-lifecycle.md uses the same numbers. One that fails ends the reading
with `LogUnverified`: its code, why, and where the evidence is kept. Steps 2-4 leave evidence, two checkpoints that the
log's own key signed.

1. A key that the pinned policy names for this log has signed it. From here on it is the log's word, however few
   witnesses there are.
                `note-malformed` `checkpoint-malformed` `checkpoint-unsigned` `signature-invalid`
2. It is not shorter than the one accepted last.                                          `log-rolled-back`
3. At the same size it has the same root.                                                 `log-forked`
4. A longer one contains the one accepted last: the root at that size follows from tiles
   that lead to the new root.                                                             `log-forked`
5. Enough of the policy's witnesses cosigned it within the hour. It takes the place of the one accepted last, before
   anything below it is used.                                         `quorum-missing` `checkpoint-stale`
6. Every tile and every entry read from here on leads to its root.      `log-tile-mismatch` `log-entry-mismatch`
                                                                        `log-incomplete`

A copy of a log may be older: `tocsin_client.log_copy`.

The first time, the policy that the hub serves is pinned; a member who was handed one by another channel pins that.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, Final, NamedTuple

from tocsin_client.clock import Clock, system_clock
from tocsin_client.evidence import Finding, Inside
from tocsin_client.log_source import CHECKPOINT, POLICY, LogSource
from tocsin_client.log_store import LogStore, said_by
from tocsin_schemas import ledger, merkle
from tocsin_schemas.checkpoint import Checkpoint, Opened, is_sandbox, log_origin, open_checkpoint
from tocsin_schemas.merkle import Tile, TileTree
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_policy import LogPolicy, parse_policy
from tocsin_schemas.tlog_proof import Proof

MAX_AGE: Final = 3600
"""Seconds that a cosignature may be old, where the policy demands any (protocol.md §5)."""
PASSING: Final = frozenset({"quorum-missing", "checkpoint-stale", "log-incomplete"})
"""Codes of what may be over in a minute: a witness is late, a file is on its way."""
PAUSE: Final = 0.25
LOOKS: Final = 6
"""How often a checkpoint that is shorter than an earlier one is looked at again: caches may lag for a second."""
PATIENCE: Final = 20
"""How often a checkpoint is looked at again that does not cover yet what was recorded: a hub publishes every second."""
_wait: Final = threading.Event().wait


class LogUnverified(Exception):
    """The log does not prove what it should: the code of the step, why, and where evidence is kept, if there is any."""

    def __init__(self, code: str, reason: str, evidence: Path | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.evidence = evidence


class Older(NamedTuple):
    """A checkpoint of `size` entries was seen before this one; `shown`: whether it is shown to contain this one."""

    size: int
    shown: bool


class View:
    """A log as one accepted checkpoint shows it. Everything read through it has been verified (step 6).

    `older` says of a copy that more of the log had been seen before.
    """

    def __init__(self, opened: Opened, source: LogSource) -> None:
        self.checkpoint: Checkpoint = opened.checkpoint
        self.note = opened.raw
        self.cosigned = opened.cosignatures
        self.source = source
        self.older: Older | None = None
        self.tree = TileTree(self.checkpoint.size, self.checkpoint.root, self._tile)

    @property
    def size(self) -> int:
        """How many entries it covers."""
        return self.checkpoint.size

    @property
    def sandbox(self) -> bool:
        """Whether it is the log of a sandbox, where no board decides."""
        return is_sandbox(self.checkpoint.origin)

    def entries(self, first: int, last: int, *, tiles: bool = False) -> Iterator[tuple[int, bytes]]:
        """The entries `first` to `last` (both included; cut at the end of the view), in order.

        Whole bundles need not the tile of their own leaves; with `tiles` that one is read and verified too.

        Raises:
            LogUnverified: when a bundle or a tile does not lead to the root, naming the entry where it can.
        """
        last = min(last, self.size - 1)
        if last < first:
            return
        for index in range(first // ledger.BUNDLE_ENTRIES, last // ledger.BUNDLE_ENTRIES + 1):
            start = index * ledger.BUNDLE_ENTRIES
            if tiles:
                self._leaves(start, start + 1)
            for seq, raw in enumerate(self._bundle(index, start), start):
                if first <= seq <= last:
                    yield seq, raw

    def proof(self, seq: int, extra: bytes | None = None) -> Proof:
        """The proof that entry `seq` is in the log, by the view's checkpoint.

        Raises:
            Refused: `not-found` when the checkpoint does not cover it.
            LogUnverified: as `entries`.
        """
        if not 0 <= seq < self.size:
            raise Refused("not-found", "seq", "the checkpoint does not cover such an entry")
        return Proof(seq, tuple(self.ask(lambda tree: tree.inclusion(seq))), self.note, extra)

    def ask(self, question: "Callable[[TileTree], list[bytes]]") -> list[bytes]:
        """What the tree answers.

        Raises:
            LogUnverified: when a tile does not lead to the root.
        """
        try:
            return question(self.tree)
        except Refused as refused:
            raise LogUnverified(
                refused.code, f"{self.source.name}: {refused.field}: {refused.reason}"
            ) from None

    def root_at(self, size: int) -> bytes:
        """The root of the log's first `size` entries.

        Raises:
            LogUnverified: when a tile does not lead to the view's root.
        """
        return self.ask(lambda tree: [tree.root_at(size)])[0]

    def inside(self, size: int) -> Inside:
        """The root of the log's first `size` entries, and the proof that leads from there to the view's.

        Raises:
            LogUnverified: as `root_at`.
        """
        return Inside(self.root_at(size), tuple(self.ask(lambda tree: tree.consistency(size))))

    def _bundle(self, index: int, start: int) -> list[bytes]:
        width = min(self.size - start, ledger.BUNDLE_ENTRIES)
        raw = self._read(ledger.bundle_path(index, width), ledger.bundle_path(index))
        path = ledger.bundle_path(index, width)
        try:
            found = ledger.decode_bundle(raw)[:width]
        except Refused as refused:
            raise LogUnverified(
                "log-entry-mismatch", f"{self.source.name}: {path}: {refused.reason}"
            ) from None
        hashes = [merkle.leaf_hash(entry) for entry in found]
        if (
            width == ledger.BUNDLE_ENTRIES
            and merkle.tree_root(hashes) == self.ask(lambda tree: [tree.bundle_root(index)])[0]
        ):
            return found
        # A partial bundle, or one that does not fit: which entry it is shows in the leaves.
        for place, leaf in enumerate(self._leaves(start, start + width)):
            if place >= len(hashes):
                reason = f"{path} ends before entry {start + place}, which the log has"
                raise LogUnverified("log-entry-mismatch", f"{self.source.name}: {reason}")
            if hashes[place] != leaf:
                reason = f"entry {start + place} in {path} is not the one in the log's tree"
                raise LogUnverified("log-entry-mismatch", f"{self.source.name}: {reason}")
        return found

    def _leaves(self, first: int, end: int) -> list[bytes]:
        return self.ask(lambda tree: tree.hashes(first, end))

    def _tile(self, tile: Tile) -> bytes:
        return self._read(tile.path, Tile(tile.level, tile.index).path)

    def _read(self, path: str, whole: str) -> bytes:
        """An object at `path`; the whole one once it has taken the place of a partial one (tlog-tiles)."""
        raw = self.source.read(path)
        if raw is None and whole != path:
            raw = self.source.read(whole)
        if raw is None:
            raise LogUnverified("log-incomplete", f"{self.source.name}: {path} is not there")
        return raw


class Log:
    """One hub's log, read from `source`, believed by what `store` remembers.

    `max_age` is the oldest cosignature accepted, in seconds (None: any age, for a copy). `pause` waits so many seconds.
    """

    catches_up: ClassVar = True
    """Whether it is worth looking again when the source shows less than is known."""

    def __init__(
        self,
        source: LogSource,
        store: LogStore,
        hub: str,
        *,
        clock: Clock = system_clock,
        max_age: int | None = MAX_AGE,
        pause: Callable[[float], object] = _wait,
    ) -> None:
        self.source = source
        self.store = store
        self._hub = hub
        self._clock = clock
        self._max_age = max_age
        self._pause = pause

    @property
    def origin(self) -> str:
        """The name of the log: that of a sandbox only where the pinned policy knows no other.

        Raises:
            LogUnverified: as `policy`.
        """
        known = {log.verifier.name for log in self.policy().logs}
        return log_origin(self._hub, sandbox=log_origin(self._hub) not in known)

    def now(self) -> int:
        """What time it is on this machine (Unix seconds)."""
        return self._clock()

    def policy(self) -> LogPolicy:
        """The pinned policy; the first time, the one that the source serves is pinned.

        Raises:
            LogUnverified: `policy-malformed` when what it serves is no policy for this log.
        """
        pinned = self.store.policy()
        if pinned is None:
            pinned = self.served_policy()
            self.store.pin(pinned)
        return pinned

    def served_policy(self) -> LogPolicy:
        """The policy that the source serves now.

        Raises:
            LogUnverified: `policy-malformed`, or `log-incomplete` when there is none.
        """
        raw = self.source.read(POLICY)
        if raw is None:
            raise LogUnverified("log-incomplete", f"{self.source.name} serves no log policy")
        try:
            policy = parse_policy(raw)
        except Refused as refused:
            raise LogUnverified(refused.code, f"the policy of {self.source.name}: {refused.reason}") from None
        self._demand_ours(policy)
        return policy

    def pin(self, policy: LogPolicy) -> None:
        """Believe this policy from now on.

        Raises:
            LogUnverified: `policy-malformed` when it names no key of this log.
        """
        self._demand_ours(policy)
        self.store.pin(policy)

    def _demand_ours(self, policy: LogPolicy) -> None:
        ours = {log_origin(self._hub), log_origin(self._hub, sandbox=True)}
        if not any(log.verifier.name in ours for log in policy.logs):
            raise LogUnverified("policy-malformed", "the policy names no key of this hub's log")

    def latest(self, at_least: int = 0) -> View:
        """Accept the log's newest checkpoint: steps 1-5.

        `at_least` entries are waited for, for a few seconds, when that many are known to be recorded.

        Raises:
            LogUnverified: when a step fails.
        """
        looks = 0
        while True:
            kept = self.store.kept()
            view = self.read()
            looks += 1
            known = 0 if kept is None else said_by(kept).size
            behind = (view.size < known and looks < LOOKS) or (view.size < at_least and looks < PATIENCE)
            if behind and self.catches_up:
                self._pause(PAUSE)
                continue
            if kept is not None:
                self.demand_continuation(view, kept)
            # 5. Kept, unless another process was faster: then that one is to be continued.
            self._demand_quorum(view)
            if view.older is not None or self.store.keep(view.note, kept):
                return view

    def read(self) -> View:
        """Step 1 alone: the checkpoint that the source shows, if the log has signed it.

        Raises:
            LogUnverified: when it does not.
        """
        raw = self.source.read(CHECKPOINT)
        if raw is None:
            raise LogUnverified("log-incomplete", f"{self.source.name} shows no checkpoint")
        known = [log.verifier for log in self.policy().logs]
        try:
            opened = open_checkpoint(raw, known)
        except Refused as refused:
            raise self._refused(refused) from None
        if opened.checkpoint.origin != self.origin:
            raise LogUnverified("checkpoint-unsigned", f"{self.source.name} shows another log's checkpoint")
        return View(opened, self.source)

    def _demand_quorum(self, view: View) -> None:
        """The witnesses of step 5."""
        try:
            view.cosigned = self.policy().open(view.note, self._clock(), self._max_age).cosignatures
        except Refused as refused:
            raise self._refused(refused) from None

    def _refused(self, refused: Refused) -> LogUnverified:
        return LogUnverified(refused.code, f"the checkpoint of {self.source.name}: {refused.reason}")

    def demand_continuation(self, view: View, earlier: bytes, seen_at: str = "this machine, before") -> None:
        """Steps 2-4: check that a view continues a note that was accepted earlier, or seen elsewhere.

        Raises:
            LogUnverified: `log-rolled-back` or `log-forked`, with the evidence kept.
        """
        before = said_by(earlier)
        if view.size < before.size:
            # 2. Not shorter.
            self._shorter(view, earlier, seen_at)
            return
        # 3. and 4. The same root at the earlier size. That two of one size differ shows without any tile.
        same = view.size == before.size
        if (view.checkpoint.root if same else view.root_at(before.size)) != before.root:
            inside = None if same else view.inside(before.size)
            here = view.source.name
            evidence = self._accuse("log-forked", (earlier, view.note), inside, (seen_at, here))
            reason = (
                f"{here} shows a log of {view.size} entries that does not continue the one of {before.size}"
                f" entries shown to {seen_at}"
            )
            raise LogUnverified("log-forked", reason, evidence)

    def _shorter(self, view: View, earlier: bytes, seen_at: str) -> None:
        """Step 2 has failed. It may also be of another log altogether, which the longer one's tiles tell."""
        try:
            inside = View(Opened(said_by(earlier), (), earlier), view.source).inside(view.size)
        except LogUnverified:
            inside = None
        if inside is not None and inside.root != view.checkpoint.root:
            raise self._parted(view, earlier, inside, seen_at)
        evidence = self._accuse("log-rolled-back", (view.note, earlier), None, (view.source.name, seen_at))
        raise LogUnverified("log-rolled-back", _short(view, earlier, seen_at), evidence)

    def _parted(self, view: View, longer: bytes, inside: Inside, seen_at: str) -> LogUnverified:
        """That a view is no part of a longer log: at its size that one had another root."""
        evidence = self._accuse("log-forked", (view.note, longer), inside, (view.source.name, seen_at))
        reason = f"{_short(view, longer, seen_at)}, and the two do not agree"
        return LogUnverified("log-forked", reason, evidence)

    def _accuse(
        self, code: str, notes: tuple[bytes, bytes], inside: Inside | None, seen_at: tuple[str, str]
    ) -> Path:
        return self.store.accuse(Finding(code, *notes, inside, seen_at, self._clock()))


def _short(view: View, longer: bytes, seen_at: str) -> str:
    size = said_by(longer).size
    return f"{view.source.name} shows a log of {view.size} entries; one of {size} was shown to {seen_at}"

"""Feeding the log's checkpoints to its witnesses, and heeding what they have seen.

Rules: the operator's policy file says who is a witness (C2SP tlog-policy); a publication waits for all of them together
for `witness_timeout` and goes on without whoever has not answered; who fails is left alone for a while, longer each
time. Nobody is written down as having cosigned before the cosignature is verified. A witness that has seen a log of
ours that we do not have is an alarm: nothing new is signed until it cosigns again or the operator strikes it from the
policy, because a fork can never be mended, and a log that waits can.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from tocsin.config import Settings
from tocsin.db import Database
from tocsin.egress import Egress, Unanswered, Why, base_url
from tocsin.errors import Misconfigured, Refused
from tocsin.ledger.rules import Conflict
from tocsin.ledger.service import asking
from tocsin.ledger.service.asking import FRESH_SECONDS, Contradicted, Cosigned, Failed, Feed, Outcome, Place
from tocsin.ledger.store import witnesses as store
from tocsin.ledger.store.publication import published_size
from tocsin.ledger.store.witnesses import Known
from tocsin.telemetry import COSIGNATURES
from tocsin_schemas.checkpoint import Checkpoint, open_checkpoint
from tocsin_schemas.merkle import TileTree
from tocsin_schemas.notes import NoteVerifier
from tocsin_schemas.tlog_policy import Log, LogPolicy, parse_policy

logger = logging.getLogger(__name__)

HALTED_SECONDS: Final = 1.0
LONGEST_PAUSE: Final = 600
"""Seconds that a witness which keeps failing is left alone; the first time it is 2, then twice as long each time."""
_MOST_DOUBLINGS: Final = 16
_WHY: Final[Mapping[Why, str]] = {
    "timeout": "it did not answer in time",
    "tls": "its certificate is not trusted",
    "unreachable": "no whole answer came",
    "too-large": "its answer is too large",
    "encoded": "its answer is compressed, which was not asked for",
    "refused": "its address is none that can be called",
    "dns": "its host name stands for no address",
}
Result = Cosigned | Failed | Conflict
"""What asking a witness came to, in the end."""


class Alarm(NamedTuple):
    """A witness has seen a log under our name that is not the one we have: what, and what to do."""

    name: str
    what: str
    advice: str


class WitnessSet:
    """The witnesses of this log, as `policy` names them; `log` is the key that signs its checkpoints."""

    def __init__(
        self, database: Database, policy: LogPolicy, log: NoteVerifier, egress: Egress, seconds: float
    ) -> None:
        self.policy = policy
        self._database = database
        self._log = log
        self._egress = egress
        self._seconds = seconds
        self._places = _places(policy)
        self._halted = (-HALTED_SECONDS, False)

    def due(self, note: bytes, now: int) -> bool:
        """Whether to ask: below `note` a cosignature is missing or old, and its witness is not being left alone."""
        return bool(self._places and self._due(note, now, self._known()))

    def collect(
        self, checkpoint: Checkpoint, note: bytes, tree: TileTree, *, everyone: bool = False
    ) -> list[str]:
        """Ask whom the note lacks for a cosignature; the signature lines that came, verified. `tree` makes the proofs.

        With `everyone`, all are asked. Takes twice `witness_timeout` at the most.
        """
        now, known = self._database.clock(), self._known()
        asked = self._places if everyone else self._due(note, now, known)
        if not asked:
            return []
        feed = Feed.of(checkpoint, note, self._log, tree, now)
        results = self._ask(asked, known, feed)
        self._remember(asked, results, checkpoint.size)
        return [line for result in results if isinstance(result, Cosigned) for line in result.lines]

    def alarms(self) -> list[Alarm]:
        """What forbids to sign anything new."""
        if not self._places:
            return []
        known = self._known()
        return [
            _alarm(place.name, conflict)
            for place in self._places
            if (conflict := known[place.digest].conflict) is not None
        ]

    def halted(self) -> bool:
        """Whether there are alarms, as of a second ago at most: asked with every submission."""
        asked_at, halted = self._halted
        if self._places and time.monotonic() - asked_at >= HALTED_SECONDS:
            halted = bool(self.alarms())
            self._halted = (time.monotonic(), halted)
        return halted

    def _due(self, note: bytes, now: int, known: Mapping[bytes, Known]) -> list[Place]:
        # By the note, which is what followers see: what a crash left out of it is asked for again.
        keys = [key for place in self._places for key in place.keys.values()]
        made = open_checkpoint(note, self._log, keys).cosignatures
        fresh = {(item.name, item.key_id) for item in made if item.time > now - FRESH_SECONDS}
        return [
            place
            for place in self._places
            if known[place.digest].retry_at <= now
            and (known[place.digest].conflict is not None or not fresh & place.ids)
        ]

    def _known(self) -> dict[bytes, Known]:
        with self._database.snapshot() as uow:
            return store.known(uow, [place.digest for place in self._places])

    def _ask(self, asked: Sequence[Place], known: dict[bytes, Known], feed: Feed) -> list[Result]:
        # What we know of a witness may be newer than the checkpoint at hand, when another process publishes too.
        olds = [min(known[place.digest].size, feed.checkpoint.size) for place in asked]
        outcomes = self._egress.talk(
            [
                partial(asking.ask, place=place, old=old, feed=feed)
                for place, old in zip(asked, olds, strict=True)
            ],
            self._seconds,
        )
        against = [
            (place, outcome)
            for place, outcome in zip(asked, outcomes, strict=True)
            if isinstance(outcome, Contradicted)
        ]
        shown = self._egress.talk(
            [
                partial(asking.show, place=place, contradicted=outcome, feed=feed)
                for place, outcome in against
            ],
            self._seconds,
        )
        proofs = {place.url: conflict for (place, _), conflict in zip(against, shown, strict=True)}
        return [
            _result(outcome, proofs.get(place.url)) for place, outcome in zip(asked, outcomes, strict=True)
        ]

    def _remember(self, asked: Sequence[Place], results: Sequence[Result], size: int) -> None:
        with self._database.transaction() as uow:
            known = store.known(uow, [place.digest for place in asked])
            published = published_size(uow)
            for place, result in zip(asked, results, strict=True):
                before = known[place.digest]
                after = _after(before, result, size, published, uow.now)
                store.put(uow, place.digest, after)
                _report(place, before, after, result)


def open_witnesses(settings: Settings, database: Database, log: NoteVerifier) -> WitnessSet:
    """The witnesses that the operator's policy file names; none without such a file.

    Raises:
        Misconfigured: when the file cannot be read, is no policy, names another log, an address that is none, or a
            quorum that witnesses without an address would be needed for.
    """
    policy = LogPolicy() if settings.witness_policy_file is None else _read(settings.witness_policy_file)
    if any(other.verifier != log for other in policy.logs):
        raise Misconfigured(
            "the witness policy names a log that is not this hub's",
            "leave out its log lines: the hub serves the policy with its own; `tocsin-hub log key` prints that key",
        )
    policy = replace(policy, logs=(Log(log, f"{settings.issuer}/log"),))
    return WitnessSet(database, policy, log, Egress(settings.outbound_ca_file), settings.witness_timeout)


def _read(file: Path) -> LogPolicy:
    try:
        policy = parse_policy(file.read_bytes())
        for witness in policy.witnesses.values():
            if witness.url is not None:
                base_url(witness.url)
    except OSError:
        raise Misconfigured(
            "the witness policy cannot be read",
            "check the path and the permissions of TOCSIN_WITNESS_POLICY_FILE",
        ) from None
    except Refused as error:
        raise Misconfigured(
            f"the witness policy is none: {error.field}: {error.reason}",
            "docs/operator-guide.md shows one; C2SP tlog-policy is the format",
        ) from None
    if not policy.satisfied([name for name, witness in policy.witnesses.items() if witness.url is not None]):
        raise Misconfigured(
            "the quorum of the witness policy cannot be met by witnesses that have an address",
            "write each witness's submission prefix behind its key",
        )
    return policy


def _places(policy: LogPolicy) -> list[Place]:
    """Where to ask: keys with the same address belong to one witness."""
    found: dict[str, dict[str, NoteVerifier]] = {}
    for name, (key, url) in policy.witnesses.items():
        if url is not None:
            found.setdefault(base_url(url), {})[name] = key
    return [Place(url, keys) for url, keys in found.items()]


def _result(outcome: Outcome | Unanswered, shown: Conflict | Unanswered | None) -> Result:
    if isinstance(outcome, Unanswered):
        return Failed(_WHY[outcome.why])
    if isinstance(outcome, Contradicted):
        return shown if isinstance(shown, Conflict) else Conflict("claimed", outcome.size)
    return outcome


def _after(before: Known, result: Result, size: int, published: int, now: int) -> Known:
    """What is known of a witness after an answer about the tree of `size`."""
    if isinstance(result, Cosigned):
        return Known(size, now)
    if isinstance(result, Conflict) and size < result.size <= published:
        # Another process has published, and had cosigned, more than the checkpoint at hand: nothing is wrong.
        return before._replace(size=result.size)
    failures = before.failures + 1
    pause = min(LONGEST_PAUSE, 2 ** min(failures, _MOST_DOUBLINGS))
    conflict = result if isinstance(result, Conflict) else before.conflict
    return before._replace(failures=failures, retry_at=now + pause, conflict=conflict)


def _report(place: Place, before: Known, after: Known, result: Result) -> None:
    """Count every answer; say once what has changed."""
    end = (
        "cosigned" if isinstance(result, Cosigned) else "failed" if isinstance(result, Failed) else "conflict"
    )
    COSIGNATURES.labels(end).inc()
    if after.conflict is not None and before.conflict is None:
        logger.error(
            "a witness has seen another log", extra={"witness": place.name, "how": after.conflict.kind}
        )
    elif isinstance(result, Failed) and not before.failures:
        logger.warning("a witness does not cosign", extra={"witness": place.name, "why": result.why})
    elif isinstance(result, Cosigned) and before.failures:
        logger.info("a witness cosigns again", extra={"witness": place.name})


def _alarm(name: str, conflict: Conflict) -> Alarm:
    size = f"{conflict.size} entries"
    if conflict.kind == "ahead":
        return Alarm(
            name,
            f"the witness {name} shows a checkpoint of this log with {size}, under its own key, that the database"
            " does not know",
            "restore a newer backup or replay the database's write-ahead log up to its end; if what is missing is lost"
            " for good, `tocsin-hub log recover` takes its entries from the published log",
        )
    if conflict.kind == "other":
        return Alarm(
            name,
            f"the witness {name} shows a checkpoint of this log with {size}, under its own key, that is not the"
            " beginning of the database's: the log has forked",
            "restore the database that belongs to the published log; nothing can mend two histories, and the members"
            " must be told",
        )
    return Alarm(
        name,
        f"the witness {name} says that it has cosigned {size} of this log which do not fit the database, and shows"
        " nothing for it",
        "if the database was restored, restore a newer backup, or run `tocsin-hub log recover`; if it was not, ask the"
        " witness's operator, and strike it from TOCSIN_WITNESS_POLICY_FILE if it is wrong",
    )

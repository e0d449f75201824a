"""Log policies (C2SP tlog-policy): which logs and witnesses are known, and which witnesses are enough.

A policy says of a checkpoint that it is signed by one of its logs and cosigned by a quorum. Witnesses and groups have
names that mean nothing outside the policy, and are opaque octets in it: what is no UTF-8 is kept as it is.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tocsin_schemas.checkpoint import Opened, open_checkpoint
from tocsin_schemas.notes import COSIGNERS, ED25519_COSIGNER, NoteVerifier
from tocsin_schemas.problems import Refused

MAX_POLICY_BYTES: Final = 256 * 1024
"""Room for 32 logs, 32 witnesses and 32 groups, whatever the keys."""
CLOCK_SKEW: Final = 60
"""Seconds that a witness's clock may be ahead."""
NONE: Final = "none"

_STRAY: Final = re.compile(rb"[^\t\n\x20-\x7e\x80-\xff]")
_BLANK: Final = re.compile(r"[ \t]+")
_THRESHOLD: Final = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


class Log(NamedTuple):
    """A log whose checkpoints are accepted; the name of its key is its origin."""

    verifier: NoteVerifier
    url: str | None = None


class Witness(NamedTuple):
    """A witness whose cosignatures count; `url` is where tlog-witness submissions go."""

    verifier: NoteVerifier
    url: str | None = None


class Group(NamedTuple):
    """Witnesses and groups of which `threshold` are as good as one."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """A policy. `groups` stand in the order of their definition; `quorum` is the name of one, of a witness, or None."""

    logs: tuple[Log, ...] = ()
    witnesses: Mapping[str, Witness] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str | None = None

    def satisfied(self, names: Collection[str]) -> bool:
        """Whether witnesses of these names make the quorum."""
        standing = set(names)
        for name, group in self.groups.items():
            # Members are defined before the group, so they are decided already.
            if sum(member in standing for member in group.members) >= group.threshold:
                standing.add(name)
        return self.quorum is None or self.quorum in standing

    def open(self, raw: bytes, now: int, max_age: int | None = None) -> Opened:
        """A checkpoint that this policy accepts at `now`; cosignatures older than `max_age` seconds do not count.

        Without `max_age` a cosignature counts for ever, as one inside a proof should. One whose time has not come
        counts for nothing, and is none of those returned.

        Raises:
            Refused: as `open_checkpoint`; `quorum-missing`; `checkpoint-stale` when only too old ones make the quorum.
        """
        opened = open_checkpoint(
            raw,
            [log.verifier for log in self.logs],
            [witness.verifier for witness in self.witnesses.values()],
        )
        names = {(key.name, key.key_id): name for name, (key, _) in self.witnesses.items()}
        counted = tuple(cosigned for cosigned in opened.cosignatures if cosigned.time <= now + CLOCK_SKEW)
        made = [(names[cosigned[:2]], cosigned.time) for cosigned in counted]
        if not self.satisfied({name for name, _ in made}):
            raise Refused("quorum-missing", "checkpoint", "too few of the policy's witnesses cosigned it")
        if max_age is not None and not self.satisfied({name for name, time in made if time >= now - max_age}):
            raise Refused(
                "checkpoint-stale", "checkpoint", f"a quorum must be younger than {max_age} seconds"
            )
        return opened._replace(cosignatures=counted)

    def render(self) -> bytes:
        """The policy as a file, which `parse_policy` reads back."""
        lines = [_line("log", verifier.vkey, url) for verifier, url in self.logs]
        lines += [_line("witness", name, key.vkey, url) for name, (key, url) in self.witnesses.items()]
        lines += [
            _line("group", name, _spelled(group), *group.members) for name, group in self.groups.items()
        ]
        lines.append(_line("quorum", self.quorum or NONE))
        return "".join(lines).encode("utf-8", "surrogateescape")


def parse_policy(raw: bytes) -> LogPolicy:
    """Read a policy file.

    Raises:
        Refused: `policy-malformed`, with the number of the line that does not fit.
    """
    if len(raw) > MAX_POLICY_BYTES:
        raise Refused("policy-malformed", "policy", f"{MAX_POLICY_BYTES} bytes are the limit")
    if stray := _STRAY.search(raw):
        number = raw.count(b"\n", 0, stray.start()) + 1
        raise Refused("policy-malformed", f"policy.line.{number}", "a control character")
    reading = _Reading()
    for number, line in enumerate(raw.decode("utf-8", "surrogateescape").split("\n"), 1):
        words = _BLANK.split(line.strip(" \t"))
        if words[0] and not words[0].startswith("#"):
            try:
                reading.take(words[0], words[1:])
            except Refused as refused:
                reason = refused.reason
                raise Refused("policy-malformed", f"policy.line.{number}", reason) from None
    if reading.quorum is None:
        raise Refused("policy-malformed", "policy", "there must be one quorum line")
    quorum = None if reading.quorum == NONE else reading.quorum
    return LogPolicy(tuple(reading.logs), reading.witnesses, reading.groups, quorum)


class _Reading:
    """What the lines read so far define. Every method takes one line's words and refuses what does not fit."""

    def __init__(self) -> None:
        self.logs: list[Log] = []
        self.witnesses: dict[str, Witness] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self._members: set[str] = set()

    def take(self, keyword: str, words: Sequence[str]) -> None:
        kinds: dict[str, tuple[Callable[[Sequence[str]], None], int, int | None]] = {
            "log": (self._log, 1, 2),
            "witness": (self._witness, 2, 3),
            "group": (self._group, 3, None),
            "quorum": (self._quorum, 1, 1),
        }
        if keyword not in kinds:
            raise _malformed("a line starts with log, witness, group or quorum")
        read, least, most = kinds[keyword]
        if len(words) < least or (most is not None and len(words) > most):
            raise _malformed("too few or too many words")
        read(words)

    def _log(self, words: Sequence[str]) -> None:
        log = Log(NoteVerifier.parse(words[0]), *words[1:])
        if log.verifier.kind == ED25519_COSIGNER:
            raise _malformed("not the key of a log")
        if any(log.verifier.public == other.verifier.public for other in self.logs):
            raise _malformed("this log's key is defined already")
        self.logs.append(log)

    def _witness(self, words: Sequence[str]) -> None:
        name, vkey, *url = words
        witness = Witness(NoteVerifier.parse(vkey), *url)
        if witness.verifier.kind not in COSIGNERS:
            raise _malformed("not the key of a cosigner")
        if any(witness.verifier.public == other.verifier.public for other in self.witnesses.values()):
            raise _malformed("this witness's key is defined already")
        self._undefined(name)
        self.witnesses[name] = witness

    def _group(self, words: Sequence[str]) -> None:
        name, wanted, *members = words
        self._undefined(name)
        for member in members:
            self._defined(member)
            if member in self._members:
                raise _malformed("a name is a member of one group, and once")
            self._members.add(member)
        self.groups[name] = Group(_threshold(wanted, len(members)), tuple(members))

    def _quorum(self, words: Sequence[str]) -> None:
        if self.quorum is not None:
            raise _malformed("there must be one quorum line")
        if words[0] != NONE:
            self._defined(words[0])
        self.quorum = words[0]

    def _defined(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise _malformed("a name is defined before it is used")

    def _undefined(self, name: str) -> None:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise _malformed("this name is taken")


def _threshold(wanted: str, members: int) -> int:
    if wanted == "all":
        return members
    if wanted == "any":
        return 1
    if not _THRESHOLD.fullmatch(wanted) or int(wanted) > members:
        raise _malformed("a threshold is all, any, or a number from 1 to that of the members")
    return int(wanted)


def _spelled(group: Group) -> str:
    if group.threshold == len(group.members):
        return "all"
    return "any" if group.threshold == 1 else str(group.threshold)


def _line(*words: str | None) -> str:
    return " ".join(word for word in words if word is not None) + "\n"


def _malformed(reason: str) -> Refused:
    return Refused("policy-malformed", "policy", reason)

"""One conversation with one witness (C2SP tlog-witness): have a checkpoint cosigned, and learn what it has seen.

    1. Submit the checkpoint with the proof from the size that the witness cosigned last, as far as we know.
    2. 200: its cosignatures, of which at least one must be by a key of the policy.
    3. 409 with a size up to ours: submit once more, from there.
    4. 409 with a larger size, or 422 although the proof is right: the witness has seen a log that is not ours.

Anything else is a witness that does not work now. After 4 it is asked, in a conversation of its own, to show what it
has seen: a note under our own key proves it; without one it is the witness's word.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, NamedTuple, TypeVar

from tocsin.egress import Answer, Outbound, Send
from tocsin.ledger.rules import Conflict
from tocsin_schemas.checkpoint import Checkpoint, open_checkpoint, parse_decimal
from tocsin_schemas.merkle import TileTree
from tocsin_schemas.notes import MAX_NOTE_BYTES, Note, NoteVerifier, parse_note, parse_signatures
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_policy import CLOCK_SKEW
from tocsin_schemas.tlog_witness import ADD_CHECKPOINT, SIZE_TYPE, Submission, latest_path

FRESH_SECONDS: Final = 1200
"""A cosignature of that age is asked for anew: followers take none that is older than an hour."""
MAX_ANSWER_BYTES: Final = 64 * 1024
"""Cosignatures: of 64 post-quantum keys at the most."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Place:
    """A submission prefix, and the keys that cosign there with their names in the policy."""

    url: str
    keys: Mapping[str, NoteVerifier]

    @property
    def digest(self) -> bytes:
        """What the database knows it by: the SHA-256 of its address."""
        return sha256(self.url.encode()).digest()

    @property
    def ids(self) -> set[tuple[str, int]]:
        """Name and id of its keys, as signature lines have them."""
        return {(key.name, key.key_id) for key in self.keys.values()}

    @property
    def name(self) -> str:
        """What to call it before people."""
        return ", ".join(self.keys)


class Cosigned(NamedTuple):
    """The signature lines that came, verified, one a key."""

    lines: tuple[str, ...]


class Failed(NamedTuple):
    """The witness does not work now, and why, in constant words."""

    why: str


class Contradicted(NamedTuple):
    """The witness has seen another log of ours, with so many entries."""

    size: int


Outcome = Cosigned | Failed | Contradicted


@dataclass
class Feed:
    """A checkpoint to be cosigned: its note with the log's signature alone, and the tree that proofs are made of."""

    checkpoint: Checkpoint
    note: Note
    log: NoteVerifier
    tree: TileTree
    now: int
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def of(cls, checkpoint: Checkpoint, note: bytes, log: NoteVerifier, tree: TileTree, now: int) -> "Feed":
        """With everybody else's signatures left out of the note."""
        parsed = parse_note(note)
        ours = tuple(line for line in parsed.signatures if line[:2] == (log.name, log.key_id))
        return cls(checkpoint, Note(parsed.text, ours), log, tree, now)

    async def submission(self, old: int) -> bytes:
        """The request body that leads from `old`."""
        proof = await self._read(lambda: self.tree.consistency(old))
        return Submission(old, tuple(proof), self.note, self.checkpoint).render()

    async def contradicts(self, shown: Checkpoint) -> bool:
        """Whether the tree of a checkpoint, no larger than ours, is not the beginning of ours."""
        try:
            return await self._read(lambda: self.tree.root_at(shown.size)) != shown.root
        except Refused:
            return False  # our store cannot tell

    async def _read(self, work: Callable[[], _T]) -> _T:
        # A tree serves one thread at a time, and its tiles may be far away.
        async with self._turn:
            return await asyncio.to_thread(work)


async def ask(send: Send, place: Place, old: int, feed: Feed) -> Outcome:
    """Hold the conversation; `old` is the size this witness cosigned last, as far as we know.

    Raises:
        Unanswered: when there is no usable answer.
    """
    size = feed.checkpoint.size
    try:
        answer = await _submit(send, place, old, feed)
        cosigned = _size_of(answer)
        if cosigned is not None and cosigned <= size and cosigned != old:
            old = cosigned
            answer = await _submit(send, place, old, feed)
            cosigned = _size_of(answer)
    except Refused:
        return Failed("the log's store does not hold what its proof is made of")
    if answer.status == 200:
        return _cosignatures(answer.body, place, feed)
    if cosigned is not None and cosigned > size:
        return Contradicted(cosigned)
    # From the empty tree everything is consistent: who says otherwise there is wrong in itself.
    if answer.status == 422 and old > 0:
        return Contradicted(old)
    return Failed(f"it answered with status {answer.status}")


async def show(send: Send, place: Place, contradicted: Contradicted, feed: Feed) -> Conflict:
    """Ask a witness that contradicts us for what it has seen.

    Raises:
        Unanswered: when there is no usable answer.
    """
    # The policy names one address; it serves for the monitoring prefix as well where the two are the same.
    url = place.url + latest_path(feed.checkpoint.origin)
    answer = await send(Outbound("GET", url, MAX_NOTE_BYTES, to="operator"))
    try:
        shown = open_checkpoint(answer.body, feed.log).checkpoint
    except Refused:
        return Conflict("claimed", contradicted.size)
    if shown.size > feed.checkpoint.size:
        return Conflict("ahead", shown.size, answer.body)
    if await feed.contradicts(shown):
        return Conflict("other", shown.size, answer.body)
    return Conflict("claimed", contradicted.size)


async def _submit(send: Send, place: Place, old: int, feed: Feed) -> Answer:
    body = await feed.submission(old)
    return await send(Outbound("POST", place.url + ADD_CHECKPOINT, MAX_ANSWER_BYTES, body, to="operator"))


def _size_of(answer: Answer) -> int | None:
    if answer.status != 409 or answer.media_type != SIZE_TYPE or not answer.body.endswith(b"\n"):
        return None
    return parse_decimal(answer.body[:-1].decode("ascii", "replace"))


def _cosignatures(body: bytes, place: Place, feed: Feed) -> Outcome:
    known = {(key.name, key.key_id): key for key in place.keys.values()}
    try:
        lines = {line[:2]: line for line in parse_signatures(body.decode()) if line[:2] in known}
        whole = Note(feed.note.text, (*feed.note.signatures, *lines.values())).render()
        opened = open_checkpoint(whole, feed.log, known.values())
    except (Refused, UnicodeDecodeError):
        return Failed("its cosignature does not verify")
    made = opened.cosignatures
    good = [item for item in made if feed.now - FRESH_SECONDS < item.time <= feed.now + CLOCK_SKEW]
    if not good:
        return Failed("its clock is wrong" if made else "it cosigned with no key of the policy")
    return Cosigned(tuple(lines[item.name, item.key_id].line for item in good))

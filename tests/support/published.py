"""What must be true of a published log, whatever happened before: re-verified whole, with code of its own.

Nothing here uses the hub's or the wire's hashing, paths, notes or bundles, so that a mistake there cannot hide.
`Onlooker` is the world: it remembers every checkpoint it was shown.
"""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text

from tocsin import keys
from tocsin.config import Settings
from tocsin.db import Database
from tocsin.objects import Objects, open_objects

TILE = re.compile(r"tile/(entries|\d+)/((?:x\d{3}/)*)(\d{3})(?:\.p/(\d+))?")


class Head(NamedTuple):
    """What a checkpoint says."""

    size: int
    root: bytes


class Onlooker:
    """Looks at a store, checks the signature of what it is shown, and never forgets: no fork, no step back."""

    def __init__(self, objects: Objects, origin: str, public: bytes) -> None:
        self.objects = objects
        self.origin = origin
        self.public = public
        self.heads: dict[int, bytes] = {}
        self.shown = 0

    def look(self) -> Head | None:
        """The checkpoint that is shown now."""
        note = self.objects.read("checkpoint")
        if note is None:
            assert not self.heads, "the checkpoint is gone"
            return None
        head = self.read(note)
        assert head.size >= self.shown, "the checkpoint went back"
        self.shown = head.size
        assert self.heads.setdefault(head.size, head.root) == head.root, "two trees of one size"
        return head

    def read(self, note: bytes) -> Head:
        """Read a signed note."""
        signed, _, lines = note.rpartition(b"\n\n")
        origin, size, root, *rest = (signed + b"\n").decode().split("\n")
        assert (origin, rest) == (self.origin, [""])
        own = [line for line in lines.decode().splitlines() if line.startswith(f"\u2014 {self.origin} ")]
        assert len(own) == 1, "one signature of the log"
        signature = base64.b64decode(own[0].split(" ")[2])
        named = self.origin.encode() + b"\n\x01" + self.public
        assert signature[:4] == hashlib.sha256(named).digest()[:4]
        Ed25519PublicKey.from_public_bytes(self.public).verify(signature[4:], signed + b"\n")
        return Head(int(size), base64.b64decode(root))


@lru_cache(maxsize=1 << 17)
def entry_of(commitment: bytes, community: str, kind: str, recorded_at: int) -> bytes:
    """The entry of a row. Tests look at a growing log again and again: what is old is not put together each time."""
    at = datetime.fromtimestamp(recorded_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    members = {"commitment": commitment.hex(), "community": community, "kind": kind, "recorded_at": at}
    return json.dumps(members, separators=(",", ":")).encode()


class Leaves:
    """The entries of the database's rows, and the tree they make."""

    def __init__(self, database: Database) -> None:
        with database.snapshot() as uow:
            query = "SELECT seq, community, kind, recorded_at, commitment FROM entry ORDER BY seq"
            rows = uow.conn.execute(text(query)).all()
            published = uow.conn.execute(text("SELECT size, root, checkpoint FROM publication")).all()
        assert [row.seq for row in rows] == list(range(len(rows))), "the log has a gap"
        self.publication = published[0] if published else None
        self.entries = [
            entry_of(bytes(row.commitment), row.community, row.kind, row.recorded_at) for row in rows
        ]

    @cached_property
    def levels(self) -> list[list[bytes]]:
        """The hashes of each level of tiles: the leaves, then one for each 256 below."""
        levels = [[hashlib.sha256(b"\0" + entry).digest() for entry in self.entries]]
        while len(levels[-1]) >= 256:
            below = levels[-1]
            full = range(0, len(below) // 256 * 256, 256)
            levels.append([full_tile(b"".join(below[at : at + 256])) for at in full])
        return levels

    def root(self, size: int) -> bytes:
        """The root of the first `size` entries."""
        if not size:
            return hashlib.sha256(b"").digest()
        # RFC 6962 splits at powers of two: whole tiles are subtrees of it.
        full, rest = divmod(size, 256)
        tiles = self.levels[1][:full] if full else []
        return mth([*tiles, mth(self.levels[0][full * 256 : size])] if rest else tiles)

    def stored(self, path: str) -> bytes | None:
        """What a tile or a bundle at this path has to hold; None when the entries do not reach that far."""
        match = TILE.fullmatch(path)
        assert match is not None, "something else lies in the store"
        index = int(match[2].replace("x", "").replace("/", "") + match[3])
        end = index * 256 + int(match[4] or 256)
        row = self.entries if match[1] == "entries" else self.levels[int(match[1])]
        if end > len(row):
            return None
        part = row[index * 256 : end]
        if match[1] == "entries":
            return b"".join(len(entry).to_bytes(2, "big") + entry for entry in part)
        return b"".join(part)

    def expected(self, size: int) -> set[str]:
        """The paths that a log of this size must serve."""
        paths = set()
        counts = {"entries": size} | {
            str(level): size >> 8 * level for level in range(8) if size >> 8 * level
        }
        for level, count in counts.items():
            paths |= {f"tile/{level}/{spell(index)}" for index in range(count // 256)}
            if count % 256:
                paths.add(f"tile/{level}/{spell(count // 256)}.p/{count % 256}")
        return paths


def check_published(onlooker: Onlooker, database: Database, *, tidy: bool = False) -> int:
    """Assert every invariant of the published log; its size.

    `tidy`: nothing is left that a log of this size does not serve, as it must be where nothing went wrong.
    """
    # The store first: where a publisher is at work, the database is never behind it.
    head = onlooker.look()
    leaves = Leaves(database)
    if leaves.publication is None:
        assert head is None, "shown, and never signed"
        return 0
    signed = onlooker.read(bytes(leaves.publication.checkpoint))
    said = Head(leaves.publication.size, bytes(leaves.publication.root))
    assert signed == said, "the row says what it signed"
    assert onlooker.heads.setdefault(signed.size, signed.root) == signed.root, "two trees of one size"
    for size, root in onlooker.heads.items():
        assert leaves.root(size) == root, f"what was signed at {size} is no beginning of the log"
    shown = 0 if head is None else head.size
    assert shown <= signed.size, "the world has seen more than the database has signed"
    held = {path for path in onlooker.objects.list() if not path.startswith("board/")} - {"checkpoint"}
    for path in held:
        expected = leaves.stored(path)
        assert expected is not None, f"{path}: beyond the log"
        # One that was listed and is gone now was a partial one, and a publisher is at work.
        assert onlooker.objects.read(path) in {expected, None}, f"{path}: not what the log has there"
    full = {path for path in held if ".p/" not in path}
    for size in {*onlooker.heads, shown}:
        # A partial tile may go once the full one is there, also for a reader whose checkpoint is older.
        missing = leaves.expected(size) - held if size <= shown else set()
        assert {path.partition(".p/")[0] for path in missing} <= full, f"a tile of {size} is missing"
    if tidy:
        kept = {path.partition(".p/")[0] for path in leaves.expected(shown)}
        assert {path.partition(".p/")[0] for path in held} == kept, "something is left over"
        assert shown == signed.size == len(leaves.entries)
    return shown


def check_log(database: Database, settings: Settings) -> int:
    """The same for the log of a hub with these settings, seen for the first time."""
    origin = settings.issuer.partition("://")[2] + ("/sandbox/log" if settings.sandbox else "/log")
    objects = open_objects(settings, settings.log_location())
    return check_published(Onlooker(objects, origin, keys.load(settings).log.public.raw), database)


@lru_cache(maxsize=1 << 12)
def full_tile(hashes: bytes) -> bytes:
    """The root over the 256 hashes of a tile."""
    return mth([hashes[at : at + 32] for at in range(0, len(hashes), 32)])


def mth(hashes: Sequence[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word, over hashed leaves."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\x01" + mth(hashes[:split]) + mth(hashes[split:])).digest()


def spell(index: int) -> str:
    """1234067 is x001/x234/067."""
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])

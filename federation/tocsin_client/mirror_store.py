"""What a mirror remembers: one SQLite file for one community of one hub.

WAL with full sync; a page and the cursor behind it are one transaction, so whenever the process dies the file holds
whole pages and the cursor that fits them. Values that are dropped are overwritten (`secure_delete`). For every sequence
number of the community there is exactly one row: a statement, a hub event, an absent record or a refused one.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, Self

from tocsin_client.config import NotReady, private_folder
from tocsin_client.expiries import unlike
from tocsin_client.feed import Absent, Failure, HubEvent, Outcome, Verified
from tocsin_client.mirror_schema import ACCOUNTED, RETRACTED, RETRACTED_IN_TIME, SCHEMA, VERSION, WITHHELD
from tocsin_client.statements import StatementRow
from tocsin_schemas.feed import Directory
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.policy import Policy

BUSY_SECONDS: Final = 30.0
CACHE_KIB: Final = 65_536
"""Digests come in no order, so a large mirror is written all over."""
START: Final = -1
"""The cursor of a mirror that has followed nothing yet."""


class Moved(Exception):
    """Another process has followed this mirror in the meantime."""


class Contradicted(Exception):
    """An event of the hub contradicts what the mirror holds; nothing was stored."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Applied:
    """What one transaction changed."""

    stored: int = 0
    absent: int = 0
    retracted: int = 0
    expired: int = 0


class Accounted(NamedTuple):
    """What the mirror has of one log entry; of what is `held`, the parts of its entry too."""

    seq: int
    state: Literal["held", "absent", "refused"]
    kind: str
    recorded_at: int
    commitment: bytes


_COLUMNS: Final = ", ".join(StatementRow._fields)


class MirrorStore:
    """The file. Opened for one hub and community, made when it is not there."""

    def __init__(self, conn: sqlite3.Connection, hub: str, community: str) -> None:
        self._conn = conn
        self.hub = hub
        self.community = community

    @classmethod
    def open(cls, path: Path, hub: str, community: str, *, create: bool = True) -> Self:
        """Open or make the mirror.

        Raises:
            NotReady: when there is none and `create` is false, or it belongs to another hub, community or version.
        """
        if not create and not path.exists():
            raise NotReady("There is no mirror of this community yet", "Run `tocsin follow` first.")
        private_folder(path.parent)
        path.touch(mode=0o600)
        conn = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        store = cls(conn, hub, community)
        try:
            store._prepare(path)
        except BaseException:
            conn.close()
            raise
        return store

    def _prepare(self, path: Path) -> None:
        again = f"Move {path} away and run `tocsin follow` again."
        try:
            self._conn.execute("PRAGMA journal_mode = WAL")
            self._conn.execute("PRAGMA synchronous = FULL")
            self._conn.execute("PRAGMA secure_delete = ON")
            self._conn.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            self._conn.execute("CREATE TEMP TABLE going (seq INTEGER PRIMARY KEY)")
            with self._writing():
                version = self._conn.execute("PRAGMA user_version").fetchone()[0]
                if version == 0:
                    for statement in SCHEMA.split(";\n"):
                        self._conn.execute(statement)
                    self._conn.execute(
                        "INSERT INTO state (id, hub, community, cursor, stepped_at) VALUES (1, ?, ?, ?, 0)",
                        (self.hub, self.community, START),
                    )
                    self._conn.execute(f"PRAGMA user_version = {VERSION}")
        except sqlite3.DatabaseError:
            raise NotReady(f"The mirror {path} cannot be read as a database", again) from None
        if version not in {0, VERSION}:
            raise NotReady("The mirror was made by another version", again)
        if self._conn.execute("SELECT hub, community FROM state").fetchone() != (self.hub, self.community):
            raise NotReady("The mirror belongs to another hub or community", again)

    def close(self) -> None:
        """Close the file."""
        self._conn.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._conn.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._conn.execute("ROLLBACK")
            raise
        self._conn.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One consistent view over several reads."""
        self._conn.execute("BEGIN")
        try:
            yield
        finally:
            self._conn.execute("COMMIT")

    # The follower's state.

    @property
    def cursor(self) -> int:
        """The last sequence number followed; `START` before the first."""
        return int(self._conn.execute("SELECT cursor FROM state").fetchone()[0])

    @property
    def stepped_at(self) -> int:
        """When the feed was last followed to its end (Unix seconds; 0 for never)."""
        return int(self._conn.execute("SELECT stepped_at FROM state").fetchone()[0])

    @property
    def checkpoint(self) -> bytes | None:
        """The note by which everything up to the cursor was verified; None before the first page."""
        note: bytes | None = self._conn.execute("SELECT checkpoint FROM state").fetchone()[0]
        return note

    def directory(self) -> Directory:
        """The directory last fetched.

        Raises:
            NotReady: before the first step.
        """
        text = self._conn.execute("SELECT directory FROM state").fetchone()[0]
        if text is None:
            raise NotReady("The mirror is empty", "Run `tocsin follow` first.")
        return Directory.model_validate_json(text)

    def policy(self) -> Policy:
        """The policy last fetched; the defaults before the first step."""
        text = self._conn.execute("SELECT policy FROM state").fetchone()[0]
        return Policy() if text is None else Policy.model_validate_json(text)

    def remember(self, directory: Directory, policy: Policy) -> None:
        """Keep the directory and the policy just fetched."""
        with self._writing():
            self._conn.execute(
                "UPDATE state SET directory = ?, policy = ?",
                (directory.model_dump_json(), policy.model_dump_json()),
            )

    def stepped(self, now: int) -> None:
        """Note that the feed was followed to its end, and give the space of dropped values back to be overwritten."""
        with self._writing():
            self._conn.execute("UPDATE state SET stepped_at = ?", (now,))
            self._conn.execute("DELETE FROM leaving")
        self._conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    # Pages.

    def apply(
        self, outcomes: Sequence[Outcome], after: int, cursor: int, now: int, note: bytes | None
    ) -> Applied:
        """Store verified outcomes, apply retractions and expiry, check the hub's count of them (step 12), and move the
        cursor from `after`, with the note that proves it: one transaction.

        Raises:
            Moved: when the cursor is not at `after` any more; nothing is stored.
            Contradicted: for the first expiry event that does not fit; nothing is stored.
        """
        statements = [item for item in outcomes if isinstance(item, Verified)]
        events = [item for item in outcomes if isinstance(item, HubEvent)]
        absent = [item for item in outcomes if isinstance(item, Absent)]
        with self._writing():
            if self.cursor != after:
                raise Moved
            self._insert(statements)
            self._conn.executemany(
                "INSERT INTO hub_event (seq, kind, recorded_at, commitment, r, jws) VALUES (?, ?, ?, ?, ?, ?)",
                [(e.seq, e.kind, e.recorded_at, e.commitment, e.r, e.jws) for e in events],
            )
            self._conn.executemany(
                "INSERT INTO absent (seq, state, reason) VALUES (?, ?, ?)",
                [(item.seq, item.state, item.reason) for item in absent],
            )
            self._conn.executemany(
                "INSERT INTO refused (seq, code, field, reason) VALUES (?, ?, ?, ?)",
                [(f.seq, f.code, f.field, f.reason) for f in outcomes if isinstance(f, Failure)],
            )
            retracted = self._retract(after)
            expired = self._expire(now)
            # 12. What the hub says has expired is what expired here.
            if failures := self.unlike(events):
                raise Contradicted(failures[0])
            self._conn.execute("UPDATE state SET cursor = ?, checkpoint = ?", (cursor, note))
        return Applied(len(statements), len(absent), retracted, expired)

    def _insert(self, statements: Sequence[Verified]) -> None:
        self._conn.executemany(
            f"INSERT INTO statement ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  # constant
            [item.statement for item in statements],
        )
        self._conn.executemany(
            "INSERT INTO indicator (type, value, seq) VALUES (?, ?, ?)",
            [(item.type, item.value, s.seq) for s in statements for item in s.indicators],
        )

    def release(self, outcomes: Sequence[Outcome], now: int) -> Applied:
        """Put verified statements and tombstones in the place of records that were withheld; everything else stays."""
        released: list[Verified] = []
        with self._writing():
            for item in outcomes:
                if isinstance(item, Verified):
                    held = self._conn.execute(
                        "DELETE FROM absent WHERE seq = ? AND state = 'withheld'", (item.seq,)
                    )
                    if held.rowcount:
                        released.append(item)
                elif isinstance(item, Absent):
                    self._conn.execute(
                        "UPDATE absent SET state = ?, reason = ? WHERE seq = ? AND state = 'withheld'",
                        (item.state, item.reason, item.seq),
                    )
            self._insert(released)
            retracted = self._retract(START)
            expired = self._expire(now)
        return Applied(len(released), -len(released), retracted, expired)

    def withheld(self, reasons: Collection[str] = ("state", "tlp")) -> list[int]:
        """The sequence numbers withheld for any of these reasons, ascending."""
        return [seq for (seq,) in self._conn.execute(WITHHELD, (json.dumps(sorted(reasons)),))]

    def leave(self, issuers: Sequence[str]) -> int:
        """Drop what members said that left long ago, as the hub withholds it; how many statements.

        Their retractions stay, for what is withdrawn stays so.
        """
        with self._writing():
            self._conn.execute(
                "INSERT INTO temp.going SELECT seq FROM statement"
                " WHERE kind <> 'retraction' AND author IN (SELECT value FROM json_each(?))",
                (json.dumps(issuers),),
            )
            self._conn.execute("INSERT INTO absent SELECT seq, 'withheld', 'state', NULL FROM temp.going")
            return self._drop()

    def expire(self, now: int) -> int:
        """Drop what has expired at `now`; returns how many."""
        with self._writing():
            return self._expire(now)

    def _expire(self, now: int) -> int:
        self._conn.execute("INSERT INTO temp.going SELECT seq FROM statement WHERE expires_at <= ?", (now,))
        self._conn.execute(
            "INSERT INTO absent SELECT seq, 'gone', 'expired', expires_at FROM statement JOIN temp.going USING (seq)"
        )
        self._conn.execute(
            "INSERT INTO leaving SELECT seq, id, author FROM statement JOIN temp.going USING (seq)"
        )
        return self._drop()

    def _retract(self, after: int) -> int:
        """Carry out the retractions behind `after`, each of its own author's statement."""
        self._conn.execute(f"INSERT INTO temp.going {RETRACTED_IN_TIME}", {"after": after})
        self._conn.execute(
            "UPDATE absent SET reason = 'retracted', expired_at = NULL WHERE seq IN (SELECT seq FROM temp.going)"
        )
        self._conn.execute("DELETE FROM leaving WHERE seq IN (SELECT seq FROM temp.going)")
        self._conn.execute("DELETE FROM temp.going")
        self._conn.execute(RETRACTED, {"after": after})
        self._conn.execute("INSERT INTO absent SELECT seq, 'gone', 'retracted', NULL FROM temp.going")
        return self._drop()

    def _drop(self) -> int:
        """Erase the statements in `going`, which have become tombstones."""
        self._conn.execute("DELETE FROM indicator WHERE seq IN (SELECT seq FROM temp.going)")
        self._conn.execute("DELETE FROM statement WHERE seq IN (SELECT seq FROM temp.going)")
        return self._conn.execute("DELETE FROM temp.going").rowcount

    # Reading.

    def counts(self) -> dict[str, int]:
        """How many rows there are of each kind: `statement:report`, `gone:expired`, `indicator:pdq`, `refused` …"""
        queries = (
            "SELECT 'statement:' || kind, count(*) FROM statement GROUP BY kind",
            "SELECT state || ':' || reason, count(*) FROM absent GROUP BY state, reason",
            "SELECT 'hub:' || kind, count(*) FROM hub_event GROUP BY kind",
            "SELECT 'indicator:' || type, count(DISTINCT value) FROM indicator GROUP BY type",
            "SELECT 'refused', count(*) FROM refused HAVING count(*) > 0",
        )
        return {name: count for query in queries for name, count in self._conn.execute(query)}

    def refusals(self) -> list[Failure]:
        """The records that did not verify and were passed over."""
        found = self._conn.execute("SELECT seq, code, field, reason FROM refused ORDER BY id")
        return [Failure(*row) for row in found]

    def about(self, indicator: Indicator) -> list[StatementRow]:
        """The stored statements about one indicator, in the log's order."""
        found = self._conn.execute(
            f"SELECT {_COLUMNS} FROM statement JOIN indicator USING (seq)"  # noqa: S608  # constant columns
            " WHERE type = ? AND value = ? ORDER BY seq",
            (indicator.type, indicator.value),
        )
        return [StatementRow._make(row) for row in found]

    def unlike(self, events: Sequence[HubEvent]) -> list[Failure]:
        """The expiry events among `events` that do not fit what has expired here."""
        return unlike(self._conn, events)

    def nonce(self, seq: int) -> bytes | None:
        """The random number that opens the commitment of a record; None where there is no such record."""
        found = self._conn.execute(
            "SELECT r FROM statement WHERE seq = :seq UNION SELECT r FROM hub_event WHERE seq = :seq",
            {"seq": seq},
        ).fetchone()
        return None if found is None else bytes(found[0])

    def values(self, kind: str) -> list[bytes]:
        """The distinct values of one indicator type, in ascending order."""
        found = self._conn.execute(
            "SELECT DISTINCT value FROM indicator WHERE type = ? ORDER BY value", (kind,)
        )
        return [row[0] for row in found]

    def statements(self) -> Iterator[StatementRow]:
        """Every stored statement, in the log's order."""
        found = self._conn.execute(f"SELECT {_COLUMNS} FROM statement ORDER BY seq")  # noqa: S608  # constant columns
        return (StatementRow._make(row) for row in found)

    def hub_events(self) -> list[HubEvent]:
        """Every stored event of the hub, in the log's order."""
        found = self._conn.execute(
            "SELECT seq, kind, recorded_at, commitment, r, jws FROM hub_event ORDER BY seq"
        )
        return [HubEvent(*row) for row in found]

    def accounted(self) -> Iterator[Accounted]:
        """Everything that the mirror has, by its number in the log, ascending."""
        return (Accounted._make(row) for row in self._conn.execute(ACCOUNTED))

    def indicators_of(self, seq: int) -> list[Indicator]:
        """The indicators stored for one statement, in ascending order."""
        found = self._conn.execute(
            "SELECT type, value FROM indicator WHERE seq = ? ORDER BY type, value", (seq,)
        )
        return [Indicator(*row) for row in found]

    def folded(self) -> Iterator[tuple[Indicator, list[StatementRow]]]:
        """Every indicator with the statements about it."""
        found = self._conn.execute(
            f"SELECT type, value, {_COLUMNS} FROM indicator JOIN statement USING (seq)"  # noqa: S608  # constant
            " ORDER BY type, value, seq"
        )
        current: Indicator | None = None
        rows: list[StatementRow] = []
        for kind, value, *columns in found:
            if current is None or (current.type, current.value) != (kind, value):
                if current is not None:
                    yield current, rows
                current, rows = Indicator(kind, value), []
            rows.append(StatementRow._make(columns))
        if current is not None:
            yield current, rows

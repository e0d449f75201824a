"""What a webhook receiver remembers: the messages it has handled, and how far it has come with each subject.

A hub sends every message at least once: again when an answer was lost, and again when somebody asks for a replay. The
journal lets a message through once. It is marked as begun before it is handled and as handled afterwards, so a handler
that fails is given the message again, and a process that dies in the middle is too, a minute later.

`data.seq` counts what this endpoint is told about a subject, without a hole. A number that is skipped is a gap until it
arrives late; a new journal has seen nothing, so it finds a gap before whatever comes first. What is in a gap is pulled.

One journal belongs to one endpoint. It is a SQLite file, or lives in memory, and is bounded either way.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, NamedTuple, Self

from tocsin_client.config import NotReady, private_folder

KEEP_SECONDS: Final = 35 * 86_400
"""Longer than a hub keeps a message that it could send again."""

KEEP_MESSAGES: Final = 1_000_000
KEEP_GAPS: Final = 10_000
BUSY_SECONDS: Final = 60
"""After this time a message that was begun is given out again: whoever began it is taken for dead."""

Begun = Literal["new", "busy", "handled"]

_VERSION: Final = 1
_LOCK_SECONDS: Final = 10.0
_SCHEMA: Final = (
    """
CREATE TABLE message (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, handled INTEGER NOT NULL
) STRICT
""",
    "CREATE INDEX message_at ON message (at)",
    "CREATE TABLE subject (name TEXT PRIMARY KEY, seq INTEGER NOT NULL, cursor INTEGER) STRICT, WITHOUT ROWID",
    """
CREATE TABLE gap (
    n INTEGER PRIMARY KEY, subject TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, after INTEGER,
    CHECK (first <= last)
) STRICT
""",
    "CREATE INDEX gap_subject ON gap (subject, first)",
)


class Gap(NamedTuple):
    """Messages `first` to `last` about `subject` that did not arrive; `after` is the log index to pull behind.

    `after` is None where nothing about the subject came before: then what is missing is everything up to the message.
    """

    subject: str
    first: int
    last: int
    after: int | None


class Told(NamedTuple):
    """The place of a message among those about its subject; `cursor` is the log index it leads up to."""

    subject: str
    seq: int
    cursor: int | None


class Journal:
    """The memory of one endpoint's receiver; several threads, and several processes of one file, may use it."""

    def __init__(self, path: Path | None = None, *, keep_messages: int = KEEP_MESSAGES) -> None:
        """Open or make the file at `path`; without one, remember until the process ends.

        Raises:
            NotReady: when the file is no journal of this version.
        """
        if path is not None:
            private_folder(path.parent)
            path.touch(mode=0o600)
        self._keep_messages = keep_messages
        self._lock = threading.Lock()
        self._conn = sqlite3.connect(
            path or ":memory:", timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare()
        except sqlite3.DatabaseError:
            self._conn.close()
            raise NotReady(f"{path} cannot be read as a journal", "Move it away, or name another.") from None
        except BaseException:
            self._conn.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; what was in memory is gone."""
        with self._lock:
            self._conn.close()

    def begin(self, message_id: str, now: int) -> Begun:
        """Ask to handle a message: `new` is for the caller alone to handle, until `handled` or `failed` is called.

        `busy`: somebody else is handling it. `handled`: it was handled before.
        """
        with self._writing() as conn:
            row = conn.execute("SELECT at, handled FROM message WHERE id = ?", (message_id,)).fetchone()
            if row is not None and row[1]:
                return "handled"
            if row is not None and now - row[0] < BUSY_SECONDS:
                return "busy"
            conn.execute("DELETE FROM message WHERE id = ? OR at < ?", (message_id, now - KEEP_SECONDS))
            made = conn.execute("INSERT INTO message (id, at, handled) VALUES (?, ?, 0)", (message_id, now))
            conn.execute("DELETE FROM message WHERE n <= ?", ((made.lastrowid or 0) - self._keep_messages,))
        return "new"

    def handled(self, message_id: str, told: Told | None) -> None:
        """The message was handled; `told` is its place, where it has one."""
        with self._writing() as conn:
            conn.execute("UPDATE message SET handled = 1 WHERE id = ?", (message_id,))
            if told is not None:
                _note(conn, told)

    def failed(self, message_id: str) -> None:
        """The message was not handled: it will be `new` when it comes again."""
        with self._writing() as conn:
            conn.execute("DELETE FROM message WHERE id = ? AND NOT handled", (message_id,))

    def gap_before(self, told: Told) -> Gap | None:
        """What is missing between the newest message about the subject and this one, if this one is newer."""
        with self._lock:
            seq, cursor = _place(self._conn, told.subject)
        return Gap(told.subject, seq + 1, told.seq - 1, cursor) if told.seq > seq + 1 else None

    def gaps(self) -> list[Gap]:
        """Everything that is missing still, by subject."""
        with self._lock:
            rows = self._conn.execute("SELECT subject, first, last, after FROM gap ORDER BY subject, first")
            return [Gap(*row) for row in rows.fetchall()]

    def filled(self, gap: Gap) -> None:
        """What was in the gap has been pulled: it is no gap any more."""
        with self._writing() as conn:
            conn.execute(
                "DELETE FROM gap WHERE subject = ? AND first >= ? AND last <= ?",
                (gap.subject, gap.first, gap.last),
            )

    def _prepare(self) -> None:
        self._conn.execute("PRAGMA journal_mode = WAL")
        self._conn.execute("PRAGMA synchronous = NORMAL")
        with self._writing() as conn:
            version = conn.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _SCHEMA:
                    conn.execute(statement)
                conn.execute(f"PRAGMA user_version = {_VERSION}")
            elif version != _VERSION:
                raise NotReady("The journal was made by another version", "Move it away, or name another.")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._conn.execute("BEGIN IMMEDIATE")
            try:
                yield self._conn
            except BaseException:
                self._conn.execute("ROLLBACK")
                raise
            self._conn.execute("COMMIT")


def _place(conn: sqlite3.Connection, subject: str) -> tuple[int, int | None]:
    """The newest number about a subject, and its cursor."""
    row = conn.execute("SELECT seq, cursor FROM subject WHERE name = ?", (subject,)).fetchone()
    return (0, None) if row is None else (row[0], row[1])


def _note(conn: sqlite3.Connection, told: Told) -> None:
    """Put a message in its place: behind the newest one, with a gap in between or not, or into a gap."""
    seq, cursor = _place(conn, told.subject)
    if told.seq > seq:
        if told.seq > seq + 1:
            _keep(conn, Gap(told.subject, seq + 1, told.seq - 1, cursor))
        conn.execute(
            "INSERT INTO subject (name, seq, cursor) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, cursor = excluded.cursor",
            told,
        )
        return
    row = conn.execute(
        "DELETE FROM gap WHERE subject = ? AND first <= ? AND last >= ? RETURNING first, last, after",
        (told.subject, told.seq, told.seq),
    ).fetchone()
    if row is None:
        return
    first, last, after = row
    if first < told.seq:
        _keep(conn, Gap(told.subject, first, told.seq - 1, after))
    if told.seq < last:
        _keep(conn, Gap(told.subject, told.seq + 1, last, told.cursor))


def _keep(conn: sqlite3.Connection, gap: Gap) -> None:
    made = conn.execute("INSERT INTO gap (subject, first, last, after) VALUES (?, ?, ?, ?)", gap)
    conn.execute("DELETE FROM gap WHERE n <= ?", ((made.lastrowid or 0) - KEEP_GAPS,))

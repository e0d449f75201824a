"""The tables of a mirror's file, and how all of them account for the log."""

from typing import Final

VERSION: Final = 2

SCHEMA: Final = """
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    hub TEXT NOT NULL, community TEXT NOT NULL,
    cursor INTEGER NOT NULL, stepped_at INTEGER NOT NULL,
    checkpoint BLOB, directory TEXT, policy TEXT
) STRICT;
CREATE TABLE statement (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL CHECK (length(id) = 32),
    kind TEXT NOT NULL, author TEXT NOT NULL,
    iat INTEGER NOT NULL, recorded_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    basis TEXT, target BLOB CHECK (length(target) = 32),
    commitment BLOB NOT NULL CHECK (length(commitment) = 32), r BLOB NOT NULL CHECK (length(r) = 32),
    jws BLOB NOT NULL
) STRICT;
CREATE INDEX statement_id ON statement (id);
CREATE INDEX statement_expires_at ON statement (expires_at);
CREATE INDEX statement_target ON statement (target) WHERE target IS NOT NULL;
CREATE TABLE indicator (
    type TEXT NOT NULL, value BLOB NOT NULL, seq INTEGER NOT NULL REFERENCES statement (seq),
    PRIMARY KEY (type, value, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX indicator_seq ON indicator (seq);
CREATE TABLE hub_event (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, recorded_at INTEGER NOT NULL,
    commitment BLOB NOT NULL, r BLOB NOT NULL, jws BLOB NOT NULL
) STRICT;
CREATE TABLE absent (
    seq INTEGER PRIMARY KEY, state TEXT NOT NULL CHECK (state IN ('gone', 'withheld')), reason TEXT NOT NULL,
    expired_at INTEGER
) STRICT;
CREATE INDEX absent_expired_at ON absent (expired_at) WHERE expired_at IS NOT NULL;
CREATE TABLE leaving (
    seq INTEGER PRIMARY KEY REFERENCES absent (seq), id BLOB NOT NULL, author TEXT NOT NULL
) STRICT;
CREATE TABLE refused (
    id INTEGER PRIMARY KEY, seq INTEGER, code TEXT NOT NULL, field TEXT NOT NULL, reason TEXT NOT NULL
) STRICT;
"""
"""`expired_at` is known for what was held here until it ran out. `leaving` names what ran out while a retraction of it
may still be on its way: it is emptied when the feed's end is reached."""

ACCOUNTED: Final = """
SELECT seq, 'held', kind, recorded_at, commitment FROM statement
UNION ALL SELECT seq, 'held', kind, recorded_at, commitment FROM hub_event
UNION ALL SELECT seq, 'absent', '', 0, x'' FROM absent
UNION ALL SELECT DISTINCT seq, 'refused', '', 0, x'' FROM refused WHERE seq IS NOT NULL
  AND seq NOT IN (SELECT seq FROM statement) AND seq NOT IN (SELECT seq FROM absent)
ORDER BY seq
"""
"""What the mirror has of each log entry (`tocsin_client.mirror_store.Accounted`)."""

RETRACTED: Final = """
INSERT OR IGNORE INTO temp.going
SELECT s.seq FROM statement r JOIN statement s ON s.id = r.target AND s.author = r.author
WHERE r.kind = 'retraction' AND (r.seq > :after OR s.seq > :after)
"""

RETRACTED_IN_TIME: Final = """
SELECT l.seq FROM statement r JOIN leaving l ON l.id = r.target AND l.author = r.author
WHERE r.kind = 'retraction' AND r.seq > :after
"""
"""What the clock dropped before its retraction had arrived; both were recorded before it expired."""

WITHHELD: Final = """
SELECT seq FROM absent WHERE state = 'withheld' AND reason IN (SELECT value FROM json_each(?)) ORDER BY seq
"""

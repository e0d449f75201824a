"""Where the board's published files are read from: a hub, or a folder that holds a copy of what it serves.

A copy is laid out like the hub's addresses, so that any web server or crawler can make one:

    log/checkpoint, log/tile/…                       the log (C2SP tlog-tiles)
    log/policy                                       whose checkpoints to believe
    .well-known/tocsin/board/genesis                 the first record, by whose digest everything is pinned
    .well-known/tocsin/board/records                 every record, a line each
    .well-known/tocsin/board/roster                  the roster in force
    .well-known/tocsin/board/docket                  the seals of the proceedings, a line each

Nothing that is read is believed here: `tocsin_client.board.verify` does that.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tocsin_client.log_source import PREFIX, LogSource

BOARD_PREFIX: Final = "/.well-known/tocsin/board"
GENESIS: Final = "genesis"
RECORDS: Final = "records"
ROSTER: Final = "roster"
DOCKET: Final = "docket"


class Published(NamedTuple):
    """The files as they were served; None for one that is not there."""

    genesis: bytes | None
    records: bytes | None
    roster: bytes | None
    docket: bytes | None

    @property
    def lines(self) -> Iterator[bytes]:
        """The records, a line each."""
        return _lines(self.records)

    @property
    def seals(self) -> Iterator[bytes]:
        """The seals, a line each."""
        return _lines(self.docket)


class Keeping:
    """A source that keeps what is read from it in a folder."""

    def __init__(self, source: LogSource, folder: Path) -> None:
        self._source = source
        self._folder = folder
        self.name = source.name

    def read(self, path: str) -> bytes | None:
        """Read an object, and keep it.

        Raises:
            HubError: as the source.
            OSError: when it cannot be kept.
        """
        raw = self._source.read(path)
        if raw is not None:
            target = self._folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(raw)
        return raw


def log_in(folder: Path) -> Path:
    """Where a copy has the log."""
    return folder / PREFIX.strip("/")


def board_in(folder: Path) -> Path:
    """Where a copy has the board's files."""
    return folder / BOARD_PREFIX.strip("/")


def published(board: LogSource) -> Published:
    """Read the board's files.

    Raises:
        HubError: when the hub cannot be reached or refuses.
        OSError: when a copy cannot be read.
    """
    return Published(*(board.read(name) for name in (GENESIS, RECORDS, ROSTER, DOCKET)))


def _lines(raw: bytes | None) -> Iterator[bytes]:
    return filter(None, (raw or b"").split(b"\n"))

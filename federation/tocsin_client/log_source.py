"""Where a log is read from: a hub, any other web server, or a folder that holds a copy.

Paths are those of C2SP tlog-tiles below the log's prefix (`checkpoint`, `tile/0/000`, `tile/entries/000.p/8`). A source
hands over bytes and vouches for nothing: `tocsin_client.log` verifies all of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from tocsin_client.http import Call, HubError, Transport

PREFIX: Final = "/log"
"""Where a hub serves its log."""
CHECKPOINT: Final = "checkpoint"
POLICY: Final = "policy"
_ABSENT: Final = frozenset({404, 410})


class LogSource(Protocol):
    """Reads the public objects of one log."""

    @property
    def name(self) -> str:
        """What to call it in a message."""
        ...

    def read(self, path: str) -> bytes | None:
        """The object at a path below the log's prefix; None when there is none."""
        ...


class HttpLog:
    """A log below `prefix` of one web server."""

    def __init__(self, transport: Transport, prefix: str = PREFIX) -> None:
        self._transport = transport
        self._prefix = prefix.rstrip("/")
        self.name = transport.hub

    def read(self, path: str) -> bytes | None:
        """Fetch an object.

        Raises:
            HubError: when the server cannot be reached or refuses.
        """
        # Only the checkpoint ever changes; a cache in between must ask again.
        headers = {"Cache-Control": "no-cache"} if path.endswith(CHECKPOINT) else {}
        try:
            return self._transport.request(Call("GET", f"{self._prefix}/{path}", headers=headers)).body
        except HubError as error:
            if error.status in _ABSENT:
                return None
            raise


class FolderLog:
    """A copy of a log in a folder, laid out like its paths."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = f"the copy in {folder}"

    def read(self, path: str) -> bytes | None:
        """Read an object.

        Raises:
            OSError: when the file is there and cannot be read.
        """
        try:
            return (self._folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None


@contextmanager
def open_source(location: str, ca_file: Path | None = None) -> Iterator[LogSource]:
    """The log at a URL (its prefix, `https://hub.example/log`) or in a folder.

    Raises:
        Refused: `request-invalid` for a URL that is no hub's (`tocsin_client.http.base_url`).
    """
    parts = urlsplit(location)
    if parts.scheme.lower() not in {"http", "https"}:
        yield FolderLog(Path(location))
        return
    with Transport(f"{parts.scheme}://{parts.netloc}", ca_file=ca_file) as transport:
        yield HttpLog(transport, parts.path)

"""How the `tocsin board` commands come to a board's files, and how they speak of what they find there."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import click

from tocsin_client.board.reading import BOARD_PREFIX, Keeping, board_in, log_in
from tocsin_client.board.verify import BoardUnverified, Replay, but, look, verify_board
from tocsin_client.cli.console import Console
from tocsin_client.cli.log_access import opened, whereabouts
from tocsin_client.config import NotReady
from tocsin_client.http import Transport
from tocsin_client.log import Log, View
from tocsin_client.log_source import POLICY, FolderLog, HttpLog, LogSource
from tocsin_schemas.board import BoardState
from tocsin_schemas.ledger import rfc3339

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@contextmanager
def board_of(
    console: Console, hub: str | None, offline: Path | None = None, save: Path | None = None
) -> Iterator[tuple[Log, LogSource]]:
    """A hub's log and its board's files: there, or in a copy; with `save` what is read is kept as a copy."""
    with ExitStack() as stack:
        log = stack.enter_context(opened(console, hub, None if offline is None else str(log_in(offline))))
        if offline is not None:
            yield log, FolderLog(board_in(offline))
            return
        address, ca = whereabouts(console, hub)
        board: LogSource = HttpLog(stack.enter_context(Transport(address, ca_file=ca)), BOARD_PREFIX)
        if save is not None:
            log.source, board = Keeping(log.source, log_in(save)), Keeping(board, board_in(save))
            # Whoever gets the copy has to know whose checkpoints to believe.
            log.source.read(POLICY)
        yield log, board


def replayed(
    console: Console, log: Log, board: LogSource, genesis: bytes | None = None
) -> tuple[View, Replay]:
    """Verify everything; the genesis that was believed first is pinned.

    Raises:
        NotReady: when the hub is a sandbox.
        LogUnverified: when the log does not prove itself.
    """
    size = log.latest().size
    with console.progress("verifying", size) as advance:
        view, files, logged = look(log, board, advance)
    if view.sandbox:
        raise NotReady(
            "This hub is a sandbox: its operator decides, and there are no decisions to verify",
            "See docs/governance.md for what a hub with a board publishes.",
        )
    if files.records is None:
        raise NotReady(
            f"{board.name} has no board yet", "It is founded with `tocsin-hub board found`, by its operator."
        )
    pinned = log.store.genesis()
    found = verify_board(files, logged, genesis or pinned)
    if not found.misfits and (believed := found.told[0].digest) != pinned:
        log.store.pin_genesis(believed)
        if genesis is None:
            console.note(
                f"Pinned the genesis {believed.hex()}. Compare it with the board by another channel."
            )
    return view, found


def demand_decided(console: Console, found: Replay) -> BoardState | None:
    """What the decisions add up to, which neither rows of the proceedings nor a clock change; that some differ is said.

    Raises:
        BoardUnverified: when a record does not fit.
    """
    if found.misfits:
        raise BoardUnverified(found)
    if found.wrong:
        console.note(f"The decisions verify, but {but(found)}: `tocsin board verify`.")
    return found.state


def digest(_context: click.Context, _param: click.Parameter, text: str | None) -> bytes | None:
    """A digest given on the command line."""
    if text is None:
        return None
    if not _DIGEST.fullmatch(text):
        raise click.BadParameter("64 lower-case hexadecimal digits")
    return bytes.fromhex(text)


def told_data(found: Replay) -> list[dict[str, Any]]:
    """The records, for `--json`."""
    return [
        {
            "record": told.record.seq,
            "kind": told.record.kind,
            "at": rfc3339(told.record.at),
            "log_seq": told.log_seq,
            "digest": told.digest.hex(),
            "says": told.says,
        }
        for told in found.told
    ]

"""The `tocsin` command: what a member does with a hub, from a shell.

Results go to standard output (one JSON object a line with `--json`), messages and progress to standard error. A failure
is one line of what happened and one line of what to do next; neither repeats a value from the command line.

Exit codes: 0 everything went well; 1 some items were refused; 2 the command line, or something on this machine, is not
as needed; 3 the hub or the network failed, or something does not verify.
"""

import json
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import click

from tocsin_client.board.verify import BoardUnverified
from tocsin_client.cli import (
    board,
    completion,
    follow,
    hashes,
    hub,
    identity,
    log,
    member,
    snapshot,
    speak,
    submission,
    webhook,
)
from tocsin_client.config import NotReady
from tocsin_client.http import HubError
from tocsin_client.log import PASSING, LogUnverified
from tocsin_client.mirror import VerificationFailed
from tocsin_client.mirror_store import Moved
from tocsin_client.snapshot_check import SnapshotUnverified
from tocsin_schemas.problems import REGISTRY, Refused

OK: Final = 0
SOME_REFUSED: Final = 1
NOT_READY: Final = 2
HUB_FAILED: Final = 3
ITEM_STATUSES: Final = frozenset({409, 410, 413, 422})
"""Statuses with which a hub refuses an item, and not the caller."""

Failed = tuple[int, str, str, str]
"""Exit code, error code, what happened, what to do next."""


class Tocsin(click.Group):
    """The command group, and the one place where an error becomes an exit code and two lines."""

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]  # always exits
        """Run one command and exit with its code."""
        words = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        try:
            code = super().main(words, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = NOT_READY
        except (
            click.ClickException, click.Abort, NotReady, Refused, HubError, LogUnverified, SnapshotUnverified,
            VerificationFailed, BoardUnverified, Moved, OSError, sqlite3.Error,
        ) as error:  # fmt: skip
            code, name, what, next_step = _explain(error)
            if "--json" in words:
                click.echo(json.dumps({"error": name, "what": what, "next": next_step}), err=True)
            else:
                click.echo(f"error: {what}\nnext:  {next_step}", err=True)
        sys.exit(code or OK)


def _explain(error: Exception) -> Failed:
    if isinstance(error, NotReady):
        return NOT_READY, "not-ready", error.what, error.next
    if isinstance(error, Refused):
        where = f"{error.field}: " if error.field else ""
        return SOME_REFUSED, error.code, f"refused: {where}{error.reason}", REGISTRY[error.code].help
    if isinstance(error, HubError):
        return _explain_hub(error)
    if isinstance(error, VerificationFailed):
        advice = "Tell the hub's operator. `--keep-going` notes such records as refused and follows on."
        return HUB_FAILED, error.failure.code, f"does not verify: {error}", advice
    if isinstance(error, LogUnverified):
        return HUB_FAILED, error.code, f"the log does not prove it: {error.reason}", _advice(error)
    if isinstance(error, BoardUnverified):
        advice = "Keep what was read (`--save FOLDER`), and ask the board and other members what they see."
        if error.passes:
            advice = f"Its hub puts such rows right within a minute; look again. If it stays: {advice}"
        return HUB_FAILED, error.code, f"{error.what}: {error.reason}", advice
    if isinstance(error, SnapshotUnverified):
        advice = (
            "Fetch it again: `tocsin snapshot get TYPE`. If it stays, tell the operator and other members."
        )
        return HUB_FAILED, error.code, f"the snapshot does not verify: {error.reason}", advice
    if isinstance(error, Moved):
        return (
            HUB_FAILED,
            "moved",
            "another process follows this mirror",
            "Let it finish, or stop one of the two.",
        )
    if isinstance(error, click.Abort):
        return NOT_READY, "stopped", "stopped", "Run the same command to go on: what was done stays."
    if isinstance(error, click.ClickException):
        return NOT_READY, "usage", *_explain_usage(error)
    if isinstance(error, OSError):
        return (
            NOT_READY,
            "file",
            f"a file could not be used: {error.strerror}",
            "Check its path, rights and the disk.",
        )
    return (
        NOT_READY,
        "mirror",
        "the mirror's file could not be used",
        "Check the disk and who else uses the file.",
    )


def _advice(error: LogUnverified) -> str:
    if error.evidence is not None:
        return f"Keep {error.evidence} and show it to others: the log's own key has signed both checkpoints in it."
    if error.code in PASSING:
        return "Try again in a minute; if it stays, ask the hub's operator why."
    return "Try again once. If it stays, tell the operator and other members. `tocsin log trust` shows whom you trust."


def _explain_hub(error: HubError) -> Failed:
    code = SOME_REFUSED if error.status in ITEM_STATUSES else HUB_FAILED
    where = f"{error.field}: " if error.field else ""
    request = f" (request {error.request_id})" if error.request_id else ""
    what = f"the hub says {error.code}: {where}{error.detail}{request}" if error.status else error.detail
    known = REGISTRY.get(error.code)
    next_step = error.help or (
        known.help if known else "Tell the hub's operator what you did and the request's id."
    )
    if error.retry_after is not None:
        next_step = f"Wait {error.retry_after:.0f} s. {next_step}"
    return code, error.code, what, next_step


def _explain_usage(error: click.ClickException) -> tuple[str, str]:
    """Click's own messages repeat what was typed; these do not."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    next_step = f"See `{context.command_path if context else 'tocsin'} --help`."
    if isinstance(error, click.MissingParameter):
        return error.format_message(), next_step
    if isinstance(error, click.BadParameter):
        hint = (
            error.param.get_error_hint(context)
            if error.param is not None and context is not None
            else "a parameter"
        )
        kind = error.param.type if error.param is not None else None
        choices = f": one of {', '.join(kind.choices)}" if isinstance(kind, click.Choice) else ""
        return f"{hint} is not acceptable{choices}", next_step
    if isinstance(error, click.NoSuchOption):
        near = f", perhaps {', '.join(error.possibilities)}" if error.possibilities else ""
        return f"there is no such option{near}", next_step
    return "these arguments do not fit the command", next_step


@click.command(
    cls=Tocsin,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 all went well, 1 some items were refused, 2 usage or this machine, 3 hub or verification.",
)
@click.version_option(package_name="tocsin", prog_name="tocsin")
def cli() -> None:
    r"""Exchange signed, hash-only abuse signals through a Tocsin hub.

    \b
    First steps:
      tocsin keys new                                  make your signing key
      tocsin login --hub URL --issuer URL --client-id ID
      tocsin follow                                    mirror and verify what members report
      tocsin match pictures/*.jpg                      compare your files with it, offline
      tocsin report bad.jpg --label … --basis …        report what you found
    """


def _lay_out(command: click.Command) -> None:
    r"""Keep the lines of a help text where it says so.

    Docstrings here are raw: their `\b` is two characters, and click looks for the one.
    """
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        _lay_out(below)


for _module in (
    identity,
    hub,
    hashes,
    speak,
    submission,
    follow,
    snapshot,
    log,
    board,
    member,
    webhook,
    completion,
):
    for _command in _module.COMMANDS:
        cli.add_command(_command)
_lay_out(cli)


def main() -> None:
    """The console script."""
    cli.main()

"""`tocsin submit`: a file of reports."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, get_args

import click

from tocsin_client.cli.console import Console, command, community_option
from tocsin_client.cli.options import report_fields, report_options
from tocsin_client.cli.speak import show_result
from tocsin_client.client import Client
from tocsin_client.http import HubError
from tocsin_client.rows import COLUMNS, BadRow, Fields, Format, draft, read_rows
from tocsin_client.submit import Rejection, Result
from tocsin_schemas.problems import Refused

_EPILOG: Final = "Columns: " + "; ".join(f"{name} ({meaning})" for name, meaning in COLUMNS.items()) + "."


@command("submit", epilog=_EPILOG)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option(
    "--format", "form", type=click.Choice(get_args(Format)), help="By default told from the file's name."
)
@click.option(
    "--skip", type=click.IntRange(0), default=0, metavar="LINE", help="Pass over the lines up to this one."
)
@click.option("--dry-run", is_flag=True, help="Have the hub check everything and store nothing.")
@report_options
@community_option
def submit(
    console: Console,
    file: Path,
    form: Format | None,
    skip: int,
    dry_run: bool,
    community: str | None,
    **values: Any,
) -> None:
    r"""Sign and submit a report file, one report a line: NDJSON, or CSV with a header (`-` reads standard input).

    Options fill the columns that a line leaves empty. Bad lines are shown with line and column; the others go through.

    \b
    Examples:
      tocsin submit reports.csv --dry-run
      tocsin hash --json found/* | tocsin submit - --format ndjson --label tc-ics@1:B2 \
          --basis human_reviewed --detection-context hosting
    """
    fields = report_fields(values)
    chosen = form or _told(file)
    profile = console.home.load()
    work = _Submission(console, fields, skip)
    with console.client(profile) as client, click.open_file(str(file), "rb") as source:
        audience = client.audience(community or profile.community)
        with console.progress("submitting", _count(file)) as advance:
            tokens = work.tokens(client, audience, source, chosen)
            work.show(client.submit(tokens, dry_run=dry_run, on_progress=advance))
    verb = "would be recorded" if dry_run else "recorded"
    console.note(f"{work.accepted:,} {verb}, {console.refused:,} refused.")


class _Submission:
    """One run over a file: which line each token came from, and how many were accepted."""

    def __init__(self, console: Console, fields: Fields, skip: int) -> None:
        self._console = console
        self._fields = fields
        self._skip = skip
        self._lines: deque[int] = deque()
        self.accepted = 0

    def tokens(self, client: Client, audience: str, source: IO[bytes], form: Format) -> Iterator[bytes]:
        """Sign the good lines as they are asked for; show the bad ones."""
        for row in read_rows(source, form):
            if row.line <= self._skip:
                continue
            try:
                if isinstance(row, BadRow):
                    raise Refused(row.code, row.field, row.reason)
                made = draft(row.fields, client.author.clock(), self._fields)
                token = client.author.sign(
                    made.report, made.indicators, audience=audience, observed_at=made.observed_at
                )
            except Refused as refused:
                show_result(self._console, {"line": row.line}, refused)
                continue
            self._lines.append(row.line)
            yield token

    def show(self, results: Iterator[Result]) -> None:
        """Show each result with its line."""
        try:
            for result in results:
                self.accepted += not isinstance(result, Rejection)
                show_result(self._console, {"line": self._lines.popleft()}, result)
        except HubError:
            # The batch that failed has lines, and none of them has been shown.
            self._console.note(
                f"Stopped before line {self._lines[0]}. Go on with --skip {self._lines[0] - 1};"
                " sending a line twice does no harm."
            )
            raise


def _told(file: Path) -> Format:
    if file.suffix == ".csv":
        return "csv"
    if file.suffix in {".ndjson", ".jsonl", ".json"}:
        return "ndjson"
    raise click.UsageError("--format")


def _count(file: Path) -> int:
    """Lines of a file, for the progress bar."""
    if not file.is_file():
        return 0
    with file.open("rb") as source:
        return sum(1 for _ in source)


COMMANDS: Final = (submit,)

"""What every command shares: where results, messages and progress go, and the options `--json` and `--home`."""

import functools
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from tocsin_client.client import Client
from tocsin_client.config import Home, Profile, load_key
from tocsin_client.log_store import LogStore
from tocsin_client.mirror import Mirror
from tocsin_client.submit import Author


class Console:
    """One run of one command. `refused` counts the items that were refused: the run then ends with 1."""

    def __init__(self, as_json: bool, home: Home) -> None:
        self.as_json = as_json
        self.home = home
        self.refused = 0

    def result(self, data: Mapping[str, Any], text: str) -> None:
        """One result: `data` as a line of JSON, or `text`."""
        click.echo(json.dumps(data) if self.as_json else text)

    def note(self, text: str) -> None:
        """A message for the person at the terminal."""
        click.echo(text, err=True)

    @contextmanager
    def progress(self, label: str, length: int) -> Iterator[Callable[[int], object]]:
        """A progress bar on standard error where that is a terminal; gives the function that moves it."""
        if not sys.stderr.isatty():
            yield lambda _: None
            return
        with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
            yield bar.update

    def client(self, profile: Profile) -> Client:
        """A client for the hub that `tocsin login` named."""
        author = Author(profile.issuer, load_key(profile.key))
        return Client(profile.hub, author, profile.client_id, ca_file=profile.ca)

    def mirror(self, profile: Profile, community: str, *, create: bool = False) -> Mirror:
        """The mirror of a community."""
        path = self.home.mirror_file(profile.hub, community)
        return Mirror.open(path, profile.hub, community, log=self.log_store(profile.hub), create=create)

    def log_store(self, hub: str) -> LogStore:
        """What this machine remembers of a hub's log."""
        return LogStore.of(self.home.data, hub)


def command(name: str, **attrs: Any) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command of a function whose first argument is the `Console`."""

    def make(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)
        def run(as_json: bool, home: Path | None, **values: Any) -> None:
            console = Console(as_json, Home.locate(home))
            function(console, **values)
            if console.refused:
                click.get_current_context().exit(1)

        params = [
            click.Option(
                ["--json", "as_json"], is_flag=True, help="One JSON object a line on standard output."
            ),
            click.Option(
                ["--home"],
                type=click.Path(path_type=Path, file_okay=False),
                help="Keep everything below this folder (or set TOCSIN_HOME).",
            ),
        ]
        callback: Callable[..., None] = run
        made: click.Command = click.command(name, cls=click.Command, **attrs)(callback)
        made.params += params
        return made

    return make


def community_option(function: Callable[..., None]) -> Callable[..., None]:
    """`--community`, for another one than the profile's."""
    return click.option("--community", metavar="SLUG", help="Another community than your profile's.")(
        function
    )

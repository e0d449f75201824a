"""The repository's Markdown as data: pages, fenced code, and the commands that they show."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", flags=re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`((?:tocsin|tocsin-hub|make) [-a-z][^`]*)`")
LINK = re.compile(r"(?<!!)\[[^\]]+\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True)
class Fence:
    """One fenced block: where it stands, its language and its code."""

    page: Path
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {self.code.splitlines()[0][:40]}"


def fences(page: Path, *languages: str) -> list[Fence]:
    return [
        Fence(page, found["language"], found["code"])
        for found in FENCE.finditer(page.read_text())
        if found["language"] in languages
    ]


def commands(page: Path) -> Iterator[str]:
    """Every command line of ours that a page shows, in a console block or in running text."""
    for fence in fences(page, "console", "sh"):
        for line in fence.code.splitlines():
            command = line.partition(" #")[0].strip()
            if command.split(" ")[0] in {"tocsin", "tocsin-hub", "make"}:
                yield command
    for span in SPAN.finditer(FENCE.sub("", page.read_text())):
        yield span[1]


def wrong_in_command(root: click.Command, line: str) -> str | None:
    """What a command line names that the command does not have, or None."""
    command = root
    known = _options(command)
    takes_value = False
    for word in shlex.split(line)[1:]:
        if takes_value:
            takes_value = False
        elif word.startswith("-"):
            option = known.get(word.partition("=")[0])
            if option is None:
                return f"no option {word}"
            takes_value = "=" not in word and not option.is_flag and not option.count
        elif isinstance(command, click.Group):
            found = command.get_command(click.Context(command), word)
            if found is None:
                return f"no command {word}"
            command = found
            known |= _options(command)
    return None


def _options(command: click.Command) -> dict[str, click.Option]:
    help_option = click.Option(["--help"], is_flag=True)
    return {"--help": help_option} | {
        name: param
        for param in command.params
        if isinstance(param, click.Option)
        for name in (*param.opts, *param.secondary_opts)
    }

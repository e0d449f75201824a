"""Receivers to begin with, one a language: each a whole program that a test runs against real requests.

Each reads its secret from `TOCSIN_WEBHOOK_SECRET` (several, with spaces between, while they change) and its port from
`PORT`, verifies, sends the challenge back, handles a message once and prints its type and id. Only what comes with the
language is used; the Python one uses this package.
"""

from dataclasses import dataclass
from importlib.resources import files
from typing import Final


@dataclass(frozen=True, slots=True)
class Snippet:
    """A receiver: the `language` by its short name, a `title` for people, the `file` to keep it in, how to `run` it."""

    language: str
    title: str
    file: str
    run: str
    text: str


def _read(language: str, title: str, file: str, run: str) -> Snippet:
    return Snippet(language, title, file, run, files(__name__).joinpath(file).read_text(encoding="utf-8"))


SNIPPETS: Final = (
    _read("python", "Python", "receiver.py", "python receiver.py"),
    _read("node", "Node.js", "receiver.mjs", "node receiver.mjs"),
    _read("java", "Java", "Receiver.java", "java Receiver.java"),
    _read("perl", "Perl", "receiver.pl", "perl receiver.pl"),
)
"""In the order in which they are shown."""

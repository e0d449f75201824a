"""Accepted claims taken apart: every object, member and string of them, so that a test can spoil each in turn."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.vectors.good import bodies

Path = tuple[str | int, ...]

SAMPLES = {
    name: said
    for name, said in bodies().items()
    if name
    in {
        "report-all-members",
        "report-aliases",
        "report-account-by-machine",
        "report-account-of-a-minor",
        "report-file-sha256",
        "sighting",
        "dispute",
        "retraction",
        "outcome",
    }
}
"""One of each kind and family, with every optional member in some of them."""


def parts(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value inside `value` with its path, itself first."""
    yield path, value
    if isinstance(value, dict):
        for name, member in value.items():
            yield from parts(member, (*path, name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from parts(item, (*path, place))


def replaced(value: Any, path: Path, new: Any) -> Any:
    """A copy in which `path` leads to `new`."""
    spoiled = copy.deepcopy(value)
    at(spoiled, path[:-1])[path[-1]] = new
    return spoiled


def at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def renamed(value: Any, path: Path, name: str) -> Any:
    """A copy in which the member that `path` leads to has another name."""
    spoiled = copy.deepcopy(value)
    holder = at(spoiled, path[:-1])
    holder[name] = holder.pop(path[-1])
    return spoiled


MARKER = "the marker of a template"


def template(said: Any) -> Callable[[str], bytes]:
    """Takes text to the JSON of `said` with that text where `said` has the marker, in a value or in a name."""
    before, _, after = json.dumps(said, separators=(",", ":")).partition(json.dumps(MARKER))
    return lambda text: (before + json.dumps(text) + after).encode()


def field(path: Path) -> str:
    """The path as a problem names it."""
    return ".".join(str(step).removeprefix("urn:tocsin:event:v1:") for step in path)

"""Raw values as people paste them into the wrong field, and every place of every event where one could be put."""

import base64
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from tocsin_schemas.vocabulary import EVENT_PREFIX

Path = tuple[str | int, ...]


def raw_values() -> Iterator[str]:
    """Endless: e-mails, phones, URLs, addresses, pictures in base64, sentences, handles; no two alike."""
    seeded = random.Random(7)
    kinds: list[Callable[[int], str]] = [
        lambda n: f"canary.jane{n}@mail.example",
        lambda n: f"+1555{7_310_000 + n}",
        lambda n: f"https://canary.example/profile/{n}?photo=9",
        lambda n: f"203.0.113.{n % 256}:canary-{n}",
        lambda n: f"2001:db8:ca:{n:x}::7a",
        lambda n: "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n" + seeded.randbytes(60)).decode(),
        lambda n: base64.b64encode(b"\xff\xd8\xff\xe0" + seeded.randbytes(48)).decode(),
        lambda n: f"A girl of {n} stands beside the canary in the garden",
        lambda n: f"@canary_handle_{n}",
        lambda n: f"Canary Street {n}, 12345 Springfield",
    ]
    number = 0
    while True:
        yield kinds[number % len(kinds)](number)
        number += 1


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every leaf of a JSON value."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from places(member, (*path, name))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from places(item, (*path, at))
    else:
        yield path


def objects(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every object in a JSON value."""
    if isinstance(value, dict):
        yield path
        for name, member in value.items():
            yield from objects(member, (*path, name))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from objects(item, (*path, at))


def planted(claims: dict[str, Any], values: Iterator[str]) -> Iterator[tuple[dict[str, Any], str]]:
    """Claims with one raw value each: in the place of a leaf, beside it, as a member, as a member's name."""
    for path in places(claims):
        for wrap in (str, lambda v: [v], lambda v: {"note": v}):
            value = next(values)
            yield _with(claims, path, wrap(value)), value
        leaf = _at(claims, path)
        if isinstance(leaf, str):
            for joined in ("{leaf}{value}", "{value}{leaf}", "{leaf} {value}"):
                value = next(values)
                yield _with(claims, path, joined.format(leaf=leaf, value=value)), value
    for path in objects(claims):
        for name in ("note", "email", EVENT_PREFIX + "comment"):
            value = next(values)
            yield _with(claims, (*path, name), value), value
        value = next(values)
        yield _with(claims, (*path, value), True), value


def _at(claims: Any, path: Path) -> Any:
    for part in path:
        claims = claims[part]
    return claims


def _with(claims: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    changed = deepcopy(claims)
    target = _at(changed, path[:-1])
    target[path[-1]] = value
    return changed

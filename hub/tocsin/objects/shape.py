"""What every store of objects can do.

- A path is relative, of parts that begin with a letter or digit and hold those and `. - _`: one spelling, no way out.
- A write is whole or absent, durable when it returns, and may be repeated: nobody ever reads half an object.
- `swap` is the only conditional operation, and atomic among all processes that use the store.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple, Protocol

Cache = Literal["immutable", "brief", "private"]
"""How long others may keep a copy: for good, a second, or not at all."""

CACHE_CONTROL: Final[dict[Cache, str]] = {
    "immutable": "public, max-age=31536000, immutable",
    "brief": "public, max-age=1",
    "private": "no-store",
}
_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")


class Object(NamedTuple):
    """An object to store."""

    path: str
    data: bytes
    media_type: str
    cache: Cache


class Objects(Protocol):
    """A store of objects. An absent object is None; a store that does not answer is an `OSError`."""

    def read(self, path: str) -> bytes | None:
        """An object's bytes, or None."""
        ...

    async def aread(self, path: str) -> bytes | None:
        """The same, for routes that hand out ready bytes."""
        ...

    async def aview(self, path: str) -> memoryview | None:
        """The same without a copy of its own, for large objects; it stays readable when the object is removed."""
        ...

    def write(self, item: Object) -> None:
        """Store one object, in place of an earlier one."""
        ...

    def write_many(self, items: Iterable[Object]) -> None:
        """Store many, in no order; each is whole or absent if this fails."""
        ...

    def swap(self, expected: bytes | None, item: Object) -> bool:
        """Store it if what is there now is `expected` (None: nothing); whether that was so."""
        ...

    def delete(self, paths: Iterable[str]) -> None:
        """Remove objects; it does no harm if one is not there."""
        ...

    def delete_under(self, folder: str) -> None:
        """Remove every object below a folder."""
        ...

    def list(self, folder: str = "") -> Iterator[str]:
        """The paths of all objects below a folder, in no order."""
        ...


def checked(path: str) -> str:
    """The path, if it is one.

    Raises:
        ValueError: otherwise. Paths are made by the code; a caller's text is parsed before it comes here.
    """
    if _PATH.fullmatch(path) is None:
        raise ValueError("not the path of an object")
    return path

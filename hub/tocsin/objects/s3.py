"""Objects in an S3-compatible store, by way of obstore.

`swap` is a conditional PUT (`If-None-Match: *`, `If-Match` with the ETag that was read): the store must honour both.
Errors of the store become `OSError` without its message, which may quote names and addresses.
"""

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError, PreconditionError
from obstore.store import S3Store

from tocsin.config import Settings
from tocsin.errors import Misconfigured
from tocsin.objects.shape import CACHE_CONTROL, Object, checked

CONNECTIONS: Final = 32
"""Objects written at once."""
TIMEOUT: Final = timedelta(seconds=20)
RETRIES: Final = 3
if TYPE_CHECKING:
    from obstore import PutMode
    from obstore.store import S3Config

_LOCATION: Final = re.compile(r"([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9][A-Za-z0-9._/-]*?))?/?")


def open_s3(settings: Settings, location: str) -> "S3Objects":
    """The objects below `bucket/prefix`.

    Raises:
        Misconfigured: when the location or the credentials are not of that form.
    """
    match = _LOCATION.fullmatch(location)
    if match is None:
        raise Misconfigured(
            "an s3:// location does not name a bucket and a prefix", "write it like s3://bucket/prefix"
        )
    try:
        secret = settings.s3_secret()
    except OSError:
        raise Misconfigured(
            "the file with the S3 secret cannot be read",
            "check the path and the permissions of TOCSIN_S3_SECRET_ACCESS_KEY_FILE",
        ) from None
    if (settings.s3_access_key_id is None) != (secret is None):
        raise Misconfigured(
            "half of the S3 credentials is missing",
            "set TOCSIN_S3_ACCESS_KEY_ID and TOCSIN_S3_SECRET_ACCESS_KEY, or neither",
        )
    config: S3Config = {"region": settings.s3_region}
    if settings.s3_endpoint is not None:
        config["endpoint"] = settings.s3_endpoint
    if settings.s3_access_key_id is not None and secret is not None:
        config["access_key_id"], config["secret_access_key"] = settings.s3_access_key_id, secret
    store = S3Store(
        match[1],
        prefix=match[2],
        config=config,
        client_options={"allow_http": (settings.s3_endpoint or "").startswith("http:"), "timeout": TIMEOUT},
        retry_config={"max_retries": RETRIES, "retry_timeout": TIMEOUT},
    )
    return S3Objects(store)


class S3Objects:
    """A store of objects below a bucket's prefix."""

    def __init__(self, store: S3Store) -> None:
        self._store = store

    def read(self, path: str) -> bytes | None:
        """An object's bytes, or None."""
        found = self._versioned(path)
        return None if found is None else found[0]

    async def aread(self, path: str) -> bytes | None:
        """The same, without a thread."""
        found = await self.aview(path)
        return None if found is None else bytes(found)

    async def aview(self, path: str) -> memoryview | None:
        """An object's bytes as they came."""
        with _answered():
            try:
                got = await obstore.get_async(self._store, checked(path))
                return memoryview(await got.bytes_async())
            except (NotFoundError, FileNotFoundError):
                return None

    def write(self, item: Object) -> None:
        """Store one object, in place of an earlier one."""
        with _answered():
            obstore.put(self._store, checked(item.path), item.data, attributes=_attributes(item))

    def write_many(self, items: Iterable[Object]) -> None:
        """Store many, several at once."""
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            for _ in pool.map(self.write, items):
                pass

    def swap(self, expected: bytes | None, item: Object) -> bool:
        """Store it by a conditional PUT if what is there now is `expected`.

        Raises:
            OSError: also when the store refuses although nothing has changed: it does not know conditional writes, and
                a log must not lie there.
        """
        found = self._versioned(item.path)
        if (None if found is None else found[0]) != expected:
            return False
        for mode in _modes(None if found is None else found[1]):
            with _answered():
                try:
                    obstore.put(
                        self._store, checked(item.path), item.data, attributes=_attributes(item), mode=mode
                    )
                except (AlreadyExistsError, PreconditionError):
                    pass
                else:
                    return True
            now = self._versioned(item.path)
            if now != found:
                # A first attempt that was stored and whose answer got lost is refused when it is repeated.
                return now is not None and now[0] == item.data
        raise OSError("the object store refuses a conditional write that fits")

    def delete(self, paths: Iterable[str]) -> None:
        """Remove objects."""
        with _answered():
            obstore.delete(self._store, [checked(path) for path in paths])

    def delete_under(self, folder: str) -> None:
        """Remove every object below a folder."""
        self.delete(list(self.list(checked(folder))))

    def list(self, folder: str = "") -> Iterator[str]:
        """The paths of all objects below a folder."""
        with _answered():
            pages = obstore.list(self._store, checked(folder) if folder else None)
            yield from (str(item["path"]) for item in chain.from_iterable(pages))

    def _versioned(self, path: str) -> tuple[bytes, str | None] | None:
        with _answered():
            try:
                got = obstore.get(self._store, checked(path))
                return bytes(got.bytes()), got.meta["e_tag"]
            except (NotFoundError, FileNotFoundError):
                return None


def _modes(etag: str | None) -> "list[PutMode]":
    """The conditions to try, one behind another: older versions of Ceph's gateway want an ETag without its quotes."""
    if etag is None:
        return ["create"]
    return [{"e_tag": etag}, {"e_tag": etag.strip('"')}]


def _attributes(item: Object) -> dict[str, str]:
    return {"Content-Type": item.media_type, "Cache-Control": CACHE_CONTROL[item.cache]}


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except BaseError as error:
        raise OSError(f"the object store did not do it ({type(error).__name__})") from None

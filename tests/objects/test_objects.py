"""What every store of objects does, the same on files and on a server of the S3 API."""

import asyncio
import secrets
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ledger.logs import KEY, ORIGIN, append, open_log
from tests.support.published import Onlooker, check_published
from tests.support.s3 import S3
from tocsin.config import Settings
from tocsin.db import Database
from tocsin.errors import Misconfigured
from tocsin.ledger import service
from tocsin.objects import Object, Objects, open_objects

Open = Callable[[], Objects]


def item(path: str, data: bytes) -> Object:
    return Object(path, data, "application/octet-stream", "immutable")


@pytest.fixture(params=["files", "s3"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the same, empty store each time."""
    if request.param == "files":
        return lambda: open_objects(Settings(), str(tmp_path / "objects"))
    found: S3 = request.getfixturevalue("s3")
    prefix = secrets.token_hex(8)
    settings = Settings.model_validate(found.settings())
    return lambda: open_objects(settings, f"s3://{found.bucket}/{prefix}")


@pytest.fixture
def objects(opened: Open) -> Objects:
    return opened()


def test_what_is_written_is_read_by_others(opened: Open) -> None:
    opened().write(item("tile/0/x001/000.p/5", b"five"))
    other = opened()
    assert other.read("tile/0/x001/000.p/5") == b"five"
    assert asyncio.run(other.aread("tile/0/x001/000.p/5")) == b"five"
    other.write(item("tile/0/x001/000.p/5", b""))
    assert opened().read("tile/0/x001/000.p/5") == b""


@pytest.mark.parametrize("path", ["none", "tile", "tile/0", "tile/0/000/1"])
def test_what_is_not_there_is_none(objects: Objects, path: str) -> None:
    objects.write(item("tile/0/000", b"tile"))
    assert objects.read(path) is None
    assert asyncio.run(objects.aread(path)) is None


def test_many_at_once(objects: Objects) -> None:
    wanted = {f"tile/0/x{n:03d}/{n:03d}": bytes([n]) * n for n in range(100)}
    objects.write_many(item(path, data) for path, data in wanted.items())
    objects.write_many([])
    assert {path: objects.read(path) for path in objects.list()} == wanted


def test_a_list_has_what_is_below_a_folder(objects: Objects) -> None:
    assert list(objects.list()) == []
    paths = {"a", "b/c", "b/d/e", "bb/c"}
    objects.write_many([item(path, b"x") for path in paths])
    assert set(objects.list()) == paths
    assert set(objects.list("b")) == {"b/c", "b/d/e"}
    assert set(objects.list("b/d")) == {"b/d/e"}
    assert set(objects.list("none")) == set()


def test_what_is_deleted_is_gone_and_nothing_else(objects: Objects) -> None:
    objects.write_many([item(path, b"x") for path in ("a", "b/c", "b/d/e", "b.p/1", "c")])
    objects.delete(["a", "none/at/all", "a/below"])
    assert set(objects.list()) == {"b/c", "b/d/e", "b.p/1", "c"}
    objects.delete_under("b")
    objects.delete_under("none")
    objects.delete([])
    assert set(objects.list()) == {"b.p/1", "c"}


def test_a_swap_takes_what_is_expected_and_nothing_else(objects: Objects) -> None:
    first, second = item("checkpoint", b"first"), item("checkpoint", b"second")
    assert not objects.swap(b"other", first)
    assert objects.read("checkpoint") is None
    assert objects.swap(None, first)
    assert not objects.swap(None, second)
    assert not objects.swap(b"second", second)
    assert objects.read("checkpoint") == b"first"
    assert objects.swap(b"first", second)
    assert not objects.swap(b"first", first)
    assert objects.read("checkpoint") == b"second"
    assert objects.swap(b"second", second)


@pytest.mark.parametrize("at", ["beginning", "later"])
def test_of_many_swaps_at_once_one_is_done(opened: Open, at: str) -> None:
    expected = None
    if at == "later":
        expected = b"expected"
        opened().write(item("checkpoint", expected))
    done: list[bytes] = []
    together = threading.Barrier(8)

    def swap(number: int) -> None:
        objects, data = opened(), b"%d" % number
        together.wait()
        if objects.swap(expected, item("checkpoint", data)):
            done.append(data)

    threads = [threading.Thread(target=swap, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1
    assert opened().read("checkpoint") == done[0]


@pytest.mark.parametrize(
    "path", ["", "/a", "a/", "a//b", "../a", "a/../b", ".a", "a/.b", "a b", "a\\b", "ä", "a\n"]
)
def test_what_is_no_path_is_a_mistake_of_the_caller(objects: Objects, path: str) -> None:
    for call in (
        lambda: objects.read(path),
        lambda: asyncio.run(objects.aread(path)),
        lambda: objects.write(item(path, b"x")),
        lambda: objects.swap(None, item(path, b"x")),
        lambda: objects.delete([path]),
        lambda: objects.delete_under(path),
    ):
        with pytest.raises(ValueError, match="not the path"):
            call()
    assert list(objects.list()) == []


def test_a_log_is_published_into_it(opened: Open, database: Database, tmp_path: Path) -> None:
    ledger = open_log(database, tmp_path, opened())
    world = Onlooker(opened(), ORIGIN, KEY.public.raw)
    size = 0
    for count in (3, 300, 1, 600):
        size = append(database, count)
        assert service.publish(ledger) == count
        assert check_published(world, database, tidy=True) == size
        assert not service.unpublished(ledger)


@pytest.mark.parametrize(
    ("changes", "location"),
    [
        ({}, "s3://"),
        ({}, "s3://UPPER/x"),
        ({}, "s3://b"),
        ({}, "s3://bucket//x"),
        ({}, "s3://bucket/ x"),
        ({"s3_access_key_id": "key"}, "s3://bucket/x"),
        ({"s3_secret_access_key": "secret"}, "s3://bucket/x"),
        ({"s3_access_key_id": "key", "s3_secret_access_key_file": "/none/at/all"}, "s3://bucket/x"),
    ],
)
def test_a_place_that_is_none_is_refused(changes: dict[str, str], location: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        open_objects(Settings.model_validate(changes), location)
    assert "s3" in caught.value.what.lower()


def test_a_server_that_does_not_answer_is_an_error_that_tells_nothing(s3: S3) -> None:
    settings = Settings.model_validate({**s3.settings(), "s3_endpoint": "http://127.0.0.1:9"})
    objects = open_objects(settings, "s3://bucket/secretive")
    for call in (
        lambda: objects.read("a"),
        lambda: objects.write(item("a", b"x")),
        lambda: objects.swap(None, item("a", b"x")),
        lambda: list(objects.list()),
        lambda: objects.delete(["a"]),
    ):
        with pytest.raises(OSError, match="object store") as caught:
            call()
        assert "secretive" not in str(caught.value)
        assert caught.value.__suppress_context__

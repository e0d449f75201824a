"""Stores that are not quite as they should be: what a swap does then."""

import secrets
import sys
from typing import Any

import obstore
import pytest
from obstore.exceptions import PreconditionError

from tests.support.s3 import S3
from tocsin.config import Settings
from tocsin.errors import Misconfigured
from tocsin.objects import Object, Objects, open_objects

FIRST, SECOND = (Object("checkpoint", data, "text/plain", "brief") for data in (b"first", b"second"))


@pytest.fixture
def objects(s3: S3) -> Objects:
    opened = open_objects(Settings.model_validate(s3.settings()), f"s3://{s3.bucket}/{secrets.token_hex(8)}")
    opened.write(FIRST)
    return opened


def test_an_old_gateway_wants_the_etag_without_its_quotes(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, asked = obstore.put, []

    def old(*args: Any, mode: Any, **named: Any) -> Any:
        asked.append(mode["e_tag"])
        if mode["e_tag"].startswith('"'):
            raise PreconditionError("412")
        return put(*args, mode={"e_tag": f'"{mode["e_tag"]}"'}, **named)

    monkeypatch.setattr(obstore, "put", old)
    assert objects.swap(b"first", SECOND)
    assert objects.read("checkpoint") == b"second"
    assert [etag.strip('"') for etag in asked] == [asked[1]] * 2


def test_a_store_without_conditional_writes_is_an_error_and_not_a_defeat(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any, **_named: Any) -> Any:
        raise PreconditionError("412")

    monkeypatch.setattr(obstore, "put", refuse)
    with pytest.raises(OSError, match="refuses a conditional write that fits"):
        objects.swap(b"first", SECOND)
    assert objects.read("checkpoint") == b"first"


@pytest.mark.parametrize(
    ("stored", "won"), [(SECOND, True), (Object("checkpoint", b"x", "a/b", "brief"), False)]
)
def test_a_refusal_of_what_was_stored_at_the_first_attempt_is_a_success(
    objects: Objects, monkeypatch: pytest.MonkeyPatch, stored: Object, won: bool
) -> None:
    """The answer got lost, the library asks again; or somebody else was first."""
    put = obstore.put

    def repeated(store: Any, path: str, _data: bytes, **_named: Any) -> Any:
        put(store, path, stored.data)
        raise PreconditionError("412")

    monkeypatch.setattr(obstore, "put", repeated)
    assert objects.swap(b"first", SECOND) is won
    assert objects.read("checkpoint") == stored.data


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tocsin.objects.s3", None)
    with pytest.raises(Misconfigured) as caught:
        open_objects(Settings(), "s3://bucket/log")
    assert "[hub,s3]" in caught.value.advice

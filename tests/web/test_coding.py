"""Content codings: which one a caller gets."""

import gzip
import random
from contextlib import suppress

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import Refused
from tocsin.web.coding import CODINGS, encode, negotiate


@pytest.mark.parametrize(
    ("accepted", "used"),
    [
        (None, "identity"),
        ("", "identity"),
        ("zstd, gzip", "zstd"),
        ("gzip, zstd", "zstd"),
        ("gzip, zstd;q=0.5", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP;Q=0.3", "gzip"),
        ("gzip;level=1;q=0.2, zstd;q=0.1", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *", "gzip"),
        ("*;q=0, gzip;q=0.001", "gzip"),
        ("identity, gzip;q=0.1", "identity"),
        ("identity;q=0.2, gzip;q=0.1", "identity"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("br", "identity"),
        ("br, deflate;q=0", "identity"),
        ("gzip;q=2", "identity"),
        ("gzip;q=nan", "identity"),
        ("gzip;q=0.1234", "identity"),
        (",;,=;q=", "identity"),
    ],
)
def test_the_caller_chooses(accepted: str | None, used: str) -> None:
    assert negotiate(accepted) == used


@pytest.mark.parametrize("accepted", ["*;q=0", "br, *;q=0", "identity;q=0", "identity;q=0, br;q=1"])
def test_nothing_acceptable_is_refused(accepted: str) -> None:
    with pytest.raises(Refused) as caught:
        negotiate(accepted)
    assert (caught.value.code, caught.value.field) == ("not-acceptable", "accept-encoding")


@given(st.text(alphabet='gzipstd;q=0.19*, x-"identity', max_size=40))
def test_any_header_gets_an_answer(accepted: str) -> None:
    with suppress(Refused):
        assert negotiate(accepted) in CODINGS


@pytest.mark.parametrize(
    ("accepted", "used"),
    [("zstd", "identity"), ("zstd, gzip;q=0.1", "gzip"), ("*", "gzip"), ("gzip;q=0, *", "identity")],
)
def test_only_what_is_offered_is_chosen(accepted: str, used: str) -> None:
    assert negotiate(accepted, ("gzip", "identity")) == used


def test_a_whole_answer_in_each_coding() -> None:
    content = random.Random(7).randbytes(5000) * 3
    assert zstd.decompress(encode(content, "zstd")) == content
    assert gzip.decompress(encode(content, "gzip")) == content
    assert encode(content, "identity") == content

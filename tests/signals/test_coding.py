"""Content codings: which one a caller gets, and pieces that join."""

import gzip
import random
import zlib
from contextlib import suppress

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from tocsin.signals import coding
from tocsin.signals.coding import GZIP_FRAME_BYTES, GZIP_HEADER, Part, encode, gzip_trailer, negotiate, press
from tocsin_schemas.problems import Refused


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
        assert negotiate(accepted) in coding.CODINGS


@given(st.lists(st.binary(max_size=300), max_size=6), st.integers(0, 3))
def test_any_run_of_pieces_is_one_content(contents: list[bytes], repeated: int) -> None:
    contents = [content * 10**repeated for content in contents]
    pressed = [press(content) for content in contents]
    parts = [Part(piece.crc, len(content)) for piece, content in zip(pressed, contents, strict=True)]
    pieces = b"".join(piece.deflate for piece in pressed)
    joined = GZIP_HEADER + pieces + gzip_trailer(parts)
    assert len(joined) == len(pieces) + GZIP_FRAME_BYTES
    member = zlib.decompressobj(31)
    assert member.decompress(joined) == gzip.decompress(joined) == b"".join(contents)
    assert (member.eof, member.unused_data) == (True, b"")
    assert zstd.decompress(b"".join(piece.zstd for piece in pressed) or zstd.compress(b"")) == b"".join(
        contents
    )


def test_a_whole_answer_in_each_coding() -> None:
    content = random.Random(7).randbytes(5000) * 3
    assert zstd.decompress(encode(content, "zstd")) == content
    assert gzip.decompress(encode(content, "gzip")) == content
    assert encode(content, "identity") == content
    assert coding.decode(press(content).zstd) == content

"""Stored pieces that join to one answer."""

import gzip
import random
import zlib

from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from tocsin.signals.coding import GZIP_FRAME_BYTES, GZIP_HEADER, Part, decode, gzip_trailer, press


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


def test_a_stored_piece_is_read_again() -> None:
    content = random.Random(7).randbytes(5000) * 3
    assert decode(press(content).zstd) == content

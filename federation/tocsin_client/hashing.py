"""Hash files where they lie: MD5, SHA-1 and SHA-256 of any file, PDQ of pictures. No byte of a file leaves the machine.

A file is read once, in pieces. What is a picture is decided by its content, from a closed list of raster formats (no
format here runs an interpreter). The picture is hashed as stored: EXIF orientation is not applied, the first frame
stands for an animation. A file that cannot be read is a problem of that file only. PDQ needs the extra `tocsin[hash]`.
"""

import hashlib
import math
import stat
import struct
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal

from tocsin_client.pool import Crashed, Workers
from tocsin_schemas.indicators import Indicator

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM", "JPEG2000")
MAX_PIXELS: Final = 100_000_000
"""Larger pictures are not decoded: a few bytes can claim to be gigabytes."""
REDUCED_PIXELS: Final = 16_000_000
"""Larger pictures are first averaged down by a whole factor: PDQ's own filter does the same in ten times the memory."""
_PIECE: Final = 1024 * 1024
# What decoders raise for damaged files.
_DECODING: Final = (
    OSError, EOFError, ValueError, SyntaxError, TypeError, RuntimeError, MemoryError,
    ArithmeticError, LookupError, struct.error, zlib.error,
)  # fmt: skip

Note = Literal[
    "file-unreadable", "picture-unreadable", "picture-too-large", "hashing-crashed", "pdq-unavailable"
]
NOTES: Final[dict[Note, str]] = {
    "file-unreadable": "the file cannot be read, or is no regular file",
    "picture-unreadable": "it begins like a picture and cannot be decoded: no PDQ",
    "picture-too-large": f"a picture of more than {MAX_PIXELS:,} pixels: no PDQ",
    "hashing-crashed": "hashing it ended the process that did it",
    "pdq-unavailable": "PDQ needs more packages: pip install 'tocsin[hash]'",
}
"""What can stand in the way of hashing a file, in words."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """A file's digests, and for a picture its PDQ hash with quality (0-100; below 50 it says little).

    Without digests the file could not be read; `note` says what stood in the way.
    """

    path: Path
    md5: bytes | None = None
    sha1: bytes | None = None
    sha256: bytes | None = None
    pdq: bytes | None = None
    quality: int | None = None
    note: Note | None = None

    @property
    def media(self) -> list[Indicator]:
        """The indicators of the file as media: PDQ first, then the exact digests."""
        found = (("pdq", self.pdq), ("md5", self.md5), ("sha1", self.sha1), ("sha256", self.sha256))
        return [Indicator(kind, value) for kind, value in found if value is not None]

    @property
    def artefact(self) -> list[Indicator]:
        """The indicator of the file as a model artefact."""
        return [] if self.sha256 is None else [Indicator("file-sha256", self.sha256)]


def hash_file(path: Path) -> Hashed:
    """Hash one file. Never raises for what is wrong with the file: that is its `note`."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return Hashed(path, note="file-unreadable")
        with path.open("rb") as file:
            digests = [
                hashlib.md5(usedforsecurity=False),
                hashlib.sha1(usedforsecurity=False),
                hashlib.sha256(),
            ]
            while piece := file.read(_PIECE):
                for digest in digests:
                    digest.update(piece)
            md5, sha1, sha256 = (digest.digest() for digest in digests)
            file.seek(0)
            pdq, quality, note = _picture(file)
    except OSError:
        return Hashed(path, note="file-unreadable")
    return Hashed(path, md5, sha1, sha256, pdq, quality, note)


def hash_files(
    paths: Iterable[Path], *, workers: int = 1, on_progress: Callable[[int], object] | None = None
) -> Iterator[Hashed]:
    """Hash many files, `workers` at a time, in the order given.

    A script that asks for workers needs the `if __name__ == "__main__":` of `multiprocessing`.
    """
    with Workers(hash_file, workers) as pool:
        for path, outcome in pool.map(paths):
            yield Hashed(path, note="hashing-crashed") if isinstance(outcome, Crashed) else outcome
            if on_progress is not None:
                on_progress(1)


def _picture(file: IO[bytes]) -> tuple[bytes | None, int | None, Note | None]:
    """PDQ, quality and note of an open file; nothing at all when it is no picture."""
    try:
        import numpy as np
        import pdqhash
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        return None, None, "pdq-unavailable"
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures and odd metadata; the limit below decides, and oddities do not matter.
            warnings.simplefilter("ignore")
            with Image.open(file, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    return None, None, "picture-too-large"
                rgb = image.convert("RGB")
                factor = math.ceil(math.sqrt(rgb.width * rgb.height / REDUCED_PIXELS))
                pixels = np.asarray(rgb.reduce(factor) if factor > 1 else rgb)
    except UnidentifiedImageError:
        return None, None, None
    except Image.DecompressionBombError:
        return None, None, "picture-too-large"
    except _DECODING:
        return None, None, "picture-unreadable"
    bits, quality = pdqhash.compute(pixels)
    # The first bit computed is the highest of the hexadecimal form, as in the reference implementation.
    return np.packbits(bits.astype(np.uint8)).tobytes(), int(quality), None

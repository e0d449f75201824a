import hashlib
import math
import os
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.client.pictures import flat, landscape, save
from tocsin_client import hashing
from tocsin_client.hashing import Hashed, hash_file, hash_files
from tocsin_schemas.indicators import Indicator, degenerate_pdq


def distance(a: Hashed, b: Hashed) -> int:
    assert a.pdq is not None
    assert b.pdq is not None
    return (int.from_bytes(a.pdq) ^ int.from_bytes(b.pdq)).bit_count()


def reference_pdq(image: Image.Image) -> str:
    """PDQ as its paper describes it, in plain NumPy: luma, two box filters each way, 64 by 64 samples, 16 by
    16 DCT coefficients compared with their median; written as Meta's tools do, the last coefficient first."""
    pixels = np.asarray(image.convert("RGB")).astype(np.float64)
    luma = pixels @ (0.299, 0.587, 0.114)
    for axis in (0, 1):
        size = luma.shape[1 - axis] if axis else luma.shape[0]
        window = (size + 127) // 128
        for _ in range(2):
            luma = np.apply_along_axis(_box, axis, luma, window)
    rows = ((np.arange(64) + 0.5) * luma.shape[0] / 64).astype(int)
    columns = ((np.arange(64) + 0.5) * luma.shape[1] / 64).astype(int)
    small = luma[np.ix_(rows, columns)]
    k, n = np.arange(1, 17)[:, None], np.arange(64)[None, :]
    dct = math.sqrt(2 / 64) * np.cos(math.pi / 128 * k * (2 * n + 1))
    coefficients = (dct @ small @ dct.T).flatten()
    bits = coefficients > np.sort(coefficients)[127]
    return f"{int(''.join('1' if bit else '0' for bit in bits[::-1]), 2):064x}"


def _box(line: np.ndarray, window: int) -> np.ndarray:
    half = (window + 2) // 2
    at = np.arange(len(line))
    first, end = np.maximum(0, at - window + half), np.minimum(len(line), at + half)
    sums = np.concatenate([[0.0], np.cumsum(line)])
    return (sums[end] - sums[first]) / (end - first)


def test_any_file_has_its_digests(tmp_path: Path) -> None:
    path = tmp_path / "notes.bin"
    content = os.urandom(3_000_001)
    path.write_bytes(content)
    hashed = hash_file(path)
    assert hashed == Hashed(
        path,
        md5=hashlib.md5(content).digest(),
        sha1=hashlib.sha1(content).digest(),
        sha256=hashlib.sha256(content).digest(),
    )
    assert [item.type for item in hashed.media] == ["md5", "sha1", "sha256"]
    assert hashed.artefact == [Indicator("file-sha256", hashlib.sha256(content).digest())]


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert hash_file(path).md5 == hashlib.md5().digest()


@pytest.mark.parametrize("seed", range(3))
def test_pdq_is_the_reference_algorithm_in_the_reference_bit_order(tmp_path: Path, seed: int) -> None:
    image = landscape(seed)
    hashed = hash_file(save(image, tmp_path / "picture.png"))
    expected = Hashed(Path(), pdq=bytes.fromhex(reference_pdq(image)))
    assert distance(hashed, expected) <= 10, "Meta's own tolerance between implementations"


@pytest.mark.parametrize("seed", range(6))
def test_a_copy_stays_near_and_other_pictures_are_far(tmp_path: Path, seed: int) -> None:
    image = landscape(seed)
    original = hash_file(save(image, tmp_path / "original.png"))
    assert original.quality is not None
    assert original.quality >= 50
    assert original.pdq is not None
    assert not degenerate_pdq(original.pdq)
    copies = {
        "weak.jpg": (image, {"quality": 40}),
        "small.jpg": (image.resize((256, 192)), {"quality": 85}),
        "large.webp": (image.resize((900, 675)), {"quality": 80}),
        "grey.png": (image.convert("L"), {}),
        "palette.gif": (image.convert("P"), {}),
    }
    for name, (copy, options) in copies.items():
        assert distance(original, hash_file(save(copy, tmp_path / name, **options))) <= 31, name
    other = hash_file(save(landscape(seed + 100), tmp_path / "other.png"))
    assert distance(original, other) > 60


def test_a_flat_picture_has_no_quality(tmp_path: Path) -> None:
    assert hash_file(save(flat(), tmp_path / "flat.png")).quality == 0


def test_the_hash_is_of_the_bytes_as_stored(tmp_path: Path) -> None:
    """EXIF orientation is not applied: two hubs that hash one file must get one hash."""
    image = landscape(1)
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = hash_file(save(image, tmp_path / "plain.jpg", quality=90))
    turned = hash_file(save(image, tmp_path / "turned.jpg", quality=90, exif=exif))
    assert plain.pdq == turned.pdq
    assert plain.sha256 != turned.sha256


def test_what_a_file_is_called_does_not_matter(tmp_path: Path) -> None:
    path = save(landscape(2), tmp_path / "picture.png")
    assert hash_file(path.rename(tmp_path / "notes.txt")).pdq is not None


def test_a_damaged_picture_keeps_its_exact_digests(tmp_path: Path) -> None:
    path = save(landscape(3), tmp_path / "cut.jpg")
    path.write_bytes(path.read_bytes()[:2000])
    hashed = hash_file(path)
    assert (hashed.pdq, hashed.note) == (None, "picture-unreadable")
    assert hashed.md5 == hashlib.md5(path.read_bytes()).digest()


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "bmp", "tiff", "jp2", "ppm"])
def test_damage_anywhere_never_raises(tmp_path: Path, suffix: str) -> None:
    whole = save(landscape(4, 96, 64), tmp_path / f"whole.{suffix}").read_bytes()
    rng = random.Random(suffix)
    path = tmp_path / f"damaged.{suffix}"
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            content[rng.randrange(min(len(content), 600))] = rng.randrange(256)
        path.write_bytes(content[: rng.randint(10, len(content))])
        assert hash_file(path).sha256 is not None


def test_a_picture_that_claims_to_be_enormous_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(landscape(5, 100, 50), tmp_path / "picture.png")
    monkeypatch.setattr(hashing, "MAX_PIXELS", 4999)
    assert hash_file(path).note == "picture-too-large"
    monkeypatch.setattr(hashing, "MAX_PIXELS", 5000)
    assert hash_file(path).note is None


def test_a_decompression_bomb_is_a_note(tmp_path: Path) -> None:
    path = save(Image.new("1", (20_000, 20_000)), tmp_path / "bomb.png")
    assert path.stat().st_size < 100_000
    assert hash_file(path).note == "picture-too-large"


def test_a_very_large_picture_is_averaged_down_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(landscape(6, 1200, 900), tmp_path / "large.png")
    whole = hash_file(path)
    monkeypatch.setattr(hashing, "REDUCED_PIXELS", 300_000)
    assert distance(whole, hash_file(path)) <= 10


@pytest.mark.parametrize("make", ["missing", "folder", "pipe"])
def test_what_is_no_file_is_a_note(tmp_path: Path, make: str) -> None:
    path = tmp_path / "thing"
    if make == "folder":
        path.mkdir()
    elif make == "pipe":
        os.mkfifo(path)
    assert hash_file(path) == Hashed(path, note="file-unreadable")
    assert hash_file(path).media == hash_file(path).artefact == []


def test_without_the_extra_there_are_exact_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    path = save(landscape(7), tmp_path / "picture.png")
    monkeypatch.setitem(sys.modules, "pdqhash", None)
    hashed = hash_file(path)
    assert (hashed.pdq, hashed.note) == (None, "pdq-unavailable")
    assert hashed.sha256 is not None


def test_many_files_in_order_with_progress(tmp_path: Path) -> None:
    paths = [save(landscape(seed, 64, 64), tmp_path / f"{seed}.png") for seed in range(10)]
    paths.insert(3, tmp_path / "missing")
    done: list[int] = []
    found = list(hash_files(paths, workers=2, on_progress=done.append))
    assert [hashed.path for hashed in found] == paths
    assert found == [hash_file(path) for path in paths]
    assert sum(done) == 11


def test_every_note_has_words() -> None:
    assert all((text and text[0].islower()) or text.startswith("PDQ") for text in hashing.NOTES.values())

"""Benign pictures for the demonstration: invented hills under an invented sky, the same ones every time."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIDE: Final = 512
OCTAVES: Final = (4, 8, 16, 32, 64)


def picture(seed: int) -> Image.Image:
    """A picture of 512 x 512 pixels with plenty of texture; different seeds look different."""
    rng = np.random.default_rng(seed)
    channels = [_noise(rng) * 0.6 + _noise(rng) * 0.4 for _ in range(3)]
    image = Image.fromarray((np.stack(channels, axis=-1) * 255).astype(np.uint8), "RGB")
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, size = (int(n) for n in rng.integers((0, 0, 30), (SIDE, SIDE, 160)))
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        draw.polygon([(x, y), (x + size, y + size // 3), (x + size // 4, y + size)], fill=colour)
    return image


def flat() -> Image.Image:
    """A picture with nothing on it: its PDQ hash says nothing, and would match other nothing."""
    return Image.new("RGB", (SIDE, SIDE), (96, 120, 144))


def copy_of(image: Image.Image, path: Path, *, quality: int, scale: float) -> Path:
    """Save a copy as people make them: another size, another compression."""
    side = int(SIDE * scale)
    image.resize((side, side), Image.Resampling.LANCZOS).save(path, quality=quality)
    return path


def _noise(rng: np.random.Generator) -> NDArray[np.float64]:
    """Smooth noise in 0..1: coarse grids blown up and added, each finer one weaker."""
    total = np.zeros((SIDE, SIDE))
    for weight, cells in enumerate(OCTAVES, 1):
        grid = Image.fromarray((rng.random((cells, cells)) * 255).astype(np.uint8), "L")
        total += np.asarray(grid.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.float64) / weight
    low, high = total.min(), total.max()
    scaled: NDArray[np.float64] = (total - low) / (high - low)
    return scaled

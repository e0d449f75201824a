"""Pictures made on the spot: benign, and different enough to tell apart."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def landscape(seed: int, width: int = 512, height: int = 384) -> Image.Image:
    """A picture with large shapes and some texture, as photographs have; each seed another one."""
    rng = np.random.default_rng(seed)
    x, y = np.arange(width), np.arange(height)
    pixels = np.zeros((height, width, 3))
    for _ in range(40):
        cx, cy = rng.uniform(0, width), rng.uniform(0, height)
        size = rng.uniform(0.03, 0.12) * width
        colour = rng.uniform(-220, 220, 3)
        shape = np.outer(np.exp(-(((y - cy) / size) ** 2)), np.exp(-(((x - cx) / size) ** 2)))
        pixels += colour * shape[..., None]
    pixels += rng.normal(0, 4, pixels.shape)
    return Image.fromarray(np.clip(pixels + 128, 0, 255).astype(np.uint8))


def flat(colour: tuple[int, int, int] = (90, 90, 90)) -> Image.Image:
    return Image.new("RGB", (256, 256), colour)


def save(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path

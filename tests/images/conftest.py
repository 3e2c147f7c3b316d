"""Files of photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from photographs import (
    save,
)
from PIL import Image


@pytest.fixture
def quadrants(tmp_path: Path) -> Path:
    """20 x 40: red left of green above, blue left of white below."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:10, :20], pixels[:10, 20:] = (255, 0, 0), (0, 255, 0)
    pixels[10:, :20], pixels[10:, 20:] = (0, 0, 255), (255, 255, 255)
    return save(tmp_path / "quadrants.png", Image.fromarray(pixels))


@pytest.fixture
def stripes(tmp_path: Path) -> Path:
    """20 x 40, three columns of colour: red for 10 pixels, green for 20, blue for 10."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :10, 0] = pixels[:, 10:30, 1] = pixels[:, 30:, 2] = 255
    return save(tmp_path / "stripes.png", Image.fromarray(pixels))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos" / "inner.png").mkdir(parents=True)
    for name in ("b.jpg", "a.PNG", "c.webp", ".hidden.png", "inner.png/deep.png"):
        Image.new("RGB", (6, 4), "red").save(tmp_path / "photos" / name)
    (tmp_path / "photos" / "notes.txt").write_text("not an image")
    return tmp_path / "photos"

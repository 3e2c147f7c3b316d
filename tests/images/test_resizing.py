"""The three fits, at any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from error_messages import error_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from photographs import BLUE, FITS, GREEN, RED, WHITE, assert_photograph, random_pixels, save, side
from PIL import Image

from depthjax.images import (
    load_image,
)


@given(
    full=st.tuples(side, side),
    size=st.one_of(side, st.tuples(side, side)),
    fit=st.sampled_from(FITS),
    seed=st.integers(0, 9),
)
@settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_size_and_fit_gives_the_shape_asked_and_the_range(
    tmp_path: Path, full: tuple[int, int], size: int | tuple[int, int], fit: str, seed: int
) -> None:
    # Black and white noise, since it overshoots the most.
    pixels = (random_pixels(*full, seed) > 127).astype(np.uint8) * 255
    path = save(tmp_path / "noise.png", Image.fromarray(pixels))
    height, width = size if isinstance(size, tuple) else (size, size)
    assert_photograph(load_image(path, size, fit=fit), height, width)


@given(
    full=st.tuples(side, side),
    size=st.tuples(side, side),
    fit=st.sampled_from(("crop", "stretch")),
    level=st.integers(0, 255),
)
@settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_constant_image_stays_constant(
    tmp_path: Path, full: tuple[int, int], size: tuple[int, int], fit: str, level: int
) -> None:
    path = save(tmp_path / "plain.png", Image.new("RGB", full[::-1], (level, level, level)))
    np.testing.assert_allclose(load_image(path, size, fit=fit), level / 255, atol=1e-6)


@pytest.mark.parametrize("fit", FITS)
def test_its_own_size_changes_nothing(tmp_path: Path, fit: str) -> None:
    path = save(tmp_path / "noise.png", Image.fromarray(random_pixels(9, 13)))
    np.testing.assert_array_equal(load_image(path, (9, 13), fit=fit), load_image(path))


def test_size_is_height_then_width_and_an_integer_is_a_square(quadrants: Path) -> None:
    assert load_image(quadrants, (6, 10)).shape == (6, 10, 3)
    assert load_image(quadrants, np.int64(6)).shape == (6, 6, 3)


@pytest.mark.parametrize("fit", FITS)
def test_the_layout_is_kept(quadrants: Path, fit: str) -> None:
    image = load_image(quadrants, (16, 24), fit=fit)
    corners = [image[4, 4], image[4, -5], image[-5, 4], image[-5, -5]]
    np.testing.assert_allclose(corners, [RED, GREEN, BLUE, WHITE], atol=0.05)


def test_crop_covers_and_cuts_what_is_beyond_the_centre(stripes: Path) -> None:
    # The middle 20 of 40 columns are all green; the scale of 10 / 20 leaves no others.
    image = load_image(stripes, 10)
    np.testing.assert_allclose(image[:, 1:-1], np.broadcast_to(GREEN, (10, 8, 3)), atol=0.05)
    # A crop of the height keeps every column.
    wide = load_image(stripes, (5, 40), fit="crop")
    np.testing.assert_allclose(wide[2, [2, 20, -3]], [RED, GREEN, BLUE], atol=0.05)


def test_stretch_keeps_everything_and_ignores_the_aspect(stripes: Path) -> None:
    image = load_image(stripes, 20, fit="stretch")
    np.testing.assert_allclose(image[10, [2, 7, 12, 17]], [RED, GREEN, GREEN, BLUE], atol=0.1)


def test_pad_keeps_everything_between_grey_borders(stripes: Path) -> None:
    image = load_image(stripes, 20, fit="pad")
    np.testing.assert_array_equal(image[:5], 0.5)
    np.testing.assert_array_equal(image[-5:], 0.5)
    np.testing.assert_allclose(
        image[5:-5, [2, 10, -3]], np.broadcast_to([RED, GREEN, BLUE], (10, 3, 3)), atol=0.1
    )


def disc(height: int, width: int, radius: float) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    inside = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2) < radius
    return Image.fromarray(inside.astype(np.uint8) * 255)


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("size", [(32, 32), (30, 50), (50, 31), (200, 150)])
def test_a_centred_disc_stays_a_centred_disc(
    tmp_path: Path, fit: str, size: tuple[int, int]
) -> None:
    path = save(tmp_path / "disc.png", disc(80, 120, 25))
    # Between 0 and 1 for the pixels of the disc, whatever surrounds the image.
    image = np.clip(load_image(path, size, fit=fit)[..., 0] - 0.5, 0, None) * 2
    # An odd rest of padding cannot be halved, so that the centre may move by half a pixel.
    slack = 0.51 if fit == "pad" else 0.05
    y, x = np.mgrid[: size[0], : size[1]]
    centre_y, centre_x = np.average(y, weights=image), np.average(x, weights=image)
    assert centre_y == pytest.approx((size[0] - 1) / 2, abs=slack)
    assert centre_x == pytest.approx((size[1] - 1) / 2, abs=slack)
    spread_y = np.average((y - centre_y) ** 2, weights=image) ** 0.5
    spread_x = np.average((x - centre_x) ** 2, weights=image) ** 0.5
    assert spread_y / spread_x == pytest.approx(1, abs=0.04)
    scale = (max if fit == "crop" else min)(size[0] / 80, size[1] / 120)
    assert spread_y == pytest.approx(25 * scale / 2, rel=0.05)


@pytest.mark.parametrize("fit", FITS)
def test_shrinking_does_not_alias(tmp_path: Path, fit: str) -> None:
    checks = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    path = save(tmp_path / "checks.png", Image.fromarray(checks))
    np.testing.assert_allclose(load_image(path, 16, fit=fit), 0.5, atol=0.02)


def test_enlarging_is_smooth(tmp_path: Path) -> None:
    path = save(tmp_path / "edge.png", Image.fromarray(np.array([[0, 255]], np.uint8)))
    row = load_image(path, (1, 16), fit="stretch")[0, :, 0]
    assert (np.diff(row) >= -1e-6).all()
    assert len(np.unique(row)) > 4


@pytest.mark.parametrize("fit", FITS)
def test_extreme_aspects_need_no_extreme_memory(tmp_path: Path, fit: str) -> None:
    # Scaled to cover 1 x 4000, a 3000 x 1 image would be 12,000,000 x 4000 before its crop.
    tall = save(tmp_path / "tall.png", Image.new("L", (1, 3000), 128))
    assert_photograph(load_image(tall, (1, 4000), fit=fit), 1, 4000)
    wide = save(tmp_path / "wide.png", Image.new("L", (3000, 1), 128))
    assert_photograph(load_image(wide, (4000, 1), fit=fit), 4000, 1)


@pytest.mark.parametrize(
    "size", [0, -3, (4, 0), (0, 4), 2.5, "8", (8,), (8, 8, 3), (8, 2.5), np.zeros((3, 3)), 10**6]
)
def test_an_invalid_size(size: object) -> None:
    assert error_of(lambda: load_image("moon", size)).startswith("size ")


def test_an_invalid_fit_is_told_even_without_a_size() -> None:
    message = error_of(lambda: load_image("moon", fit="corp"))
    assert message == "unknown fit 'corp'; did you mean 'crop'? Known: crop, pad, stretch"
    assert "Known: crop, pad, stretch" in error_of(lambda: load_image("moon", 8, fit=None))

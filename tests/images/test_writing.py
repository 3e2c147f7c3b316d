"""Floats as 8 bits and as PNG files."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from error_messages import error_of
from PIL import Image

from depthjax import files
from depthjax.images import (
    load_image,
    save_png,
    to_uint8,
)


def test_to_uint8_clips_and_rounds_half_to_even() -> None:
    values = np.array([-1, 0, 0.5 / 255, 1.5 / 255, 2.5 / 255, 0.5, 0.999, 1, 7])
    np.testing.assert_array_equal(to_uint8(values), [0, 0, 0, 2, 2, 128, 255, 255, 255])
    assert to_uint8(values).dtype == np.uint8
    assert to_uint8(np.zeros((2, 3, 4, 5), np.float32)).shape == (2, 3, 4, 5)


def test_every_8_bit_level_survives() -> None:
    levels = np.arange(256, dtype=np.uint8)
    for dtype in (np.float32, np.float64):
        np.testing.assert_array_equal(to_uint8(levels.astype(dtype) / dtype(255)), levels)


@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7, 1), (5, 7), (1, 1, 3), (3, 3)])
def test_save_png_round_trips_8_bit_images_exactly(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path / "out.png"
    save_png(path, pixels / np.float32(255))
    with Image.open(path) as stored:
        assert stored.format == "PNG"
        assert stored.mode == ("RGB" if shape[2:] == (3,) else "L")
    expected = np.broadcast_to(pixels.reshape(*shape[:2], -1), (*shape[:2], 3))
    np.testing.assert_array_equal(to_uint8(load_image(path)), expected)


def test_save_png_overwrites_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.PNG"
    save_png(str(path), np.zeros((2, 2, 3)))
    save_png(path, np.ones((3, 3, 3)))
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.PNG"]
    np.testing.assert_array_equal(load_image(path), np.ones((3, 3, 3)))


def test_save_png_writes_where_we_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_png("out.png", np.zeros((2, 2)))
    assert os.listdir(tmp_path) == ["out.png"]


@pytest.mark.skipif(os.name != "posix", reason="permission bits")
def test_save_png_grants_what_other_new_files_do(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    save_png(tmp_path / "out.png", np.zeros((2, 2)))
    assert (tmp_path / "out.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("step", ["write", "replace"])
def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "out.png"
    save_png(path, np.zeros((2, 2, 3)))
    before = path.read_bytes()

    class FullDisk(io.FileIO):
        def write(self, content: bytes) -> int:
            super().write(content[:10])
            raise OSError(28, "No space left on device")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if step == "write":
            patch.setattr(files, "open", FullDisk, raising=False)
        else:
            patch.setattr(files.os, "replace", fail)
        message = error_of(lambda: save_png(path, np.ones((2, 2, 3))))
    assert "No space left on device" in message and "out.png" in message
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.png"]


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    save_png(tmp_path / "out.png", np.zeros((2, 2, 3)))
    before = (tmp_path / "out.png").read_bytes()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(files.os, "replace", interrupt)
        save_png(tmp_path / "out.png", np.ones((2, 2, 3)))
    assert (tmp_path / "out.png").read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.png"]


def test_save_png_to_where_it_cannot_go(tmp_path: Path) -> None:
    image = np.zeros((2, 2, 3))
    (tmp_path / "taken.png").mkdir()
    assert "taken.png" in error_of(lambda: save_png(tmp_path / "taken.png", image))
    assert "no folder" in error_of(lambda: save_png(tmp_path / "nowhere" / "out.png", image))
    assert "'.png'" in error_of(lambda: save_png(tmp_path / "out.jpg", image))
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken.png"]


@pytest.mark.parametrize("shape", [(3,), (2, 2, 4), (2, 2, 2), (1, 2, 2, 3), (0, 2, 3), ()])
def test_save_png_refuses_other_shapes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    message = error_of(lambda: save_png(tmp_path / "out.png", np.zeros(shape)))
    assert str(shape) in message and "[H, W, 3]" in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_writing_refuses_values_that_are_not_finite(tmp_path: Path, bad: float) -> None:
    image = np.full((2, 2), 0.5)
    image[0, 1] = bad
    assert "1 of 4 values" in error_of(lambda: to_uint8(image))
    assert "1 of 4 values" in error_of(lambda: save_png(tmp_path / "out.png", image))


def test_writing_refuses_integers_rather_than_turning_them_white() -> None:
    assert "uint8" in error_of(lambda: to_uint8(np.full((2, 2), 128, np.uint8)))

"""Names of images, labels, and errors of one line about what is not there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from error_messages import error_of
from photographs import FITS, save
from PIL import Image

from depthjax.images import (
    EMBEDDED,
    find_images,
    load_image,
    load_images,
)


def test_find_images_expands_folders_in_order_and_drops_duplicates(folder: Path) -> None:
    a, b, c = (str(folder / name) for name in ("a.PNG", "b.jpg", "c.webp"))
    assert find_images([folder]) == (a, b, c)
    assert find_images(["moon", b, str(folder), "moon", "china"]) == ("moon", b, a, c, "china")
    assert find_images([]) == ()


def test_find_images_refuses_a_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not an image")
    message = error_of(lambda: find_images([tmp_path]))
    assert repr(str(tmp_path)) in message and ".png" in message


def test_find_images_refuses_what_is_not_there(folder: Path) -> None:
    assert "did you mean 'moon'?" in error_of(lambda: find_images(["mooon"]))
    assert "b.jpg'?" in error_of(lambda: find_images([folder / "bb.jpg"]))


def test_load_images_gives_labels_and_a_batch(folder: Path) -> None:
    labels, batch = load_images([folder / "b.jpg", "moon"], (8, 10))
    assert labels == ("b", "moon")
    assert batch.shape == (2, 8, 10, 3) and batch.dtype == np.float32
    np.testing.assert_array_equal(batch[1], load_image("moon", (8, 10)))


def test_load_images_passes_the_fit_on(stripes: Path) -> None:
    for fit in FITS:
        _, batch = load_images([stripes], 20, fit=fit)
        np.testing.assert_array_equal(batch[0], load_image(stripes, 20, fit=fit))


def test_labels_stay_unique(tmp_path: Path) -> None:
    sources = ["moon"]
    for name in ("one/moon.png", "two/moon.png", "two/moon-2.png", "two/my.cat.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        sources.append(str(save(path, Image.new("RGB", (2, 2)))))
    labels, _ = load_images(sources, 2)
    assert len(set(labels)) == 5
    assert labels[:3] == ("moon", "moon-2", "moon-3") and labels[-1] == "my.cat"


def test_load_images_without_a_size_needs_equal_ones(folder: Path) -> None:
    assert load_images([folder / "a.PNG", folder / "b.jpg"], None)[1].shape == (2, 4, 6, 3)
    message = error_of(lambda: load_images([folder / "a.PNG", "moon"], None))
    assert "'moon' is 512 x 512" in message and "give a size" in message


def test_load_images_needs_a_sequence_with_something_in_it() -> None:
    assert "no images" in error_of(lambda: load_images([], 8))
    for call in (lambda: load_images("moon", 8), lambda: find_images("moon")):
        assert "['moon']" in error_of(call)


@pytest.mark.parametrize(
    ("asked", "nearest"), [("chelsae", "chelsea"), ("COINS", "coins"), ("moon.png", "moon")]
)
def test_an_unknown_name_gets_the_nearest_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, nearest: str
) -> None:
    monkeypatch.chdir(tmp_path)
    message = error_of(lambda: load_image(asked))
    assert repr(asked) in message and message.endswith(f"did you mean {nearest!r}?")


@pytest.mark.parametrize("asked", ["", "zzzz", "a\nb", "a\0b"])
def test_an_unknown_name_near_none_lists_them_all(asked: str) -> None:
    message = error_of(lambda: load_image(asked))
    assert repr(asked) in message and "did you mean" not in message
    assert all(name in message for name in EMBEDDED)


def test_an_unknown_name_may_mean_a_file_here(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(folder / "holiday.jpg", Image.new("RGB", (2, 2)))
    monkeypatch.chdir(folder)
    assert "did you mean 'holiday.jpg'?" in error_of(lambda: load_image("holiday"))


def test_a_missing_file_gets_the_nearest_in_its_folder(folder: Path) -> None:
    message = error_of(lambda: load_image(folder / "a.png~"))
    assert "'a.PNG', 'b.jpg', 'c.webp'" in message
    assert message.endswith(f"did you mean {str(folder / 'a.PNG')!r}?")


def test_a_missing_file_among_many_lists_a_few(tmp_path: Path) -> None:
    for index in range(20):
        (tmp_path / f"{index:02}.png").touch()
    message = error_of(lambda: load_image(tmp_path / "photo.jpg"))
    assert "'07.png' and 12 more images" in message and "'08.png'" not in message


def test_a_missing_folder(tmp_path: Path) -> None:
    message = error_of(lambda: load_image(tmp_path / "nowhere" / "a.png"))
    assert "there is no folder" in message and "nowhere" in message


def test_a_file_wins_over_an_embedded_name_when_it_looks_like_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "moon.png", Image.new("RGB", (3, 2), "red"))
    os.rename(save(tmp_path / "a.png", Image.new("RGB", (5, 4), "red")), tmp_path / "moon")
    assert load_image("moon.png").shape == (2, 3, 3)
    assert load_image(os.path.join(".", "moon")).shape == (4, 5, 3)
    assert load_image("moon").shape == (512, 512, 3)


def test_a_folder_is_not_an_image(folder: Path) -> None:
    message = error_of(lambda: load_image(folder))
    assert "is a folder" in message and "find_images" in message


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no devices")
def test_a_device_is_not_an_image() -> None:
    assert "not a regular file" in error_of(lambda: load_image("/dev/zero"))


@pytest.mark.parametrize("source", [3, None, b"moon.png", ["moon"], np.zeros((2, 2))])
def test_a_source_of_another_type(source: object) -> None:
    assert type(source).__name__ in error_of(lambda: load_image(source))

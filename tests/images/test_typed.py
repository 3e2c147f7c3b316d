"""What people type for images: addresses, patterns, commas, folders of all sorts, grey images."""

import struct

import numpy as np
import pytest
from error_messages import error_of
from PIL import Image

from depthjax.images import find_images, image_labels, left_out, load_image, load_images
from depthjax.images.luminance import luminance


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.jpg", "Paris, 2024.jpg"):
        Image.new("RGB", (3, 2), (200, 100, 0)).save(name, "JPEG")
    return tmp_path


@pytest.mark.parametrize(
    "text", ["https://example.org/a.jpg", "file:///home/me/a.jpg", "s3://b/a.png"]
)
def test_an_address_is_no_file(text):
    assert "is an address" in error_of(lambda: find_images([text]))


def test_a_pattern_stands_for_what_it_matches(place):
    assert find_images(["?.jpg"]) == ("a.jpg", "b.jpg")
    Image.new("RGB", (2, 2)).save("c[1].png")
    assert find_images(["c[1].png"]) == ("c[1].png",)  # a file of that very name
    assert "no image file '*.tif'" in error_of(lambda: find_images(["*.tif"]))


def test_a_comma_too_many_and_a_comma_within_a_name(place):
    assert "a comma too many" in error_of(lambda: find_images(["a.jpg", ""]))
    for typed in ("Paris", "Paris 2024.jpg"):  # the first is what a list of flags makes of it
        assert "'\"Paris, 2024.jpg\"'" in error_of(lambda typed=typed: find_images([typed]))


def test_what_a_folder_holds_besides_its_images_is_said(place):
    assert left_out(["a.jpg", "moon"]) == "" and left_out(["."]) == ""
    for name in (".DS_Store", "._a.jpg", "x.heic", "labels.csv"):
        (place / name).touch()
    (place / "more").mkdir()
    text = left_out(["."])
    assert text == (
        ".: 3 images; left out: 2 other files (labels.csv, x.heic) and 1 folders, which are not"
        " searched"
    )


def test_labels_that_differ_in_case_alone_are_told_apart():
    assert image_labels(["A.png", "a.png", "x/a.jpg", "b.png"]) == ("A", "a-2", "a-3", "b")


def test_grey_images_are_the_luminance(place):
    colour, grey = load_image("moon", 16), load_image("moon", 16, channels=1)
    assert grey.shape == (16, 16, 1) and grey.dtype == np.float32
    np.testing.assert_allclose(grey[..., 0], luminance(colour), atol=1e-6)
    assert load_images(["moon", "a.jpg"], 8, channels=1)[1].shape == (2, 8, 8, 1)
    assert "not 4" in error_of(lambda: load_image("moon", 16, channels=4))


def test_a_tiff_of_colour_in_floats_is_named(tmp_path):
    side, data = 2, np.ones((2, 2, 3), "<f4").tobytes()
    entries = [(256, side), (257, side), (259, 1), (262, 2), (277, 3), (278, side)]
    start = 8 + 2 + 12 * (len(entries) + 4) + 4
    longs = [(258, 3, start), (273, 1, start + 12), (279, 1, len(data)), (339, 3, start + 6)]
    rows = [struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in entries]
    rows += [struct.pack("<HHII", tag, 3 if n == 3 else 4, n, value) for tag, n, value in longs]
    head = b"II*\0" + struct.pack("<IH", 8, len(rows)) + b"".join(sorted(rows)) + bytes(4)
    path = tmp_path / "hdr.tif"
    path.write_bytes(head + struct.pack("<6H", 32, 32, 32, 3, 3, 3) + data)
    assert "colour in floats" in error_of(lambda: load_image(path))
